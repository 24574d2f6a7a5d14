package engine

import (
	"bytes"
	"encoding/xml"
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"testing"
)

const mib = 1 << 20

// client is one multipart upload as a client sees it.
type uploading struct {
	b        *bed
	path, id string
	etags    map[int]string
}

func (b *bed) begin(path string, header ...string) *uploading {
	b.t.Helper()
	a := b.do(b.request(http.MethodPost, path+"?uploads", "", header...))
	var created struct{ UploadId string } //nolint:revive,staticcheck // S3's name
	if err := xml.Unmarshal([]byte(a.body), &created); err != nil || created.UploadId == "" {
		b.t.Fatalf("create: %d %s", a.StatusCode, a.body)
	}
	return &uploading{b: b, path: path, id: created.UploadId, etags: make(map[int]string)}
}

func (u *uploading) query() string { return "uploadId=" + url.QueryEscape(u.id) }

func (u *uploading) part(n int, body []byte) {
	u.b.t.Helper()
	a := u.b.do(u.b.request(http.MethodPut, fmt.Sprintf("%s?partNumber=%d&%s", u.path, n, u.query()), string(body), "X-Amz-Content-Sha256: UNSIGNED-PAYLOAD"))
	if a.StatusCode != http.StatusOK || !strings.HasSuffix(a.Header.Get("ETag"), `-0"`) {
		u.b.t.Fatalf("part %d: %d %s %.300s", n, a.StatusCode, a.Header.Get("ETag"), a.body)
	}
	u.etags[n] = a.Header.Get("ETag")
}

func (u *uploading) complete(numbers ...int) answer {
	u.b.t.Helper()
	var doc strings.Builder
	doc.WriteString("<CompleteMultipartUpload>")
	for _, n := range numbers {
		fmt.Fprintf(&doc, "<Part><PartNumber>%d</PartNumber><ETag>%s</ETag></Part>", n, strings.ReplaceAll(u.etags[n], `"`, "&quot;"))
	}
	doc.WriteString("</CompleteMultipartUpload>")
	return u.b.do(u.b.request(http.MethodPost, u.path+"?"+u.query(), doc.String()))
}

// Parts of any sizes, in any order, re-sent, with gaps: the object is their
// plaintext in the order of their numbers, whole and in ranges, and its size is
// the same in GET, HEAD and a listing.
func TestSealedUpload(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name    string
		sizes   []int
		numbers []int // of the parts, 1 to n if nil
	}{
		{"one small part", []int{1}, nil},
		{"one empty part", []int{0}, nil},
		{"one large part", []int{5 * mib}, nil},
		{"last part small", []int{5 * mib, 100}, nil},
		{"last part large", []int{5 * mib, 6*mib + 1}, nil},
		{"unequal", []int{5*mib + 1, 7*mib - 3, 5 * mib, 65536}, nil},
		{"larger chunks", []int{33 * mib, 5*mib + 7, 3}, nil},
		{"gaps", []int{5 * mib, 5 * mib, 6 * mib}, []int{2, 5, 9000}},
		{"many equal", []int{5 * mib, 5 * mib, 5 * mib, 5 * mib, 5 * mib, 5 * mib}, nil},
	}
	b, store := sealedBed(t)
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			path := "/bucket/mixed/" + strings.ReplaceAll(tt.name, " ", "-")
			numbers := tt.numbers
			for n := range tt.sizes {
				if tt.numbers == nil {
					numbers = append(numbers, n+1)
				}
			}
			u := b.begin(path, "X-Amz-Meta-Mine: yes")
			var plain []byte
			for i, size := range tt.sizes {
				plain = append(plain, pattern(size + i)[:size]...)
			}
			end := len(plain)
			for i := len(numbers) - 1; i >= 0; i-- { // last part first
				body := plain[end-tt.sizes[i] : end]
				end -= tt.sizes[i]
				u.part(numbers[i], pattern(len(body) + 99)[:len(body)]) // and again with other bytes
				u.part(numbers[i], body)
			}
			u.checkListed(numbers, tt.sizes)
			if a := u.complete(numbers...); a.StatusCode != 200 || strings.Contains(a.body, "<Error") {
				t.Fatalf("complete: %d %s", a.StatusCode, a.body)
			}
			if len(plain) > 32 && bytes.Contains(store.at(path).body, plain[:32]) {
				t.Error("plaintext is stored")
			}
			whole := b.get(path)
			if whole.StatusCode != 200 || whole.body != string(plain) {
				t.Fatalf("GET: %d, %d bytes of %d", whole.StatusCode, len(whole.body), len(plain))
			}
			head := b.do(b.request(http.MethodHead, path, ""))
			if head.ContentLength != int64(len(plain)) || head.Header.Get("X-Amz-Meta-Mine") != "yes" || head.Header.Get("ETag") != whole.Header.Get("ETag") {
				t.Errorf("HEAD: %v", head.Header)
			}
			random := rand.New(rand.NewPCG(1, uint64(len(plain))))
			for range 12 {
				from := random.IntN(len(plain) + 1)
				to := from + random.IntN(len(plain)+1)
				b.checkRange(path, plain, fmt.Sprintf("bytes=%d-%d", from, to))
			}
			at := 0
			for i, size := range tt.sizes {
				b.checkPart(path, i+1, plain[at:at+size], len(tt.sizes))
				at += size
				for _, r := range []string{fmt.Sprintf("bytes=%d-%d", max(0, at-10), at+10), fmt.Sprintf("bytes=%d-", at)} {
					b.checkRange(path, plain, r)
				}
			}
			b.checkRange(path, plain, "bytes=-100")
		})
	}
}

