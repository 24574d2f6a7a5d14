package tests

import (
	"bytes"
	"crypto/md5"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"net/http"
	"strconv"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"github.com/sealgate/sealgate/tests/servers"
)

// eachStore runs a test before MinIO, which drops a request that breaks off as
// S3 does, and before versitygw, which keeps what came before an orderly end of
// the connection.
func eachStore(t *testing.T, test func(t *testing.T, gateway *servers.RunningGateway)) {
	t.Parallel()
	for name, start := range map[string]func(testing.TB) (*servers.RunningGateway, *servers.Store){"minio": minioGateway, "versitygw": versityGateway} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			gateway, _ := start(t)
			test(t, gateway)
		})
	}
}

// TestBadBodies: a body that is not what its sender promised never becomes an
// object, and never replaces one, however large it is.
func TestBadBodies(t *testing.T) { eachStore(t, badBodies) }

func badBodies(t *testing.T, gateway *servers.RunningGateway) {
	for _, size := range []int{100, 65536, 65537, 1_000_000} {
		good := content(size, 61)
		bad := bytes.Clone(good)
		bad[size-1] ^= 1
		for _, tc := range []struct {
			name, code, hash string
			body             []byte
			header           map[string]string
		}{
			{name: "hash", code: "XAmzContentSHA256Mismatch", hash: fmt.Sprintf("%064x", 1), body: good},
			{name: "MD5", code: "BadDigest", hash: "UNSIGNED-PAYLOAD", body: bad, header: map[string]string{"Content-Md5": md5Of(good)}},
			{name: "CRC32 header", code: "BadDigest", hash: "UNSIGNED-PAYLOAD", body: bad, header: map[string]string{"X-Amz-Checksum-Crc32": crc32Of(good)}},
			{name: "CRC32 trailer", code: "BadDigest", hash: "STREAMING-UNSIGNED-PAYLOAD-TRAILER", body: trailed(bad, crc32Of(good)), header: map[string]string{
				"X-Amz-Trailer": "x-amz-checksum-crc32", "X-Amz-Decoded-Content-Length": strconv.Itoa(size), "Content-Encoding": "aws-chunked",
			}},
			{name: "decoded length", hash: "STREAMING-UNSIGNED-PAYLOAD-TRAILER", body: trailed(good, crc32Of(good)), header: map[string]string{
				"X-Amz-Trailer": "x-amz-checksum-crc32", "X-Amz-Decoded-Content-Length": strconv.Itoa(size + 1), "Content-Encoding": "aws-chunked",
			}},
			{name: "no trailer", hash: "STREAMING-UNSIGNED-PAYLOAD-TRAILER", body: fmt.Appendf(nil, "%x\r\n%s\r\n0\r\n\r\n", size, good), header: map[string]string{
				"X-Amz-Trailer": "x-amz-checksum-crc32", "X-Amz-Decoded-Content-Length": strconv.Itoa(size), "Content-Encoding": "aws-chunked",
			}},
		} {
			t.Run(fmt.Sprint(tc.name, " of ", size), func(t *testing.T) {
				t.Parallel()
				c := newSession(t, through(gateway), "none", nil)
				c.create(t)
				c.put(t, "there before", []byte("the old body"))
				for _, key := range []string{"new", "there before"} {
					req, err := http.NewRequestWithContext(c.ctx, http.MethodPut, c.place.endpoint+"/"+c.bucket+"/"+key, bytes.NewReader(tc.body))
					if err != nil {
						t.Fatal(err)
					}
					req.URL.Path, req.URL.RawPath = "/"+c.bucket+"/"+key, ""
					for name, v := range tc.header {
						req.Header.Set(name, v)
					}
					status, err := c.send(t, req, tc.hash)
					if err != nil {
						t.Fatal(err)
					}
					if code := c.lastCode(statusError(status, nil)); status != http.StatusBadRequest || tc.code != "" && code != tc.code {
						t.Errorf("%s: %d %s, want 400 %s", key, status, code, tc.code)
					}
				}
				_, err := c.aws.HeadObject(c.ctx, &s3.HeadObjectInput{Bucket: &c.bucket, Key: aws.String("new")})
				c.refused(t, err)
				c.holds(t, "there before", []byte("the old body"))
			})
		}
	}
}

// TestBrokenOff: what a client did not finish to send is not an object either.
func TestBrokenOff(t *testing.T) { eachStore(t, brokenOff) }

func brokenOff(t *testing.T, gateway *servers.RunningGateway) {
	c := newSession(t, through(gateway), "none", nil)
	c.create(t)
	c.put(t, "there before", []byte("the old body"))
	gone := errors.New("the client went away")
	for _, size := range []int64{1000, 2 << 20} {
		for _, key := range []string{"new", "there%20before"} {
			half := io.MultiReader(bytes.NewReader(content(int(size/2), 62)), failing{gone})
			req, err := http.NewRequestWithContext(c.ctx, http.MethodPut, c.place.endpoint+"/"+c.bucket+"/"+key, half)
			if err != nil {
				t.Fatal(err)
			}
			req.ContentLength = size
			if status, err := c.send(t, req, "UNSIGNED-PAYLOAD"); !errors.Is(err, gone) {
				t.Errorf("half a body was answered: %d, %v", status, err)
			}
		}
	}
	_, err := c.aws.HeadObject(c.ctx, &s3.HeadObjectInput{Bucket: &c.bucket, Key: aws.String("new")})
	c.refused(t, err)
	c.holds(t, "there before", []byte("the old body"))
}

type failing struct{ err error }

func (f failing) Read([]byte) (int, error) { return 0, f.err }

func md5Of(body []byte) string {
	sum := md5.Sum(body)
	return base64.StdEncoding.EncodeToString(sum[:])
}

func crc32Of(body []byte) string {
	return base64.StdEncoding.EncodeToString(binary.BigEndian.AppendUint32(nil, crc32.ChecksumIEEE(body)))
}

// trailed frames a body as aws-chunked, in one chunk, with a checksum after it.
func trailed(body []byte, checksum string) []byte {
	return fmt.Appendf(nil, "%x\r\n%s\r\n0\r\nx-amz-checksum-crc32:%s\r\n\r\n", len(body), body, checksum)
}
