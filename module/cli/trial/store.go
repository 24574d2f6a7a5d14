package trial

import (
	"bytes"
	"crypto/md5" //nolint:gosec // what stores make entity tags of
	"encoding/hex"
	"encoding/xml"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
)

// store stands in for the store: it keeps what it is sent and answers what each
// operation needs for the gateway to go on. It does as it is told: it reports the
// encryption that was asked for, as AWS does.
type store struct {
	objects map[string]*object // by path
	uploads map[string]*upload
	calls   []Call
}

type object struct {
	body   []byte
	header http.Header // metadata and encryption
	etag   string
}

type upload struct {
	path   string
	header http.Header
	parts  map[int][]byte
}

func newStore() *store {
	s := new(store)
	s.forget()
	return s
}

// forget empties the store.
func (s *store) forget() {
	s.objects, s.uploads, s.calls = map[string]*object{}, map[string]*upload{}, nil
}

// kept are the headers an object has from the request that wrote it.
func kept(h http.Header) http.Header {
	out := make(http.Header)
	for name, v := range h {
		if strings.HasPrefix(name, "X-Amz-Meta-") || name == "Content-Type" {
			out[name] = v
		}
	}
	maps.Copy(out, encryptionOf(h))
	return out
}

// encryptionOf is what AWS answers to a choice of encryption.
func encryptionOf(h http.Header) http.Header {
	const prefix = "X-Amz-Server-Side-Encryption"
	out := make(http.Header)
	for name, v := range h {
		if strings.HasPrefix(name, prefix) && name != prefix+"-Customer-Key" {
			out[name] = v
		}
	}
	return out
}

// RoundTrip implements http.RoundTripper.
func (s *store) RoundTrip(r *http.Request) (*http.Response, error) {
	var body []byte
	if r.Body != nil {
		var err error
		body, err = io.ReadAll(r.Body)
		if closing := r.Body.Close(); err == nil {
			err = closing
		}
		if err != nil {
			return nil, err
		}
	}
	s.calls = append(s.calls, Call{Method: r.Method, URL: r.URL.RequestURI(), Header: r.Header.Clone(), Bytes: int64(len(body))})
	a := s.answer(r, unframed(r.Header, body))
	if a.header == nil {
		a.header = make(http.Header)
	}
	a.header.Set("X-Amz-Request-Id", "TRIAL")
	if r.Method == http.MethodHead {
		a.header.Set("Content-Length", strconv.Itoa(len(a.body)))
		a.body = nil
	}
	return &http.Response{
		Status: strconv.Itoa(a.status), StatusCode: a.status, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Header: a.header, Body: io.NopCloser(bytes.NewReader(a.body)), ContentLength: int64(len(a.body)), Request: r,
	}, nil
}

type answer struct {
	status int
	header http.Header
	body   []byte
}

func document(format string, args ...any) []byte {
	return []byte(xml.Header + fmt.Sprintf(format, args...))
}

func refusal(status int, code string) answer {
	return answer{status: status, body: document("<Error><Code>%s</Code><Message>The store has none.</Message></Error>", code)}
}

func (s *store) answer(r *http.Request, body []byte) answer {
	q := r.URL.Query()
	path := r.URL.Path
	isObject := strings.Count(strings.Trim(path, "/"), "/") > 0
	source := r.Header.Get("X-Amz-Copy-Source")
	switch {
	case r.Method == http.MethodPost && q.Has("uploads"):
		id := fmt.Sprintf("upload-%d", len(s.uploads)+1)
		s.uploads[id] = &upload{path: path, header: kept(r.Header), parts: map[int][]byte{}}
		return answer{http.StatusOK, encryptionOf(r.Header), document("<InitiateMultipartUploadResult><UploadId>%s</UploadId></InitiateMultipartUploadResult>", id)}
	case q.Has("uploadId"):
		return s.part(r, body)
	case r.Method == http.MethodPost && q.Has("delete"):
		return answer{status: http.StatusOK, body: document("<DeleteResult></DeleteResult>")}
	case isObject && onlyReads(q) && (r.Method == http.MethodGet || r.Method == http.MethodHead):
		return s.read(r)
	case isObject && r.Method == http.MethodPut && onlyReads(q):
		if source != "" {
			o := s.source(source)
			if o == nil {
				return refusal(http.StatusNotFound, "NoSuchKey")
			}
			header := kept(r.Header)
			if r.Header.Get("X-Amz-Metadata-Directive") != "REPLACE" {
				for name, v := range o.header {
					if strings.HasPrefix(name, "X-Amz-Meta-") {
						header[name] = v
					}
				}
			}
			o = s.put(path, o.body, header)
			return answer{http.StatusOK, encryptionOf(r.Header), document("<CopyObjectResult><ETag>&quot;%s&quot;</ETag></CopyObjectResult>", o.etag)}
		}
		o := s.put(path, body, kept(r.Header))
		h := encryptionOf(r.Header)
		h.Set("ETag", `"`+o.etag+`"`)
		return answer{status: http.StatusOK, header: h}
	case r.Method == http.MethodDelete:
		return answer{status: http.StatusNoContent}
	case r.Method == http.MethodGet:
		return answer{status: http.StatusOK, body: s.list(path, q)}
	}
	return answer{status: http.StatusOK}
}

// onlyReads reports whether a query names no sub-resource of an object.
func onlyReads(q url.Values) bool {
	for name := range q {
		if name != "versionId" && name != "x-id" && name != "partNumber" && !strings.HasPrefix(name, "response-") {
			return false
		}
	}
	return true
}

func (s *store) put(path string, body []byte, header http.Header) *object {
	sum := md5.Sum(body) //nolint:gosec // see above
	o := &object{body: body, header: header, etag: hex.EncodeToString(sum[:])}
	s.objects[path] = o
	return o
}

