package main

import (
	"bufio"
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/smithy-go"

	"github.com/sealgate/sealgate/policy/starter"
)

// ownRule is the rule on the page for authors, which has its readers run it here.
var ownRule = regexp.MustCompile("(?s)`policy/rules/naming.rego`[^\n]*\n\n```rego\n(.*?)```")

// site writes the set that a new site begins with, and the rule of that page.
func site(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	files, err := starter.Files(starter.Default)
	if err != nil {
		t.Fatal(err)
	}
	page, err := os.ReadFile("../../policy/AUTHORS.md")
	if err != nil {
		t.Fatal(err)
	}
	rule := ownRule.FindSubmatch(page)
	if rule == nil || !bytes.Contains(page, []byte("go run ./cmd/quickstart -policy site/policy -posture site/posture.yaml\n")) {
		t.Fatal("the page for authors has no rule or does not run it")
	}
	files["policy/rules/naming.rego"] = rule[1]
	for name, text := range files {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o750); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, text, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// TestOwnPolicy: what policy init writes, with a rule added, runs as it is.
func TestOwnPolicy(t *testing.T) {
	t.Parallel()
	dir, tmp := site(t), t.TempDir()
	cmd := program(t, tmp, "-policy", filepath.Join(dir, "policy"), "-posture", filepath.Join(dir, "posture.yaml"))
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	var errs bytes.Buffer
	cmd.Stderr = &errs
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	said := map[string]string{}
	var all strings.Builder
	for lines := bufio.NewScanner(out); lines.Scan(); {
		all.WriteString(lines.Text() + "\n")
		words := strings.Fields(lines.Text())
		if len(words) == 2 {
			if name, value, ok := strings.Cut(words[1], "="); ok && words[0] == "export" {
				said[name] = value
			}
			said[words[0]] = words[1]
		}
		if strings.Contains(lines.Text(), "Ctrl-C") {
			break
		}
	}
	client := s3.New(s3.Options{
		BaseEndpoint: aws.String(said["gateway"]), Region: defaultRegion, UsePathStyle: true,
		Credentials: credentials.NewStaticCredentialsProvider(said["AWS_ACCESS_KEY_ID"], said["AWS_SECRET_ACCESS_KEY"], ""),
	})
	put := func(key string) error {
		_, err := client.PutObject(t.Context(), &s3.PutObjectInput{Bucket: aws.String(defaultBucket), Key: &key, Body: bytes.NewReader(content)})
		return err
	}
	if err := put("a.txt"); err != nil {
		t.Errorf("an upload that nothing is against: %v\n%s%s", err, &all, &errs)
	}
	for key, rule := range map[string]string{"a b.txt": "NAM-001", "reports/a.txt": "RPT-001"} {
		var refused smithy.APIError
		if err := put(key); !errors.As(err, &refused) || refused.ErrorCode() != "AccessDenied" || !strings.Contains(refused.ErrorMessage(), rule) {
			t.Errorf("%s: got %v, want %s", key, err, rule)
		}
	}
	if err := cmd.Process.Signal(syscall.SIGINT); err != nil {
		t.Fatal(err)
	}
	if err := cmd.Wait(); err != nil {
		t.Errorf("%v\n%s%s", err, &all, &errs)
	}
	if left := entries(t, tmp); len(left) > 0 {
		t.Errorf("left in the temporary folder: %q", left)
	}
	if _, err := os.Stat(filepath.Join(dir, "posture.yaml")); err != nil {
		t.Errorf("the posture was removed: %v", err)
	}
}

func TestOwnPolicyCheck(t *testing.T) {
	t.Parallel()
	dir, kept := site(t), t.TempDir()
	args := []string{"-check", "-dir", kept, "-policy", filepath.Join(dir, "policy"), "-posture", filepath.Join(dir, "posture.yaml")}
	for range 2 { // the second time in a folder that has everything
		if stdout, stderr, status := check(t, t.TempDir(), args...); status != exitOK || !strings.Contains(stdout, "have started with this policy") {
			t.Fatalf("status %d\n%s%s", status, stdout, stderr)
		}
	}
	other := site(t)
	_, stderr, status := check(t, t.TempDir(), append(args, "-posture", filepath.Join(other, "posture.yaml"))...)
	if status != exitFailed || !strings.Contains(stderr, "another -dir") {
		t.Errorf("another posture in the same folder: status %d, %s", status, stderr)
	}
	if err := os.WriteFile(filepath.Join(dir, "policy", "broken.rego"), []byte("package site.rules.broken\n\ndeny := 1\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, stderr, status := check(t, t.TempDir(), args...); status != exitFailed || !strings.Contains(stderr, "broken.rego") {
		t.Errorf("a rule that does not load: status %d, %s", status, stderr)
	}
}
