package engine

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"github.com/sealgate/sealgate/policy"
)

const everyone = `"Principal":"*","Action":"s3:GetObject","Resource":"arn:aws:s3:::b/*"`

// protectionTests are documents, and whether they open or suspend anything.
var protectionTests = []struct {
	name, operation, document string
	opens, suspends           bool
}{
	{"policy for a role", "PutBucketPolicy", `{"Statement":[{"Effect":"Allow","Principal":{"AWS":"arn:aws:iam::111122223333:role/app"},"Action":"s3:*"}]}`, false, false},
	{"policy for everyone", "PutBucketPolicy", `{"Statement":[{"Effect":"Allow",` + everyone + `}]}`, true, false},
	{"policy of one statement", "PutBucketPolicy", `{"Statement":{"Effect":"Allow",` + everyone + `}}`, true, false},
	{"policy for every account", "PutBucketPolicy", `{"Statement":[{"Effect":"Allow","Principal":{"AWS":["arn:aws:iam::1:root","*"]}}]}`, true, false},
	{"policy for an account's wildcard", "PutBucketPolicy", `{"Statement":[{"Effect":"Allow","Principal":{"AWS":"arn:aws:iam::*:root"}}]}`, true, false},
	{"policy for all but one", "PutBucketPolicy", `{"Statement":[{"Effect":"Allow","NotPrincipal":{"AWS":"arn:aws:iam::1:root"}}]}`, true, false},
	{"policy with a condition", "PutBucketPolicy", `{"Statement":[{"Effect":"Allow",` + everyone + `,"Condition":{"Bool":{"aws:SecureTransport":"true"}}}]}`, true, false},
	{"policy that denies everyone", "PutBucketPolicy", `{"Statement":[{"Effect":"Deny",` + everyone + `}]}`, false, false},
	{"policy that denies all but one", "PutBucketPolicy", `{"Statement":[{"Effect":"Deny","NotPrincipal":{"AWS":"arn:aws:iam::1:root"}}]}`, false, false},
	{"second statement", "PutBucketPolicy", `{"Statement":[{"Effect":"Deny",` + everyone + `},{"Effect":"Allow",` + everyone + `}]}`, true, false},
	{"effect said twice", "PutBucketPolicy", `{"Statement":[{"Effect":"Allow","Effect":"Deny",` + everyone + `}]}`, true, false},
	{"effect in another case", "PutBucketPolicy", `{"statement":[{"EFFECT":"Allow","principal":"*"}]}`, true, false},
	{"effect not said", "PutBucketPolicy", `{"Statement":[{` + everyone + `}]}`, true, false},
	{"escaped star", "PutBucketPolicy", `{"Statement":[{"Effect":"Allow","Principal":"\u002a"}]}`, true, false},
	{"principal said twice", "PutBucketPolicy", `{"Statement":[{"Effect":"Allow","Principal":"*","Principal":{"AWS":"1"}}]}`, true, false},
	{"star as a resource", "PutBucketPolicy", `{"Statement":[{"Effect":"Allow","Principal":{"AWS":"1"},"Resource":"*"}]}`, false, false},
	{"policy cut off", "PutBucketPolicy", `{"Statement":[{"Effect":"Deny"}`, true, false},
	{"something after the policy", "PutBucketPolicy", `{} {}`, true, false},
	{"no policy", "PutBucketPolicy", ``, true, false},
	{"deep policy", "PutBucketPolicy", strings.Repeat("[", 40) + strings.Repeat("]", 40), true, false},

	{"block that is on", "PutPublicAccessBlock", accessBlock("true", "true", "TRUE", "true"), false, false},
	{"block with one off", "PutPublicAccessBlock", accessBlock("true", "true", "false", "true"), true, false},
	{"block with one missing", "PutPublicAccessBlock", "<PublicAccessBlockConfiguration><BlockPublicAcls>true</BlockPublicAcls></PublicAccessBlockConfiguration>", true, false},
	{"block with one repeated", "PutPublicAccessBlock", strings.Replace(accessBlock("true", "true", "true", "true"), "</", "</BlockPublicAcls><BlockPublicAcls>false</", 1), true, false},

	{"versioning on", "PutBucketVersioning", "<VersioningConfiguration><Status>Enabled</Status></VersioningConfiguration>", false, false},
	{"versioning suspended", "PutBucketVersioning", "<VersioningConfiguration><Status>Suspended</Status></VersioningConfiguration>", false, true},
	{"versioning not said", "PutBucketVersioning", "<VersioningConfiguration/>", false, true},
	{"second factor off", "PutBucketVersioning", "<VersioningConfiguration><Status>Enabled</Status><MfaDelete>Disabled</MfaDelete></VersioningConfiguration>", false, true},
	{"second factor on", "PutBucketVersioning", "<VersioningConfiguration><Status>Enabled</Status><MfaDelete>Enabled</MfaDelete></VersioningConfiguration>", false, false},

	{"lock with a rule", "PutObjectLockConfiguration", "<ObjectLockConfiguration><ObjectLockEnabled>Enabled</ObjectLockEnabled><Rule><DefaultRetention><Mode>GOVERNANCE</Mode><Days>1</Days></DefaultRetention></Rule></ObjectLockConfiguration>", false, false},
	{"lock without a rule", "PutObjectLockConfiguration", "<ObjectLockConfiguration><ObjectLockEnabled>Enabled</ObjectLockEnabled></ObjectLockConfiguration>", false, true},
	{"lock for no time", "PutObjectLockConfiguration", "<ObjectLockConfiguration><ObjectLockEnabled>Enabled</ObjectLockEnabled><Rule><DefaultRetention><Mode>GOVERNANCE</Mode></DefaultRetention></Rule></ObjectLockConfiguration>", false, true},
	{"lock not enabled", "PutObjectLockConfiguration", "<ObjectLockConfiguration><Rule><DefaultRetention><Mode>GOVERNANCE</Mode><Days>1</Days></DefaultRetention></Rule></ObjectLockConfiguration>", false, true},

	{"lifecycle that moves", "PutBucketLifecycleConfiguration", lifecycle("<Transition><Days>30</Days><StorageClass>GLACIER</StorageClass></Transition>"), false, false},
	{"lifecycle that gives up uploads", "PutBucketLifecycleConfiguration", lifecycle("<AbortIncompleteMultipartUpload><DaysAfterInitiation>7</DaysAfterInitiation></AbortIncompleteMultipartUpload>"), false, false},
	{"lifecycle that removes markers", "PutBucketLifecycleConfiguration", lifecycle("<Expiration><ExpiredObjectDeleteMarker>true</ExpiredObjectDeleteMarker></Expiration>"), false, false},
	{"lifecycle that expires", "PutBucketLifecycleConfiguration", lifecycle("<Expiration><Days>30</Days></Expiration>"), false, true},
	{"lifecycle that expires and removes markers", "PutBucketLifecycleConfiguration", lifecycle("<Expiration><ExpiredObjectDeleteMarker>true</ExpiredObjectDeleteMarker><Days>1</Days></Expiration>"), false, true},
	{"lifecycle that expires versions", "PutBucketLifecycleConfiguration", lifecycle("<NoncurrentVersionExpiration><NoncurrentDays>1</NoncurrentDays></NoncurrentVersionExpiration>"), false, true},
	{"lifecycle of another store", "PutBucketLifecycleConfiguration", lifecycle("<AllVersionsExpiration><Days>1</Days></AllVersionsExpiration>"), false, true},
	{"no lifecycle", "PutBucketLifecycleConfiguration", "", false, true},

	{"hold on", "PutObjectLegalHold", "<LegalHold><Status>ON</Status></LegalHold>", false, false},
	{"hold off", "PutObjectLegalHold", "<LegalHold><Status>OFF</Status></LegalHold>", false, true},
	{"hold not said", "PutObjectLegalHold", "<LegalHold/>", false, true},
	{"hold said twice", "PutObjectLegalHold", "<LegalHold><Status>ON</Status><Status>OFF</Status></LegalHold>", false, true},
	{"hold in an element", "PutObjectLegalHold", "<LegalHold><Status>O<x/>N</Status></LegalHold>", false, true},
	{"retention", "PutObjectRetention", "<Retention><Mode>GOVERNANCE</Mode><RetainUntilDate>2030-01-01T00:00:00Z</RetainUntilDate></Retention>", false, false},
	{"retention emptied", "PutObjectRetention", "<Retention/>", false, true},
	{"retention without a date", "PutObjectRetention", "<Retention><Mode>GOVERNANCE</Mode></Retention>", false, true},
}