func (s *store) source(header string) *object {
	path, err := url.PathUnescape("/" + strings.TrimPrefix(header, "/"))
	path, _, _ = strings.Cut(path, "?versionId=")
	if err != nil {
		return nil
	}
	return s.objects[path]
}

func (s *store) read(r *http.Request) answer {
	o := s.objects[r.URL.Path]
	if o == nil {
		return refusal(http.StatusNotFound, "NoSuchKey")
	}
	h := o.header.Clone()
	h.Set("ETag", `"`+o.etag+`"`)
	h.Set("Last-Modified", time.Unix(1_700_000_000, 0).UTC().Format(http.TimeFormat))
	body, status := o.body, http.StatusOK
	if first, last, ok := byteRange(r.Header.Get("Range"), int64(len(body))); ok {
		h.Set("Content-Range", fmt.Sprintf("bytes %d-%d/%d", first, last, len(body)))
		body, status = body[first:last+1], http.StatusPartialContent
	}
	h.Set("Content-Length", strconv.Itoa(len(body)))
	return answer{status, h, body}
}

// byteRange reads "bytes=a-b" and "bytes=a-"; the gateway and people ask for no other.
func byteRange(v string, size int64) (first, last int64, ok bool) {
	from, to, ok := strings.Cut(strings.TrimPrefix(v, "bytes="), "-")
	if !ok || size == 0 {
		return 0, 0, false
	}
	first, err := strconv.ParseInt(from, 10, 64)
	if from == "" { // the last bytes
		n, err := strconv.ParseInt(to, 10, 64)
		return max(0, size-n), size - 1, err == nil && n > 0
	}
	last = size - 1
	if n, e := strconv.ParseInt(to, 10, 64); to != "" && e == nil {
		last = min(n, last)
	}
	return first, last, err == nil && first >= 0 && first <= last
}

func (s *store) part(r *http.Request, body []byte) answer {
	id := r.URL.Query().Get("uploadId")
	u := s.uploads[id]
	if u == nil || u.path != r.URL.Path {
		// One that was begun before the trial: a part of it is a part of anything.
		u = &upload{path: r.URL.Path, header: make(http.Header), parts: map[int][]byte{}}
		s.uploads[id] = u
	}
	switch r.Method {
	case http.MethodPut:
		if source := r.Header.Get("X-Amz-Copy-Source"); source != "" {
			o := s.source(source)
			if o == nil {
				return refusal(http.StatusNotFound, "NoSuchKey")
			}
			body = o.body
		}
		n, _ := strconv.Atoi(r.URL.Query().Get("partNumber"))
		u.parts[n] = body
		sum := md5.Sum(body) //nolint:gosec // see above
		etag := hex.EncodeToString(sum[:])
		h := encryptionOf(u.header)
		h.Set("ETag", `"`+etag+`"`)
		return answer{http.StatusOK, h, document("<CopyPartResult><ETag>&quot;%s&quot;</ETag></CopyPartResult>", etag)}
	case http.MethodDelete:
		delete(s.uploads, id)
		return answer{status: http.StatusNoContent}
	case http.MethodGet:
		var parts strings.Builder
		for _, n := range slices.Sorted(maps.Keys(u.parts)) {
			sum := md5.Sum(u.parts[n]) //nolint:gosec // see above
			fmt.Fprintf(&parts, "<Part><PartNumber>%d</PartNumber><ETag>&quot;%x&quot;</ETag><Size>%d</Size></Part>", n, sum, len(u.parts[n]))
		}
		return answer{status: http.StatusOK, body: document("<ListPartsResult><UploadId>%s</UploadId>%s<IsTruncated>false</IsTruncated></ListPartsResult>", id, parts.String())}
	}
	var whole []byte
	for _, n := range slices.Sorted(maps.Keys(u.parts)) {
		whole = append(whole, u.parts[n]...)
	}
	o := s.put(u.path, whole, u.header)
	o.etag += fmt.Sprintf("-%d", len(u.parts))
	delete(s.uploads, id)
	return answer{http.StatusOK, encryptionOf(u.header), document("<CompleteMultipartUploadResult><ETag>&quot;%s&quot;</ETag></CompleteMultipartUploadResult>", o.etag)}
}

// list answers listings and settings, with nothing in them.
func (s *store) list(path string, q url.Values) []byte {
	switch {
	case path == "/":
		return document("<ListAllMyBucketsResult><Buckets></Buckets></ListAllMyBucketsResult>")
	case q.Has("versions"):
		return document("<ListVersionsResult><IsTruncated>false</IsTruncated></ListVersionsResult>")
	case q.Has("list-type") || len(q) == 0 || q.Has("prefix") || q.Has("delimiter"):
		return document("<ListBucketResult><Name>%s</Name><KeyCount>0</KeyCount><MaxKeys>1000</MaxKeys><IsTruncated>false</IsTruncated></ListBucketResult>", strings.Trim(path, "/"))
	}
	return document("<Result></Result>")
}

// unframed takes an object's bytes out of the chunks they were sent in.
func unframed(h http.Header, body []byte) []byte {
	if !strings.HasPrefix(h.Get("X-Amz-Content-Sha256"), "STREAMING-") {
		return body
	}
	var out []byte
	for len(body) > 0 {
		line, rest, ok := bytes.Cut(body, []byte("\r\n"))
		size, _, _ := strings.Cut(string(line), ";")
		n, err := strconv.ParseInt(size, 16, 64)
		if !ok || err != nil || n == 0 || n > int64(len(rest)) {
			break
		}
		out = append(out, rest[:n]...)
		body = bytes.TrimPrefix(rest[n:], []byte("\r\n"))
	}
	return out
}
