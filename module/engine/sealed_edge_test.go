package engine

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"
)

// An upload whose last part has no bytes: that part is empty, not the object.
func TestSealedEmptyLastPart(t *testing.T) {
	t.Parallel()
	b, _ := sealedBed(t)
	for _, sizes := range [][]int{{5 * mib, 0}, {0}} {
		path := fmt.Sprintf("/bucket/all/%d", len(sizes))
		u := b.begin(path)
		var numbers []int
		for i, size := range sizes {
			u.part(i+1, pattern(size))
			numbers = append(numbers, i+1)
		}
		if a := u.complete(numbers...); a.StatusCode != http.StatusOK {
			t.Fatalf("complete: %d %s", a.StatusCode, a.body)
		}
		last := len(sizes)
		get := b.get(fmt.Sprintf("%s?partNumber=%d", path, last))
		head := b.do(b.request(http.MethodHead, fmt.Sprintf("%s?partNumber=%d", path, last), ""))
		for method, a := range map[string]answer{"GET": get, "HEAD": head} {
			if a.StatusCode != http.StatusOK || a.ContentLength != 0 || a.body != "" || a.Header.Get("Content-Range") != "" || a.Header.Get("ETag") == "" {
				t.Errorf("%s of part %d of %v: %d, %d bytes, %v", method, last, sizes, a.StatusCode, a.ContentLength, a.Header)
			}
		}
		if a := b.get(fmt.Sprintf("%s?partNumber=%d", path, last+1)); a.err(t).Code != "InvalidPartNumber" {
			t.Errorf("a part too many: %d %s", a.StatusCode, a.body)
		}
		for _, method := range []string{http.MethodGet, http.MethodHead} {
			if a := b.do(b.request(method, path+"?partNumber=1", "", "Range: bytes=0-0")); a.StatusCode != http.StatusBadRequest {
				t.Errorf("%s of a part and a range: %d", method, a.StatusCode)
			}
		}
	}
}

// What is remembered of an object is no answer: it may be larger by now.
func TestSealedMemoryIsNoAnswer(t *testing.T) {
	t.Parallel()
	b, store := sealedBed(t)
	for _, prefix := range []string{"all/", "mixed/"} {
		path := "/bucket/" + prefix + "key"
		u := b.begin(path)
		u.part(1, pattern(100))
		u.complete(1)
		b.checkRange(path, pattern(100), "bytes=5-10")
		larger := pattern(300_000)
		b.put(path, larger)
		b.checkRange(path, larger, "bytes=200000-200010")
		if prefix == "mixed/" {
			store.mu.Lock()
			store.store(path, larger[:200], http.Header{}, "plain")
			store.mu.Unlock()
			b.checkRange(path, larger[:200], "bytes=5-10")
			store.mu.Lock()
			store.store(path, larger, http.Header{}, "larger")
			store.mu.Unlock()
			b.checkRange(path, larger, "bytes=200000-200010")
		}
	}
}

// Parts of many sizes cost about one request each.
func TestSealedLayoutOfUnequalParts(t *testing.T) {
	t.Parallel()
	b, store := sealedBed(t)
	u := b.begin("/bucket/all/key")
	var numbers []int
	for n := 1; n <= 24; n++ {
		u.part(n, pattern(5*mib + n)[:5*mib+n%2])
		numbers = append(numbers, n)
	}
	u.complete(numbers...)
	log := store.since(func() { b.get("/bucket/all/key", "Range: bytes=100000000-100000010") })
	if len(log) > 2*25+32 {
		t.Errorf("%d requests for 25 headers", len(log))
	}
}

