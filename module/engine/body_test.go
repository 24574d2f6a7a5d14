package engine

import (
	"bytes"
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"
)

// trailed frames data as STREAMING-UNSIGNED-PAYLOAD-TRAILER with the CRC32 given.
func trailed(data []byte, sum string) string {
	var b strings.Builder
	for len(data) > 0 {
		n := min(len(data), 64<<10)
		fmt.Fprintf(&b, "%x\r\n%s\r\n", n, data[:n])
		data = data[n:]
	}
	fmt.Fprintf(&b, "0\r\nx-amz-checksum-crc32:%s\r\n\r\n", sum)
	return b.String()
}

func crc(data []byte) string {
	return base64.StdEncoding.EncodeToString(binary.BigEndian.AppendUint32(nil, crc32.ChecksumIEEE(data)))
}

func (b *bed) trailerRequest(data []byte, sum string, header ...string) *http.Request {
	return b.framedRequest(data, trailed(data, sum), header...)
}

func (b *bed) framedRequest(data []byte, body string, header ...string) *http.Request {
	header = append(header,
		"X-Amz-Content-Sha256: STREAMING-UNSIGNED-PAYLOAD-TRAILER", "X-Amz-Trailer: x-amz-checksum-crc32",
		fmt.Sprintf("X-Amz-Decoded-Content-Length: %d", len(data)), "Content-Encoding: aws-chunked")
	return b.request(http.MethodPut, "/bucket/key", body, header...)
}

// A body that fails its check never becomes an object, however late it fails.
func TestBadBodyNeverReachesTheStoreWhole(t *testing.T) {
	t.Parallel()
	for _, size := range []int{1, 64 << 10, 64<<10 + 1, 1 << 20} {
		data := bytes.Repeat([]byte("z"), size)
		tests := []struct {
			name    string
			request func(b *bed) *http.Request
			code    string
		}{
			{"hash", func(b *bed) *http.Request {
				return b.request(http.MethodPut, "/bucket/key", string(data), "X-Amz-Content-Sha256: e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855")
			}, "XAmzContentSHA256Mismatch"},
			{"MD5", func(b *bed) *http.Request {
				return b.request(http.MethodPut, "/bucket/key", string(data), "X-Amz-Content-Sha256: UNSIGNED-PAYLOAD", "Content-Md5: 1B2M2Y8AsgTpgAmY7PhCfg==")
			}, "BadDigest"},
			{"checksum header", func(b *bed) *http.Request {
				return b.request(http.MethodPut, "/bucket/key", string(data), "X-Amz-Content-Sha256: UNSIGNED-PAYLOAD", "X-Amz-Checksum-Crc32: AAAAAA==")
			}, "BadDigest"},
			{"trailer", func(b *bed) *http.Request { return b.trailerRequest(data, "AAAAAA==") }, "BadDigest"},
			{"trailer missing", func(b *bed) *http.Request {
				body := trailed(data, "")
				return b.framedRequest(data, body[:strings.LastIndex(body, "x-amz-checksum")]+"\r\n")
			}, "MalformedTrailerError"},
		}
		for _, tt := range tests {
			t.Run(fmt.Sprintf("%s of %d bytes", tt.name, size), func(t *testing.T) {
				t.Parallel()
				b := newBed(t, openPosture("mode: sse-s3"))
				reply := b.do(tt.request(b))
				if e := reply.err(t); e.Code != tt.code {
					t.Errorf("got %d %s (%s), want %s", reply.StatusCode, e.Code, e.Message, tt.code)
				}
				for _, got := range b.store.seen() {
					if got.complete {
						t.Errorf("the store got a whole body of %d bytes", len(got.body))
					}
				}
			})
		}
	}
}

