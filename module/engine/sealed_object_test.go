package engine

import (
	"bytes"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"testing"
)

// Whatever is put comes back, whole and in ranges, and nothing of it is stored.
func TestSealedObject(t *testing.T) {
	t.Parallel()
	b, store := sealedBed(t)
	for _, prefix := range []string{"all/", "mixed/"} {
		for _, size := range []int{0, 1, 20, 65535, 65536, 65537, 131072, 300_000} {
			t.Run(fmt.Sprint(prefix, size), func(t *testing.T) {
				t.Parallel()
				plain := pattern(size)
				path := "/bucket/" + prefix + strconv.Itoa(size)
				written := b.put(path, plain, "Content-Type: text/x", "X-Amz-Meta-Mine: yes")
				if rec := b.recordOf(written); rec.Sent.Mode != "cse" || rec.Sent.Keyring != "main" || rec.Outcome != OutcomeOK {
					t.Errorf("the record says %+v, %s", rec.Sent, rec.Outcome)
				}
				stored := store.at(path)
				if size > 19 && bytes.Contains(stored.body, plain[:20]) {
					t.Error("plaintext is stored")
				}
				if stored.header.Get(envelopeHeader) == "" || stored.header.Get("X-Amz-Meta-Mine") != "yes" {
					t.Errorf("stored headers: %v", stored.header)
				}
				etag := written.Header.Get("ETag")
				if !strings.HasSuffix(etag, `-0"`) || clientETag(stored.etag) != etag {
					t.Errorf("ETag %s of %s", etag, stored.etag)
				}
				whole := b.get(path)
				if whole.StatusCode != 200 || whole.body != string(plain) {
					t.Errorf("GET: %d, %d bytes", whole.StatusCode, len(whole.body))
				}
				head := b.do(b.request(http.MethodHead, path, ""))
				for name, h := range map[string]http.Header{"GET": whole.Header, "HEAD": head.Header} {
					if h.Get("Content-Length") != strconv.Itoa(size) || h.Get("ETag") != etag || h.Get(envelopeHeader) != "" ||
						h.Get("X-Amz-Checksum-Crc64nvme") != "" || h.Get("X-Amz-Meta-Mine") != "yes" || h.Get("Content-Type") != "text/x" {
						t.Errorf("%s: %v", name, h)
					}
				}
				for _, r := range ranges(size) {
					b.checkRange(path, plain, r)
				}
			})
		}
	}
}

// ranges are Range headers around every border an object can have.
func ranges(size int) []string {
	var out []string
	borders := []int{0, 1, 65535, 65536, 65537, size / 2, size - 1, size, size + 1}
	for _, from := range borders {
		out = append(out, fmt.Sprintf("bytes=%d-", max(0, from)), fmt.Sprintf("bytes=-%d", max(0, from)))
		for _, to := range borders {
			if from >= 0 && to >= from {
				out = append(out, fmt.Sprintf("bytes=%d-%d", from, to))
			}
		}
	}
	return out
}

// checkRange holds a ranged read against a slice of the plaintext.
func (b *bed) checkRange(path string, plain []byte, header string) {
	b.t.Helper()
	r, ok := parseRange(header)
	if !ok {
		b.t.Fatalf("%s is no range", header)
	}
	got := b.get(path, "Range: "+header)
	extent, ok := r.of(int64(len(plain)))
	if !ok {
		if got.StatusCode != http.StatusRequestedRangeNotSatisfiable || !strings.Contains(got.body, "InvalidRange") {
			b.t.Errorf("%s of %d: %d, %d bytes", header, len(plain), got.StatusCode, len(got.body))
		}
		return
	}
	want := plain[extent.Offset:extent.End()]
	if got.StatusCode != http.StatusPartialContent || got.body != string(want) ||
		got.Header.Get("Content-Range") != contentRange(extent, int64(len(plain))) || got.ContentLength != int64(len(want)) {
		b.t.Errorf("%s of %d: %d, %d bytes, %s", header, len(plain), got.StatusCode, len(got.body), got.Header.Get("Content-Range"))
	}
}
