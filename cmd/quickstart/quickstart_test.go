package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/s3"
)

// envProgram makes the test binary act as the quickstart, so that tests run the
// real program without building it a second time.
const envProgram = "QUICKSTART_TEST_PROGRAM"

func TestMain(m *testing.M) {
	if os.Getenv(envProgram) != "" {
		main()
	}
	os.Exit(m.Run())
}

// limit is how long anything in these tests may take on a busy machine.
const limit = 3 * time.Minute

// program is the quickstart, not started yet. Its temporary folder is tmp.
func program(t *testing.T, tmp string, args ...string) *exec.Cmd {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), limit)
	t.Cleanup(cancel)
	if address, err := freeAddress(); err != nil {
		t.Fatal(err)
	} else if !slices.Contains(args, "-listen") {
		args = append([]string{"-listen", address}, args...)
	}
	cmd := exec.CommandContext(ctx, os.Args[0], args...)
	cmd.Env = append(os.Environ(), envProgram+"=1", "TMPDIR="+tmp, "AWS_REGION=", "AWS_DEFAULT_REGION=")
	return cmd
}

// check runs the quickstart to its end and returns what it printed and its status.
func check(t *testing.T, tmp string, args ...string) (stdout, stderr string, status int) {
	t.Helper()
	cmd := program(t, tmp, args...)
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	err := cmd.Run()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	return out.String(), errs.String(), cmd.ProcessState.ExitCode()
}

func entries(t *testing.T, dir string) []string {
	t.Helper()
	list, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, e := range list {
		names = append(names, e.Name())
	}
	return names
}

func TestCheck(t *testing.T) {
	t.Parallel()
	tmp := t.TempDir()
	stdout, stderr, status := check(t, tmp, "-check")
	if status != exitOK {
		t.Fatalf("status %d\n%s%s", status, stdout, stderr)
	}
	for _, want := range []string{
		"client asked     nothing",
		"policy decided   cse, main",
		"size              119 bytes",
		"first bytes       89 53 47 54 ",
		"plaintext in it   no",
		"wrapped by local/",
		"the bytes that were sent",
		"size in listing   27 bytes",
		"KEY-001",
		"PEM-001",
		"403 AccessDenied",
		"facts hold.",
	} {
		if !strings.Contains(stdout, want) {
			t.Errorf("the output lacks %q", want)
		}
	}
	if strings.Contains(stdout, "\x1b") {
		t.Error("colours in output that is no terminal's")
	}
	if left := entries(t, tmp); len(left) > 0 {
		t.Errorf("left in the temporary folder: %q", left)
	}
	if t.Failed() {
		t.Log(stdout, stderr)
	}
}

func TestKeptFolder(t *testing.T) {
	t.Parallel()
	tmp, dir := t.TempDir(), filepath.Join(t.TempDir(), "kept")
	if stdout, stderr, status := check(t, tmp, "-check", "-dir", dir); status != exitOK {
		t.Fatalf("status %d\n%s%s", status, stdout, stderr)
	}
	secrets := func() (all []byte) {
		for _, name := range []string{clientsName, keyringName} {
			text, err := os.ReadFile(filepath.Join(dir, name))
			if err != nil {
				t.Fatal(err)
			}
			all = append(all, text...)
		}
		return all
	}
	before := secrets()
	for _, name := range []string{caddyfileName, postureName, policyName, recordsName, storeName} {
		if _, err := os.Stat(filepath.Join(dir, name)); err != nil {
			t.Error(err)
		}
	}

	t.Run("is used again", func(t *testing.T) {
		if stdout, stderr, status := check(t, tmp, "-check", "-dir", dir); status != exitOK {
			t.Fatalf("status %d\n%s%s", status, stdout, stderr)
		}
		if !bytes.Equal(before, secrets()) {
			t.Error("clients or keys have changed")
		}
	})
	t.Run("what a reader changed counts", func(t *testing.T) {
		path := filepath.Join(dir, postureName)
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		changed := bytes.Replace(text, []byte(`"": {mode: cse}`), []byte(`"": {mode: none}`), 1)
		if bytes.Equal(text, changed) {
			t.Fatal("nothing to change in posture.yaml")
		}
		if err := os.WriteFile(path, changed, 0o600); err != nil {
			t.Fatal(err)
		}
		stdout, stderr, status := check(t, tmp, "-check", "-dir", dir)
		if status != exitFailed || !strings.Contains(stdout, "expected: cse, main") || !strings.Contains(stdout, "no envelope") || !strings.Contains(stderr, "not as expected") {
			t.Errorf("status %d\n%s%s", status, stdout, stderr)
		}
	})
}

// The key pair of a store that is somebody else's.
const storeKey, storeSecret = "AKIDSTORE", "a-secret-of-the-store"