func TestTrailerChecksumGoesUpWithTheObject(t *testing.T) {
	t.Parallel()
	for _, size := range []int{0, 1, 64 << 10, 64<<10 + 1, 3 << 20} {
		t.Run(fmt.Sprint(size), func(t *testing.T) {
			t.Parallel()
			data := bytes.Repeat([]byte("0123456789abcdef"), size/16+1)[:size]
			b := newBed(t, openPosture("mode: sse-s3"))
			reply := b.do(b.trailerRequest(data, crc(data), "Content-Encoding: gzip"))
			if reply.StatusCode != http.StatusOK {
				t.Fatalf("status %d: %s", reply.StatusCode, reply.body)
			}
			got := b.store.only(t)
			if size <= 64<<10 {
				if !bytes.Equal(got.body, data) || got.header.Get("X-Amz-Checksum-Crc32") != crc(data) || got.header.Get("Content-Encoding") != "gzip" {
					t.Errorf("small body: %d bytes, checksum %q, encoding %q", len(got.body), got.header.Get("X-Amz-Checksum-Crc32"), got.header.Get("Content-Encoding"))
				}
				return
			}
			if got.header.Get("X-Amz-Content-Sha256") != "STREAMING-UNSIGNED-PAYLOAD-TRAILER" ||
				got.header.Get("X-Amz-Decoded-Content-Length") != fmt.Sprint(size) ||
				got.header.Get("Content-Encoding") != "gzip,aws-chunked" ||
				!strings.HasSuffix(string(got.body), "x-amz-checksum-crc32:"+crc(data)+"\r\n\r\n") {
				t.Errorf("headers %v, body ends %q", got.header, got.body[len(got.body)-60:])
			}
		})
	}
}

// A client that goes away or falls silent in the middle leaves no object.
func TestCutUpload(t *testing.T) {
	t.Parallel()
	b := newBed(t, openPosture("mode: sse-s3"))
	r := b.request(http.MethodPut, "/bucket/key", strings.Repeat("x", 1<<20), "X-Amz-Content-Sha256: UNSIGNED-PAYLOAD")
	var head bytes.Buffer
	fmt.Fprintf(&head, "PUT /bucket/key HTTP/1.1\r\nHost: %s\r\nContent-Length: %d\r\n", r.URL.Host, 1<<20)
	_ = r.Header.Write(&head)
	head.WriteString("\r\n" + strings.Repeat("x", 300<<10))
	conn, err := net.Dial("tcp", r.URL.Host)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := conn.Write(head.Bytes()); err != nil {
		t.Fatal(err)
	}
	_ = conn.(*net.TCPConn).CloseWrite()
	_ = conn.SetReadDeadline(time.Now().Add(10 * time.Second))
	reply, _ := io.ReadAll(conn)
	_ = conn.Close()
	if len(reply) > 0 && !bytes.Contains(reply, []byte("IncompleteBody")) {
		t.Errorf("the client was told %q", reply)
	}
	rec := b.lastRecord()
	if rec.Outcome == OutcomeOK {
		t.Errorf("outcome %q", rec.Outcome)
	}
	for _, got := range b.store.seen() {
		if got.complete {
			t.Error("the store got a whole body")
		}
	}
}

// A store that stops answering in the middle of a reply must not look like a
// clean end to the client.
func TestCutReply(t *testing.T) {
	t.Parallel()
	for _, length := range []string{"1000000", ""} {
		b := newBed(t, openPosture("mode: sse-s3"))
		b.store.setReply(func(w http.ResponseWriter, _ *http.Request, _ []byte) {
			if length != "" {
				w.Header().Set("Content-Length", length)
			}
			_, _ = w.Write(bytes.Repeat([]byte("y"), 100<<10))
			_ = http.NewResponseController(w).Flush()
			panic(http.ErrAbortHandler)
		})
		resp, err := http.DefaultTransport.RoundTrip(b.request(http.MethodGet, "/bucket/key", ""))
		if err != nil {
			t.Fatal(err)
		}
		data, err := io.ReadAll(resp.Body)
		_ = resp.Body.Close()
		if err == nil {
			t.Errorf("length %q: a cut reply of %d bytes ended cleanly", length, len(data))
		}
		if rec := b.lastRecord(); rec.Outcome != OutcomeAborted {
			t.Errorf("length %q: outcome %q, want aborted", length, rec.Outcome)
		}
	}
}
