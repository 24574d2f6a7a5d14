package engine

import (
	"crypto/rand"
	"encoding/base32"
	"net"
	"net/http"
	"time"

	"github.com/sealgate/sealgate/module/clients"
	"github.com/sealgate/sealgate/module/s3"
	"github.com/sealgate/sealgate/module/sigv4"
	"github.com/sealgate/sealgate/policy"
)

// exchange is what is known about one request while it is served. It belongs
// to the goroutine that serves the request.
type exchange struct {
	e     *Engine
	r     *http.Request
	w     *replyWriter
	start time.Time

	req    *s3.Request
	caller clients.Client // zero for anonymous
	proof  sigv4.Proof
	gen    *policy.Generation // one policy generation for all decisions of a request

	begun       bool // the client's body has been read from
	interrupted bool // by us, while the client was there
	aside       bool // the work goes on beside the reply, whose headers are not its own

	asking askedInput
	rec    Record
}

func (e *Engine) begin(w http.ResponseWriter, r *http.Request) *exchange {
	now := e.cfg.Now()
	x := &exchange{
		e: e, r: r, start: now,
		w:   &replyWriter{w: w},
		gen: e.cfg.Policy.Current(),
	}
	x.rec = Record{
		ID: newID(), Time: now.UTC(),
		Revision: x.gen.Revision(),
		Identity: RecordIdentity{Groups: []string{}},
		Findings: []policy.Finding{},
		Client: RecordClient{
			IP: e.cfg.ClientIP(r), Host: clip(r.Host), Method: clip(r.Method), Path: clip(rawPath(r.RequestURI)),
			Proto: r.Proto, UserAgent: clip(r.UserAgent()),
		},
	}
	if r.TLS != nil {
		x.rec.Client.TLS = tlsName(r.TLS.Version)
	}
	return x
}

// parsed notes what the request turned out to be.
func (x *exchange) parsed(req *s3.Request) {
	x.req = req
	x.rec.Operation = req.Op.Name
	x.rec.Resource = RecordResource{Bucket: req.Bucket, Key: req.Key, VersionID: req.VersionID}
	if c := req.CopySource; c != nil {
		x.rec.Resource.CopySource = c.Bucket + "/" + c.Key
	}
}

// finish writes the decision record and counts the request.
func (x *exchange) finish() {
	if x.rec.Outcome == "" {
		x.rec.Outcome = OutcomeOK
	}
	x.rec.Answered.Status = x.w.status
	x.rec.Answered.BytesOut = x.w.bytes
	x.rec.Duration.Total = x.e.cfg.Now().Sub(x.start).Microseconds()
	x.recordInput()
	operation := x.rec.Operation
	if operation == "" {
		operation = "unknown"
	}
	x.e.cfg.Observer.Request(operation, x.rec.Decided.Mode, string(x.rec.Outcome))
	x.e.cfg.Recorder.Record(x.r.Context(), &x.rec)
}

// resource is the Resource element of an error document.
func (x *exchange) resource() string {
	if x.req == nil {
		return x.rec.Client.Path
	}
	if x.req.Bucket == "" {
		return "/"
	}
	if x.req.Key == "" {
		return "/" + x.req.Bucket
	}
	return "/" + x.req.Bucket + "/" + x.req.Key
}

// newID is a request id in S3's form: 16 characters of base32 of 80 random bits.
func newID() string {
	var b [10]byte
	_, _ = rand.Read(b[:]) // never fails: crypto/rand ends the process instead
	return base32.StdEncoding.EncodeToString(b[:])
}

// replyWriter notes what was answered. Its zero status means nothing was.
type replyWriter struct {
	w           http.ResponseWriter
	status      int
	bytes       int64
	wroteHeader bool
}

func (w *replyWriter) Header() http.Header { return w.w.Header() }

func (w *replyWriter) WriteHeader(status int) {
	if status >= http.StatusOK {
		w.status, w.wroteHeader = status, true
	}
	w.w.WriteHeader(status)
}

func (w *replyWriter) Write(p []byte) (int, error) {
	if !w.wroteHeader {
		w.WriteHeader(http.StatusOK)
	}
	done := 0
	for {
		n, err := w.w.Write(p[done:min(len(p), done+writeSize)])
		w.bytes += int64(n)
		done += n
		if err != nil || done >= len(p) {
			return done, err
		}
	}
}

// writeSize is how much goes to the client's connection at once. Larger writes cost
// more than they save: over loopback, whose packets take 65,483 bytes, each of
// 64 KiB leaves a packet of 53 bytes behind, and a third of the time in the kernel.
const writeSize = 32 << 10

// Unwrap serves http.ResponseController.
func (w *replyWriter) Unwrap() http.ResponseWriter { return w.w }

// clientBody is the body of the client's request, with a note of what it gave.
// The first Read makes net/http send "100 Continue" to a client that waits.
type clientBody struct{ x *exchange }

func (b clientBody) Read(p []byte) (int, error) {
	b.x.begun = true
	n, err := b.x.r.Body.Read(p)
	b.x.rec.Answered.BytesIn += int64(n)
	return n, err
}

func peerAddress(r *http.Request) string {
	host, _, err := net.SplitHostPort(r.RemoteAddr)
	if err != nil {
		return r.RemoteAddr
	}
	return host
}

// rawPath is the request line without its query, which may hold signatures.
func rawPath(requestURI string) string {
	for i := 0; i < len(requestURI); i++ {
		if requestURI[i] == '?' {
			return requestURI[:i]
		}
	}
	return requestURI
}

// clip cuts what anybody can send down to what a record keeps: the longest key there
// is, each byte escaped, and a bucket.
func clip(s string) string {
	const most = 4 << 10
	return s[:min(len(s), most)]
}
