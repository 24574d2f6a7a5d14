package s3

import (
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

// attack parses a request as net/http hands it over.
func attack(t *testing.T, method, target string, header http.Header) (*Request, error) {
	t.Helper()
	r := httptest.NewRequest(method, "/", http.NoBody)
	r.RequestURI, r.Host = target, "gateway.example"
	if header != nil {
		r.Header = header
	}
	return new(Parser).Parse(r)
}

// HTTP/2 leaves white space around a value, HTTP/1.1 takes it off on the way to
// the store: what is read here must be what arrives there.
func TestValuesAreReadAsTheyGoOut(t *testing.T) {
	t.Parallel()
	r, err := attack(t, http.MethodPut, "/bucket/key", http.Header{
		"X-Amz-Acl": {"public-read "}, "X-Amz-Tagging": {"\tclass=secret "},
		"X-Amz-Bypass-Governance-Retention": nil, "X-Amz-Meta-A": {" a ", "\tb"}, "X-Amz-Storage-Class": {" "},
	})
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{"X-Amz-Acl": "public-read", "X-Amz-Tagging": "class=secret", "X-Amz-Meta-A": "a,b", "X-Amz-Storage-Class": ""} {
		if got := r.Header.Get(name); got != want {
			t.Errorf("%s is read as %q, want %q", name, got, want)
		}
	}
	if got := r.Wire.Get("X-Amz-Acl"); got != "public-read " {
		t.Errorf("the wire header was changed to %q", got)
	}
}

func TestWhitespaceHidesNoAction(t *testing.T) {
	t.Parallel()
	for _, value := range []string{"true", "TRUE", " true", "true\t", "1", "yes"} {
		r, err := attack(t, http.MethodDelete, "/bucket/key", http.Header{"X-Amz-Bypass-Governance-Retention": {value}})
		if err != nil {
			t.Fatal(err)
		}
		if got := strings.Join(r.Actions(), " "); got != "s3:DeleteObject s3:BypassGovernanceRetention" {
			t.Errorf("%q needs %q", value, got)
		}
		r, err = attack(t, http.MethodPut, "/bucket", http.Header{"X-Amz-Bucket-Object-Lock-Enabled": {value}})
		if err != nil {
			t.Fatal(err)
		}
		if got := strings.Join(r.Actions(), " "); !strings.Contains(got, "s3:PutBucketObjectLockConfiguration") {
			t.Errorf("%q needs %q", value, got)
		}
	}
	for _, value := range []string{"false", "False", ""} {
		r, err := attack(t, http.MethodDelete, "/bucket/key", http.Header{"X-Amz-Bypass-Governance-Retention": {value}})
		if err != nil {
			t.Fatal(err)
		}
		if got := r.Actions(); len(got) != 1 {
			t.Errorf("%q needs %q", value, got)
		}
	}
}

// MinIO serves its administration where another store has a bucket "minio", to
// whoever signs with its owner's keys.
func TestAdministrationOfTheStoreIsNoBucket(t *testing.T) {
	t.Parallel()
	for _, target := range []string{"/minio", "/minio/admin/v3/export-iam", "/%6dinio/admin/v3/info", "/minio%2Fadmin/v3/info"} {
		if _, err := attack(t, http.MethodGet, target, nil); err == nil {
			t.Errorf("%s is served", target)
		}
	}
	if _, err := ParseCopySource("/minio/admin/v3/export-iam"); !errors.Is(err, ErrNotImplemented) {
		t.Errorf("as the source of a copy: %v", err)
	}
	p := &Parser{Domains: []string{"s3.example.com"}}
	r := httptest.NewRequest(http.MethodGet, "/", http.NoBody)
	r.RequestURI, r.Host = "/admin/v3/info", "MinIO.s3.example.com"
	if _, err := p.Parse(r); !errors.Is(err, ErrNotImplemented) {
		t.Errorf("in virtual-host style: %v", err)
	}
	if _, err := attack(t, http.MethodGet, "/minio-backup/key", nil); err != nil {
		t.Errorf("a longer name: %v", err)
	}
}

// With this metadata MinIO unpacks an upload into objects of any name.
func TestUploadsAreNotUnpacked(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"X-Amz-Meta-Snowball-Auto-Extract", "X-Amz-Meta-Minio-Snowball-Prefix"} {
		if _, err := attack(t, http.MethodPut, "/bucket/a.tar", http.Header{name: {"true"}}); !errors.Is(err, ErrNotImplemented) {
			t.Errorf("%s: %v", name, err)
		}
		target := "/bucket/a.tar?X-Amz-Algorithm=AWS4-HMAC-SHA256&" + strings.ToLower(name) + "=true"
		if _, err := attack(t, http.MethodPut, target, nil); !errors.Is(err, ErrNotImplemented) {
			t.Errorf("%s in the query: %v", name, err)
		}
	}
}

