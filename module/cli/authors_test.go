package cli_test

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"
)

// block is a fenced block of the page for authors: a language and text. A file's name
// stands in the paragraph before it.
var block = regexp.MustCompile("(?s)(?:`(policy/rules/[a-z_]+\\.rego)`[^\n]*\n\n)?```([a-z-]+)\n(.*?)```")

// TestAuthorsPage follows the page: it writes its files and runs its commands, in order.
func TestAuthorsPage(t *testing.T) {
	t.Parallel()
	page, err := os.ReadFile("../../policy/AUTHORS.md")
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	files, commands := 0, 0
	for _, b := range block.FindAllStringSubmatch(string(page), -1) {
		name, language, text := b[1], b[2], b[3]
		switch language {
		case "rego":
			if name == "" {
				t.Errorf("a file without a name:\n%s", text)
				continue
			}
			if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
			files++
		case "sh", "sh-denied":
			want := 0
			if language == "sh-denied" {
				want = 1
			}
			if out, status := shell(t, dir, text); status != want || want == 1 && !strings.Contains(out, "NAM-001") {
				t.Fatalf("status %d, want %d:\n%s%s", status, want, text, out)
			}
			commands++
			if strings.Contains(text, "cd site") {
				dir = filepath.Join(dir, "site")
			}
		case "console": // in the demonstration, which has a test of its own
		default:
			t.Errorf("block of an unknown kind: %s", language)
		}
	}
	if files < 2 || commands < 6 {
		t.Errorf("%d files and %d blocks of commands", files, commands)
	}
}

// shell runs commands as somebody would who follows the page.
func shell(t *testing.T, dir, commands string) (out string, status int) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, "sh", "-e", "-c", commands)
	cmd.Dir = dir
	text, err := cmd.CombinedOutput()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	return string(text), cmd.ProcessState.ExitCode()
}