// checkListed holds ListParts against the parts that were sent.
func (u *uploading) checkListed(numbers, sizes []int) {
	u.b.t.Helper()
	a := u.b.get(u.path + "?" + u.query())
	var list struct {
		UploadId string //nolint:revive,staticcheck // S3's name
		Part     []struct {
			PartNumber, Size int
			ETag             string
		}
	}
	if err := xml.Unmarshal([]byte(a.body), &list); err != nil || len(list.Part) != len(numbers) || list.UploadId != u.id {
		u.b.t.Fatalf("ListParts: %d %v %.500s", a.StatusCode, err, a.body)
	}
	for i, p := range list.Part {
		if p.PartNumber != numbers[i] || p.Size != sizes[i] || p.ETag != u.etags[p.PartNumber] {
			u.b.t.Errorf("listed %+v, want part %d of %d bytes, %s", p, numbers[i], sizes[i], u.etags[p.PartNumber])
		}
	}
}

// checkPart holds a read by part number against the part's plaintext.
func (b *bed) checkPart(path string, rank int, want []byte, parts int) {
	b.t.Helper()
	for _, method := range []string{http.MethodGet, http.MethodHead} {
		a := b.do(b.request(method, path+"?partNumber="+strconv.Itoa(rank), ""))
		if a.ContentLength != int64(len(want)) || method == http.MethodGet && a.body != string(want) {
			b.t.Errorf("%s part %d: %d, %d bytes, want %d", method, rank, a.StatusCode, a.ContentLength, len(want))
		}
		if n := a.Header.Get("X-Amz-Mp-Parts-Count"); n != strconv.Itoa(parts) && len(want) > 0 {
			b.t.Errorf("%s part %d: %s parts, want %d", method, rank, n, parts)
		}
	}
}

