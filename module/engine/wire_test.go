package engine

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/sealgate/sealgate/policy"
)

// raw opens a connection and sends r's head, announcing a body of length bytes.
func (b *bed) raw(r *http.Request, length int, header ...string) (net.Conn, *bufio.Reader) {
	b.t.Helper()
	conn, err := net.Dial("tcp", b.gateway.Listener.Addr().String())
	if err != nil {
		b.t.Fatal(err)
	}
	b.t.Cleanup(func() { _ = conn.Close() })
	_ = conn.SetDeadline(time.Now().Add(20 * time.Second))
	var head bytes.Buffer
	fmt.Fprintf(&head, "%s %s HTTP/1.1\r\nHost: %s\r\nContent-Length: %d\r\n", r.Method, r.URL.RequestURI(), r.URL.Host, length)
	_ = r.Header.Write(&head)
	for _, line := range header {
		head.WriteString(line + "\r\n")
	}
	head.WriteString("\r\n")
	if _, err := conn.Write(head.Bytes()); err != nil {
		b.t.Fatal(err)
	}
	return conn, bufio.NewReader(conn)
}

func (b *bed) reply(from *bufio.Reader) answer {
	b.t.Helper()
	resp, err := http.ReadResponse(from, nil)
	if err != nil {
		b.t.Fatal(err)
	}
	data, err := io.ReadAll(resp.Body)
	_ = resp.Body.Close()
	if err != nil {
		b.t.Fatal(err)
	}
	return answer{resp, string(data)}
}

const unsignedBody = "X-Amz-Content-Sha256: UNSIGNED-PAYLOAD"

// A client that waits for "100 Continue" is answered without its body where
// the answer does not depend on it, and asked for it where it does.
func TestExpectContinue(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name, posture, path string
		header              []string
		status              int
	}{
		{"denied", openPosture("mode: sse-kms", "key_id: k"), "/bucket/key", []string{sseHeader + ": AES256"}, 403},
		{"refused", openPosture("mode: none"), "/bucket/key?append", nil, 400},
		{"not to be carried out", openPosture("mode: cse", "keyring: main"), "/bucket/key", nil, 501},
		{"accepted", openPosture("mode: none"), "/bucket/key", nil, 200},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			b := newBed(t, tt.posture)
			conn, from := b.raw(b.request(http.MethodPut, tt.path, "", append(tt.header, unsignedBody)...), 5, "Expect: 100-continue")
			first := b.reply(from)
			if tt.status != 200 {
				if first.StatusCode != tt.status || !first.Close {
					t.Errorf("got %d, close %v, want %d and the end", first.StatusCode, first.Close, tt.status)
				}
				b.store.untouched(t)
				return
			}
			if first.StatusCode != http.StatusContinue {
				t.Fatalf("got %d, want 100", first.StatusCode)
			}
			_, _ = io.WriteString(conn, "hello")
			if last := b.reply(from); last.StatusCode != tt.status {
				t.Errorf("got %d", last.StatusCode)
			}
			if got := b.store.only(t); string(got.body) != "hello" || got.header.Get("Expect") != "" {
				t.Errorf("the store got %q, Expect %q", got.body, got.header.Get("Expect"))
			}
		})
	}
}

// An upload that the store refuses before it is there is taken off the wire, so
// that a client that reads nothing before it has written everything gets the
// answer. The connection serves the next request, or is said not to.
func TestUploadRefusedEarly(t *testing.T) {
	t.Parallel()
	const size = 1 << 20 // less than what makes the gateway wait for the store's consent
	for _, first := range []int{0, 100 << 10, size} {
		for _, expect := range []bool{false, true} {
			t.Run(fmt.Sprintf("after %d bytes, expect %v", first, expect), func(t *testing.T) {
				t.Parallel()
				b := newBed(t, openPosture("mode: none"))
				refused := make(chan struct{})
				b.store.Config.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { // does not read the body
					if r.Method == http.MethodPut {
						w.WriteHeader(http.StatusForbidden)
						_ = http.NewResponseController(w).Flush()
						close(refused)
					}
				})
				var extra []string
				if expect {
					extra = []string{"Expect: 100-continue"}
				}
				conn, from := b.raw(b.request(http.MethodPut, "/bucket/key", "", unsignedBody), size, extra...)
				if expect {
					switch reply := b.reply(from); {
					case reply.StatusCode == http.StatusForbidden && reply.Close:
						return // before the body was asked for
					case reply.StatusCode != http.StatusContinue:
						t.Fatalf("got %d, want 100", reply.StatusCode)
					}
				}
				_, err := conn.Write(make([]byte, first))
				if <-refused; err == nil {
					_, err = conn.Write(make([]byte, size-first))
				}
				if err != nil {
					t.Fatalf("the upload was broken off: %v", err)
				}
				reply := b.reply(from)
				if reply.StatusCode != http.StatusForbidden {
					t.Fatalf("got %d", reply.StatusCode)
				}
				if rec := b.recordOf(reply); rec.Outcome != OutcomeStore {
					t.Errorf("outcome %s", rec.Outcome)
				}
				if reply.Close {
					return
				}
				if err := b.request(http.MethodGet, "/bucket/key", "").Write(conn); err != nil {
					t.Fatal(err)
				}
				if next := b.reply(from); next.StatusCode != http.StatusOK {
					t.Errorf("the next request on the connection: %d", next.StatusCode)
				}
			})
		}
	}
}

