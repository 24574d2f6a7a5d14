package tests

import (
	"bytes"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"sync"
	"syscall"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
)

// A moment at which a gateway is killed, told by what reaches the store: in the
// middle of the body of the first request that matches, before the store sees
// it, or when the store has answered and the gateway has not heard of it.
type moment struct {
	match  func(*http.Request) bool
	in, at string // "body", "before" or "after"; words for the test's name
}

// killer passes on what a gateway sends to the store, until the moment comes.
type killer struct {
	moment
	next http.Handler
	once sync.Once
	kill func()
}

func (k *killer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if !k.match(r) {
		k.next.ServeHTTP(w, r)
		return
	}
	switch k.in {
	case "body":
		r.Body = struct {
			io.Reader
			io.Closer
		}{io.MultiReader(io.LimitReader(r.Body, r.ContentLength/2), killing{k, r.Body}), r.Body}
		k.next.ServeHTTP(w, r)
	case "before":
		k.once.Do(k.kill)
		panic(http.ErrAbortHandler)
	case "after":
		k.next.ServeHTTP(httptest.NewRecorder(), r)
		k.once.Do(k.kill)
		panic(http.ErrAbortHandler)
	}
}

// killing kills the gateway when it is read from, and then reads what is left.
type killing struct {
	k    *killer
	rest io.Reader
}

func (r killing) Read(p []byte) (int, error) {
	r.k.once.Do(r.k.kill)
	return r.rest.Read(p)
}

// doomed is the bucket through a gateway that dies at a moment, and what is closed
// when that moment comes.
func (b *sealedBucket) doomed(m moment) (*sealedBucket, <-chan struct{}) {
	b.t.Helper()
	target, err := url.Parse(b.store.Endpoint)
	if err != nil {
		b.t.Fatal(err)
	}
	transport := authority(b.t).Transport()
	transport.DisableKeepAlives = true
	proxy := &httputil.ReverseProxy{
		Transport: transport,
		// The Host stays as the gateway signed it.
		Rewrite: func(r *httputil.ProxyRequest) {
			r.Out.URL.Scheme, r.Out.URL.Host, r.Out.Host = target.Scheme, target.Host, r.In.Host
		},
		ErrorHandler: func(http.ResponseWriter, *http.Request, error) {
			panic(http.ErrAbortHandler)
		},
	}
	k := &killer{moment: m, next: proxy}
	server := httptest.NewServer(k)
	b.t.Cleanup(server.Close)
	gateway := sealing(b.t, b.store)
	gateway.Upstream = server.URL
	running := ownGateway(b.t, gateway)
	came := make(chan struct{})
	k.kill = func() {
		close(came)
		_ = running.Process.Signal(syscall.SIGKILL)
		<-running.Process.Done()
	}
	return b.via(running), came
}

func isPart(r *http.Request) bool {
	return r.Method == http.MethodPut && r.URL.Query().Has("partNumber")
}

func isClosing(r *http.Request) bool { return isPart(r) && r.URL.Query().Get("partNumber") == "3" }

func isPut(r *http.Request) bool { return r.Method == http.MethodPut && !isPart(r) }

func isComplete(r *http.Request) bool {
	return r.Method == http.MethodPost && r.URL.Query().Has("uploadId")
}

// TestSealedKilled: a gateway that is killed while it writes leaves the old object
// or the new one, and the client's next try succeeds through another gateway.
func TestSealedKilled(t *testing.T) {
	old, parts := content(300_000, 141), pieces(content(2*partSize, 142), partSize)
	for _, m := range []moment{
		{isPut, "body", "in the middle of PutObject"},
		{isPut, "after", "at the end of PutObject"},
		{isPart, "body", "in the middle of UploadPart"},
		{isClosing, "before", "before the closing part"},
		{isClosing, "after", "after the closing part"},
		{isComplete, "before", "before CompleteMultipartUpload"},
		{isComplete, "after", "after CompleteMultipartUpload"},
	} {
		t.Run(m.at, func(t *testing.T) {
			eachSealed(t, []string{"sealed"}, func(t *testing.T, b *sealedBucket) {
				b.put(t, "k", old)
				doomed, came := b.doomed(m)
				body := bytes.Join(parts, nil)
				try := putWhole
				if !m.match(&http.Request{Method: http.MethodPut, URL: &url.URL{}}) {
					u := b.begin(t, &s3.CreateMultipartUploadInput{Key: aws.String("k")})
					try = func(c *sealedBucket, _ []byte) error { return c.uploadAll(u, parts) }
				}
				if err := try(doomed, body); err == nil {
					t.Error("the call succeeded through a gateway that was killed")
				}
				select {
				case <-came:
				default:
					t.Fatal("the moment never came")
				}
				if m.in == "after" && !m.match(&http.Request{Method: http.MethodPut, URL: &url.URL{RawQuery: "partNumber=3"}}) {
					b.holds(t, "k", body)
				} else {
					b.holds(t, "k", old)
				}
				b.ok(t, try(b, body))
				b.holds(t, "k", body)
			})
		})
	}
}

func putWhole(c *sealedBucket, body []byte) error {
	_, err := c.aws.PutObject(c.ctx, &s3.PutObjectInput{Bucket: &c.bucket, Key: aws.String("k"), Body: bytes.NewReader(body)})
	return err
}

// uploadAll sends what is not there yet of an upload's parts, and completes it.
func (b *sealedBucket) uploadAll(u *upload, parts [][]byte) error {
	for i, body := range parts {
		n := int32(i + 1)
		if _, ok := u.done[n]; ok {
			continue
		}
		out, err := b.aws.UploadPart(b.ctx, &s3.UploadPartInput{Bucket: &b.bucket, Key: &u.key, UploadId: u.id, PartNumber: &n, Body: bytes.NewReader(body)})
		if err != nil {
			return err
		}
		u.done[n] = types.CompletedPart{PartNumber: &n, ETag: out.ETag}
	}
	again := &upload{session: b.session, t: b.t, key: u.key, id: u.id, done: u.done}
	return again.complete(1, 2)
}
