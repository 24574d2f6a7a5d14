package trial

import (
	"bufio"
	"bytes"
	"context"
	"crypto/sha256"
	"crypto/tls"
	"encoding/base64"
	"encoding/hex"
	"encoding/xml"
	"errors"
	"fmt"
	"hash/crc64"
	"io"
	"maps"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/sealgate/sealgate/module/clients"
	"github.com/sealgate/sealgate/module/engine"
	"github.com/sealgate/sealgate/module/s3"
	"github.com/sealgate/sealgate/module/sigv4"
)

// Host is the gateway's name in requests that name none.
const Host = "s3.gateway.example"

// UploadID in the query of a request stands for the upload that the last reply
// began, and ETag in a document for the entity tag it gave.
const (
	UploadID = "{upload}"
	ETag     = "{etag}"
)

// Request is one request as a client would send it, before it is signed.
type Request struct {
	Name   string // what it is for, to be shown
	Method string
	Host   string   // Host if empty
	Path   string   // as it is written in the request line, in path style: /bucket/key
	Query  s3.Query // decoded
	Header http.Header
	// Document is a body that is a document; its hash is signed.
	Document []byte
	// Object is the length in bytes of a body that is an object; nil without one. It
	// goes as the AWS SDKs send it over TLS: in chunks, with a checksum behind.
	// A Header X-Amz-Content-Sha256 of UNSIGNED-PAYLOAD sends it unsigned, and one of
	// "hash" with its hash signed.
	Object *int64
	// Presigned makes it a link that is valid for so long, instead of a header.
	Presigned time.Duration
	// Times is how many more requests there are like this one, not to be sent.
	Times int
}

// Result is what became of a request.
type Result struct {
	Request Request
	// Record is the decision record, with its input.
	Record engine.Record
	// Status, Code, Message and RuleIDs are what the client sees; Code is "" on success.
	Status  int
	Code    string
	Message string
	RuleIDs []string
	// Header is of the reply.
	Header http.Header
	// Sent is what reached the store.
	Sent []Call
}

// Call is a request that reached the store.
type Call struct {
	Method, URL string
	Header      http.Header
	Bytes       int64 // of the body
}

// session is what requests of one kind pass on.
type session struct{ upload, etag string }

// MaxObject is the largest object one request can bring, in bytes. A request is made
// in memory here; of the parts that clients send large files in, none is larger.
const MaxObject = 64 << 20

// ErrTooLarge is of a request whose object is larger than MaxObject.
var ErrTooLarge = errors.New("an object of more than 64 MiB in one request is not tried")

// Send sends requests in their order until one of them is not answered with success.
// The store has forgotten what it was sent before. The error is ErrTooLarge, before
// anything is sent, or what kept a request from being made.
func (g *Gateway) Send(ctx context.Context, who Caller, via Connection, requests ...Request) ([]Result, error) {
	for _, r := range requests {
		if r.Object != nil && *r.Object > MaxObject {
			return nil, fmt.Errorf("%s: %w", r.Name, ErrTooLarge)
		}
	}
	client := g.caller.client
	g.caller.client = clients.Client{
		AccessKey: client.AccessKey, Secret: client.Secret,
		Principal: who.Principal, Groups: who.Groups, Attributes: who.Attributes,
	}
	g.store.forget()
	var s session
	var results []Result
	for _, r := range requests {
		result, err := g.send(ctx, who, via, s.fill(r))
		if err != nil {
			return results, fmt.Errorf("%s: %w", r.Name, err)
		}
		results = append(results, result)
		if result.Status >= http.StatusMultipleChoices || result.Status == 0 {
			break
		}
		s = result.passOn(s)
	}
	return results, nil
}

// fill puts in what earlier replies gave.
func (s session) fill(r Request) Request {
	query := make(s3.Query, len(r.Query))
	for i, pair := range r.Query {
		if pair.Value == UploadID {
			pair.Value = s.upload
		}
		query[i] = pair
	}
	r.Query = query
	r.Document = bytes.ReplaceAll(r.Document, []byte(ETag), []byte(s.etag))
	return r
}