// The null version of a bucket whose versioning is suspended is asked for by
// that name in every request of one read.
func TestSealedNullVersion(t *testing.T) {
	t.Parallel()
	b, store := sealedBed(t)
	plain := pattern(5*mib + 10)
	u := b.begin("/bucket/all/key")
	u.part(1, plain[:5*mib])
	u.part(2, plain[5*mib:])
	u.complete(1, 2)
	for _, told := range []string{"null", ""} {
		lying(t, b, store, func(w http.ResponseWriter, r *http.Request) bool {
			if r.URL.Query().Get("versionId") != "null" {
				store.refuse(w, http.StatusPreconditionFailed, "PreconditionFailed") // the latest is another
				return true
			}
			if told != "" {
				w.Header().Set("X-Amz-Version-Id", told)
			}
			return false
		})
		if a := b.get("/bucket/all/key?versionId=null", "Range: bytes=5242870-5242885"); a.body != string(plain[5242870:5242886]) {
			t.Errorf("told %q: %d %s", told, a.StatusCode, a.body)
		}
		if a := b.get("/bucket/all/key?versionId=null&partNumber=2"); a.body != string(plain[5*mib:]) {
			t.Errorf("told %q, part 2: %d %s", told, a.StatusCode, a.body)
		}
	}
}

// The second answer to a completion is about the completion, not about the object.
func TestSealedCompletionAgainHasNoHeadersOfTheObject(t *testing.T) {
	t.Parallel()
	b, store := sealedBed(t)
	u := b.begin("/bucket/all/key", "X-Amz-Meta-Mine: yes", "Cache-Control: no-store")
	u.part(1, pattern(10))
	u.complete(1)
	store.setHeader("/bucket/all/key", func(o *object) { o.header.Set("Content-Encoding", "gzip") })
	a := u.complete(1)
	if a.StatusCode != http.StatusOK || !strings.Contains(a.body, "<CompleteMultipartUploadResult>") {
		t.Fatalf("%d %q", a.StatusCode, a.body)
	}
	for _, name := range []string{"Content-Encoding", "Cache-Control", "X-Amz-Meta-Mine", "x-amz-meta-mine"} {
		if v := a.Header.Get(name); v != "" {
			t.Errorf("%s: %s", name, v)
		}
	}
}

// Objects that the gateway may not look at do not keep a listing from a client.
func TestSealedListingOfWhatCannotBeRead(t *testing.T) {
	t.Parallel()
	b, store := sealedBed(t)
	plain := pattern(100)
	b.put("/bucket/mixed/sealed", plain)
	stored := len(store.at("/bucket/mixed/sealed").body)
	store.listing = "<ListBucketResult>"
	for _, name := range []string{"sealed", "400", "403", "404"} {
		store.listing += fmt.Sprintf("<Contents><Key>mixed/%s</Key><ETag>%s</ETag><Size>%d</Size></Contents>",
			name, strings.ReplaceAll(store.at("/bucket/mixed/sealed").etag, `"`, "&quot;"), stored)
	}
	store.listing += "</ListBucketResult>"
	lying(t, b, store, func(w http.ResponseWriter, r *http.Request) bool {
		var status int
		if _, err := fmt.Sscanf(r.URL.Path, "/bucket/mixed/%d", &status); err != nil {
			return false
		}
		w.WriteHeader(status)
		return true
	})
	a := b.get("/bucket?list-type=2")
	if n := strings.Count(a.body, fmt.Sprintf("<Size>%d</Size>", stored)); a.StatusCode != http.StatusOK || n != 3 || !strings.Contains(a.body, "<Size>100</Size>") {
		t.Errorf("%d %s", a.StatusCode, a.body)
	}
}

// Keep-alive whitespace of a copy goes out while the work ends: neither is in the
// way of the other.
func TestSealedCopyKeepsWaiting(t *testing.T) {
	t.Parallel()
	b, _ := sealedBed(t)
	b.engine.pause = 100 * time.Microsecond
	plain := pattern(200_000)
	b.put("/bucket/all/key", plain)
	for n := range 20 {
		path := fmt.Sprintf("/bucket/other/%d", n)
		a := b.do(b.request(http.MethodPut, path, "", "X-Amz-Copy-Source: /bucket/all/key"))
		if a.StatusCode != http.StatusOK || !strings.Contains(a.body, "<CopyObjectResult>") {
			t.Fatalf("%d %s", a.StatusCode, a.body)
		}
		if got := b.get(path); got.body != string(plain) {
			t.Fatalf("copy %d: %d, %d bytes", n, got.StatusCode, len(got.body))
		}
	}
}
