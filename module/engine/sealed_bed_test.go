package engine

import (
	"bytes"
	"crypto/md5" //nolint:gosec // what stores make ETags of
	"encoding/hex"
	"encoding/xml"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"net/url"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/sealgate/sealgate/module/keyring"
	"github.com/sealgate/sealgate/module/keyring/local"
	"github.com/sealgate/sealgate/module/upstream"
	"github.com/sealgate/sealgate/policy"
)

// object is what a store keeps: the tests alter it.
type object struct {
	body     []byte
	header   http.Header
	etag     string
	modified time.Time
}

// upload is an open multipart upload.
type upload struct {
	path   string
	header http.Header
	parts  map[int][]byte
}

// objectStore is a store in memory, as plain as can be: objects, ranges,
// conditions and multipart uploads. It is there to be tampered with.
type objectStore struct {
	*httptest.Server
	t       *testing.T
	mu      sync.Mutex
	objects map[string]*object // by path
	uploads map[string]*upload
	listing string   // what a listing is answered with
	refusal string   // the error code that completions are answered with, if any
	log     []string // method, path, query and range of each request
	count   int
}

func newObjectStore(t *testing.T) *objectStore {
	s := &objectStore{t: t, objects: make(map[string]*object), uploads: make(map[string]*upload)}
	s.Server = httptest.NewServer(s)
	t.Cleanup(s.Close)
	return s
}

