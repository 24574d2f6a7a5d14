package main

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"testing"
)

func TestFindRecord(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name   string
		text   string
		found  bool
		failed bool
	}{
		{name: "empty"},
		{name: "there", text: `{"id":"A","outcome":"ok"}` + "\n" + `{"id":"B","outcome":"denied"}` + "\n", found: true},
		{name: "of another request that names it", text: `{"id":"A","cause":"B"}` + "\n"},
		{name: "unfinished", text: `{"id":"B","outcome":"den`},
		{name: "unfinished, but whole", text: `{"id":"B","outcome":"denied"}`},
		{name: "not JSON", text: "B\n", failed: true},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			path := filepath.Join(t.TempDir(), recordsName)
			if err := os.WriteFile(path, []byte(tc.text), 0o600); err != nil {
				t.Fatal(err)
			}
			r, found, err := findRecord(path, "B")
			if found != tc.found || (err != nil) != tc.failed {
				t.Fatalf("found %t, error %v", found, err)
			}
			if found && r.Outcome != "denied" {
				t.Errorf("got %+v", r)
			}
		})
	}
}

func TestAwaitRecord(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), recordsName) // not there yet
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() {
		_, err := awaitRecord(ctx, path, "B")
		done <- err
	}()
	if err := os.WriteFile(path, []byte(`{"id":"B"}`+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := <-done; err != nil {
		t.Error(err)
	}
	cancel()
	if _, err := awaitRecord(ctx, path, "C"); !errors.Is(err, context.Canceled) {
		t.Errorf("error is %v", err)
	}
}
