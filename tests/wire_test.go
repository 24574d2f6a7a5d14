package tests

import (
	"bufio"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
)

// wire is a bare connection, for what client libraries hide.
type wire struct {
	t    *testing.T
	conn net.Conn
	in   *bufio.Reader
}

func dial(t *testing.T, endpoint string) *wire {
	t.Helper()
	conn, err := (&net.Dialer{}).DialContext(t.Context(), "tcp", strings.TrimPrefix(endpoint, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	if err := conn.SetDeadline(time.Now().Add(30 * time.Second)); err != nil {
		t.Fatal(err)
	}
	return &wire{t: t, conn: conn, in: bufio.NewReader(conn)}
}

// ask sends the head of a signed request, and not its body.
func (w *wire) ask(req *http.Request, header map[string]string) {
	w.t.Helper()
	var b strings.Builder
	b.WriteString(req.Method + " " + req.URL.RequestURI() + " HTTP/1.1\r\nHost: " + req.URL.Host + "\r\n")
	for name, values := range req.Header {
		b.WriteString(name + ": " + values[0] + "\r\n")
	}
	for name, v := range header {
		b.WriteString(name + ": " + v + "\r\n")
	}
	if _, err := w.conn.Write([]byte(b.String() + "\r\n")); err != nil {
		w.t.Fatal(err)
	}
}

// head reads a reply up to its empty line, byte for byte.
func (w *wire) head() []string {
	w.t.Helper()
	var lines []string
	for {
		line, err := w.in.ReadString('\n')
		if err != nil {
			w.t.Fatalf("after %q: %v", lines, err)
		}
		if line = strings.TrimSuffix(line, "\r\n"); line == "" {
			return lines
		}
		lines = append(lines, line)
	}
}

func signed(t *testing.T, c *session, method, key string, length int64) *http.Request {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, c.place.endpoint+"/"+c.bucket+"/"+key, http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	req.ContentLength = length
	req.Header.Set("X-Amz-Content-Sha256", "UNSIGNED-PAYLOAD")
	sign(t, req, c.place, "UNSIGNED-PAYLOAD")
	return req
}

// TestMetadataNames: S3 shows the names of user metadata in lower case, and
// libraries that keep what they see hand them on like that.
func TestMetadataNames(t *testing.T) {
	t.Parallel()
	for name, start := range stores {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			gateway, _ := start(t)
			c := newSession(t, throughPlain(gateway), "none", nil)
			c.create(t)
			_, err := c.aws.PutObject(c.ctx, &s3.PutObjectInput{
				Bucket: &c.bucket, Key: aws.String("k"), Body: strings.NewReader("x"), Metadata: map[string]string{"file_name": "1", "v1.0-b": "2"},
			})
			c.ok(t, err)
			w := dial(t, gateway.PlainEndpoint)
			w.ask(signed(t, c, http.MethodHead, "k", 0), nil)
			head := strings.Join(w.head(), "\n")
			for _, want := range []string{"\nx-amz-meta-file_name: 1", "\nx-amz-meta-v1.0-b: 2"} {
				if !strings.Contains(head, want) {
					t.Errorf("the reply has no line %q:\n%s", want[1:], head)
				}
			}
		})
	}
}

// TestExpectContinue: what becomes of a request whose client waits to be told
// to send the body.
func TestExpectContinue(t *testing.T) {
	t.Parallel()
	gateway, _ := versityGateway(t)
	c := newSession(t, throughPlain(gateway), "none", nil)
	c.create(t)
	expect := func(length string) map[string]string {
		return map[string]string{"Expect": "100-continue", "Content-Length": length}
	}
	t.Run("allowed", func(t *testing.T) {
		t.Parallel()
		w := dial(t, gateway.PlainEndpoint)
		w.ask(signed(t, c, http.MethodPut, "k", 5), expect("5"))
		if head := w.head(); head[0] != "HTTP/1.1 100 Continue" {
			t.Fatalf("first came %q", head)
		}
		if _, err := w.conn.Write([]byte("hello")); err != nil {
			t.Fatal(err)
		}
		if head := w.head(); head[0] != "HTTP/1.1 200 OK" {
			t.Errorf("then came %q", head)
		}
	})
	t.Run("denied before the body", func(t *testing.T) {
		t.Parallel()
		stranger := newSession(t, place{"", gateway.PlainEndpoint, strangerKey, strangerSecret}, "none", nil)
		w := dial(t, gateway.PlainEndpoint)
		w.ask(signed(t, stranger, http.MethodPut, "k", 5), expect("5"))
		if head := w.head(); head[0] != "HTTP/1.1 403 Forbidden" {
			t.Errorf("first came %q", head)
		}
	})
	// botocore takes a reply that comes without "100 Continue" for the first of
	// all later replies on that connection, and hangs: a body that is empty has
	// to be asked for too, or the connection closed.
	t.Run("empty body", func(t *testing.T) {
		t.Parallel()
		w := dial(t, gateway.PlainEndpoint)
		w.ask(signed(t, c, http.MethodPut, "empty", 0), expect("0"))
		head := w.head()
		if head[0] != "HTTP/1.1 100 Continue" && !strings.Contains(strings.Join(head, "\n"), "\nConnection: close") {
			t.Errorf("without 100 Continue, and without closing, came %q", head)
		}
	})
}
