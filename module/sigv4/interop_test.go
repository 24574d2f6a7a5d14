package sigv4

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awsv4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	"github.com/minio/minio-go/v7/pkg/signer"
	"pgregory.net/rapid"

	"github.com/sealgate/sealgate/module/s3"
)

// A sample is a request as an application would make it, before signing.
type sample struct {
	method, key string
	query       [][2]string
	header      http.Header
	body        string
	payload     string
}

// key characters that clients encode differently, and some that need not be.
var keyText = rapid.StringOfN(rapid.RuneFrom([]rune("aZ09-._~/ +%=&?#:@!*'()$,;é\u00a0日😀|{}^`\"<>\\")), 1, 40, 200)

// values a header can hold: printable, with runs of spaces.
var valueText = rapid.StringOfN(rapid.RuneFrom([]rune("aZ0 ,;=\"é")), 0, 20, -1)

func drawSample(t *rapid.T) sample {
	s := sample{method: "PUT", key: keyText.Draw(t, "key"), header: http.Header{}}
	switch rapid.IntRange(0, 3).Draw(t, "operation") {
	case 0:
		s.method = "GET"
		s.header.Set("Range", "bytes=0-9")
		if rapid.Bool().Draw(t, "override") {
			s.query = append(s.query, [2]string{"response-content-type", keyText.Draw(t, "type")}, [2]string{"response-cache-control", "no-cache"})
		}
	case 1:
		s.method, s.key = "GET", ""
		s.query = append(s.query, [2]string{"list-type", "2"}, [2]string{"prefix", keyText.Draw(t, "prefix")}, [2]string{"delimiter", "/"})
	case 2:
		s.query = append(s.query, [2]string{"partNumber", "1"}, [2]string{"uploadId", keyText.Draw(t, "id")})
		s.body = keyText.Draw(t, "body")
	case 3:
		s.body = keyText.Draw(t, "body")
		s.header.Set("Content-Type", "text/plain;  charset=utf-8")
		s.header.Set("X-Amz-Storage-Class", "STANDARD")
		for i := range rapid.IntRange(0, 3).Draw(t, "metadata") {
			s.header.Add(fmt.Sprintf("X-Amz-Meta-A%d", i/2), valueText.Draw(t, "value"))
		}
	}
	s.payload = hexSHA256([]byte(s.body))
	if rapid.Bool().Draw(t, "unsigned") {
		s.payload = UnsignedPayload
	}
	return s
}

// request is the sample as an SDK builds it: path and query in AWS's encoding.
func (s sample) request() *http.Request {
	var pairs []string
	for _, p := range s.query {
		pairs = append(pairs, s3.EscapeQuery(p[0])+"="+s3.EscapeQuery(p[1]))
	}
	path := "/bucket/" + s.key
	h := &http.Request{
		Method: s.method,
		URL: &url.URL{
			Scheme: "https", Host: "s3.example.com:9000",
			Path: path, RawPath: s3.EscapePath(path), RawQuery: strings.Join(pairs, "&"),
		},
		Header: s.header.Clone(), Host: "s3.example.com:9000", ProtoMajor: 1, ProtoMinor: 1,
	}
	if s.body != "" {
		h.Body, h.ContentLength = io.NopCloser(strings.NewReader(s.body)), int64(len(s.body))
	}
	return h
}

func sdkSigner() *awsv4.Signer {
	return awsv4.NewSigner(func(o *awsv4.SignerOptions) { o.DisableURIPathEscaping = true })
}

var exampleCredentials = aws.Credentials{AccessKeyID: exampleAccessKey, SecretAccessKey: exampleSecret}

// clients are the ways in which independent code signs a sample.
var clients = map[string]func(s sample, at time.Time) (*http.Request, error){
	"sdk header": func(s sample, at time.Time) (*http.Request, error) {
		h := s.request()
		h.Header.Set(headerContentSHA256, s.payload)
		return h, sdkSigner().SignHTTP(context.Background(), exampleCredentials, h, s.payload, "s3", "us-east-1", at)
	},
	"sdk presigned": func(s sample, at time.Time) (*http.Request, error) {
		h := s.request()
		q := h.URL.Query()
		q.Set("X-Amz-Expires", "60")
		h.URL.RawQuery = q.Encode()
		raw, signed, err := sdkSigner().PresignHTTP(context.Background(), exampleCredentials, h, UnsignedPayload, "s3", "us-east-1", at)
		if err != nil {
			return nil, err
		}
		if h.URL, err = url.Parse(raw); err != nil {
			return nil, err
		}
		signed.Del("Host")
		signed.Del("Content-Length")
		h.Header = signed
		return h, nil
	},
	"minio header": func(s sample, _ time.Time) (*http.Request, error) {
		h := s.request()
		h.Header.Set(headerContentSHA256, s.payload)
		return signer.SignV4(*h, exampleAccessKey, exampleSecret, "", "us-east-1"), nil
	},
	"minio presigned": func(s sample, _ time.Time) (*http.Request, error) {
		return signer.PreSignV4(*s.request(), exampleAccessKey, exampleSecret, "", "us-east-1", 60), nil
	},
	"sealgate": func(s sample, at time.Time) (*http.Request, error) {
		h := s.request()
		Signer{AccessKey: exampleAccessKey, Secret: exampleSecret, Region: "us-east-1"}.Sign(h, s.payload, at)
		return h, nil
	},
}