// What S3 refuses of a completion, and what cannot be sealed.
func TestSealedUploadRefusals(t *testing.T) {
	t.Parallel()
	b, store := sealedBed(t)
	fresh := func(name string, sizes ...int) *uploading {
		u := b.begin("/bucket/all/" + name)
		for i, size := range sizes {
			u.part(i+1, pattern(size))
		}
		return u
	}
	small := fresh("small", 100, 100)
	swapped := fresh("swapped", 5*mib, 10)
	swapped.etags[1], swapped.etags[2] = swapped.etags[2], swapped.etags[1]
	gap := fresh("gap", 5*mib, 10)
	gap.part(7, pattern(10))
	unknown := fresh("unknown", 10)
	unknown.etags[2] = unknown.etags[1]
	for _, tt := range []struct {
		name    string
		u       *uploading
		numbers []int
		code    string
	}{
		{"a part too small", small, []int{1, 2}, "EntityTooSmall"},
		{"ETags swapped", swapped, []int{1, 2}, "InvalidPart"},
		{"gap before a small last part", gap, []int{1, 7}, "InvalidRequest"},
		{"a part that is not there", unknown, []int{2}, "InvalidPart"},
		{"order", gap, []int{2, 1}, "InvalidPartOrder"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if a := tt.u.complete(tt.numbers...); a.err(t).Code != tt.code {
				t.Errorf("%d %s, want %s", a.StatusCode, a.body, tt.code)
			}
		})
	}
	// The ids of other uploads, names and of the store.
	other := fresh("other", 10)
	for name, u := range map[string]*uploading{
		"id of another name":   {b: b, path: "/bucket/all/elsewhere", id: other.id, etags: other.etags},
		"id in another bucket": {b: b, path: "/bucket2/all/other", id: other.id, etags: other.etags},
		"the store's id":       {b: b, path: "/bucket/all/other", id: rawID(store, "/bucket/all/other"), etags: other.etags},
		"an altered id":        {b: b, path: "/bucket/all/other", id: altered(other.id), etags: other.etags},
	} {
		t.Run(name, func(t *testing.T) {
			if a := u.complete(1); a.err(t).Code != "NoSuchUpload" {
				t.Errorf("complete: %d %s", a.StatusCode, a.body)
			}
			a := b.do(b.request(http.MethodPut, u.path+"?partNumber=1&"+u.query(), "plaintext"))
			if a.err(t).Code != "NoSuchUpload" {
				t.Errorf("part: %d %s", a.StatusCode, a.body)
			}
			if a := b.get(u.path + "?" + u.query()); a.err(t).Code != "NoSuchUpload" {
				t.Errorf("list: %d %s", a.StatusCode, a.body)
			}
		})
	}
}

func rawID(s *objectStore, path string) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	for id, u := range s.uploads {
		if u.path == path {
			return id
		}
	}
	return ""
}

func altered(id string) string {
	last := byte('A')
	if id[len(id)-1] == last {
		last = 'Q'
	}
	return id[:len(id)-1] + string(last)
}

// A completion whose answer got lost is answered again.
func TestSealedCompletionAgain(t *testing.T) {
	t.Parallel()
	b, _ := sealedBed(t)
	u := b.begin("/bucket/all/key")
	u.part(1, pattern(5*mib))
	first := u.complete(1)
	again := u.complete(1)
	if first.StatusCode != 200 || again.StatusCode != 200 {
		t.Fatalf("%d %s; again %d %s", first.StatusCode, first.body, again.StatusCode, again.body)
	}
	b.put("/bucket/all/key", []byte("another object"))
	if a := u.complete(1); a.err(t).Code != "NoSuchUpload" {
		t.Errorf("after the object was overwritten: %d %s", a.StatusCode, a.body)
	}
}

// A range of a multipart object takes one request once its layout is known.
func TestSealedLayoutIsRemembered(t *testing.T) {
	t.Parallel()
	b, store := sealedBed(t)
	u := b.begin("/bucket/all/key")
	var numbers []int
	for n := 1; n <= 40; n++ {
		u.part(n, pattern(5*mib))
		numbers = append(numbers, n)
	}
	u.complete(numbers...)
	cold := store.since(func() { b.get("/bucket/all/key", "Range: bytes=100000000-100000010") })
	warm := store.since(func() { b.get("/bucket/all/key", "Range: bytes=50000000-50000010") })
	// The guess, the header of each part with the closing one, the range.
	if len(cold) != 1+41+1 || len(warm) != 1 {
		t.Errorf("%d requests cold, %d warm", len(cold), len(warm))
	}
}