// A request line has to cost no more than it is long.
func TestManyParameters(t *testing.T) {
	t.Parallel()
	var b strings.Builder
	b.WriteString("/bucket/key?X-Amz-Algorithm=x")
	for i := range 100_000 {
		fmt.Fprintf(&b, "&x-amz-%d", i)
	}
	for name, target := range map[string]string{"hoisted": b.String(), "empty": "/bucket/key?" + strings.Repeat("&", 1<<20), "short": "/bucket/key?" + strings.Repeat("&a", 1<<19), "long": "/bucket?prefix=" + strings.Repeat("a", 65<<10)} {
		if _, err := attack(t, http.MethodPut, target, nil); !errors.Is(err, ErrRequestHeaderSectionTooLarge) {
			t.Errorf("%s: %v", name, err)
		}
	}
	few := "/bucket/key?X-Amz-Algorithm=x" + strings.Repeat("&x-amz-meta-a", 2)
	if _, err := attack(t, http.MethodPut, few, nil); !errors.Is(err, ErrInvalidArgument) {
		t.Errorf("a parameter twice: %v", err)
	}
}

func TestManyHeaders(t *testing.T) {
	t.Parallel()
	many := make(http.Header)
	for i := range 5000 {
		many[fmt.Sprintf("X-Amz-Meta-%d", i)] = []string{""}
	}
	for name, h := range map[string]http.Header{
		"many": many, "long": {"X-Amz-Tagging": {strings.Repeat("a&", 33<<10)}}, "lines": {"X-Amz-Meta-A": make([]string, 10_000)},
	} {
		if _, err := attack(t, http.MethodPut, "/bucket/key", h); !errors.Is(err, ErrRequestHeaderSectionTooLarge) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// Documents cost no more than their length, in time and in memory.
func TestCostlyDocuments(t *testing.T) {
	t.Parallel()
	var attributes strings.Builder
	attributes.WriteString("<Delete")
	for i := range 200_000 {
		fmt.Fprintf(&attributes, ` a%d=""`, i)
	}
	attributes.WriteString("></Delete>")
	for name, doc := range map[string]string{
		"attributes":    attributes.String(),
		"elements":      "<Delete>" + strings.Repeat("<Object/>", 200_000) + "</Delete>",
		"unknown":       "<Delete>" + strings.Repeat("<a/>", 500_000) + "</Delete>",
		"deep elements": "<Delete><Object>" + strings.Repeat("<Key/>", 300_000) + "</Object></Delete>",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			result := testing.Benchmark(func(b *testing.B) {
				b.ReportAllocs()
				for b.Loop() {
					if _, err := ParseDelete([]byte(doc)); !errors.Is(err, ErrMalformedXML) {
						t.Fatal(err)
					}
				}
			})
			most := int64(24 << 20)
			if name == "attributes" {
				most = 64 << 20 // which encoding/xml reads before it gives the first
			}
			if result.AllocedBytesPerOp() > most {
				t.Errorf("%d bytes to read %d, want at most %d", result.AllocedBytesPerOp(), len(doc), most)
			}
		})
	}
}

// A document that some readers read another way hides no public grantee.
func TestHiddenGrantees(t *testing.T) {
	t.Parallel()
	const all = "http://acs.amazonaws.com/groups/global/AllUsers"
	for name, grantee := range map[string]string{
		"plain":               "<URI>" + all + "</URI>",
		"an element after it": "<URI>" + all + "<URI/></URI>",
		"an element within":   "<URI>http://acs.amazonaws.com/groups/global/<URI/>AllUsers</URI>",
		"another case":        "<uri>" + all + "</uri>",
		"a comment":           "<URI>http://acs.amazonaws.com/groups/global/All<!-- x -->Users</URI>",
		"another namespace":   `<x:URI xmlns:x="y">` + all + "</x:URI>",
	} {
		doc := "<AccessControlPolicy><AccessControlList><Grant><Grantee>" + grantee + "</Grantee></Grant></AccessControlList></AccessControlPolicy>"
		if public, err := ParseACL([]byte(doc)); err == nil && !public {
			t.Errorf("%s: not seen", name)
		}
	}
}
