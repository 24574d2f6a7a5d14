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

// An object without its envelope is no source of a copy, where sealed objects are;
// one that was never sealed is.
func TestSealedCopyStripped(t *testing.T) {
	t.Parallel()
	b, store := sealedBed(t)
	b.put("/bucket/mixed/stripped", pattern(100_000))
	store.setHeader("/bucket/mixed/stripped", func(o *object) { o.header.Del(envelopeHeader) })
	for _, to := range []string{"", "all/", "mixed/", "other/"} {
		path := "/bucket/" + to + "copy"
		a := b.do(b.request(http.MethodPut, path, "", "X-Amz-Copy-Source: /bucket/mixed/stripped"))
		if a.err(t).Code != "BadGateway" || b.recordOf(a).Outcome != OutcomeDamaged {
			t.Errorf("to %s: %d %s", path, a.StatusCode, a.body)
		}
		if a := b.get(path); a.StatusCode == http.StatusOK {
			t.Errorf("%s was written: %d bytes", path, len(a.body))
		}
	}
	u := b.begin("/bucket/all/parts")
	for _, more := range []string{"", "X-Amz-Copy-Source-Range: bytes=5-99"} {
		header := []string{"X-Amz-Copy-Source: /bucket/mixed/stripped"}
		if more != "" {
			header = append(header, more)
		}
		if a := b.do(b.request(http.MethodPut, u.path+"?partNumber=1&"+u.query(), "", header...)); a.err(t).Code != "BadGateway" {
			t.Errorf("a part of it: %d %s", a.StatusCode, a.body)
		}
	}
	for _, size := range []int{0, 1, 3, 4, 1000} {
		plain := pattern(size)
		store.mu.Lock()
		store.store("/bucket/mixed/plain", plain, http.Header{}, fmt.Sprint("plain", size))
		store.mu.Unlock()
		if a := b.do(b.request(http.MethodPut, "/bucket/all/copy", "", "X-Amz-Copy-Source: /bucket/mixed/plain")); a.StatusCode != http.StatusOK {
			t.Errorf("a plain one of %d bytes: %d %s", size, a.StatusCode, a.body)
		}
		if a := b.get("/bucket/all/copy"); a.body != string(plain) {
			t.Errorf("%d bytes, want %d", len(a.body), size)
		}
	}
}

// A single object that was uploaded in parts without the gateway, as when it is
// restored from a backup, opens: its bytes are authentic, whatever its ETag tells.
func TestSealedRestoredInParts(t *testing.T) {
	t.Parallel()
	b, store := sealedBed(t)
	for _, size := range []int{0, 100, 200_000} {
		for _, prefix := range []string{"all/", "mixed/"} {
			path, plain := fmt.Sprintf("/bucket/%s%d", prefix, size), pattern(size)
			b.put(path, plain)
			store.setHeader(path, func(o *object) { o.etag = `"0123456789abcdef0123456789abcdef-3"` })
			a := b.get(path)
			if a.StatusCode != http.StatusOK || a.body != string(plain) || a.Header.Get("ETag") != `"0123456789abcdef0123456789abcdef-3"` {
				t.Errorf("%s: %d, %d bytes, %s", path, a.StatusCode, len(a.body), a.Header.Get("ETag"))
			}
			for _, r := range ranges(size) {
				b.checkRange(path, plain, r)
			}
			if a := b.do(b.request(http.MethodHead, path, "")); a.Header.Get("Content-Length") != fmt.Sprint(size) {
				t.Errorf("HEAD %s: %d, length %s", path, a.StatusCode, a.Header.Get("Content-Length"))
			}
			if a := b.get(path+"?attributes", "X-Amz-Object-Attributes: ObjectSize"); !strings.Contains(a.body, fmt.Sprintf("<ObjectSize>%d<", size)) {
				t.Errorf("attributes of %s: %d %s", path, a.StatusCode, a.body)
			}
			if a := b.get(path + "?partNumber=1"); a.body != string(plain) {
				t.Errorf("part 1 of %s: %d, %d bytes", path, a.StatusCode, len(a.body))
			}
			if a := b.do(b.request(http.MethodPut, path+"-copy", "", "X-Amz-Copy-Source: "+path)); a.StatusCode != http.StatusOK || b.get(path+"-copy").body != string(plain) {
				t.Errorf("copy of %s: %d %s", path, a.StatusCode, a.body)
			}
			if size < 100 {
				continue
			}
			store.setHeader(path, func(o *object) { o.body = append([]byte(nil), o.body...); o.body[len(o.body)-20] ^= 1 })
			if a, cut := b.read(path, reading{}); cut == nil && a.StatusCode == http.StatusOK {
				t.Errorf("%s opens altered", path)
			}
		}
	}
}
