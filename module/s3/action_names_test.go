package s3

import (
	"net/http"
	"strings"
	"testing"
)

func TestCheckAction(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		action string
		want   string // part of the error, "" for none
	}{
		{"s3:GetObject", ""},
		{"s3:GetObjectVersionTagging", ""},
		{"s3:BypassGovernanceRetention", ""},
		{"s3:ListAllMyBuckets", ""},
		{"s3:*", ""},
		{"*", ""},
		{"s3:Get*", ""},
		{"s3:*Tagging", ""},
		{"s3:GetObjct", `no request needs "s3:GetObjct"; the nearest action is s3:GetObject`},
		{"s3:ListAllMyBucket", "the nearest action is s3:ListAllMyBuckets"},
		{"s3:getobject", "the nearest action is s3:GetObject"},
		{"s3:DeleteObjects", "the action of DeleteObjects is s3:DeleteObject"},
		{"s3:ListBuckets", "the action of ListBuckets is s3:ListAllMyBuckets"},
		{"s3:UploadPart", "the action of UploadPart is s3:PutObject"},
		{"s3:HeadObject", "the action of HeadObject is s3:GetObject"},
		{"s3:Gte*", "the nearest action is s3:Get"},
		{"s3:Lists*", "the nearest action is s3:List"},
		{"s3:CreateSession", "the nearest action is s3:"},
		{"s3express:CreateSession", "the nearest action is s3:"},
		{"s3:[", "the nearest action is s3:"},
		{"", "the nearest action is s3:"},
	} {
		t.Run(c.action, func(t *testing.T) {
			t.Parallel()
			err := CheckAction(c.action)
			if c.want == "" && err != nil {
				t.Fatalf("refused: %v", err)
			}
			if c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)) {
				t.Fatalf("error %v, want %q in it", err, c.want)
			}
		})
	}
}

// TestEveryActionHasAName asks every operation for all that its headers can ask
// for: an action that CheckAction does not know could be granted to nobody.
func TestEveryActionHasAName(t *testing.T) {
	t.Parallel()
	for _, op := range Operations() {
		if op.Refused != "" {
			continue
		}
		for _, value := range []string{"true", "COPY"} {
			for _, version := range []string{"", "v"} {
				r := &Request{Op: op, VersionID: version, CopySource: &CopySource{VersionID: version}, Header: http.Header{}}
				for name := range op.Headers {
					r.Header.Set(name, value)
				}
				for _, action := range append(r.Actions(), r.SourceActions()...) {
					if err := CheckAction(action); err != nil {
						t.Errorf("%s: %v", op.Name, err)
					}
				}
			}
		}
	}
}

func TestChanges(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		a, b string
		want int
	}{
		{"", "", 0}, {"", "abc", 3}, {"abc", "", 3}, {"abc", "abc", 0},
		{"kitten", "sitting", 3}, {"flaw", "lawn", 2},
	} {
		if got := changes(c.a, c.b); got != c.want {
			t.Errorf("%q to %q: %d, want %d", c.a, c.b, got, c.want)
		}
	}
}
