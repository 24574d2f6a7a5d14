package tests

import (
	"fmt"
	"io"
	"maps"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"testing"
	"text/tabwriter"
)

// took collects which clients and servers took part in a run, so that its end
// says what was really tested, and what was not.
var took = &participants{}

type participants struct {
	mu   sync.Mutex
	seen map[string]string // name -> version
}

// note adds a participant; version may say in words why one did not run.
func (p *participants) note(name, version string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.seen == nil {
		p.seen = make(map[string]string)
	}
	p.seen[name] = version
}

func (p *participants) print(w io.Writer) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.seen) == 0 {
		return
	}
	fmt.Fprintln(w, "Clients and servers of this run:")
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	for _, name := range slices.Sorted(maps.Keys(p.seen)) {
		fmt.Fprintf(table, "  %s\t%s\n", name, p.seen[name])
	}
	_ = table.Flush()
}

// module notes a Go module as a participant, with the version of go.mod.
func (p *participants) module(t *testing.T, path string) {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), "go", "list", "-m", "-f", "{{.Version}}", path).Output()
	if err != nil {
		t.Fatalf("version of %s: %v", path, err)
	}
	p.note(path, strings.TrimSpace(string(out)))
}