// HTTP/2 need not announce a body; it is found where none belongs.
func TestBodyWithoutLengthOverHTTP2(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name, method, path string
		body               io.Reader
		status             int
	}{
		{"GET with one", http.MethodGet, "/bucket/key", strings.NewReader("x"), 400},
		{"GET without", http.MethodGet, "/bucket/key", nil, 200},
		{"GET with an empty one", http.MethodGet, "/bucket/key", strings.NewReader(""), 200},
		{"new upload with one", http.MethodPost, "/bucket/key?uploads", strings.NewReader("x"), 400},
		{"object without a length", http.MethodPut, "/bucket/key", strings.NewReader("x"), 411},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			b := newBed(t, openPosture("mode: none")).secure()
			signed := b.request(tt.method, tt.path, "", unsignedBody)
			r, err := http.NewRequest(tt.method, signed.URL.String(), nil)
			if err != nil {
				t.Fatal(err)
			}
			if r.Header = signed.Header; tt.body != nil {
				r.Body, r.ContentLength = io.NopCloser(tt.body), -1
			}
			reply := b.do(r)
			if reply.StatusCode != tt.status || reply.ProtoMajor != 2 {
				t.Errorf("%s: status %d, want %d: %s", reply.Proto, reply.StatusCode, tt.status, reply.body)
			}
			if tt.status != 200 {
				b.store.untouched(t)
			}
		})
	}
}

// customer gives the headers of SSE-C under prefix.
func customer(prefix string, key []byte) []string {
	return []string{
		prefix + "-Customer-Algorithm: AES256",
		prefix + "-Customer-Key: " + base64.StdEncoding.EncodeToString(key),
		prefix + "-Customer-Key-Md5: " + contentMD5(key),
	}
}

const copySourceSSE = "X-Amz-Copy-Source-Server-Side-Encryption"

var key1, key2 = bytes.Repeat([]byte{1}, 32), bytes.Repeat([]byte{2}, 32)

// customerStore answers as a store that keeps objects under keyed.
func customerStore(keyed []byte) func(http.ResponseWriter, *http.Request, []byte) {
	return func(w http.ResponseWriter, r *http.Request, _ []byte) {
		if r.Method == http.MethodHead && r.Header.Get(sseHeader+"-Customer-Key") == "" {
			w.WriteHeader(http.StatusBadRequest)
			return
		}
		w.Header().Set("ETag", `"e"`)
		if r.Method != http.MethodPost {
			for _, line := range customer(sseHeader, keyed) {
				if name, value, _ := strings.Cut(line, ": "); !strings.HasSuffix(name, "-Key") {
					w.Header().Set(name, value)
				}
			}
		}
		_, _ = io.WriteString(w, result(r))
	}
}

func TestCustomerKeys(t *testing.T) {
	t.Parallel()
	const parts = `<CompleteMultipartUpload><Part><ETag>"e"</ETag><PartNumber>1</PartNumber></Part></CompleteMultipartUpload>`
	posture := openPosture("mode: sse-c")
	tests := []struct {
		name, method, path, body string
		header                   []string
		plain                    bool   // without TLS
		keyed                    []byte // what the store used
		status                   int
	}{
		{"write", http.MethodPut, "/bucket/key", "x", customer(sseHeader, key1), false, key1, 200},
		{"write without TLS", http.MethodPut, "/bucket/key", "x", customer(sseHeader, key1), true, key1, 400},
		{"write without a key", http.MethodPut, "/bucket/key", "x", nil, false, key1, 403},
		{"write under another key", http.MethodPut, "/bucket/key", "x", customer(sseHeader, key1), false, key2, 502},
		{"read", http.MethodGet, "/bucket/key", "", customer(sseHeader, key1), false, key1, 200},
		{"read without TLS", http.MethodGet, "/bucket/key", "", customer(sseHeader, key1), true, key1, 400},
		{"part", http.MethodPut, "/bucket/key?partNumber=1&uploadId=u", "x", customer(sseHeader, key1), false, key1, 200},
		{"completion with the key", http.MethodPost, "/bucket/key?uploadId=u", parts, customer(sseHeader, key1), false, key1, 200},
		{"completion without the key", http.MethodPost, "/bucket/key?uploadId=u", parts, nil, false, key1, 200},
		{"copy", http.MethodPut, "/bucket/key", "", append(append(customer(sseHeader, key1), customer(copySourceSSE, key2)...), "X-Amz-Copy-Source: /bucket/from"), false, key1, 200},
		{"copy without TLS", http.MethodPut, "/bucket/key", "", append(customer(copySourceSSE, key2), "X-Amz-Copy-Source: /bucket/from"), true, key1, 400},
		{"copy without the source's key", http.MethodPut, "/bucket/key", "", append(customer(sseHeader, key1), "X-Amz-Copy-Source: /bucket/from"), false, key1, 400},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			b := newBed(t, posture)
			if !tt.plain {
				b.secure()
			}
			b.store.setReply(customerStore(tt.keyed))
			reply := b.do(b.request(tt.method, tt.path, tt.body, tt.header...))
			if reply.StatusCode != tt.status {
				t.Fatalf("status %d, want %d: %s", reply.StatusCode, tt.status, reply.body)
			}
			if tt.plain {
				b.store.untouched(t)
			}
			secret := base64.StdEncoding.EncodeToString(key1)
			if rec := b.recordOf(reply); strings.Contains(fmt.Sprintf("%+v", rec), secret) || strings.Contains(reply.body, secret) {
				t.Error("the key shows")
			}
			if tt.name != "copy" {
				return
			}
			seen := b.store.seen()
			head, put := seen[0].header, seen[1].header
			if head.Get(sseHeader+"-Customer-Key") != base64.StdEncoding.EncodeToString(key2) || put.Get(copySourceSSE+"-Customer-Key") != base64.StdEncoding.EncodeToString(key2) || put.Get(sseHeader+"-Customer-Key") != secret {
				t.Error("the keys went to the wrong places")
			}
		})
	}
}