// listed are the numbers and sizes of the parts that a client is shown.
func (u *uploading) listed(query string) string {
	u.b.t.Helper()
	a := u.b.get(u.path + "?" + query + u.query())
	var doc struct {
		Part []struct{ PartNumber, Size int }
	}
	if err := xml.Unmarshal([]byte(a.body), &doc); err != nil || a.StatusCode != http.StatusOK || strings.Contains(a.body, "hecksum") {
		u.b.t.Fatalf("ListParts: %d %s", a.StatusCode, a.body)
	}
	return fmt.Sprint(doc.Part)
}

// What a completion that failed leaves behind is not shown as a part, nor in the
// way of what the client does next.
func TestSealedCompleteRefused(t *testing.T) {
	t.Parallel()
	b, store := sealedBed(t)
	u := b.begin("/bucket/all/k")
	u.part(1, pattern(5*mib))
	u.part(2, pattern(5*mib+1))
	refuse := func(code string) {
		store.mu.Lock()
		defer store.mu.Unlock()
		store.refusal = code
	}
	refuse("EntityTooSmall")
	if a := u.complete(1, 2); a.StatusCode != http.StatusBadRequest || !strings.Contains(a.body, "<Code>EntityTooSmall<") {
		t.Errorf("a completion that the store refuses: %d %s", a.StatusCode, a.body)
	}
	store.mu.Lock()
	for _, open := range store.uploads {
		if len(open.parts) != 3 {
			t.Errorf("the store has %d parts", len(open.parts))
		}
	}
	store.mu.Unlock()
	for query, want := range map[string]string{
		"": "[{1 5242880} {2 5242881}]", "max-parts=2&": "[{1 5242880} {2 5242881}]", "max-parts=1&part-number-marker=1&": "[{2 5242881}]",
		"max-parts=1&part-number-marker=2&": "[]", "part-number-marker=1&": "[{2 5242881}]",
	} {
		if got := u.listed(query); got != want {
			t.Errorf("ListParts with %q: %s, want %s", query, got, want)
		}
	}
	u.part(3, pattern(5*mib+2)) // in the place of the closing part
	if got, want := u.listed(""), "[{1 5242880} {2 5242881} {3 5242882}]"; got != want {
		t.Errorf("ListParts: %s, want %s", got, want)
	}
	refuse("")
	if a := u.complete(1, 2, 3); a.StatusCode != http.StatusOK {
		t.Errorf("complete: %d %s", a.StatusCode, a.body)
	}
	if a := b.get("/bucket/all/k"); a.body != string(pattern(5*mib))+string(pattern(5*mib+1))+string(pattern(5*mib+2)) {
		t.Errorf("%d bytes, or others", len(a.body))
	}

	u = b.begin("/bucket/all/empty")
	u.part(4, nil)
	if got, want := u.listed(""), "[{4 0}]"; got != want {
		t.Errorf("ListParts of one empty part: %s, want %s", got, want)
	}
}

// A client names the attempt of each part that it means: once another one has
// taken its place, a completion with the first is refused.
func TestSealedCompleteNamesAttempts(t *testing.T) {
	t.Parallel()
	b, store := sealedBed(t)
	u := b.begin("/bucket/all/k")
	u.part(1, pattern(100))
	first := u.etags[1]
	u.part(1, pattern(100)) // the same bytes: another attempt all the same
	if u.etags[1] == first {
		t.Fatal("two attempts with one ETag")
	}
	second := u.etags[1]
	u.etags[1] = first
	if a := u.complete(1); a.err(t).Code != "InvalidPart" {
		t.Errorf("with the first attempt: %d %s", a.StatusCode, a.body)
	}
	store.mu.Lock()
	if store.objects["/bucket/all/k"] != nil {
		t.Error("the object was written")
	}
	store.mu.Unlock()
	u.etags[1] = second
	if a := u.complete(1); a.StatusCode != http.StatusOK || b.get("/bucket/all/k").body != string(pattern(100)) {
		t.Errorf("with the second: %d %s", a.StatusCode, a.body)
	}
}