func accessBlock(acls, ignore, policies, restrict string) string {
	return "<PublicAccessBlockConfiguration xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\"><BlockPublicAcls>" + acls +
		"</BlockPublicAcls><IgnorePublicAcls> " + ignore + "\n</IgnorePublicAcls><BlockPublicPolicy>" + policies +
		"</BlockPublicPolicy><RestrictPublicBuckets>" + restrict + "</RestrictPublicBuckets></PublicAccessBlockConfiguration>"
}

func lifecycle(rule string) string {
	return "<LifecycleConfiguration><Rule><ID>r</ID><Filter/><Status>Disabled</Status>" + rule + "</Rule></LifecycleConfiguration>"
}

func TestDescribeProtection(t *testing.T) {
	t.Parallel()
	seen := map[string]bool{}
	for _, tt := range protectionTests {
		in := &policy.Input{}
		describeProtection(in, tt.operation, []byte(tt.document))
		if in.Document.Opens != tt.opens || in.Document.Suspends != tt.suspends || !in.Document.Present || in.Document.Kind == "" {
			t.Errorf("%s: got %+v", tt.name, in.Document)
		}
		seen[tt.operation] = true
	}
	for operation := range protections {
		if !seen[operation] {
			t.Errorf("%s is not tested", operation)
		}
	}
	in := &policy.Input{}
	if describeProtection(in, "PutBucketTagging", []byte("<Tagging/>")); in.Document.Present {
		t.Errorf("a document about something else: %+v", in.Document)
	}
}

