package engine

import (
	"net/http"
	"strings"
	"testing"
)

// Conditions with the ETag clients know, on reads and writes.
func TestSealedConditions(t *testing.T) {
	t.Parallel()
	b, _ := sealedBed(t)
	const path = "/bucket/mixed/key"
	etag := b.put(path, []byte("sealed")).Header.Get("ETag")
	for _, tt := range []struct {
		method, header string
		status         int
	}{
		{http.MethodGet, "If-Match: " + etag, 200},
		{http.MethodGet, "If-Match: " + strings.Trim(etag, `"`), 200},
		{http.MethodGet, `If-Match: "other-0", ` + etag, 200},
		{http.MethodGet, `If-Match: "other-0"`, 412},
		{http.MethodGet, "If-None-Match: " + etag, 304},
		{http.MethodHead, "If-None-Match: " + etag, 304},
		{http.MethodHead, "If-Match: " + etag, 200},
		{http.MethodPut, "If-None-Match: *", 412},
	} {
		a := b.do(b.request(tt.method, path, "", tt.header))
		if tt.header == "If-Match: "+strings.Trim(etag, `"`) && a.StatusCode == 412 {
			continue // whether quotes may be left out is the store's affair
		}
		if a.StatusCode != tt.status {
			t.Errorf("%s %s: %d, want %d", tt.method, tt.header, a.StatusCode, tt.status)
		}
		if a.StatusCode == 304 && a.Header.Get("ETag") != etag {
			t.Errorf("%s %s: ETag %s, want %s", tt.method, tt.header, a.Header.Get("ETag"), etag)
		}
	}
	if a := b.get(path, "Range: bytes=1-2", "If-Range: "+etag); a.StatusCode != 206 || a.body != "ea" {
		t.Errorf("If-Range that holds: %d %q", a.StatusCode, a.body)
	}
	if a := b.get(path, "Range: bytes=1-2", `If-Range: "old-0"`); a.StatusCode != 200 || a.body != "sealed" {
		t.Errorf("If-Range that does not hold: %d %q", a.StatusCode, a.body)
	}
}

func TestSealedAttributes(t *testing.T) {
	t.Parallel()
	b, _ := sealedBed(t)
	etag := strings.Trim(b.put("/bucket/all/single", pattern(70_000)).Header.Get("ETag"), `"`)
	u := b.begin("/bucket/all/multi")
	u.part(1, pattern(5*mib))
	u.complete(1)
	for path, want := range map[string][]string{
		"/bucket/all/single": {"<ETag>" + etag + "</ETag>", "<ObjectSize>70000</ObjectSize>", "<StorageClass>STANDARD</StorageClass>"},
		"/bucket/all/multi":  {"<ObjectSize>5242880</ObjectSize>", "<ObjectParts><PartsCount>1</PartsCount></ObjectParts>"},
	} {
		a := b.get(path+"?attributes", "X-Amz-Object-Attributes: ETag,ObjectSize,StorageClass,ObjectParts,Checksum")
		for _, w := range want {
			if a.StatusCode != 200 || !strings.Contains(a.body, w) || strings.Contains(a.body, "Checksum") {
				t.Errorf("%s: %d %s, want %s", path, a.StatusCode, a.body, w)
			}
		}
	}
}

// What policy gives readers.
func TestSealedOnRead(t *testing.T) {
	t.Parallel()
	b, store := sealedBed(t)
	b.put("/bucket/raw/key", []byte("secret"))
	b.put("/bucket/closed/key", []byte("secret"))
	stored := store.at("/bucket/raw/key")
	if a := b.get("/bucket/raw/key"); a.body != string(stored.body) || a.Header.Get(envelopeHeader) == "" && a.Header.Get("x-amz-meta-sealgate") == "" {
		t.Errorf("pass-through: %d, %d bytes, %v", a.StatusCode, len(a.body), a.Header)
	}
	for _, method := range []string{http.MethodGet, http.MethodHead} {
		a := b.do(b.request(method, "/bucket/closed/key", ""))
		if a.StatusCode != http.StatusForbidden || strings.Contains(a.body, "secret") {
			t.Errorf("%s rejected: %d %s", method, a.StatusCode, a.body)
		}
	}
	if a := b.do(b.request(http.MethodPut, "/bucket/all/x", "x", "X-Amz-Meta-Sealgate: forged")); a.err(t).Code != "InvalidArgument" {
		t.Errorf("an envelope from a client: %d %s", a.StatusCode, a.body)
	}
	if a := b.do(b.request(http.MethodPut, "/bucket/all/x", "x", "X-Amz-Meta-Large: "+strings.Repeat("x", 1900))); a.err(t).Code != "MetadataTooLarge" {
		t.Errorf("too much metadata: %d %s", a.StatusCode, a.body)
	}
}

// Form uploads are sealed as others are.
func TestSealedForm(t *testing.T) {
	t.Parallel()
	b, store := sealedBed(t)
	for name, size := range map[string]int{"empty": 0, "small": 100, "large": 300_000} {
		plain := pattern(size)
		fields := append(signedForm(`["starts-with","$x-amz-meta-mine",""]`), [2]string{"key", "up/" + name}, [2]string{"x-amz-meta-mine", "yes"})
		a := b.post(fields, "f", plain)
		if a.StatusCode != http.StatusNoContent || !strings.HasSuffix(a.Header.Get("ETag"), `-0"`) {
			t.Fatalf("%s: %d %s %s", name, a.StatusCode, a.Header.Get("ETag"), a.body)
		}
		if got := b.get("/bucket/up/" + name); got.body != string(plain) || got.Header.Get("X-Amz-Meta-Mine") != "yes" {
			t.Errorf("%s: %d, %d bytes", name, got.StatusCode, len(got.body))
		}
		if size > 0 && strings.Contains(string(store.at("/bucket/up/"+name).body), string(plain[:20])) {
			t.Errorf("%s: plaintext is stored", name)
		}
	}
	forged := append(signedForm(`["starts-with","$x-amz-meta-sealgate",""]`), [2]string{"key", "up/forged"}, [2]string{"x-amz-meta-sealgate", "x"})
	if a := b.post(forged, "f", nil); a.err(t).Code != "InvalidArgument" {
		t.Errorf("an envelope from a client: %d %s", a.StatusCode, a.body)
	}
}