// startForeign runs the embedded store as if it were somebody else's. It returns its
// URL and the folder with its buckets.
func startForeign(t *testing.T) (*url.URL, string) {
	t.Helper()
	dir := t.TempDir()
	address, err := freeAddress()
	if err != nil {
		t.Fatal(err)
	}
	store, err := startChild(t.Context(), childSpec{
		name: "serve-store", dir: dir, log: filepath.Join(dir, "store.log"), env: []string{
			envProgram + "=1", envStoreListen + "=" + address, envStoreDir + "=" + dir,
			envStoreAccessKey + "=" + storeKey, envStoreSecretKey + "=" + storeSecret,
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(store.stop)
	return &url.URL{Scheme: "http", Host: address}, filepath.Join(dir, "objects")
}

// A store of somebody else's must confirm the encryption, and is left as it was.
func TestForeignStore(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name     string
		confirms string
		status   int
		want     string
	}{
		{"that confirms", "AES256", exitOK, "store confirmed   sse-s3"},
		{"that says nothing", "", exitFailed, "502 BadGateway"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			behind, buckets := startForeign(t)
			store := httptest.NewServer(&httputil.ReverseProxy{
				Rewrite: func(r *httputil.ProxyRequest) {
					r.SetURL(behind)
					r.Out.Host = r.In.Host // it is signed
				},
				ModifyResponse: func(r *http.Response) error {
					if tc.confirms != "" && r.Request.Method == http.MethodPut {
						r.Header.Set("X-Amz-Server-Side-Encryption", tc.confirms)
					}
					return nil
				},
			})
			t.Cleanup(store.Close)

			cmd := program(t, t.TempDir(), "-check", "-store", store.URL)
			cmd.Env = append(cmd.Env, "AWS_ACCESS_KEY_ID="+storeKey, "AWS_SECRET_ACCESS_KEY="+storeSecret)
			out, err := cmd.CombinedOutput()
			if cmd.ProcessState.ExitCode() != tc.status || !strings.Contains(string(out), tc.want) {
				t.Errorf("%v; want status %d and %q in\n%s", err, tc.status, tc.want, out)
			}
			if left := entries(t, buckets); slices.Contains(left, defaultBucket) {
				t.Errorf("left in the store: %q", left)
			}
		})
	}
}

// running is a quickstart that waits for Ctrl-C.
type running struct {
	*exec.Cmd
	output string // until it began to wait

	endpoint, store, accessKey, secretKey string
}

// start runs the quickstart until it waits for Ctrl-C.
func start(t *testing.T, tmp string) *running {
	t.Helper()
	r := &running{Cmd: program(t, tmp)}
	r.Stderr = os.Stderr
	stdout, err := r.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := r.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = r.Process.Kill() })
	var text strings.Builder
	lines := bufio.NewScanner(stdout)
	for lines.Scan() {
		text.WriteString(lines.Text() + "\n")
		if strings.Contains(lines.Text(), "Ctrl-C") {
			break
		}
	}
	r.output = text.String()
	go func() { _, _ = io.Copy(io.Discard, stdout) }() // ends with the program
	for pattern, into := range map[string]*string{
		`(?m)^ +gateway +http://(\S+)`: &r.endpoint,
		`(?m)^ +store +http://(\S+)`:   &r.store,
		`AWS_ACCESS_KEY_ID=(\S+)`:      &r.accessKey,
		`AWS_SECRET_ACCESS_KEY=(\S+)`:  &r.secretKey,
	} {
		m := regexp.MustCompile(pattern).FindStringSubmatch(r.output)
		if m == nil {
			t.Fatalf("no %s in\n%s", pattern, r.output)
		}
		*into = m[1]
	}
	return r
}

// untilClosed opens a connection and returns a function that waits for its other
// end to go.
func untilClosed(t *testing.T, address string) func() {
	t.Helper()
	conn, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	return func() {
		t.Helper()
		if err := conn.SetReadDeadline(time.Now().Add(limit)); err != nil {
			t.Fatal(err)
		}
		if _, err := conn.Read(make([]byte, 1)); errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("%s still holds its connections", address)
		}
	}
}

func TestInterrupt(t *testing.T) {
	t.Parallel()
	tmp := t.TempDir()
	r := start(t, tmp)

	client := s3.New(s3.Options{
		BaseEndpoint: aws.String("http://" + r.endpoint), Region: defaultRegion, UsePathStyle: true,
		Credentials: credentials.NewStaticCredentialsProvider(r.accessKey, r.secretKey, ""),
	})
	_, err := client.PutObject(t.Context(), &s3.PutObjectInput{
		Bucket: aws.String(defaultBucket), Key: aws.String("mine.txt"), Body: strings.NewReader("hello"),
	})
	if err != nil {
		t.Errorf("the printed keys do not work: %v", err)
	}

	_, err = client.PutObject(t.Context(), &s3.PutObjectInput{
		Bucket: aws.String(defaultBucket), Key: aws.String("logs/mine.txt"), Body: strings.NewReader("hello"),
	}, func(o *s3.Options) { o.RetryMaxAttempts = 1 })
	if err == nil || !strings.Contains(err.Error(), "502") {
		t.Errorf("encryption that the embedded store does not do: got %v, want a 502", err)
	}

	gateway, store := untilClosed(t, r.endpoint), untilClosed(t, r.store)
	if err := r.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	gateway()
	store()
	if err := r.Wait(); err != nil {
		t.Errorf("after an interrupt: %v", err)
	}
	if left := entries(t, tmp); len(left) > 0 {
		t.Errorf("left in the temporary folder: %q", left)
	}
}

func TestChildrenEndWithParent(t *testing.T) {
	t.Parallel()
	r := start(t, t.TempDir())
	gateway, store := untilClosed(t, r.endpoint), untilClosed(t, r.store)
	if err := r.Process.Signal(syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	gateway()
	store()
}

func TestUsage(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name   string
		args   []string
		status int
	}{
		{"help", []string{"-h"}, exitOK},
		{"unknown flag", []string{"-nonsense"}, exitUsage},
		{"not loopback", []string{"-listen", "0.0.0.0:9000"}, exitUsage},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			_, stderr, status := check(t, t.TempDir(), tc.args...)
			if status != tc.status || stderr == "" {
				t.Errorf("status %d, want %d; said %q", status, tc.status, stderr)
			}
		})
	}
}