func (s *objectStore) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return
	}
	if r.Method == http.MethodGet || r.Method == http.MethodHead {
		if o := s.read(r); o != nil { // nothing is locked while a client reads
			maps.Copy(w.Header(), o.header)
			w.Header().Set("ETag", o.etag)
			w.Header().Set("X-Amz-Checksum-Crc64nvme", "of the stored bytes")
			http.ServeContent(w, r, "", o.modified, bytes.NewReader(o.body))
			return
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.count++
	s.log = append(s.log, strings.TrimSpace(fmt.Sprintf("%s %s %s", r.Method, r.URL.RequestURI(), r.Header.Get("Range"))))
	q := r.URL.Query()
	switch {
	case q.Has("list-type"), r.Method == http.MethodGet && q.Has("uploads"):
		_, _ = io.WriteString(w, s.listing)
	case r.Method == http.MethodPost && q.Has("uploads"):
		id := fmt.Sprintf("upload-%d", s.count)
		s.uploads[id] = &upload{path: r.URL.Path, header: kept(r.Header), parts: make(map[int][]byte)}
		fmt.Fprintf(w, "<InitiateMultipartUploadResult><Bucket>b</Bucket><Key>k</Key><UploadId>%s</UploadId></InitiateMultipartUploadResult>", id)
	case q.Has("uploadId"):
		if r.Header.Get("X-Amz-Copy-Source") != "" {
			if body = s.source(r); body == nil {
				s.refuse(w, http.StatusPreconditionFailed, "PreconditionFailed")
				return
			}
		}
		s.serveUpload(w, r, body)
		if r.Header.Get("X-Amz-Copy-Source") != "" {
			fmt.Fprintf(w, "<CopyPartResult><ETag>&quot;%x&quot;</ETag></CopyPartResult>", sum(body))
		}
	case r.Header.Get("X-Amz-Copy-Source") != "":
		body := s.source(r)
		if body == nil {
			s.refuse(w, http.StatusPreconditionFailed, "PreconditionFailed")
			return
		}
		header := kept(r.Header)
		if r.Header.Get("X-Amz-Metadata-Directive") != "REPLACE" {
			path, _ := url.PathUnescape("/" + strings.TrimPrefix(r.Header.Get("X-Amz-Copy-Source"), "/"))
			header = s.objects[path].header
		}
		o := s.store(r.URL.Path, body, header, hex.EncodeToString(sum(body)))
		fmt.Fprintf(w, "<CopyObjectResult><ETag>%s</ETag></CopyObjectResult>", strings.ReplaceAll(o.etag, `"`, "&quot;"))
	case r.Method == http.MethodPut:
		if r.Header.Get("If-None-Match") == "*" && s.objects[r.URL.Path] != nil {
			s.refuse(w, http.StatusPreconditionFailed, "PreconditionFailed")
			return
		}
		o := s.store(r.URL.Path, body, kept(r.Header), hex.EncodeToString(sum(body)))
		w.Header().Set("ETag", o.etag)
		w.Header().Set("X-Amz-Checksum-Crc64nvme", "of the stored bytes")
	case r.Method == http.MethodDelete:
		delete(s.objects, r.URL.Path)
		w.WriteHeader(http.StatusNoContent)
	default:
		s.refuse(w, http.StatusNotFound, "NoSuchKey")
	}
}

func sum(b []byte) []byte { m := md5.Sum(b); return m[:] } //nolint:gosec // see above

func kept(h http.Header) http.Header {
	out := make(http.Header)
	for name, v := range h {
		if strings.HasPrefix(name, "X-Amz-Meta-") || name == "Content-Type" || name == "Cache-Control" {
			out[name] = v
		}
	}
	return out
}

func (s *objectStore) store(path string, body []byte, h http.Header, etag string) *object {
	s.count++
	o := &object{body: body, header: h, etag: `"` + etag + `"`, modified: time.Unix(1_700_000_000+int64(s.count), 0)}
	s.objects[path] = o
	return o
}

func (s *objectStore) refuse(w http.ResponseWriter, status int, code string) {
	w.WriteHeader(status)
	fmt.Fprintf(w, "<Error><Code>%s</Code><Message>no</Message></Error>", code)
}

// read gives an object to be read, nil if it is not there.
func (s *objectStore) read(r *http.Request) *object {
	s.mu.Lock()
	defer s.mu.Unlock()
	o := s.objects[r.URL.Path]
	if o == nil || r.URL.Query().Has("uploadId") {
		return nil
	}
	s.log = append(s.log, strings.TrimSpace(fmt.Sprintf("%s %s %s", r.Method, r.URL.RequestURI(), r.Header.Get("Range"))))
	copied := *o
	return &copied
}

func (s *objectStore) serveUpload(w http.ResponseWriter, r *http.Request, body []byte) {
	id := r.URL.Query().Get("uploadId")
	u := s.uploads[id]
	if u == nil || u.path != r.URL.Path {
		s.refuse(w, http.StatusNotFound, "NoSuchUpload")
		return
	}
	switch r.Method {
	case http.MethodPut:
		n, _ := strconv.Atoi(r.URL.Query().Get("partNumber"))
		u.parts[n] = body
		w.Header().Set("ETag", `"`+hex.EncodeToString(sum(body))+`"`)
	case http.MethodDelete:
		delete(s.uploads, id)
		w.WriteHeader(http.StatusNoContent)
	case http.MethodGet:
		s.listParts(w, r, u)
	case http.MethodPost:
		if s.refusal != "" {
			s.refuse(w, http.StatusBadRequest, s.refusal)
			return
		}
		s.complete(w, id, u, body)
	}
}

func (s *objectStore) listParts(w http.ResponseWriter, r *http.Request, u *upload) {
	marker, _ := strconv.Atoi(r.URL.Query().Get("part-number-marker"))
	limit, err := strconv.Atoi(r.URL.Query().Get("max-parts"))
	if err != nil {
		limit = 1000
	}
	fmt.Fprintf(w, "<ListPartsResult><UploadId>%s</UploadId>", r.URL.Query().Get("uploadId"))
	shown, last := 0, 0
	for _, n := range slices.Sorted(maps.Keys(u.parts)) {
		if n <= marker || shown == limit {
			continue
		}
		shown, last = shown+1, n
		fmt.Fprintf(w, "<Part><PartNumber>%d</PartNumber><ETag>&quot;%x&quot;</ETag><Size>%d</Size></Part>", n, sum(u.parts[n]), len(u.parts[n]))
	}
	more := shown == limit && slices.Max(slices.Collect(maps.Keys(u.parts))) > last
	fmt.Fprintf(w, "<IsTruncated>%t</IsTruncated><NextPartNumberMarker>%d</NextPartNumberMarker></ListPartsResult>", more, last)
}

func (s *objectStore) complete(w http.ResponseWriter, id string, u *upload, body []byte) {
	var doc struct {
		Part []struct {
			PartNumber int
			ETag       string
		}
	}
	if err := xml.Unmarshal(body, &doc); err != nil {
		s.refuse(w, http.StatusBadRequest, "MalformedXML")
		return
	}
	var whole, sums []byte
	for _, p := range doc.Part {
		part, ok := u.parts[p.PartNumber]
		if !ok || strings.Trim(p.ETag, `"`) != hex.EncodeToString(sum(part)) {
			s.refuse(w, http.StatusBadRequest, "InvalidPart")
			return
		}
		whole, sums = append(whole, part...), append(sums, sum(part)...)
	}
	o := s.store(u.path, whole, u.header, fmt.Sprintf("%x-%d", sum(sums), len(doc.Part)))
	delete(s.uploads, id)
	fmt.Fprintf(w, "<CompleteMultipartUploadResult><ETag>%s</ETag></CompleteMultipartUploadResult>", strings.ReplaceAll(o.etag, `"`, "&quot;"))
}

// source is what a copy is made of; nil if it is not the one the copy is for.
func (s *objectStore) source(r *http.Request) []byte {
	path, err := url.PathUnescape("/" + strings.TrimPrefix(r.Header.Get("X-Amz-Copy-Source"), "/"))
	o := s.objects[path]
	if err != nil || o == nil || r.Header.Get("X-Amz-Copy-Source-If-Match") != o.etag {
		return nil
	}
	if from, ok := parseRange(r.Header.Get("X-Amz-Copy-Source-Range")); ok {
		return o.body[from.first : from.last+1]
	}
	return o.body
}

// at gives an object to look at or to alter.
func (s *objectStore) at(path string) *object {
	s.t.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	o := s.objects[path]
	if o == nil {
		s.t.Fatalf("the store has no %s", path)
	}
	return o
}

// since runs f and gives the requests that reached the store meanwhile.
func (s *objectStore) since(f func()) []string {
	s.mu.Lock()
	n := len(s.log)
	s.mu.Unlock()
	f()
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.log[n:])
}

