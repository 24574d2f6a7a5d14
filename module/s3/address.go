package s3

import (
	"net"
	"net/netip"
	"strconv"
	"strings"
)

const maxKey = 1024 // bytes of a key, API reference "Object key names"

// splitTarget separates path and query of a raw request target. The absolute
// form is accepted when it names the host of the request; everything else that
// is not a path is an [ErrInvalidURI].
func splitTarget(uri, host string) (path, query string, err error) {
	for i := range len(uri) {
		// No client sends these raw, and readers disagree on what they mean.
		if c := uri[i]; c <= ' ' || c == 0x7f || c == '#' {
			return "", "", ErrInvalidURI
		}
	}
	path, query, _ = strings.Cut(uri, "?")
	if strings.HasPrefix(path, "/") {
		return path, query, nil
	}
	scheme, rest, ok := strings.Cut(path, "://")
	if !ok || !strings.EqualFold(scheme, "http") && !strings.EqualFold(scheme, "https") {
		return "", "", ErrInvalidURI
	}
	authority, path := rest, "/"
	if i := strings.IndexByte(rest, '/'); i >= 0 {
		authority, path = rest[:i], rest[i:]
	}
	if authority == "" || !strings.EqualFold(authority, host) {
		return "", "", ErrInvalidURI
	}
	return path, query, nil
}

// foreignHosts are parts of host names under which S3 speaks another dialect.
var foreignHosts = []struct{ part, reason string }{
	{".s3-accesspoint.", "Access points are not supported."},
	{".s3-accesspoint-fips.", "Access points are not supported."},
	{".s3-object-lambda.", "S3 Object Lambda is not supported."},
	{".s3-website.", "Website endpoints are not supported."},
	{".s3-website-", "Website endpoints are not supported."},
	{".s3-control.", "The S3 control API is not supported."},
	{".s3-control-fips.", "The S3 control API is not supported."},
	{".s3express-", "Directory buckets are not supported."},
	{".s3tables.", "The S3 Tables API is not supported."},
	{".s3vectors.", "The S3 Vectors API is not supported."},
	{".s3-outposts.", "S3 on Outposts is not supported."},
	{".mrap.", "Multi-Region access points are not supported."},
}

// foreignBuckets are reserved endings of bucket names (User Guide, "Bucket
// naming rules") that do not name a general purpose bucket.
var foreignBuckets = []struct{ suffix, reason string }{
	{"-s3alias", "Access point aliases are not supported."},
	{"--ol-s3", "S3 Object Lambda is not supported."},
	{"--op-s3", "S3 on Outposts is not supported."},
	{"--x-s3", "Directory buckets are not supported."},
	{"--xa-s3", "Access points of directory buckets are not supported."},
	{"--table-s3", "S3 Tables buckets are not supported."},
	{".mrap", "Multi-Region access points are not supported."},
}

// bucketOfHost returns the bucket that host names in virtual-host style, or ""
// for path style. The longest matching domain wins. With domains configured,
// other hosts are refused unless they are an IP address or localhost, which
// cannot carry a bucket; without domains everything is path style.
func (p *Parser) bucketOfHost(host string) (string, error) {
	name := hostname(host)
	bucket, matched := "", -1
	for _, domain := range p.Domains {
		n := len(name) - len(domain)
		if domain == "" || n < 0 || len(domain) <= matched || !strings.EqualFold(name[n:], domain) {
			continue
		}
		switch {
		case n == 0:
			bucket, matched = "", len(domain)
		case n > 1 && name[n-1] == '.':
			bucket, matched = name[:n-1], len(domain)
		}
	}
	rest := name
	if matched >= 0 {
		rest = bucket + "."
	}
	if reason := foreignHost(rest); reason != "" {
		return "", ErrNotImplemented.WithMessage(reason)
	}
	switch {
	case matched >= 0:
		// Host names are case-insensitive and bucket names lower-case.
		return strings.ToLower(bucket), nil
	case len(p.Domains) == 0, isIP(name), strings.EqualFold(name, "localhost"):
		return "", nil
	}
	return "", ErrInvalidRequest.WithMessage("This host name is not served here.")
}

// foreignHost returns why a host is not served, or "".
func foreignHost(name string) string {
	name = strings.ToLower(name)
	if !strings.Contains(name, "s3") && !strings.Contains(name, "mrap") {
		return ""
	}
	name = "." + name
	for _, f := range foreignHosts {
		if strings.Contains(name, f.part) {
			return f.reason
		}
	}
	return ""
}

// hostname drops the port, brackets and a trailing dot.
func hostname(host string) string {
	if h, _, err := net.SplitHostPort(host); err == nil {
		host = h
	}
	host = strings.TrimSuffix(strings.TrimPrefix(host, "["), "]")
	return strings.TrimSuffix(host, ".")
}

func isIP(name string) bool {
	_, err := netip.ParseAddr(name)
	return err == nil
}

// reservedBucket is where MinIO, which can have no bucket of that name, serves its
// administration and its health. A request for an object there, signed by the
// gateway, would be carried out with the owner's rights.
const reservedBucket = "minio"

// checkBucket validates a bucket name against the rules for general purpose
// buckets. Legacy us-east-1 names (upper case, "_", over 63 bytes) are refused:
// stores and DNS disagree about them.
func checkBucket(name string) error {
	if strings.HasPrefix(name, "arn:") {
		return ErrNotImplemented.WithMessage("Access point ARNs are not supported.")
	}
	if name == reservedBucket {
		return ErrNotImplemented.WithMessage("The bucket name " + reservedBucket + " is not supported: stores have their administration there.")
	}
	for _, f := range foreignBuckets {
		if strings.HasSuffix(name, f.suffix) {
			return ErrNotImplemented.WithMessage(f.reason)
		}
	}
	if !validBucket(name) {
		return ErrInvalidBucketName.With("BucketName", printable(name))
	}
	return nil
}

func validBucket(name string) bool {
	if len(name) < 3 || len(name) > 63 || strings.Contains(name, "..") {
		return false
	}
	digits := true // only digits and dots: may be an IP address
	for i := range len(name) {
		c := name[i]
		switch {
		case 'a' <= c && c <= 'z':
			digits = false
		case '0' <= c && c <= '9':
		case c == '-' || c == '.':
			if i == 0 || i == len(name)-1 {
				return false
			}
			if c == '-' {
				digits = false
			}
		default:
			return false
		}
	}
	return !digits || !isIP(name)
}

// decodeKey decodes a key once and checks what S3 checks. NUL is refused
// because stores and their file systems end names there.
func decodeKey(raw string) (string, error) {
	key, ok := decodeText(raw)
	if !ok {
		return "", ErrInvalidURI
	}
	return key, checkKeyLength(key)
}

func checkKeyLength(key string) error {
	if len(key) > maxKey {
		return ErrKeyTooLongError.With("Size", strconv.Itoa(len(key))).With("MaxSizeAllowed", strconv.Itoa(maxKey))
	}
	return nil
}
