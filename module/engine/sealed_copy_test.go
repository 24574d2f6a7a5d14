package engine

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
)

// Copies from and to where objects are sealed: the plaintext is the source's,
// metadata follows the directive, and under one keyring nothing but the envelope
// goes through the gateway.
func TestSealedCopy(t *testing.T) {
	t.Parallel()
	b, store := sealedBed(t)
	single, multi := pattern(100_000), append(pattern(5*mib), pattern(10)...)
	for _, prefix := range []string{"", "all/", "mixed/", "other/"} {
		b.put("/bucket/"+prefix+"single", single, "X-Amz-Meta-Mine: yes", "Content-Type: text/x")
		u := b.begin("/bucket/"+prefix+"multi", "X-Amz-Meta-Mine: yes")
		if prefix == "" {
			b.put("/bucket/multi", multi, "X-Amz-Meta-Mine: yes")
			continue
		}
		u.part(2, multi[5*mib:])
		u.part(1, multi[:5*mib])
		u.complete(1, 2)
	}
	for _, from := range []string{"", "all/", "mixed/", "other/"} {
		for _, to := range []string{"", "all/", "mixed/", "other/"} {
			for kind, plain := range map[string][]byte{"single": single, "multi": multi} {
				t.Run(fmt.Sprintf("%s%s to %s", from, kind, to), func(t *testing.T) {
					path := "/bucket/" + to + "copy-of-" + strings.ReplaceAll(from, "/", "-") + kind
					source := "X-Amz-Copy-Source: /bucket/" + from + kind
					if from != "" && to == "" {
						// Policy takes this for a downgrade, whatever was asked.
						if a := b.do(b.request(http.MethodPut, path, "", source)); a.StatusCode != http.StatusForbidden {
							t.Errorf("%d %s", a.StatusCode, a.body)
						}
						return
					}
					var a answer
					log := store.since(func() { a = b.do(b.request(http.MethodPut, path, "", source)) })
					if a.StatusCode != http.StatusOK || !strings.Contains(a.body, "<CopyObjectResult>") {
						t.Fatalf("%d %s", a.StatusCode, a.body)
					}
					got := b.get(path)
					if got.body != string(plain) || got.Header.Get("X-Amz-Meta-Mine") != "yes" {
						t.Errorf("GET: %d, %d bytes, %v", got.StatusCode, len(got.body), got.Header)
					}
					if etag := got.Header.Get("ETag"); !strings.Contains(a.body, strings.Trim(etag, `"`)) {
						t.Errorf("ETag %s, copied %s", etag, a.body)
					}
					sameRing := from != "" && to != "" && (from == "other/") == (to == "other/")
					for _, line := range log {
						if whole := strings.HasPrefix(line, "GET") && !strings.Contains(line, "bytes="); whole && sameRing {
							t.Errorf("the object went through the gateway: %s", line)
						}
					}
					b.checkRange(path, plain, "bytes=65000-70000")
				})
			}
		}
	}
	replaced := b.do(b.request(http.MethodPut, "/bucket/all/single", "", "X-Amz-Copy-Source: /bucket/all/single",
		"X-Amz-Metadata-Directive: REPLACE", "X-Amz-Meta-New: 1", "X-Amz-Copy-Source-If-Match: "+b.get("/bucket/all/single").Header.Get("ETag")))
	if got := b.get("/bucket/all/single"); replaced.StatusCode != 200 || got.body != string(single) || got.Header.Get("X-Amz-Meta-New") != "1" || got.Header.Get("X-Amz-Meta-Mine") != "" {
		t.Errorf("copy onto itself: %d %s, then %v", replaced.StatusCode, replaced.body, got.Header)
	}
	if a := b.do(b.request(http.MethodPut, "/bucket/all/x", "", "X-Amz-Copy-Source: /bucket/closed/single")); a.StatusCode == 200 {
		t.Error("a copy of what cannot be read")
	}
}

// Parts copied from sealed and other objects.
func TestSealedPartCopy(t *testing.T) {
	t.Parallel()
	b, _ := sealedBed(t)
	plain := pattern(11 * mib)
	b.put("/bucket/plain", plain)
	b.put("/bucket/all/sealed", plain)
	for _, from := range []string{"plain", "all/sealed"} {
		u := b.begin("/bucket/mixed/of-" + strings.ReplaceAll(from, "/", "-"))
		for n, span := range [][2]int{{100, 6*mib + 99}, {6*mib + 100, 11*mib - 1}} {
			a := b.do(b.request(http.MethodPut, fmt.Sprintf("%s?partNumber=%d&%s", u.path, n+1, u.query()), "",
				"X-Amz-Copy-Source: /bucket/"+from, fmt.Sprintf("X-Amz-Copy-Source-Range: bytes=%d-%d", span[0], span[1])))
			_, rest, _ := strings.Cut(a.body, "<ETag>")
			etag, _, ok := strings.Cut(rest, "</ETag>")
			if a.StatusCode != http.StatusOK || !ok {
				t.Fatalf("%s: %d %s", from, a.StatusCode, a.body)
			}
			u.etags[n+1] = strings.ReplaceAll(etag, "&#34;", `"`)
		}
		if a := u.complete(1, 2); a.StatusCode != http.StatusOK {
			t.Fatalf("complete: %d %s", a.StatusCode, a.body)
		}
		if got := b.get(u.path); got.body != string(plain[100:]) {
			t.Errorf("%s: %d bytes, want %d", from, len(got.body), len(plain)-100)
		}
	}
	u := b.begin("/bucket/mixed/bad")
	a := b.do(b.request(http.MethodPut, u.path+"?partNumber=1&"+u.query(), "", "X-Amz-Copy-Source: /bucket/all/sealed", fmt.Sprintf("X-Amz-Copy-Source-Range: bytes=0-%d", len(plain))))
	if a.err(t).Code != "InvalidArgument" {
		t.Errorf("a range behind the end: %d %s", a.StatusCode, a.body)
	}
}
