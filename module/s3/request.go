package s3

import (
	"net/http"
	"strings"
)

// Request is what a client asks for. It belongs to the caller of
// [Parser.Parse] and shares nothing writable with the HTTP request except
// Wire and TransferEncoding, which must not be modified.
type Request struct {
	Op     *Operation
	Method string
	Bucket string // empty for service scope
	Key    string // decoded exactly once; empty for bucket scope

	VirtualHost bool   // the bucket came from the host name
	Host        string // with port, as received
	RawPath     string // path as on the wire

	Query  Query
	Wire   http.Header // as received; for signature checks
	Header http.Header // effective: Wire plus hoisted query parameters, minus what means nothing

	ContentLength    int64    // bytes, -1 = unknown
	TransferEncoding []string // as parsed by net/http

	CopySource *CopySource // CopyObject and UploadPartCopy only
	VersionID  string      // query versionId where the operation takes one
	UploadID   string      // query uploadId where the operation takes one
	PartNumber int         // query partNumber, 1 to 10000; 0 = none
}

// Parser reads requests. The zero Parser serves path style on any host.
type Parser struct {
	// Domains are base names for virtual-host style, without port. With none,
	// every request is path style.
	Domains []string
}

// lambdaPath is reserved: no bucket can have upper-case letters.
const lambdaPath = "/WriteGetObjectResponse"

// Parse reads the request line and headers of r; the body is left alone and r
// is not modified. It uses the raw request target, never r.URL. Whatever is
// unknown or ambiguous is an [*Error]; operations that are known and not served
// are returned with Op.Refused set.
func (p *Parser) Parse(r *http.Request) (*Request, error) {
	switch r.Method {
	case http.MethodGet, http.MethodHead, http.MethodPut, http.MethodPost, http.MethodDelete, http.MethodOptions:
	default:
		return nil, ErrMethodNotAllowed.With("Method", printable(r.Method))
	}
	path, rawQuery, err := splitTarget(r.RequestURI, r.Host)
	if err != nil {
		return nil, err
	}
	req := &Request{
		Method: r.Method, Host: r.Host, RawPath: path, Wire: r.Header,
		ContentLength: r.ContentLength, TransferEncoding: r.TransferEncoding,
	}
	if req.Query, err = ParseQuery(rawQuery); err != nil {
		return nil, err
	}
	if req.Header, err = cloneHeader(r.Header); err != nil {
		return nil, err
	}
	if err = hoist(req.Query, req.Header); err != nil {
		return nil, err
	}
	scope, err := p.address(req)
	if err != nil {
		return nil, err
	}
	if req.Op, err = req.classify(scope); err != nil {
		return nil, err
	}
	if req.Op.Refused != "" || req.Op.Scope == ScopeAny {
		return req, nil
	}
	if err = checkHeaders(req.Op, req.Header); err != nil {
		return nil, err
	}
	if err = req.readArguments(); err != nil {
		return nil, err
	}
	return req, nil
}

// address fills in bucket and key and returns the scope.
func (p *Parser) address(r *Request) (Scope, error) {
	bucket, err := p.bucketOfHost(r.Host)
	if err != nil {
		return 0, err
	}
	rest := r.RawPath[1:]
	switch {
	case bucket != "":
		r.VirtualHost = true
	case rest == "":
		return ScopeService, nil
	case r.RawPath == lambdaPath && r.Method == http.MethodPost:
		return ScopeService, nil
	default:
		var raw string
		raw, rest, _ = strings.Cut(rest, "/")
		var ok bool
		if bucket, ok = decodeText(raw); !ok || bucket == "" {
			return 0, ErrInvalidURI
		}
	}
	if err := checkBucket(bucket); err != nil {
		return 0, err
	}
	r.Bucket = bucket
	if r.Key, err = decodeKey(rest); err != nil {
		return 0, err
	}
	if r.Key == "" {
		return ScopeBucket, nil
	}
	return ScopeObject, nil
}

// readArguments reads the query values and the header that every later step
// wants decoded.
func (r *Request) readArguments() error {
	for i := range r.Query {
		switch p := &r.Query[i]; p.Name {
		case "versionId":
			if p.Value == "" {
				return ErrInvalidArgument.WithMessage("Version id cannot be the empty string").With("ArgumentName", "versionId")
			}
			r.VersionID = p.Value
		case "uploadId":
			r.UploadID = p.Value
		case "partNumber":
			n, ok := partNumber(p.Value)
			if !ok {
				return ErrInvalidArgument.WithMessage("Part number must be an integer between 1 and 10000, inclusive").
					With("ArgumentName", "partNumber").With("ArgumentValue", printable(p.Value))
			}
			r.PartNumber = n
		}
	}
	if _, ok := r.Header[headerCopySource]; !ok {
		return nil
	}
	source, err := ParseCopySource(r.Header.Get(headerCopySource))
	if err != nil {
		return err
	}
	r.CopySource = &source
	return nil
}

// partNumber reads 1 to 10000 in plain decimal digits.
func partNumber(s string) (int, bool) {
	if s == "" || len(s) > 5 || s[0] == '0' {
		return 0, false
	}
	n := 0
	for i := range len(s) {
		if s[i] < '0' || s[i] > '9' {
			return 0, false
		}
		n = n*10 + int(s[i]-'0')
	}
	return n, n <= 10000
}
