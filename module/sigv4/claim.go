package sigv4

import (
	"net/http"
	"strings"
	"time"

	"github.com/sealgate/sealgate/module/s3"
)

// Kind is the mechanism by which a request says who sent it.
type Kind uint8

// The mechanisms.
const (
	Anonymous Kind = iota // none
	Header                // Authorization header
	Presigned             // X-Amz-* query parameters
	Form                  // fields of a browser form (PostObject)
)

// String returns the name of the mechanism.
func (k Kind) String() string {
	switch k {
	case Header:
		return "header"
	case Presigned:
		return "presigned"
	case Form:
		return "form"
	}
	return "anonymous"
}

// Claim is what a request says about who sent it and how its body travels. It
// is not to be believed before [Verifier.Verify] made it a [Proof].
type Claim struct {
	Kind       Kind
	Credential Credential
	// Time is when the request says it was signed, in UTC, to the second.
	Time time.Time
	// Expires is how long a presigned URL is valid from Time; zero for other
	// kinds.
	Expires time.Duration
	// SignedHeaders are lower-case names, sorted, each once.
	SignedHeaders []string
	// Signature is what the client sent, unchecked: 64 lower-case hex digits if
	// it is to verify.
	Signature string
	// Payload is the form of the body, PayloadHash its SHA-256 in lower-case
	// hex when the form is [PayloadHash].
	Payload     Payload
	PayloadHash string
}

// Query parameters of a presigned URL.
const (
	queryAlgorithm     = "X-Amz-Algorithm"
	queryCredential    = "X-Amz-Credential"
	queryDate          = "X-Amz-Date"
	queryExpires       = "X-Amz-Expires"
	querySignedHeaders = "X-Amz-SignedHeaders"
	querySignature     = "X-Amz-Signature"
)

var presignedParameters = []string{
	queryAlgorithm, queryCredential, queryDate, queryExpires, querySignedHeaders, querySignature,
}

// Headers that carry the token of temporary credentials.
const (
	headerToken        = "X-Amz-Security-Token"
	headerSessionToken = "X-Amz-S3session-Token"
)

// ParseClaim finds the mechanism of req and reads what it claims. It looks at
// the request line and headers as received and reads no body: the credentials
// of a form are left to [ParseFormClaim], and a form that brings others is
// refused. An anonymous request is a claim of kind [Anonymous], not an error.
//
// Errors are *s3.Error: AuthorizationHeaderMalformed and
// AuthorizationQueryParametersError for syntax, InvalidArgument for two
// mechanisms, InvalidRequest for Signature Version 2, SigV4A and payload forms
// that do not fit the operation, InvalidToken for temporary credentials, which
// the gateway does not issue.
func ParseClaim(req *s3.Request) (Claim, error) {
	kind, err := mechanism(req)
	if err != nil {
		return Claim{}, err
	}
	if hasToken(req) {
		return Claim{}, errToken
	}
	var c Claim
	switch kind {
	case Header:
		c, err = parseHeader(req.Wire)
	case Presigned:
		c, err = parseQuery(req.Query)
	}
	if err != nil {
		return Claim{}, err
	}
	if err := c.readPayload(req); err != nil {
		return Claim{}, err
	}
	return c, nil
}

// mechanism decides which of the mechanisms req uses. Names of query
// parameters are matched in any case here, so that a misspelt one is an error
// later and never makes a request anonymous.
func mechanism(req *s3.Request) (Kind, error) {
	header := len(req.Wire.Values("Authorization"))
	var query, old int
	for _, p := range req.Query {
		switch name := strings.ToLower(p.Name); name {
		case "awsaccesskeyid", "signature":
			old = 1
		default:
			if isPresignedParameter(name) {
				query = 1
			}
		}
	}
	switch {
	case header+query+old == 0:
		return Anonymous, nil
	case header+query+old > 1:
		return 0, errTwoMechanisms
	case req.Op.Body == s3.BodyForm:
		return 0, errFormMechanism
	case old > 0:
		return 0, errSigV2
	case query > 0:
		return Presigned, nil
	}
	return Header, nil
}

