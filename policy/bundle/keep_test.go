package bundle

import (
	"bytes"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/sealgate/sealgate/policy"
	"github.com/sealgate/sealgate/policy/bundle/bundletest"
)

func writeFile(t testing.TB, name, text string) {
	t.Helper()
	if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// kept gives the path of the file with the bundle.
func kept(t testing.TB, dir string) string {
	t.Helper()
	names, err := filepath.Glob(filepath.Join(dir, "*"+keptSuffix))
	if err != nil || len(names) != 1 {
		t.Fatalf("there are %q, %v", names, err)
	}
	return names[0]
}

func TestKeep(t *testing.T) {
	t.Parallel()
	signer, server := bundletest.NewSigner(t), newServer(t)
	server.set(signer.Bundle(t, "r1", bundletest.Module))
	now := time.Date(2026, 11, 23, 8, 9, 10, 0, time.UTC)
	o := server.options(t, verificationBy(signer))
	o.Directory, o.Now = filepath.Join(t.TempDir(), "kept"), func() time.Time { return now }
	s := open(t, o)
	if _, _, err := s.Kept(t.Context()); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("got %v", err)
	}
	site, err := s.Read(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Keep(t.Context(), site, "digest"); err != nil {
		t.Fatal(err)
	}
	info, err := os.Stat(kept(t, o.Directory))
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("mode %v, %v", info.Mode(), err)
	}
	// Another process, without the server.
	server.Close()
	other := open(t, o)
	again, refused, err := other.Kept(t.Context())
	if err != nil || refused != "digest" || again.Digest() != site.Digest() || !again.Fetched.Equal(now) || !bytes.Equal(again.Raw, site.Raw) {
		t.Errorf("got %+v, %q, %v", again, refused, err)
	}
	// Another URL has none.
	elsewhere := o
	u := *o.URL
	u.Path = "/other"
	elsewhere.URL = &u
	if _, _, err := open(t, elsewhere).Kept(t.Context()); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("got %v", err)
	}
	// Other keys do not take what was signed by these.
	foreign := o
	foreign.Verification = verificationBy(bundletest.NewSigner(t))
	if _, _, err := open(t, foreign).Kept(t.Context()); step(err) != policy.StepVerify {
		t.Errorf("got %v", err)
	}
	// Half a file, which nothing here writes.
	if err := os.Truncate(kept(t, o.Directory), info.Size()/2); err != nil {
		t.Fatal(err)
	}
	if _, _, err := open(t, o).Kept(t.Context()); err == nil || !strings.Contains(err.Error(), "kept") {
		t.Errorf("got %v", err)
	}
}

// TestTouch: the age of what is kept goes on over starts.
func TestTouch(t *testing.T) {
	t.Parallel()
	signer, server := bundletest.NewSigner(t), newServer(t)
	first, second := signer.Bundle(t, "r1", bundletest.Module), signer.Bundle(t, "r2", bundletest.Module+"\n")
	server.set(first)
	now := time.Date(2026, 11, 23, 8, 9, 10, 0, time.UTC)
	o := server.options(t, verificationBy(signer))
	o.Directory, o.Now = t.TempDir(), func() time.Time { return now }
	s := open(t, o)
	site, err := s.Read(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Keep(t.Context(), site, ""); err != nil {
		t.Fatal(err)
	}
	age := func(want time.Time) {
		t.Helper()
		got, _, err := open(t, o).Kept(t.Context())
		if err != nil || !got.Fetched.Equal(want) {
			t.Errorf("changed %v, want %v (%v)", got.Fetched, want, err)
		}
	}
	age(now)
	now = now.Add(time.Hour)
	s.Refresh(t.Context())
	age(now)
	seen := now
	now = now.Add(time.Hour)
	server.set(second) // not in force: what is kept is not the newest
	s.Refresh(t.Context())
	age(seen)
	newer, err := s.Read(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Keep(t.Context(), site, newer.Digest()); err != nil { // rolled back
		t.Fatal(err)
	}
	now = now.Add(time.Hour)
	s.Refresh(t.Context())
	age(now)
}

// TestLeftovers of a process that was killed go, if they are not being written.
func TestLeftovers(t *testing.T) {
	t.Parallel()
	signer, server := bundletest.NewSigner(t), newServer(t)
	server.set(signer.Bundle(t, "r1", bundletest.Module))
	o := server.options(t, verificationBy(signer))
	o.Directory = t.TempDir()
	s := open(t, o)
	site, err := s.Read(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Keep(t.Context(), site, ""); err != nil {
		t.Fatal(err)
	}
	base := strings.TrimSuffix(kept(t, o.Directory), keptSuffix)
	old, fresh, foreign := base+".new-1", base+".new-2", filepath.Join(o.Directory, "notes.txt")
	for _, name := range []string{old, fresh, foreign} {
		writeFile(t, name, "x")
	}
	past := time.Now().Add(-time.Hour)
	if err := errors.Join(os.Chtimes(old, past, past), os.Chtimes(foreign, past, past)); err != nil {
		t.Fatal(err)
	}
	if _, _, err := open(t, o).Kept(t.Context()); err != nil {
		t.Error(err)
	}
	for name, want := range map[string]bool{old: false, fresh: true, foreign: true} {
		if _, err := os.Stat(name); (err == nil) != want {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestFile reads a bundle that is not published.
func TestFile(t *testing.T) {
	t.Parallel()
	signer := bundletest.NewSigner(t)
	name := filepath.Join(t.TempDir(), "b.tar.gz")
	writeFile(t, name, string(signer.Bundle(t, "r1", bundletest.Module)))
	if site, err := File(name, verificationBy(signer)).Read(t.Context()); err != nil || site.Revision != "r1" || site.Origin != name {
		t.Errorf("got %+v, %v", site, err)
	}
	for what, source := range map[string]policy.SiteSource{
		"another key": File(name, verificationBy(bundletest.NewSigner(t))),
		"no file":     File(name+"x", verificationBy(signer)),
		"no key":      File(name, Verification{}),
		"directory":   File(filepath.Dir(name), verificationBy(signer)),
	} {
		if _, err := source.Read(t.Context()); err == nil {
			t.Errorf("%s: it was read", what)
		}
	}
}