// With payload_check store, what says something of the whole plain body goes
// up unchanged and is not checked here; chunks and trailers are.
func TestPayloadCheckStore(t *testing.T) {
	t.Parallel()
	toStore := func(c *Config, _ *policy.Options) { c.PayloadCheck = PayloadCheckStore }
	wrong := sha256.Sum256([]byte("something else"))
	hash := hex.EncodeToString(wrong[:])
	for _, size := range []int{0, 5, 64 << 10, 64<<10 + 1, 1 << 20} {
		t.Run(fmt.Sprint(size), func(t *testing.T) {
			t.Parallel()
			data := strings.Repeat("x", size)
			b := newBed(t, openPosture("mode: sse-s3"), toStore)
			reply := b.do(b.request(http.MethodPut, "/bucket/key", data,
				"X-Amz-Content-Sha256: "+hash, "Content-Md5: 1B2M2Y8AsgTpgAmY7PhCfg==", "X-Amz-Checksum-Crc32: AAAAAA==", "X-Amz-Sdk-Checksum-Algorithm: CRC32"))
			if reply.StatusCode != http.StatusOK {
				t.Fatalf("status %d: %s", reply.StatusCode, reply.body)
			}
			got := b.store.only(t)
			for name, want := range map[string]string{
				"X-Amz-Content-Sha256": hash, "Content-Md5": "1B2M2Y8AsgTpgAmY7PhCfg==", "X-Amz-Checksum-Crc32": "AAAAAA==", sseHeader: "AES256",
			} {
				if got.header.Get(name) != want {
					t.Errorf("%s = %q at the store, want %q", name, got.header.Get(name), want)
				}
			}
			if string(got.body) != data {
				t.Errorf("%d bytes at the store", len(got.body))
			}
		})
	}
	b := newBed(t, openPosture("mode: sse-s3"), toStore)
	if e := b.do(b.trailerRequest([]byte("hello"), "AAAAAA==")).err(t); e.Code != "BadDigest" {
		t.Errorf("a wrong trailer: %s", e.Code)
	}
	if e := b.do(b.request(http.MethodPut, "/bucket/key", "5\r\nhello", "Content-Encoding: aws-chunked")).err(t); e.Code != "InvalidArgument" {
		t.Errorf("framing without its name: %s", e.Code)
	}
	b.store.untouched(t)
}

func TestClientCredentials(t *testing.T) {
	t.Parallel()
	own := func(c *Config, _ *policy.Options) { c.ClientCredentials = true }
	b := newBed(t, openPosture("mode: sse-s3"), own)
	if reply := b.do(b.request(http.MethodPut, "/bucket/key", "x")); reply.StatusCode != http.StatusOK {
		t.Fatalf("status %d: %s", reply.StatusCode, reply.body)
	}
	if got := b.store.only(t).header.Get("Authorization"); !strings.Contains(got, "Credential="+testKey+"/") {
		t.Errorf("signed as %s", got)
	}
	unsigned := newBed(t, anonymousPosture, own)
	r, _ := http.NewRequest(http.MethodGet, unsigned.gateway.URL+"/bucket/key", nil)
	if reply := unsigned.do(r); reply.StatusCode != http.StatusForbidden {
		t.Errorf("an anonymous caller: %d", reply.StatusCode)
	}
	unsigned.store.untouched(t)
}
