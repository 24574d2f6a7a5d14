package upstream

import (
	"errors"
	"fmt"
	"net"
	"net/url"
	"strings"

	"github.com/sealgate/sealgate/module/s3"
)

// Addressing is where the bucket's name stands in a request to the store.
type Addressing uint8

// The ways of addressing.
const (
	PathStyle   Addressing = iota // https://endpoint/bucket/key
	VirtualHost                   // https://bucket.endpoint/key
)

// checkEndpoint refuses what is not the address of a store.
func checkEndpoint(u *url.URL, insecure bool) error {
	switch {
	case u == nil:
		return errors.New("endpoint is missing")
	case u.Scheme != "https" && u.Scheme != "http":
		return fmt.Errorf("endpoint scheme %q: want https, or http for a store on this machine", u.Scheme)
	case u.User != nil:
		return errors.New("endpoint must not contain user information") // nor must this error
	case u.Hostname() == "" || u.Opaque != "":
		return errors.New("endpoint has no host")
	case u.Path != "" && u.Path != "/":
		return errors.New("endpoint must not have a path: it would become part of every key")
	case u.RawQuery != "" || u.ForceQuery || u.Fragment != "":
		return errors.New("endpoint must not have a query or a fragment")
	case u.Scheme == "http" && !insecure && !isLoopback(u.Hostname()):
		return errors.New("endpoint is plain http on another machine: objects and keys would cross the network in clear")
	}
	return nil
}

// isLoopback goes by the name alone; it resolves nothing.
func isLoopback(host string) bool {
	host = strings.ToLower(strings.TrimSuffix(host, "."))
	if host == "localhost" || strings.HasSuffix(host, ".localhost") {
		return true
	}
	ip := net.ParseIP(host)
	return ip != nil && ip.IsLoopback()
}

// isAWS reports whether host belongs to AWS.
func isAWS(host string) bool {
	host = strings.ToLower(strings.TrimSuffix(host, "."))
	return strings.HasSuffix(host, ".amazonaws.com") || strings.HasSuffix(host, ".amazonaws.com.cn")
}

// locate builds the URL of a call. Path and RawPath are set together so that
// the bytes of the key, encoded once as AWS does, go out as they are: nothing
// collapses "//" or resolves "..".
func (c *Client) locate(call *Call) (*url.URL, error) {
	u := &url.URL{Scheme: c.endpoint.Scheme, Host: c.endpoint.Host, Path: "/", RawPath: "/", RawQuery: encodeQuery(call.Query)}
	switch {
	case call.Bucket == "" && call.Key != "":
		return nil, errors.New("a key without a bucket")
	case call.Bucket == "":
	case !plainBucket(call.Bucket):
		return nil, fmt.Errorf("bucket name %q cannot be addressed", call.Bucket)
	case c.addressing == VirtualHost && hostable(call.Bucket) && !strings.HasPrefix(call.Key, reservedPath):
		u.Host = call.Bucket + "." + c.endpoint.Host
		u.Path += call.Key
		u.RawPath += s3.EscapePath(call.Key)
	case call.Key == "":
		u.Path += call.Bucket
		u.RawPath += call.Bucket
	default:
		u.Path += call.Bucket + "/" + call.Key
		u.RawPath += call.Bucket + "/" + s3.EscapePath(call.Key)
	}
	if u.EscapedPath() != u.RawPath {
		return nil, fmt.Errorf("internal error: path %q would be sent as %q", u.RawPath, u.EscapedPath())
	}
	return u, nil
}

// reservedPath is where MinIO serves its administration, on every host name: a key
// that begins so must not begin the path.
const reservedPath = "minio/"

// plainBucket allows names that need no escaping and cannot be taken for a part
// of a path. Which names are legal is the parser's and the store's business.
func plainBucket(s string) bool {
	if len(s) > 255 || s == "." || s == ".." {
		return false
	}
	for i := range len(s) {
		switch c := s[i]; {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9', c == '-', c == '.', c == '_':
		default:
			return false
		}
	}
	return true
}

// hostable reports whether a bucket can be part of a host name. Others are
// addressed by path, as the SDKs do: a name with a dot is not covered by the
// store's wildcard certificate, and one with a capital is another host name.
func hostable(bucket string) bool {
	if len(bucket) < 3 || len(bucket) > 63 || bucket[0] == '-' || bucket[len(bucket)-1] == '-' {
		return false
	}
	for i := range len(bucket) {
		switch c := bucket[i]; {
		case 'a' <= c && c <= 'z', '0' <= c && c <= '9', c == '-':
		default:
			return false
		}
	}
	return true
}

// encodeQuery writes the query in the order given, every pair with "=", as the
// canonical request of the signature has it.
func encodeQuery(q s3.Query) string {
	var b strings.Builder
	for i, p := range q {
		if i > 0 {
			b.WriteByte('&')
		}
		b.WriteString(s3.EscapeQuery(p.Name))
		b.WriteByte('=')
		b.WriteString(s3.EscapeQuery(p.Value))
	}
	return b.String()
}