// What others sign we accept; whatever is changed afterwards we refuse.
func TestInterop(t *testing.T) {
	t.Parallel()
	for name, client := range clients {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			rapid.Check(t, func(rt *rapid.T) {
				s := drawSample(rt)
				now := time.Now()
				h, err := client(s, now)
				if err != nil {
					rt.Fatal(err)
				}
				v := verifierAt(now)
				r := received(t, h)
				req, p, err := identify(v, r, exampleSecret)
				if err != nil {
					rt.Fatalf("refused: %v\n%s", err, detail(s3.AsError(err), "CanonicalRequest"))
				}
				if req.Key != s.key || p.Credential.AccessKey != exampleAccessKey {
					rt.Fatalf("got key %q of %s, want %q", req.Key, p.Credential.AccessKey, s.key)
				}
				drawChange(rt, r, p)
				changed, _, err := identify(v, r, exampleSecret)
				if err == nil && !equivalent(req, changed) {
					rt.Fatalf("accepted after the change: %s %s %v", r.Method, r.RequestURI, r.Header)
				}
			})
		})
	}
}

// equivalent reports whether two requests ask for the same in other words:
// bytes of the target may be written in several encodings.
func equivalent(a, b *s3.Request) bool {
	same := func(x, y s3.Pair) bool { return x.Name == y.Name && x.Value == y.Value }
	return a.Method == b.Method && a.Bucket == b.Bucket && a.Key == b.Key && a.Host == b.Host && slices.EqualFunc(a.Query, b.Query, same)
}

// drawChange changes one thing a signature covers.
func drawChange(t *rapid.T, r *http.Request, p Proof) {
	changes := []string{"method", "target", "host", "query", "header", "secret part"}
	switch rapid.SampledFrom(changes).Draw(t, "change") {
	case "method":
		r.Method = map[string]string{"GET": "HEAD", "PUT": "DELETE"}[r.Method]
	case "target":
		b := []byte(r.RequestURI)
		i := rapid.IntRange(1, len(b)-1).Draw(t, "position")
		b[i] = rapid.SampledFrom([]byte("abZ09-_.~%/=&?+")).Draw(t, "byte")
		if string(b) == r.RequestURI {
			b = append(b, 'x')
		}
		r.RequestURI = string(b)
	case "host":
		r.Host = "s3.example.com"
	case "query":
		separator := "?"
		if strings.Contains(r.RequestURI, "?") {
			separator = "&"
		}
		r.RequestURI += separator + "x-id=Other"
	case "header":
		name := rapid.SampledFrom(p.SignedHeaders).Draw(t, "name")
		if name == "host" {
			r.Host += "0"
			return
		}
		if name == "content-length" {
			r.ContentLength++
			return
		}
		r.Header.Set(name, r.Header.Get(name)+"1")
	case "secret part":
		if p.Kind == Header {
			r.Header.Set("Authorization", flip(r.Header.Get("Authorization"), p.Signature))
		} else {
			r.RequestURI = flip(r.RequestURI, p.Signature)
		}
	}
}

// flip changes the last digit of signature in s.
func flip(s, signature string) string {
	last := signature[len(signature)-1] ^ 1 // another digit, or no digit at all
	return strings.Replace(s, signature, signature[:len(signature)-1]+string(last), 1)
}

// The SDK's signer and ours give the same Authorization for the same request.
func TestSignerMatchesSDK(t *testing.T) {
	t.Parallel()
	cache := new(KeyCache)
	rapid.Check(t, func(rt *rapid.T) {
		s := drawSample(rt)
		credentials := exampleCredentials
		if rapid.Bool().Draw(rt, "temporary") {
			credentials.SessionToken = "token/+="
		}
		region := rapid.SampledFrom([]string{"us-east-1", "eu-central-1"}).Draw(rt, "region")
		at := time.Unix(rapid.Int64Range(0, 4e9).Draw(rt, "time"), 0)
		ours, theirs := s.request(), s.request()
		Signer{AccessKey: credentials.AccessKeyID, Secret: credentials.SecretAccessKey, SessionToken: credentials.SessionToken, Region: region, Keys: cache}.Sign(ours, s.payload, at)
		theirs.Header.Set(headerContentSHA256, s.payload)
		if err := sdkSigner().SignHTTP(context.Background(), credentials, theirs, s.payload, "s3", region, at); err != nil {
			rt.Fatal(err)
		}
		for _, name := range []string{"Authorization", "X-Amz-Date", "X-Amz-Security-Token", headerContentSHA256} {
			if got, want := ours.Header.Get(name), theirs.Header.Get(name); got != want {
				rt.Fatalf("%s:\ngot  %s\nwant %s", name, got, want)
			}
		}
	})
}

// Signed chunks of minio-go: the seed of our proof continues into its body.
func TestInteropSignedChunks(t *testing.T) {
	t.Parallel()
	for _, size := range []int{0, 1, 64 << 10, 64<<10 + 1, 200 << 10} {
		t.Run(fmt.Sprint(size), func(t *testing.T) {
			t.Parallel()
			content := randomBytes(size)
			h, err := http.NewRequest("PUT", "http://s3.example.com/bucket/key", bytes.NewReader(content))
			if err != nil {
				t.Fatal(err)
			}
			now := time.Now().UTC()
			h = signer.StreamingSignV4(h, exampleAccessKey, exampleSecret, "", "us-east-1", int64(size), now, minioHash{newSHA256()})
			r := received(t, h)
			req, p, err := identify(verifierAt(now), r, exampleSecret)
			if err != nil {
				t.Fatalf("refused: %v\n%v", err, refusal(t, err).Details)
			}
			if p.Payload != PayloadSignedChunks {
				t.Fatalf("payload is %v", p.Payload)
			}
			body, err := p.Open(req, r.Body)
			if err != nil {
				t.Fatal(err)
			}
			defer body.Close()
			got, err := io.ReadAll(body)
			if err != nil || !bytes.Equal(got, content) {
				t.Errorf("got %d bytes, %v; want the %d sent", len(got), err, size)
			}
		})
	}
}