// A bucket whose posture says so is not opened, and what keeps its objects is not
// suspended, on the way through the gateway.
func TestProtection(t *testing.T) {
	t.Parallel()
	posture := "version: 1\nclassifications: {restricted: {floor: sse-s3}}\nbuckets: {\"*\": {\"\": {mode: sse-s3, classification: restricted, deletes: deny}}}\n" +
		"grants:\n  - {id: all, principals: [app], actions: [\"s3:*\"], resources: [\"*\"]}\n"
	for _, tt := range []struct{ path, document, rule string }{
		{"/bucket?policy", `{"Statement":[{"Effect":"Allow",` + everyone + `}]}`, "BKT-003"},
		{"/bucket?publicAccessBlock", accessBlock("false", "true", "true", "true"), "BKT-003"},
		{"/bucket?versioning", "<VersioningConfiguration><Status>Suspended</Status></VersioningConfiguration>", "BKT-004"},
		{"/bucket/k?legal-hold", "<LegalHold><Status>OFF</Status></LegalHold>", "DEL-003"},
		{"/bucket?publicAccessBlock", accessBlock("true", "true", "true", "true"), ""},
		{"/bucket/k?legal-hold", "<LegalHold><Status>ON</Status></LegalHold>", ""},
	} {
		b := newBed(t, posture)
		reply := b.do(b.request(http.MethodPut, tt.path, tt.document))
		if tt.rule == "" {
			if reply.StatusCode != http.StatusOK {
				t.Errorf("%s: status %d: %s", tt.path, reply.StatusCode, reply.body)
			}
			continue
		}
		if got := reply.err(t).RuleID; reply.StatusCode != http.StatusForbidden || !contains(got, tt.rule) {
			t.Errorf("%s: status %d, rules %v, want %s", tt.path, reply.StatusCode, got, tt.rule)
		}
		b.store.untouched(t)
	}
}

// Reading ends whatever is sent; what is no policy opens, and what has no wildcard
// and no NotPrincipal does not.
func FuzzPolicyOpens(f *testing.F) {
	for _, tt := range protectionTests {
		if tt.operation == "PutBucketPolicy" {
			f.Add(tt.document)
		}
	}
	f.Fuzz(func(t *testing.T, document string) {
		var object map[string]any
		opens := policyOpens([]byte(document))
		if json.Unmarshal([]byte(document), &object) != nil || object == nil {
			if !opens {
				t.Errorf("%q is no policy and does not open", document)
			}
			return
		}
		closed := !strings.ContainsAny(document, `*?\\`) && !strings.Contains(strings.ToLower(document), "notprincipal")
		if closed && opens && strings.Count(document, "{")+strings.Count(document, "[") < maxPolicyDepth {
			t.Errorf("%q opens", document)
		}
	})
}
