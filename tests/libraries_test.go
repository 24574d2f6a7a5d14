package tests

import (
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/sealgate/sealgate/tests/servers"
)

// javascript runs js/client.cjs, which exits with an error where anything it
// reads back is not what it wrote.
func javascript(t *testing.T, c *console) {
	cache, err := servers.CacheDir()
	if err != nil {
		t.Fatal(err)
	}
	modules := filepath.Join(cache, "js", "node_modules")
	if _, err := os.Stat(filepath.Join(modules, "@aws-sdk", "client-s3")); err != nil {
		t.Fatalf("@aws-sdk/client-s3 is not in %s: run `make clients`", modules)
	}
	c.env = append(c.env, "NODE_PATH="+modules)
	c.library("@aws-sdk/client-s3", script(t, "js", "client.cjs"))
}

// boto3 runs python/client.py where a boto3 is installed that computes checksums
// as today's do. Debian has none, so it is the one client that may be absent.
func boto3(t *testing.T, c *console) {
	out, err := c.try(nil, "-c", "import boto3; print(boto3.__version__)")
	number := versionNumber.FindString(out)
	if err != nil || !atLeast(number, 1, 36) {
		found := "none is installed"
		if err == nil {
			found = "found " + number
		}
		took.note("boto3", fmt.Sprintf("was not run: it needs 1.36 or newer, %s", found))
		return
	}
	c.library("boto3", script(t, "python", "client.py"))
}

// library runs a script that ends by printing its library's version.
func (c *console) library(name, path string) {
	c.t.Helper()
	out := strings.TrimSpace(c.run(path))
	took.note(name, out[strings.LastIndex(out, "\n")+1:]) // warnings may come before
}

func script(t *testing.T, parts ...string) string {
	t.Helper()
	path, err := filepath.Abs(filepath.Join(parts...))
	if err != nil {
		t.Fatal(err)
	}
	return path
}

func atLeast(version string, major, minor int) bool {
	parts := strings.Split(version, ".")
	if len(parts) < 2 {
		return false
	}
	a, errA := strconv.Atoi(parts[0])
	b, errB := strconv.Atoi(parts[1])
	return errA == nil && errB == nil && (a > major || a == major && b >= minor)
}

// fetch gets a URL, which must succeed.
func fetch(t *testing.T, url string) []byte {
	t.Helper()
	transport := authority(t).Transport()
	defer transport.CloseIdleConnections()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := (&http.Client{Transport: transport}).Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode != http.StatusOK {
		t.Fatalf("GET %s: %s, %v\n%s", url, resp.Status, err, body)
	}
	return body
}
