package sigv4

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	awss3 "github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/minio/minio-go/v7"
	miniocredentials "github.com/minio/minio-go/v7/pkg/credentials"

	"github.com/sealgate/sealgate/module/s3"
)

// decoding is a server that verifies what a client uploads and remembers what
// it made of it.
type decoding struct {
	mu        sync.Mutex
	form      Payload
	payload   []byte
	checksums http.Header
	trailer   string
	err       error
}

func (d *decoding) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.err = d.receive(r); d.err != nil {
		s3.WriteError(w, s3.AsError(d.err), s3.Reply{RequestID: "1", Method: r.Method})
		return
	}
	w.Header().Set("ETag", `"00000000000000000000000000000000"`)
}

func (d *decoding) receive(r *http.Request) error {
	// minio-go names algorithm and type on PutObject, where S3 does not define
	// them; which headers an operation takes is not the subject here.
	known := r.Clone(r.Context())
	known.Header.Del("X-Amz-Checksum-Algorithm")
	known.Header.Del("X-Amz-Checksum-Type")
	req, err := new(s3.Parser).Parse(known)
	if err != nil {
		return err
	}
	req.Wire = r.Header
	claim, err := ParseClaim(req)
	if err != nil {
		return err
	}
	proof := Proof{Claim: claim}
	if claim.Kind != Anonymous {
		if proof, err = NewVerifier(VerifierConfig{}).Verify(req, claim, exampleSecret); err != nil {
			return err
		}
	}
	b, err := proof.Open(req, r.Body)
	if err != nil {
		return err
	}
	defer b.Close()
	d.form, d.trailer = claim.Payload, b.TrailerName()
	if d.payload, err = io.ReadAll(b); err != nil {
		return err
	}
	d.checksums = b.Checksums()
	return nil
}

func (d *decoding) serve(t *testing.T, secure bool) *httptest.Server {
	t.Helper()
	start := httptest.NewServer
	if secure {
		start = httptest.NewTLSServer
	}
	srv := start(d)
	t.Cleanup(srv.Close)
	return srv
}

// check compares what arrived with what was sent.
func (d *decoding) check(t *testing.T, payload []byte, form Payload) {
	t.Helper()
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.err != nil {
		t.Fatal(d.err)
	}
	if d.form != form {
		t.Fatalf("the client used form %v, this test is about %v", d.form, form)
	}
	if !bytes.Equal(d.payload, payload) {
		t.Fatalf("got %d bytes, want the payload of %d", len(d.payload), len(payload))
	}
	if form.Trailer() && (d.trailer == "" || d.checksums.Get(d.trailer) == "") {
		t.Fatalf("trailer %q, checksums %v", d.trailer, d.checksums)
	}
}

var clientSizes = []int{0, 1, 1000, blockSize, blockSize + 1, 1_000_000}

func TestBodyFromAWSSDK(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name   string
		secure bool
		form   Payload
		empty  Payload // with nothing to send
		opts   awss3.PutObjectInput
	}{
		{"https", true, PayloadUnsignedTrailer, PayloadUnsigned, awss3.PutObjectInput{}},
		{"https CRC64NVME", true, PayloadUnsignedTrailer, PayloadUnsigned, awss3.PutObjectInput{ChecksumAlgorithm: types.ChecksumAlgorithmCrc64nvme}},
		{"https SHA256 gzip", true, PayloadUnsignedTrailer, PayloadUnsigned, awss3.PutObjectInput{ChecksumAlgorithm: types.ChecksumAlgorithmSha256, ContentEncoding: aws.String("gzip")}},
		{"http", false, PayloadHash, PayloadHash, awss3.PutObjectInput{}},
		{"http SHA1", false, PayloadHash, PayloadHash, awss3.PutObjectInput{ChecksumAlgorithm: types.ChecksumAlgorithmSha1}},
	} {
		for _, size := range clientSizes {
			t.Run(fmt.Sprintf("%s/%d", tc.name, size), func(t *testing.T) {
				t.Parallel()
				var d decoding
				srv := d.serve(t, tc.secure)
				client := awss3.New(awss3.Options{
					BaseEndpoint: aws.String(srv.URL),
					UsePathStyle: true,
					Region:       "us-east-1",
					Credentials:  credentials.NewStaticCredentialsProvider("AKIAIOSFODNN7EXAMPLE", exampleSecret, ""),
					HTTPClient:   srv.Client(),
					Retryer:      aws.NopRetryer{},
					// The default of config.LoadDefaultConfig.
					RequestChecksumCalculation: aws.RequestChecksumCalculationWhenSupported,
				})
				payload := randomBytes(size)
				in := tc.opts
				in.Bucket, in.Key, in.Body = aws.String("bucket"), aws.String("a key"), bytes.NewReader(payload)
				if _, err := client.PutObject(context.Background(), &in); err != nil {
					t.Fatal(err)
				}
				form := tc.form
				if size == 0 {
					form = tc.empty
				}
				d.check(t, payload, form)
			})
		}
	}
}

