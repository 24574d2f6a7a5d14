package engine

import (
	"errors"
	"maps"
	"net/http"
	"testing"

	"github.com/sealgate/sealgate/module/s3"
	"github.com/sealgate/sealgate/module/sse"
	"github.com/sealgate/sealgate/policy"
)

func TestMakePlan(t *testing.T) {
	t.Parallel()
	yes, no := true, false
	kms := policy.Encryption{Mode: policy.KMS, KeyID: "key-a", OnConflict: "reject"}
	with := func(e policy.Encryption, change func(*policy.Encryption)) policy.Encryption {
		change(&e)
		return e
	}
	onConflict := func(e policy.Encryption, c string) policy.Encryption {
		e.OnConflict = c
		return e
	}
	allowing := func(c string) policy.Encryption {
		return policy.Encryption{Mode: policy.KMS, AllowedKeys: []string{"key-a", "key-b"}, OnConflict: c}
	}
	s3mode := policy.Encryption{Mode: policy.SSES3, OnConflict: "reject"}

	tests := []struct {
		name      string
		operation string
		asked     sse.Choice
		decided   policy.Encryption
		send      sse.Choice  // what goes to the store
		mode      policy.Mode // what must hold afterwards
		refused   string      // rule id of the refusal, "" for none
	}{
		{"nothing asked: injected", "PutObject", sse.Choice{}, kms, sse.Choice{Mode: sse.KMS, KeyID: "key-a"}, policy.KMS, ""},
		{"nothing asked, none decided", "PutObject", sse.Choice{}, policy.Encryption{Mode: policy.None}, sse.Choice{}, policy.None, ""},
		{"none decided demands nothing", "PutObject", sse.Choice{Mode: sse.S3}, policy.Encryption{Mode: policy.None, OnConflict: "reject"}, sse.Choice{Mode: sse.S3}, policy.SSES3, ""},
		{"the same asked", "PutObject", sse.Choice{Mode: sse.S3}, s3mode, sse.Choice{Mode: sse.S3}, policy.SSES3, ""},
		{"the same mode without a key gets the key", "PutObject", sse.Choice{Mode: sse.KMS}, kms, sse.Choice{Mode: sse.KMS, KeyID: "key-a"}, policy.KMS, ""},
		{"an allowed other key agrees", "PutObject", sse.Choice{Mode: sse.KMS, KeyID: "key-b"},
			with(kms, func(e *policy.Encryption) { e.AllowedKeys = []string{"key-a", "key-b"} }),
			sse.Choice{Mode: sse.KMS, KeyID: "key-b"}, policy.KMS, ""},
		{"a key that is not allowed conflicts", "PutObject", sse.Choice{Mode: sse.KMS, KeyID: "key-x"}, kms, sse.Choice{}, "", "ENF-003"},
		{"contexts merge", "PutObject", sse.Choice{Mode: sse.KMS, Context: map[string]string{"a": "1"}},
			with(kms, func(e *policy.Encryption) { e.Context = map[string]string{"tenant": "t"} }),
			sse.Choice{Mode: sse.KMS, KeyID: "key-a", Context: map[string]string{"a": "1", "tenant": "t"}}, policy.KMS, ""},
		{"a contradicting context conflicts", "PutObject", sse.Choice{Mode: sse.KMS, Context: map[string]string{"tenant": "other"}},
			with(kms, func(e *policy.Encryption) { e.Context = map[string]string{"tenant": "t"} }),
			sse.Choice{}, "", "ENF-003"},
		{"a contradicting bucket key conflicts", "PutObject", sse.Choice{Mode: sse.KMS, BucketKey: &no},
			with(kms, func(e *policy.Encryption) { e.BucketKey = &yes }), sse.Choice{}, "", "ENF-003"},
		{"weaker asked, reject", "PutObject", sse.Choice{Mode: sse.S3}, kms, sse.Choice{}, "", "ENF-003"},
		{"weaker asked, replace", "PutObject", sse.Choice{Mode: sse.S3}, onConflict(kms, "replace"), sse.Choice{Mode: sse.KMS, KeyID: "key-a"}, policy.KMS, ""},
		{"weaker asked, keep-if-stronger replaces", "PutObject", sse.Choice{Mode: sse.S3}, onConflict(kms, "keep-if-stronger"), sse.Choice{Mode: sse.KMS, KeyID: "key-a"}, policy.KMS, ""},
		{"stronger asked, keep-if-stronger keeps", "PutObject", sse.Choice{Mode: sse.DSSE, KeyID: "key-b"}, onConflict(kms, "keep-if-stronger"), sse.Choice{Mode: sse.DSSE, KeyID: "key-b"}, policy.DSSE, ""},
		{"stronger asked, kept with the context decided", "PutObject", sse.Choice{Mode: sse.DSSE, KeyID: "key-b"},
			with(onConflict(kms, "keep-if-stronger"), func(e *policy.Encryption) { e.Context = map[string]string{"tenant": "t"} }),
			sse.Choice{Mode: sse.DSSE, KeyID: "key-b", Context: map[string]string{"tenant": "t"}}, policy.DSSE, ""},
		{"stronger asked, reject", "PutObject", sse.Choice{Mode: sse.DSSE}, kms, sse.Choice{}, "", "ENF-003"},
		{"stronger asked, replace", "PutObject", sse.Choice{Mode: sse.DSSE}, onConflict(kms, "replace"), sse.Choice{Mode: sse.KMS, KeyID: "key-a"}, policy.KMS, ""},
		{"stronger asked with an allowed key, keep-if-allowed", "PutObject", sse.Choice{Mode: sse.DSSE, KeyID: "key-a"}, onConflict(kms, "keep-if-allowed"), sse.Choice{Mode: sse.DSSE, KeyID: "key-a"}, policy.DSSE, ""},
		{"stronger asked with another key, keep-if-allowed", "PutObject", sse.Choice{Mode: sse.DSSE, KeyID: "key-x"}, onConflict(kms, "keep-if-allowed"), sse.Choice{}, "", "ENF-003"},
		{"stronger asked without a key, keep-if-allowed", "PutObject", sse.Choice{Mode: sse.DSSE}, onConflict(kms, "keep-if-allowed"), sse.Choice{}, "", "ENF-003"},
		{"weaker asked, keep-if-allowed", "PutObject", sse.Choice{Mode: sse.S3}, onConflict(kms, "keep-if-allowed"), sse.Choice{}, "", "ENF-003"},
		{"stronger asked without a key, keep-if-stronger takes the key decided", "PutObject", sse.Choice{Mode: sse.DSSE}, onConflict(kms, "keep-if-stronger"), sse.Choice{Mode: sse.DSSE, KeyID: "key-a"}, policy.DSSE, ""},
		{"no key asked, several allowed and none decided", "PutObject", sse.Choice{Mode: sse.KMS}, allowing("reject"), sse.Choice{}, "", "ENF-005"},
		{"nothing asked, several keys allowed and none decided", "PutObject", sse.Choice{}, allowing("reject"), sse.Choice{}, "", "ENF-005"},
		{"weaker asked, several keys allowed and none decided, replace", "PutObject", sse.Choice{Mode: sse.S3}, allowing("replace"), sse.Choice{}, "", "ENF-005"},
		{"one of several keys asked", "PutObject", sse.Choice{Mode: sse.KMS, KeyID: "key-b"}, allowing("reject"), sse.Choice{Mode: sse.KMS, KeyID: "key-b"}, policy.KMS, ""},
		{"no key asked where nothing is demanded", "PutObject", sse.Choice{Mode: sse.KMS}, policy.Encryption{Mode: policy.None, AllowedKeys: []string{"key-a"}}, sse.Choice{Mode: sse.KMS}, policy.KMS, ""},
		{"an object re-encrypted under the key decided", "UpdateObjectEncryption", sse.Choice{Mode: sse.KMS, KeyID: "key-a"}, kms, sse.Choice{Mode: sse.KMS, KeyID: "key-a"}, policy.KMS, ""},
		{"an object re-encrypted under another key", "UpdateObjectEncryption", sse.Choice{Mode: sse.KMS, KeyID: "key-x"}, onConflict(kms, "replace"), sse.Choice{}, "", "ENF-003"},
		{"another mode in place of a customer key, replace", "PutObject", sse.Choice{Mode: sse.S3},
			policy.Encryption{Mode: policy.SSEC, OnConflict: "replace"}, sse.Choice{}, "", "ENF-004"},
		{"customer key missing", "PutObject", sse.Choice{}, policy.Encryption{Mode: policy.SSEC}, sse.Choice{}, "", "ENF-004"},
		{"an unknown conflict word refuses", "PutObject", sse.Choice{Mode: sse.S3}, onConflict(kms, "perhaps"), sse.Choice{}, "", "ENF-003"},

		{"a part sends nothing", "UploadPart", sse.Choice{}, kms, sse.Choice{}, policy.KMS, ""},
		{"a part cannot be replaced", "UploadPart", sse.Choice{Mode: sse.C}, onConflict(kms, "replace"), sse.Choice{}, "", "ENF-003"},
		{"completion is held to the decision", "CompleteMultipartUpload", sse.Choice{}, kms, sse.Choice{}, policy.KMS, ""},
		{"a read expects nothing", "GetObject", sse.Choice{}, policy.Encryption{Mode: policy.Unchanged}, sse.Choice{}, policy.Unchanged, ""},
		{"a read passes the customer's key", "GetObject", sse.Choice{Mode: sse.C}, policy.Encryption{Mode: policy.Unchanged}, sse.Choice{Mode: sse.C}, policy.Unchanged, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			op, ok := s3.Lookup(tt.operation)
			if !ok {
				t.Fatalf("no operation %s", tt.operation)
			}
			askedContext := maps.Clone(tt.asked.Context)
			p, err := makePlan(op, tt.asked, tt.decided)
			if tt.refused != "" {
				var no *denied
				if !errors.As(err, &no) || no.finding.ID != tt.refused {
					t.Fatalf("got plan %+v, error %v; want refusal %s", p, err, tt.refused)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if p.send.Mode != tt.send.Mode || p.send.KeyID != tt.send.KeyID || !maps.Equal(p.send.Context, tt.send.Context) {
				t.Errorf("send %+v, want %+v", p.send, tt.send)
			}
			if p.mode != tt.mode {
				t.Errorf("mode %q, want %q", p.mode, tt.mode)
			}
			if !maps.Equal(tt.asked.Context, askedContext) {
				t.Error("the client's own context was changed")
			}
		})
	}
}

// Where sealing is decided and cannot be done, nothing goes up.
// TestPlanIsNeverWeaker: whatever is asked and however a conflict is answered, what is
// sent is as strong as decided, and a customer's key only where the client sent one.
func TestPlanIsNeverWeaker(t *testing.T) {
	t.Parallel()
	asked := []sse.Mode{"", sse.S3, sse.C, sse.KMS, sse.DSSE}
	decided := []policy.Mode{policy.None, policy.SSES3, policy.SSEC, policy.KMS, policy.DSSE}
	plans := 0
	for _, operation := range []string{"PutObject", "CopyObject", "CreateMultipartUpload"} {
		op, ok := s3.Lookup(operation)
		if !ok {
			t.Fatalf("no operation %s", operation)
		}
		for _, mode := range asked {
			for _, floor := range decided {
				for _, answer := range []string{"reject", "replace", "keep-if-stronger", "keep-if-allowed"} {
					p, err := makePlan(op, sse.Choice{Mode: mode}, policy.Encryption{Mode: floor, OnConflict: answer})
					if err != nil {
						continue
					}
					plans++
					sent := policy.Mode(p.send.Mode)
					if p.send.Mode == "" {
						sent = policy.None
					}
					if sent.Rank() < floor.Rank() || sent == policy.SSEC && mode != sse.C {
						t.Errorf("%s, asked %q, decided %q with %s: %q is sent", operation, mode, floor, answer, sent)
					}
				}
			}
		}
	}
	if plans < 100 {
		t.Errorf("only %d plans were made", plans)
	}
}

func TestSealingThatCannotBeDone(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name, method, path, body string
		header                   []string
	}{
		{"PutObject", http.MethodPut, "/bucket/key", "x", nil},
		{"CopyObject", http.MethodPut, "/bucket/key", "", []string{"X-Amz-Copy-Source: /bucket/from"}},
		{"CreateMultipartUpload", http.MethodPost, "/bucket/key?uploads", "", nil},
		{"UploadPart", http.MethodPut, "/bucket/key?partNumber=1&uploadId=u", "x", nil},
		{"UploadPartCopy", http.MethodPut, "/bucket/key?partNumber=1&uploadId=u", "", []string{"X-Amz-Copy-Source: /bucket/from"}},
		{"CompleteMultipartUpload", http.MethodPost, "/bucket/key?uploadId=u", "<CompleteMultipartUpload><Part><PartNumber>1</PartNumber><ETag>e</ETag></Part></CompleteMultipartUpload>", nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			b := newBed(t, openPosture("mode: cse"))
			reply := b.do(b.request(tt.method, tt.path, tt.body, tt.header...))
			if reply.StatusCode != http.StatusNotImplemented && reply.StatusCode != http.StatusNotFound {
				t.Errorf("%d %s", reply.StatusCode, reply.body)
			}
			for _, r := range b.store.seen() {
				if r.method != http.MethodHead { // the source of a copy
					t.Errorf("the store got %s %s", r.method, r.uri)
				}
			}
		})
	}
}