// sealedBed is a gateway whose prefixes all/ and mixed/ of every bucket are
// sealed, before a store in memory.
func sealedBed(t *testing.T, options ...bedOption) (*bed, *objectStore) {
	t.Helper()
	store := newObjectStore(t)
	rings := localKeyrings(t, "main", "other")
	options = append([]bedOption{func(c *Config, _ *policy.Options) {
		c.Upstream = upstreamOf(t, store.URL)
		c.Keyrings = rings
	}}, options...)
	return newBed(t, sealedPosture, options...), store
}

const sealedPosture = `version: 1
buckets:
  "*":
    "": {mode: none}
    all/: {mode: cse, sealed: all}
    mixed/: {mode: cse, keyrings: [other]}
    other/: {mode: cse, keyring: other}
    raw/: {mode: cse, on_read: pass-through}
    closed/: {mode: cse, on_read: reject}
    up/: {mode: cse, sealed: all}
grants:
  - {id: all, principals: [app], actions: ["s3:*"], resources: ["*"]}
`

// localKeyrings makes keyrings of fresh files.
func localKeyrings(t *testing.T, names ...string) *keyring.Set {
	t.Helper()
	var members []keyring.Member
	for _, name := range names {
		path := filepath.Join(t.TempDir(), name)
		if _, err := local.Init(path); err != nil {
			t.Fatal(err)
		}
		file, err := local.Open(path)
		if err != nil {
			t.Fatal(err)
		}
		members = append(members, keyring.Member{Name: name, Keyring: file})
	}
	set, err := keyring.NewSet(members)
	if err != nil {
		t.Fatal(err)
	}
	return set
}

func upstreamOf(t *testing.T, address string) *upstream.Client {
	t.Helper()
	endpoint, err := url.Parse(address)
	if err != nil {
		t.Fatal(err)
	}
	transport := upstream.NewTransport()
	t.Cleanup(transport.CloseIdleConnections)
	up, err := upstream.New(upstream.Config{
		Endpoint: endpoint, Region: testRegion, Transport: transport,
		Credentials: upstream.Static(upstream.Credentials{AccessKey: "AKGATEWAY", Secret: upstream.NewSecret("gateway-secret-gateway-secret")}),
	})
	if err != nil {
		t.Fatal(err)
	}
	return up
}

// pattern is n bytes in which no stretch repeats.
func pattern(n int) []byte {
	b := make([]byte, n)
	_, _ = rand.NewChaCha8([32]byte{byte(n), byte(n >> 8), byte(n >> 16)}).Read(b)
	return b
}

// get reads an object with header lines.
func (b *bed) get(path string, header ...string) answer {
	b.t.Helper()
	return b.do(b.request(http.MethodGet, path, "", header...))
}

// put stores an object and wants that to succeed.
func (b *bed) put(path string, body []byte, header ...string) answer {
	b.t.Helper()
	a := b.do(b.request(http.MethodPut, path, string(body), header...))
	if a.StatusCode != http.StatusOK {
		b.t.Fatalf("PUT %s: %d %s", path, a.StatusCode, a.body)
	}
	return a
}
