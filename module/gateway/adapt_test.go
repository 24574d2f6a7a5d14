package gateway

import (
	"bytes"
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/caddyserver/caddy/v2/caddyconfig"
	_ "github.com/caddyserver/caddy/v2/modules/standard"
)

var update = flag.Bool("update", false, "rewrite the expected part of testdata/adapt")

// separator divides a .caddyfiletest into the Caddyfile and what it adapts to:
// JSON, or a part of the error.
const separator = "----------\n"

func TestAdapt(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob("testdata/adapt/*.caddyfiletest")
	if err != nil || len(files) == 0 {
		t.Fatalf("no test files: %v", err)
	}
	for _, file := range files {
		t.Run(filepath.Base(file), func(t *testing.T) {
			t.Parallel()
			data, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			input, want, ok := strings.Cut(string(data), separator)
			if !ok && !*update {
				t.Fatal("no separator")
			}
			got := adaptOrError(t, input)
			if *update {
				if err := os.WriteFile(file, []byte(input+separator+got+"\n"), 0o644); err != nil {
					t.Fatal(err)
				}
				return
			}
			want = strings.TrimSpace(want)
			if strings.HasPrefix(want, "{") {
				if got != want {
					t.Errorf("got:\n%s\nwant:\n%s", got, want)
				}
			} else if want == "" || !strings.Contains(got, want) {
				t.Errorf("got %q, want an error containing %q", got, want)
			}
		})
	}
}

// adaptOrError gives the indented JSON of a Caddyfile, or the adapter's error.
func adaptOrError(t *testing.T, input string) string {
	t.Helper()
	adapted, _, err := caddyconfig.GetAdapter("caddyfile").Adapt([]byte(input), map[string]any{"filename": "Caddyfile"})
	if err != nil {
		return err.Error()
	}
	var out bytes.Buffer
	if err := json.Indent(&out, adapted, "", "\t"); err != nil {
		t.Fatal(err)
	}
	return out.String()
}
