package trial

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/sealgate/sealgate/module/clients"
	"github.com/sealgate/sealgate/module/s3"
	"github.com/sealgate/sealgate/module/sigv4"
)

// presigning is what a link is made with.
type presigning struct {
	client  clients.Client
	region  string
	at      time.Time
	expires time.Duration
}

// presign signs a request in its query, as the AWS SDKs do for links: x-amz-* headers
// move there, and the payload is not signed. Signature version 4, query parameters:
// https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-query-string-auth.html
func presign(r *http.Request, p presigning) {
	stamp := p.at.UTC().Format("20060102T150405Z")
	scope := stamp[:8] + "/" + p.region + "/s3/aws4_request"
	pairs := map[string]string{
		"X-Amz-Algorithm": "AWS4-HMAC-SHA256", "X-Amz-Credential": p.client.AccessKey + "/" + scope,
		"X-Amz-Date": stamp, "X-Amz-Expires": strconv.FormatInt(int64(p.expires/time.Second), 10), "X-Amz-SignedHeaders": "host",
	}
	if q, err := s3.ParseQuery(r.URL.RawQuery); err == nil {
		for _, pair := range q {
			pairs[pair.Name] = pair.Value
		}
	}
	for name, values := range r.Header {
		if strings.HasPrefix(name, "X-Amz-") && name != "X-Amz-Content-Sha256" {
			pairs[strings.ToLower(name)] = strings.Join(values, ",")
			r.Header.Del(name)
		}
	}
	var lines []string
	for _, name := range slices.Sorted(maps.Keys(pairs)) { // a name is made of what is not escaped
		lines = append(lines, s3.EscapeQuery(name)+"="+s3.EscapeQuery(pairs[name]))
	}
	query := strings.Join(lines, "&")
	canonical := strings.Join([]string{
		r.Method, r.URL.EscapedPath(), query, "host:" + r.Host + "\n", "host", sigv4.UnsignedPayload,
	}, "\n")
	sum := sha256.Sum256([]byte(canonical))
	key := []byte("AWS4" + p.client.Secret.Reveal())
	for _, part := range []string{stamp[:8], p.region, "s3", "aws4_request"} {
		key = mac(key, part)
	}
	signature := mac(key, strings.Join([]string{"AWS4-HMAC-SHA256", stamp, scope, hex.EncodeToString(sum[:])}, "\n"))
	r.URL.RawQuery = query + "&X-Amz-Signature=" + hex.EncodeToString(signature)
}

func mac(key []byte, text string) []byte {
	h := hmac.New(sha256.New, key)
	h.Write([]byte(text))
	return h.Sum(nil)
}
