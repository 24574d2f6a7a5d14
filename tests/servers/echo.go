package servers

import (
	"crypto/md5"
	"encoding/hex"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"sync"
)

// echoed are the headers EchoStore keeps with an object and shows again, as AWS
// does. No store that runs here does so for aws:kms:dsse.
var echoed = []string{
	"X-Amz-Server-Side-Encryption",
	"X-Amz-Server-Side-Encryption-Aws-Kms-Key-Id",
	"X-Amz-Server-Side-Encryption-Bucket-Key-Enabled",
	"X-Amz-Server-Side-Encryption-Customer-Algorithm",
	"X-Amz-Server-Side-Encryption-Customer-Key-Md5",
}

// EchoStore is a handler for a Recorder: it stores objects in memory, checks
// nothing, encrypts nothing, and confirms whatever encryption it was asked for.
// It knows PUT, GET, HEAD and DELETE of objects and one multipart upload per
// key.
type EchoStore struct {
	// Change, if set, alters the headers of a reply: a store that lies.
	Change func(http.Header)

	mu      sync.Mutex
	objects map[string]*echoObject // by path
	uploads map[string]*echoObject
}

type echoObject struct {
	header http.Header
	parts  map[int][]byte
	body   []byte
}

func (s *EchoStore) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.objects == nil {
		s.objects, s.uploads = make(map[string]*echoObject), make(map[string]*echoObject)
	}
	query, path := r.URL.Query(), r.URL.Path
	switch {
	case r.Method == http.MethodPost && query.Has("uploads"):
		s.uploads[path] = &echoObject{header: kept(r.Header), parts: make(map[int][]byte)}
		s.send(w, s.uploads[path], fmt.Appendf(nil, "<InitiateMultipartUploadResult><UploadId>upload</UploadId></InitiateMultipartUploadResult>"))
	case r.Method == http.MethodPut && query.Has("uploadId") && s.uploads[path] != nil:
		number, _ := strconv.Atoi(query.Get("partNumber"))
		s.uploads[path].parts[number] = body
		w.Header().Set("ETag", etag(body))
		s.send(w, s.uploads[path], nil)
	case r.Method == http.MethodPost && query.Has("uploadId") && s.uploads[path] != nil:
		o := s.uploads[path]
		for n := 1; o.parts[n] != nil; n++ {
			o.body = append(o.body, o.parts[n]...)
		}
		s.objects[path] = o
		delete(s.uploads, path)
		s.send(w, o, fmt.Appendf(nil, "<CompleteMultipartUploadResult><ETag>%s</ETag></CompleteMultipartUploadResult>", etag(o.body)))
	case r.Method == http.MethodPut:
		s.objects[path] = &echoObject{header: kept(r.Header), body: body}
		w.Header().Set("ETag", etag(body))
		s.send(w, s.objects[path], nil)
	case r.Method == http.MethodDelete:
		delete(s.objects, path)
		w.WriteHeader(http.StatusNoContent)
	case s.objects[path] == nil:
		http.Error(w, "<Error><Code>NoSuchKey</Code><Message>no such key</Message></Error>", http.StatusNotFound)
	default:
		w.Header().Set("ETag", etag(s.objects[path].body))
		s.send(w, s.objects[path], s.objects[path].body)
	}
}

func (s *EchoStore) send(w http.ResponseWriter, o *echoObject, body []byte) {
	for name, values := range o.header {
		w.Header()[name] = values
	}
	w.Header().Set("Content-Length", strconv.Itoa(len(body)))
	if s.Change != nil {
		s.Change(w.Header())
	}
	_, _ = w.Write(body)
}

func kept(h http.Header) http.Header {
	k := make(http.Header)
	for _, name := range echoed {
		if values := h.Values(name); len(values) > 0 {
			k[name] = values
		}
	}
	for name, values := range h {
		if strings.HasPrefix(name, "X-Amz-Meta-") {
			k[name] = values
		}
	}
	return k
}

func etag(body []byte) string {
	sum := md5.Sum(body)
	return `"` + hex.EncodeToString(sum[:]) + `"`
}