func isPresignedParameter(lower string) bool {
	for _, name := range presignedParameters {
		if strings.EqualFold(name, lower) {
			return true
		}
	}
	return false
}

func hasToken(req *s3.Request) bool {
	if len(req.Wire.Values(headerToken)) > 0 || len(req.Wire.Values(headerSessionToken)) > 0 {
		return true
	}
	for _, p := range req.Query {
		if strings.EqualFold(p.Name, headerToken) || strings.EqualFold(p.Name, headerSessionToken) {
			return true
		}
	}
	return false
}

// parseHeader reads a request signed in its Authorization header.
func parseHeader(h http.Header) (Claim, error) {
	c, err := parseAuthorization(h.Get("Authorization"))
	if err != nil {
		return Claim{}, err
	}
	var ok bool
	if c.Time, ok = requestTime(h); !ok {
		return Claim{}, errNoDate
	}
	if err := c.checkDate(); err != nil {
		return Claim{}, err
	}
	return c, nil
}

// requestTime is the time of a header-signed request: x-amz-date, else Date,
// as https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-auth-using-authorization-header.html
// has it. A repeated header is no time.
func requestTime(h http.Header) (time.Time, bool) {
	if values := h.Values("X-Amz-Date"); len(values) > 0 {
		return parseSingle(values, parseTimestamp)
	}
	return parseSingle(h.Values("Date"), func(v string) (time.Time, bool) {
		if t, ok := parseTimestamp(v); ok {
			return t, true
		}
		t, err := http.ParseTime(v)
		return t.UTC(), err == nil
	})
}

func parseSingle(values []string, parse func(string) (time.Time, bool)) (time.Time, bool) {
	if len(values) != 1 {
		return time.Time{}, false
	}
	return parse(values[0])
}

// parseAuthorization reads the value of an Authorization header. Components
// may come in any order, separated by a comma with or without space.
func parseAuthorization(value string) (Claim, error) {
	scheme, rest, _ := strings.Cut(value, " ")
	switch scheme {
	case algorithm:
	case algorithmV4A:
		return Claim{}, errSigV4A
	case "AWS":
		return Claim{}, errSigV2
	default:
		return Claim{}, errAuthorizationType
	}
	c := Claim{Kind: Header}
	parts := map[string]string{}
	for part := range strings.SplitSeq(rest, ",") {
		name, text, found := strings.Cut(strings.Trim(part, " \t"), "=")
		_, repeated := parts[name]
		if !found || repeated || len(parts) == 3 {
			return Claim{}, Header.malformed("the authorization header requires three components: Credential, SignedHeaders, and Signature.")
		}
		parts[name] = text
	}
	for _, name := range []string{"Credential", "SignedHeaders", "Signature"} {
		if parts[name] == "" {
			return Claim{}, Header.malformed("missing " + name + ".")
		}
	}
	c.Signature = parts["Signature"]
	var err error
	if c.Credential, err = parseCredential(Header, parts["Credential"]); err != nil {
		return Claim{}, err
	}
	if c.SignedHeaders, err = parseSignedHeaders(Header, parts["SignedHeaders"]); err != nil {
		return Claim{}, err
	}
	return c, nil
}

// parseSignedHeaders reads a list of header names. S3 builds its canonical
// request from lower-case names in order, so anything else cannot verify and
// is said so here.
func parseSignedHeaders(k Kind, list string) ([]string, error) {
	names := strings.Split(list, ";")
	for i, name := range names {
		if !isLowerToken(name) || i > 0 && names[i-1] >= name {
			return nil, k.malformed("SignedHeaders must be lower-case header names, sorted, each once, separated by semicolons.")
		}
	}
	return names, nil
}

// isLowerToken reports whether s is a header name (RFC 9110 token) without
// upper-case letters.
func isLowerToken(s string) bool {
	for i := range len(s) {
		c := s[i]
		if c >= 'a' && c <= 'z' || c >= '0' && c <= '9' || strings.IndexByte("!#$%&'*+-.^_`|~", c) >= 0 {
			continue
		}
		return false
	}
	return s != ""
}
