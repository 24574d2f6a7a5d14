package sigv4

import (
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"hash"
	"log/slog"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// minioHash is the hash type minio-go's signer asks for.
type minioHash struct{ hash.Hash }

func (minioHash) Close() {}

func newSHA256() hash.Hash { return sha256.New() }

func TestSignerSetsAndReplaces(t *testing.T) {
	t.Parallel()
	h, err := http.NewRequest("GET", "https://s3.example.com/bucket/key", nil)
	if err != nil {
		t.Fatal(err)
	}
	s := Signer{AccessKey: "AK", Secret: exampleSecret, SessionToken: "one", Region: "eu-central-1"}
	s.Sign(h, EmptySHA256, exampleTime)
	first := h.Header.Clone()
	s.Sign(h, EmptySHA256, exampleTime)
	if fmt.Sprint(h.Header) != fmt.Sprint(first) {
		t.Errorf("signing twice gives %v, want %v", h.Header, first)
	}
	s.SessionToken = ""
	s.Sign(h, UnsignedPayload, exampleTime.Add(24*time.Hour))
	if got := h.Header.Values("X-Amz-Security-Token"); len(got) != 0 {
		t.Errorf("the token of before is still there: %q", got)
	}
	if h.Header.Get("X-Amz-Date") != "20130525T000000Z" || h.Header.Get(headerContentSHA256) != UnsignedPayload {
		t.Errorf("got %v", h.Header)
	}
	if got := h.Header.Get("Authorization"); !strings.Contains(got, "Credential=AK/20130525/eu-central-1/s3/aws4_request, SignedHeaders=host;x-amz-content-sha256;x-amz-date, Signature=") {
		t.Errorf("got %s", got)
	}
}

// Headers that a transport or a proxy changes are left out of the signature.
func TestSignerSignedHeaders(t *testing.T) {
	t.Parallel()
	h, err := http.NewRequest("PUT", "https://s3.example.com/bucket/key", strings.NewReader("body"))
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{
		"Accept-Encoding", "Connection", "Expect", "Forwarded", "Keep-Alive", "Proxy-Authorization", "Te", "Trailer",
		"Transfer-Encoding", "Upgrade", "User-Agent", "Via", "X-Amzn-Trace-Id", "X-Forwarded-For", "Host", "Content-Length",
		"Cache-Control", "Content-Md5", "Content-Type", "If-None-Match", "Range", "X-Amz-Acl", "X-Amz-Meta-A_b",
	} {
		h.Header.Set(name, "x")
	}
	h.Header["Empty"] = nil // net/http sends nothing for it
	Signer{AccessKey: "AK", Secret: exampleSecret, Region: "us-east-1"}.Sign(h, UnsignedPayload, exampleTime)
	_, list, _ := strings.Cut(h.Header.Get("Authorization"), "SignedHeaders=")
	list, _, _ = strings.Cut(list, ",")
	want := "cache-control;content-length;content-md5;content-type;host;if-none-match;range;x-amz-acl;x-amz-content-sha256;x-amz-date;x-amz-meta-a_b"
	if list != want {
		t.Errorf("got  %s\nwant %s", list, want)
	}
}

// The path that is signed is the one net/http sends.
func TestSignerPath(t *testing.T) {
	t.Parallel()
	for _, u := range []url.URL{
		{Path: ""},
		{Path: "/"},
		{Path: "/bucket//lead/../a b+c", RawPath: "/bucket//lead/../a%20b%2Bc"},
		{Path: "/bucket/a b"},
		{Opaque: "/bucket/a%2Bb"},
		{Opaque: "//s3.example.com/bucket/a%2Bb"},
		{Opaque: "//s3.example.com"},
		{Path: "/bucket/é", RawQuery: "list-type=2&prefix=a%2fb&a=&b"},
	} {
		t.Run(u.String(), func(t *testing.T) {
			t.Parallel()
			u.Scheme, u.Host = "https", "s3.example.com"
			h := &http.Request{Method: "GET", URL: &u, Header: http.Header{}}
			sent := "/"
			if u.Opaque != "//s3.example.com" {
				target, err := url.Parse(u.RequestURI())
				if err != nil {
					t.Fatal(err)
				}
				sent = target.EscapedPath()
			}
			if got := sentPath(h); got != sent {
				t.Errorf("signs %s, net/http sends %s", got, sent)
			}
		})
	}
}

func TestSignerPrintsNoSecret(t *testing.T) {
	t.Parallel()
	s := Signer{AccessKey: "AK", Secret: exampleSecret, SessionToken: "tokentoken", Keys: new(KeyCache)}
	var out strings.Builder
	slog.New(slog.NewJSONHandler(&out, nil)).Info("x", "signer", s)
	asJSON, err := json.Marshal(s)
	if err != nil {
		t.Fatal(err)
	}
	for _, text := range []string{out.String(), string(asJSON), fmt.Sprintf("%+v", struct{ S Signer }{s})} {
		if strings.Contains(text, exampleSecret) || strings.Contains(text, "tokentoken") || !strings.Contains(text, "AK") {
			t.Errorf("got %s", text)
		}
	}
}

func TestKeyCache(t *testing.T) {
	t.Parallel()
	scope := Credential{AccessKey: "AK", Date: "20130524", Region: "us-east-1", Service: "s3"}
	want := signingKeyFor(exampleSecret, exampleScope)
	t.Run("nil derives", func(t *testing.T) {
		t.Parallel()
		var k *KeyCache
		if !slices.Equal(k.key(scope, exampleSecret), want) {
			t.Error("wrong key")
		}
	})
	t.Run("every part counts", func(t *testing.T) {
		t.Parallel()
		k := new(KeyCache)
		k.key(scope, exampleSecret)
		for _, other := range []Credential{
			{AccessKey: "AK", Date: "20130525", Region: "us-east-1"},
			{AccessKey: "AK", Date: "20130524", Region: "us-east-2"},
			{AccessKey: "AK2", Date: "0130524", Region: "us-east-1"},
		} {
			if got := deriveKey(other, exampleSecret); !slices.Equal(k.key(other, exampleSecret), got[:]) {
				t.Errorf("%+v gives the key of another scope", other)
			}
		}
		if slices.Equal(k.key(scope, exampleSecret+"x"), want) {
			t.Error("a new secret gives the old key")
		}
		if !slices.Equal(k.key(scope, exampleSecret), want) {
			t.Error("wrong key")
		}
	})
	t.Run("caller owns the key", func(t *testing.T) {
		t.Parallel()
		k := new(KeyCache)
		for range 2 {
			clear(k.key(scope, exampleSecret))
		}
		if !slices.Equal(k.key(scope, exampleSecret), want) {
			t.Error("a caller changed the cached key")
		}
	})
	t.Run("bounded, keeps what is used", func(t *testing.T) {
		t.Parallel()
		k := new(KeyCache)
		id := cacheID(scope, exampleSecret)
		for i := range 5 * keysPerGeneration {
			k.key(scope, exampleSecret)
			k.key(Credential{AccessKey: fmt.Sprint(i)}, exampleSecret)
			if n := len(k.young) + len(k.old); n > 2*keysPerGeneration {
				t.Fatalf("%d keys are kept", n)
			}
			if _, ok := k.young[id]; !ok {
				if _, ok := k.old[id]; !ok {
					t.Fatal("a key in use was forgotten")
				}
			}
		}
		if _, ok := k.young[cacheID(Credential{AccessKey: "0"}, exampleSecret)]; ok {
			t.Error("a key out of use is kept")
		}
	})
	t.Run("concurrent", func(t *testing.T) {
		t.Parallel()
		k := new(KeyCache)
		var wg sync.WaitGroup
		for g := range 8 {
			wg.Go(func() {
				for i := range 200 {
					c := Credential{AccessKey: fmt.Sprint((g + i) % 50), Date: "20130524", Region: "us-east-1"}
					if got := deriveKey(c, exampleSecret); !slices.Equal(k.key(c, exampleSecret), got[:]) {
						t.Error("wrong key")
						return
					}
				}
			})
		}
		wg.Wait()
	})
}
