package main

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/sealgate/sealgate/module/sigv4"
)

// block is what every body repeats.
var block = func() []byte {
	b := make([]byte, 1<<20)
	_, _ = rand.Read(b) // never fails
	return b
}()

// repeated reads as many bytes of blocks as are left.
type repeated struct{ left, at int64 }

func (r *repeated) Read(p []byte) (int, error) {
	if r.left == 0 {
		return 0, io.EOF
	}
	at := r.at % int64(len(block))
	n := copy(p[:min(int64(len(p)), r.left)], block[at:])
	r.at += int64(n)
	r.left -= int64(n)
	return n, nil
}

// payload is a body of a size in one of S3's payload modes. What a client would
// compute over the body is computed once, so that the load costs little.
type payload struct {
	mode   string
	size   int64
	hash   string // x-amz-content-sha256
	header http.Header
	suffix []byte // what ends aws-chunked framing; nil without
}

// chunkSize is that of aws-chunked bodies; MinIO takes 16 MiB at most.
const chunkSize = 8 << 20

var modes = []string{"UNSIGNED-PAYLOAD", "hex SHA-256", "trailer CRC32"}

func newPayload(mode string, size int64) (*payload, error) {
	p := &payload{mode: mode, size: size, hash: sigv4.UnsignedPayload}
	switch mode {
	case "hex SHA-256":
		sum := sha256.New()
		if _, err := io.Copy(sum, p.plain()); err != nil {
			return nil, err
		}
		p.hash = hex.EncodeToString(sum.Sum(nil))
	case "trailer CRC32":
		sum := crc32.NewIEEE()
		if _, err := io.Copy(sum, p.plain()); err != nil {
			return nil, err
		}
		p.hash = sigv4.StreamingUnsignedTrailer
		p.header = http.Header{
			"X-Amz-Decoded-Content-Length": {strconv.FormatInt(size, 10)},
			"X-Amz-Trailer":                {"x-amz-checksum-crc32"},
			"Content-Encoding":             {"aws-chunked"},
		}
		p.suffix = fmt.Appendf(nil, "0\r\nx-amz-checksum-crc32:%s\r\n\r\n",
			base64.StdEncoding.EncodeToString(binary.BigEndian.AppendUint32(nil, sum.Sum32())))
	}
	return p, nil
}

func (p *payload) plain() io.Reader { return &repeated{left: p.size} }

func (p *payload) length() int64 {
	if p.suffix == nil {
		return p.size
	}
	n := p.size + int64(len(p.suffix))
	for left := p.size; left > 0; left -= chunkSize {
		n += int64(len(fmt.Sprintf("%x\r\n\r\n", min(left, chunkSize))))
	}
	return n
}

func (p *payload) body() io.Reader {
	plain := p.plain()
	if p.suffix == nil {
		return plain
	}
	var parts []io.Reader
	for left := p.size; left > 0; left -= chunkSize {
		n := min(left, chunkSize)
		parts = append(parts, strings.NewReader(fmt.Sprintf("%x\r\n", n)), io.LimitReader(plain, n), strings.NewReader("\r\n"))
	}
	return io.MultiReader(append(parts, bytes.NewReader(p.suffix))...)
}

// errBusy is returned where a server answered 503, which is to be tried again.
var errBusy = errors.New("busy")

const attempts = 5

// retried makes a request, and makes it again where the server is busy.
func (t target) retried(request func() error) error {
	var err error
	for range attempts {
		if err = request(); !errors.Is(err, errBusy) {
			return err
		}
		t.retries.Add(1)
	}
	return err
}

func (t target) put(ctx context.Context, path string, p *payload) error {
	return t.retried(func() error { return t.putOnce(ctx, path, p) })
}

func (t target) get(ctx context.Context, path string, size int64) error {
	return t.retried(func() error { return t.getOnce(ctx, path, size) })
}

func (t target) putOnce(ctx context.Context, path string, p *payload) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodPut, t.endpoint+path, p.body())
	if err != nil {
		return err
	}
	req.ContentLength = p.length()
	for name, values := range p.header {
		req.Header[name] = values
	}
	if req.URL.RawQuery == "" { // a part takes its upload's encryption
		for name, values := range t.header {
			req.Header[name] = values
		}
	}
	return t.do(req, p.hash, nil)
}

// errLength is returned for an object that came back with another size.
var errLength = errors.New("wrong length")

func (t target) getOnce(ctx context.Context, path string, size int64) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, t.endpoint+path, http.NoBody)
	if err != nil {
		return err
	}
	return t.do(req, sigv4.EmptySHA256, func(body io.Reader) error {
		n, err := io.CopyBuffer(struct{ io.Writer }{io.Discard}, struct{ io.Reader }{body}, make([]byte, 64<<10))
		if err == nil && n != size {
			err = fmt.Errorf("%w: %d, want %d", errLength, n, size)
		}
		return err
	})
}

func (t target) createBucket(ctx context.Context) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodPut, t.endpoint+"/"+bucket, http.NoBody)
	if err != nil {
		return err
	}
	return t.do(req, sigv4.EmptySHA256, nil)
}

// do signs and sends a request, wants a success, and hands over the body, which
// read, unless nil, has to consume.
func (t target) do(req *http.Request, hash string, read func(io.Reader) error) error {
	t.signer.Sign(req, hash, time.Now())
	resp, err := t.client.Do(req)
	if err != nil {
		return fmt.Errorf("%s: %w", t.name, err)
	}
	defer resp.Body.Close()
	if resp.StatusCode == http.StatusServiceUnavailable {
		return fmt.Errorf("%s: %s %s: %w", t.name, req.Method, req.URL.Path, errBusy)
	}
	if resp.StatusCode != http.StatusOK && resp.StatusCode != http.StatusPartialContent {
		text, _ := io.ReadAll(io.LimitReader(resp.Body, 1000))
		return fmt.Errorf("%s: %s %s: %s: %s", t.name, req.Method, req.URL.Path, resp.Status, text)
	}
	if read != nil {
		return read(resp.Body)
	}
	_, err = io.Copy(io.Discard, resp.Body)
	return err
}
