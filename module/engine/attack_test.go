package engine

import (
	"fmt"
	"net/http"
	"os"
	"strings"
	"testing"

	"github.com/sealgate/sealgate/policy"
)

// Over HTTP/2 a value keeps its white space; on the way to the store it goes.
func TestAttackWhitespaceOverHTTP2(t *testing.T) {
	b := newBed(t, openPosture("mode: none")).secure()
	r := b.request(http.MethodPut, "/bucket/key", "x", "X-Amz-Acl: public-read")
	r.Header["X-Amz-Acl"] = []string{"public-read "}
	reply := b.do(r)
	t.Log(reply.Proto, reply.StatusCode, reply.body)
	for _, s := range b.store.seen() {
		t.Errorf("store got acl %q", s.header.Get("X-Amz-Acl"))
	}
}

// A form's fields become headers: their white space goes on the way, and so do
// headers that make a store do something else.
func TestAttackFormFields(t *testing.T) {
	for name, field := range map[string][2]string{
		"white space": {"acl", "public-read "},
		"tab":         {"x-amz-acl", "\tpublic-read"},
		"unpacking":   {"x-amz-meta-snowball-auto-extract", "true"},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBed(t, openPosture("mode: none"))
			fields := append(signedForm(fmt.Sprintf(`["starts-with","$%s",""]`, field[0])), [2]string{"key", "up/x"}, field)
			reply := b.post(fields, "x", []byte("hello"))
			t.Log(reply.StatusCode, reply.body)
			for _, s := range b.store.seen() {
				t.Errorf("reached the store: %v", fmt.Sprint(s.header))
			}
		})
	}
}

// White space around a field is none of the header it becomes.
func TestAttackFormTags(t *testing.T) {
	b := newBed(t, openPosture("mode: none"))
	fields := append(signedForm(`["starts-with","$x-amz-storage-class",""]`), [2]string{"key", "up/x"}, [2]string{"x-amz-storage-class", " STANDARD "})
	if reply := b.post(fields, "x", []byte("hello")); reply.StatusCode != http.StatusNoContent {
		t.Fatal(reply.StatusCode, reply.body)
	}
}

func TestAttackDecodedLength(t *testing.T) {
	b := newBed(t, openPosture("mode: none"))
	reply := b.do(b.request(http.MethodPut, "/bucket/key", strings.Repeat("x", 100), "X-Amz-Decoded-Content-Length: 1"))
	if reply.StatusCode == 200 {
		t.Error("accepted")
	}
}

// XML that no reader should be handed goes to the store in documents that say
// nothing about encryption.
func TestAttackDocuments(t *testing.T) {
	bomb := `<!DOCTYPE a [<!ENTITY b "cccc">]><Tagging><TagSet><Tag><Key>&b;</Key><Value>v</Value></Tag></TagSet></Tagging>`
	for _, path := range []string{"/bucket/key?tagging", "/bucket?lifecycle", "/bucket?cors", "/bucket/key?retention", "/bucket?versioning"} {
		b := newBed(t, openPosture("mode: none"))
		reply := b.do(b.request(http.MethodPut, path, bomb))
		for range b.store.seen() {
			t.Errorf("%s: reached the store (%d)", path, reply.StatusCode)
		}
	}
}

// Tags that a document sets are the tags of the request.
func TestAttackTaggingDocument(t *testing.T) {
	dir := t.TempDir()
	rule := "package site.rules.tags\n\ndeny contains {\"id\": \"SIT-001\", \"msg\": \"no\", \"path\": \"tags\"} if input.request.tags.class == \"public\"\n"
	if err := os.WriteFile(dir+"/tags.rego", []byte(rule), 0o600); err != nil {
		t.Fatal(err)
	}
	b := newBed(t, openPosture("mode: none"), func(_ *Config, o *policy.Options) { o.SiteDir = dir })
	const doc = "<Tagging><TagSet><Tag><Key>class</Key><Value>public</Value></Tag></TagSet></Tagging>"
	if reply := b.do(b.request(http.MethodPut, "/bucket/key?tagging", doc)); reply.StatusCode != http.StatusForbidden {
		t.Errorf("status %d", reply.StatusCode)
	}
	b.store.untouched(t)
}

// A copy that keeps its source's tags does not have those of its header.
func TestAttackTagsOfACopy(t *testing.T) {
	dir := t.TempDir()
	rule := "package site.rules.tags\n\ndeny contains {\"id\": \"SIT-001\", \"msg\": \"no owner\", \"path\": \"tags\"} if not input.request.tags.owner\n"
	if err := os.WriteFile(dir+"/tags.rego", []byte(rule), 0o600); err != nil {
		t.Fatal(err)
	}
	for directive, want := range map[string]int{"REPLACE": 200, "COPY": 403, "": 403} {
		b := newBed(t, openPosture("mode: none"), func(_ *Config, o *policy.Options) { o.SiteDir = dir })
		header := []string{"X-Amz-Copy-Source: /bucket/from", "X-Amz-Tagging: owner=me"}
		if directive != "" {
			header = append(header, "X-Amz-Tagging-Directive: "+directive)
		}
		if reply := b.do(b.request(http.MethodPut, "/bucket/key", "", header...)); reply.StatusCode != want {
			t.Errorf("%q: status %d, want %d", directive, reply.StatusCode, want)
		}
	}
}

func TestAttackRecordsStaySmall(t *testing.T) {
	b := newBed(t, openPosture("mode: none"))
	r := b.request(http.MethodGet, "/bucket/key", "")
	r.Header.Set("User-Agent", strings.Repeat("x", 500_000))
	if rec := b.recordOf(b.do(r)); len(rec.Client.UserAgent) > 4<<10 {
		t.Errorf("a user agent of %d bytes", len(rec.Client.UserAgent))
	}
}