func (r Result) passOn(s session) session {
	if etag := r.Header.Get("ETag"); etag != "" {
		s.etag = strings.ReplaceAll(etag, `"`, "&quot;")
	}
	if r.Record.Operation == "CreateMultipartUpload" {
		s.upload = r.Message
	}
	return s
}

func (g *Gateway) send(ctx context.Context, who Caller, via Connection, r Request) (Result, error) {
	g.stock(ctx, r)
	wire, err := g.write(who, r)
	if err != nil {
		return Result{}, err
	}
	in, err := http.ReadRequest(bufio.NewReader(bytes.NewReader(wire)))
	if err != nil {
		return Result{}, err
	}
	arrive(in, via)
	g.last, g.store.calls = nil, nil
	w := &reply{header: make(http.Header)}
	w.serve(g.engine, in.WithContext(ctx))
	if g.last == nil {
		return Result{}, errNoRecord
	}
	result := Result{Request: r, Record: *g.last, Status: w.status, Header: w.header, Sent: g.store.calls}
	w.read(&result)
	return result, nil
}

// arrive sets what a server knows of the connection.
func arrive(r *http.Request, via Connection) {
	r.RemoteAddr = net.JoinHostPort(via.IP, "49152")
	versions := map[string]uint16{"1.0": tls.VersionTLS10, "1.1": tls.VersionTLS11, "1.2": tls.VersionTLS12, "1.3": tls.VersionTLS13}
	if version, ok := versions[via.TLS]; ok {
		name, _, err := net.SplitHostPort(r.Host)
		if err != nil {
			name = r.Host
		}
		suite := tls.TLS_AES_128_GCM_SHA256
		if version < tls.VersionTLS13 {
			suite = tls.TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256
		}
		r.TLS = &tls.ConnectionState{Version: version, HandshakeComplete: true, ServerName: name, CipherSuite: suite}
	}
}

// write gives the bytes of a signed request.
func (g *Gateway) write(who Caller, r Request) ([]byte, error) {
	path, err := url.PathUnescape(r.Path)
	if err != nil {
		return nil, fmt.Errorf("path %q: %w", r.Path, err)
	}
	host := r.Host
	if host == "" {
		host = Host
	}
	out := &http.Request{
		Method: r.Method, Host: host, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		URL:    &url.URL{Scheme: "https", Host: host, Path: path, RawPath: r.Path, RawQuery: encode(r.Query)},
		Header: r.Header.Clone(),
	}
	if out.Header == nil {
		out.Header = make(http.Header)
	}
	if out.Header.Get("User-Agent") == "" {
		out.Header.Set("User-Agent", "sealgate-try")
	}
	payload := r.body(out)
	client := g.caller.client
	switch {
	case who.Anonymous:
		if r.Object != nil || len(r.Document) > 0 {
			out.Header.Set("X-Amz-Content-Sha256", payload)
		}
	case r.Presigned > 0:
		presign(out, presigning{client: client, region: g.region, at: g.at, expires: r.Presigned})
	default:
		sigv4.Signer{AccessKey: client.AccessKey, Secret: client.Secret.Reveal(), Region: g.region}.Sign(out, payload, g.at)
	}
	var wire bytes.Buffer
	if err := out.Write(&wire); err != nil {
		return nil, err
	}
	return wire.Bytes(), nil
}