func TestPlanSatisfiedBy(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name string
		p    plan
		seen sse.Observed
		want bool
	}{
		{"same mode", plan{mode: policy.SSES3}, sse.Observed{Mode: sse.S3, Reported: true}, true},
		{"stronger mode", plan{mode: policy.SSES3}, sse.Observed{Mode: sse.KMS, KeyID: "k", Reported: true}, true},
		{"weaker mode", plan{mode: policy.KMS}, sse.Observed{Mode: sse.S3, Reported: true}, false},
		{"nothing", plan{mode: policy.SSES3}, sse.Observed{}, false},
		{"the key decided, as ARN", plan{mode: policy.KMS, keys: []string{"1234"}}, sse.Observed{Mode: sse.KMS, KeyID: "arn:aws:kms:eu-west-1:111122223333:key/1234", Reported: true}, true},
		{"another key", plan{mode: policy.KMS, keys: []string{"1234"}}, sse.Observed{Mode: sse.KMS, KeyID: "arn:aws:kms:eu-west-1:111122223333:key/9999", Reported: true}, false},
		{"an alias hides its key", plan{mode: policy.KMS, keys: []string{"alias/app"}}, sse.Observed{Mode: sse.KMS, KeyID: "arn:aws:kms:eu-west-1:111122223333:key/9999", Reported: true}, true},
		{"another alias", plan{mode: policy.KMS, keys: []string{"alias/app"}}, sse.Observed{Mode: sse.KMS, KeyID: "alias/other", Reported: true}, false},
		{"stronger mode under the key decided", plan{mode: policy.KMS, keys: []string{"1234"}}, sse.Observed{Mode: sse.DSSE, KeyID: "1234", Reported: true}, true},
		{"no key named: any will do", plan{mode: policy.KMS}, sse.Observed{Mode: sse.KMS, KeyID: "x", Reported: true}, true},
		{"an unknown mode is no strength", plan{mode: policy.SSES3}, sse.Observed{Mode: "rot13", Reported: true}, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			if got := tt.p.satisfiedBy(tt.seen); got != tt.want {
				t.Errorf("satisfiedBy = %v, want %v", got, tt.want)
			}
		})
	}
}