func TestBodyFromMinIOClient(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name    string
		secure  bool
		trailer bool
		form    Payload
		empty   Payload // with nothing to send
		opts    minio.PutObjectOptions
	}{
		{"http", false, false, PayloadSignedChunks, PayloadSignedChunks, minio.PutObjectOptions{SendContentMd5: true}},
		{"http trailer", false, true, PayloadSignedChunksTrailer, PayloadSignedChunks, minio.PutObjectOptions{Checksum: minio.ChecksumCRC32C}},
		{"http SHA256 trailer", false, true, PayloadSignedChunksTrailer, PayloadSignedChunks, minio.PutObjectOptions{Checksum: minio.ChecksumSHA256}},
		{"https", true, false, PayloadUnsigned, PayloadUnsigned, minio.PutObjectOptions{}},
		{"https trailer", true, true, PayloadUnsignedTrailer, PayloadUnsigned, minio.PutObjectOptions{Checksum: minio.ChecksumCRC64NVME}},
	} {
		for _, size := range clientSizes {
			t.Run(fmt.Sprintf("%s/%d", tc.name, size), func(t *testing.T) {
				t.Parallel()
				var d decoding
				srv := d.serve(t, tc.secure)
				client, err := minio.New(srv.Listener.Addr().String(), &minio.Options{
					Creds:           miniocredentials.NewStaticV4("AKIAIOSFODNN7EXAMPLE", exampleSecret, ""),
					Secure:          tc.secure,
					Region:          "us-east-1",
					TrailingHeaders: tc.trailer,
					Transport:       srv.Client().Transport,
					MaxRetries:      1,
				})
				if err != nil {
					t.Fatal(err)
				}
				payload := randomBytes(size)
				// Only a reader that is just a reader makes the client stream.
				body := struct{ io.Reader }{bytes.NewReader(payload)}
				if _, err := client.PutObject(context.Background(), "bucket", "key", body, int64(size), tc.opts); err != nil {
					t.Fatal(err)
				}
				form := tc.form
				if size == 0 {
					form = tc.empty
				}
				d.check(t, payload, form)
			})
		}
	}
}

// boto3 and the JavaScript SDK put aws-chunked into HTTP's own chunks, where
// there is no Content-Length.
func TestBodyInTransferEncodingChunked(t *testing.T) {
	t.Parallel()
	for _, size := range clientSizes {
		var d decoding
		srv := d.serve(t, false)
		u := upload{form: PayloadUnsignedTrailer, payload: randomBytes(size), trailer: "crc32", sizes: []int{8192, blockSize}}
		r, err := http.NewRequest(http.MethodPut, srv.URL+"/bucket/key", struct{ io.Reader }{bytes.NewReader(u.encode().bytes())})
		if err != nil {
			t.Fatal(err)
		}
		r.Header = u.request().Wire
		r.Header.Set("X-Amz-Content-Sha256", StreamingUnsignedTrailer)
		resp, err := srv.Client().Do(r)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		d.check(t, u.payload, PayloadUnsignedTrailer)
	}
}

// A client that goes away, or stops, in the middle of its body.
func TestBodyOfBrokenConnection(t *testing.T) {
	t.Parallel()
	payload := randomBytes(100_000)
	for _, tc := range []struct {
		name    string
		stalled bool // the client keeps the connection, the server runs out of time
		code    string
	}{
		{"closed", false, "IncompleteBody"},
		{"stalled", true, "RequestTimeout"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			var d decoding
			done := make(chan struct{})
			srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				defer close(done)
				if tc.stalled {
					if err := http.NewResponseController(w).SetReadDeadline(time.Now()); err != nil {
						t.Error(err)
					}
				}
				d.ServeHTTP(w, r)
			}))
			defer srv.Close()
			conn, err := net.Dial("tcp", srv.Listener.Addr().String())
			if err != nil {
				t.Fatal(err)
			}
			defer conn.Close()
			fmt.Fprintf(conn, "PUT /bucket/key HTTP/1.1\r\nHost: localhost\r\nContent-Length: %d\r\n\r\n", len(payload))
			if _, err := conn.Write(payload[:len(payload)-1]); err != nil {
				t.Fatal(err)
			}
			if !tc.stalled {
				conn.Close()
			}
			<-done
			wantCode(t, d.err, tc.code)
		})
	}
}

// The error reaches a client as S3 would word it.
func TestBodyErrorReachesClient(t *testing.T) {
	t.Parallel()
	var d decoding
	srv := d.serve(t, true)
	u := upload{form: PayloadUnsignedTrailer, payload: randomBytes(1000), trailer: "crc32"}
	w := u.encode()
	w.tail = "x-amz-checksum-crc32:AAAAAA==\r\n\r\n"
	r, err := http.NewRequest(http.MethodPut, srv.URL+"/bucket/key", bytes.NewReader(w.bytes()))
	if err != nil {
		t.Fatal(err)
	}
	r.Header = u.request().Wire
	r.Header.Set("X-Amz-Content-Sha256", StreamingUnsignedTrailer)
	resp, err := srv.Client().Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, _ := io.ReadAll(resp.Body)
	if resp.StatusCode != http.StatusBadRequest || !strings.Contains(string(body), "<Code>BadDigest</Code>") {
		t.Fatalf("got %s\n%s", resp.Status, body)
	}
}