// body attaches the body and gives the hash to sign.
func (r Request) body(out *http.Request) string {
	attach := func(body io.Reader, length int64) {
		out.Body, out.ContentLength = io.NopCloser(body), length
	}
	switch {
	case r.Object != nil:
		asked := out.Header.Get("X-Amz-Content-Sha256")
		out.Header.Del("X-Amz-Content-Sha256")
		data := io.LimitReader(zeros{}, *r.Object)
		switch {
		case r.Presigned > 0 || asked == sigv4.UnsignedPayload:
			attach(data, *r.Object)
			return sigv4.UnsignedPayload
		case asked != "":
			attach(data, *r.Object)
			return hexSum(io.LimitReader(zeros{}, *r.Object))
		}
		body, length := sigv4.EncodeTrailer(data, sigv4.Trailer{
			Length: *r.Object, Name: "x-amz-checksum-crc64nvme",
			Value: func() (string, error) { return checksum(io.LimitReader(zeros{}, *r.Object)), nil },
		})
		attach(body, length)
		out.Header.Set("X-Amz-Trailer", "x-amz-checksum-crc64nvme")
		out.Header.Set("X-Amz-Decoded-Content-Length", strconv.FormatInt(*r.Object, 10))
		encoding := "aws-chunked"
		if own := out.Header.Get("Content-Encoding"); own != "" {
			encoding = own + ",aws-chunked"
		}
		out.Header.Set("Content-Encoding", encoding)
		return sigv4.StreamingUnsignedTrailer
	case len(r.Document) > 0:
		attach(bytes.NewReader(r.Document), int64(len(r.Document)))
		return hexSum(bytes.NewReader(r.Document))
	}
	return sigv4.EmptySHA256
}

// zeros is content that takes no memory.
type zeros struct{}

func (zeros) Read(p []byte) (int, error) {
	clear(p)
	return len(p), nil
}

func hexSum(body io.Reader) string {
	h := sha256.New()
	_, _ = io.Copy(h, body) // neither of the two fails
	return hex.EncodeToString(h.Sum(nil))
}

// checksum is CRC64NVME, which SDKs send unless told otherwise: the reversed form of
// the polynomial 0xad93d23594c93659.
func checksum(body io.Reader) string {
	h := crc64.New(crc64.MakeTable(0x9a6c9329ac4bc9b5))
	_, _ = io.Copy(h, body)
	return base64.StdEncoding.EncodeToString(h.Sum(nil))
}

func encode(q s3.Query) string {
	parts := make([]string, len(q))
	for i, pair := range q {
		parts[i] = s3.EscapeQuery(pair.Name)
		if pair.HasValue || pair.Value != "" {
			parts[i] += "=" + s3.EscapeQuery(pair.Value)
		}
	}
	return strings.Join(parts, "&")
}

// reply takes what the client would get.
type reply struct {
	header http.Header
	status int
	body   bytes.Buffer
	sent   http.Header
}

// maxReply is how much of a reply's body is kept, in bytes.
const maxReply = 1 << 20

func (w *reply) Header() http.Header { return w.header }

func (w *reply) WriteHeader(status int) {
	if status >= http.StatusOK && w.status == 0 {
		w.status, w.sent = status, w.header.Clone()
	}
}

func (w *reply) Write(p []byte) (int, error) {
	w.WriteHeader(http.StatusOK)
	w.body.Write(p[:min(len(p), max(0, maxReply-w.body.Len()))])
	return len(p), nil
}

// serve has the engine answer. A reply that was cut off has the status 0.
func (w *reply) serve(h http.Handler, r *http.Request) {
	defer func() {
		switch p := recover(); p {
		case nil:
		case http.ErrAbortHandler:
			w.status = 0
		default:
			panic(p)
		}
	}()
	h.ServeHTTP(w, r)
}

// read takes from the body what a client would look at.
func (w *reply) read(result *Result) {
	var doc struct {
		XMLName  xml.Name
		Code     string
		Message  string
		RuleID   []string `xml:"RuleId"`
		UploadID string   `xml:"UploadId"`
		ETag     string
		Error    []struct{ Code, Message string }
	}
	if w.sent != nil {
		result.Header = w.sent
	} else {
		result.Header = maps.Clone(w.header)
	}
	if xml.Unmarshal(w.body.Bytes(), &doc) != nil {
		return
	}
	switch {
	case doc.XMLName.Local == "Error":
		result.Code, result.Message, result.RuleIDs = doc.Code, doc.Message, doc.RuleID
	case len(doc.Error) > 0: // of DeleteObjects
		result.Code, result.Message = doc.Error[0].Code, doc.Error[0].Message
	case doc.UploadID != "":
		result.Message = doc.UploadID
	}
}
