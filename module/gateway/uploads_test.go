package gateway

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/caddyserver/certmagic"
	"pgregory.net/rapid"
)

func TestUploads(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	u := newUploads(&certmagic.FileStorage{Path: dir}, "S3.Example.com:9000")
	ctx := t.Context()
	known := func(bucket string, want ...string) {
		t.Helper()
		got, err := u.List(ctx, bucket)
		slices.Sort(got)
		if err != nil || !slices.Equal(got, want) {
			t.Errorf("%s: got %q, %v, want %q", bucket, got, err, want)
		}
	}
	known("photos")
	if _, _, err := u.Get(ctx, "photos", "a"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("an unknown upload: %v", err)
	}
	if err := u.Delete(ctx, "photos", "a"); err != nil {
		t.Errorf("deleting an unknown upload: %v", err)
	}

	longest := strings.Repeat("ü", maxUploadID/2)
	for _, id := range []string{"a", "A", "../../x", longest} {
		if err := u.Put(ctx, "photos", id, "key of "+string([]rune(id)[:1]), "envelope of "+string([]rune(id)[:1])); err != nil {
			t.Fatal(err)
		}
	}
	known("photos", "../../x", "A", "a", longest)
	known("photo")
	for _, id := range []string{"a", "A"} { // on any file system
		if key, envelope, err := u.Get(ctx, "photos", id); err != nil || key != "key of "+id || envelope != "envelope of "+id {
			t.Errorf("%s: got %q, %q, %v", id, key, envelope, err)
		}
	}
	if _, _, err := u.Get(ctx, "other", "a"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("in another bucket: %v", err)
	}
	other := newUploads(u.storage, "s3.example.com")
	if _, _, err := other.Get(ctx, "photos", "a"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("at another store: %v", err)
	}
	if err := u.Put(ctx, "photos", "a", "another", "one"); err != nil {
		t.Fatal(err)
	}
	if key, _, err := u.Get(ctx, "photos", "a"); err != nil || key != "another" {
		t.Errorf("put again: got %q, %v", key, err)
	}
	for _, id := range []string{"a", "A", "../../x", longest} {
		if err := u.Delete(ctx, "photos", id); err != nil {
			t.Error(err)
		}
	}
	known("photos")

	entries, err := os.ReadDir(dir)
	if err != nil || len(entries) != 1 || entries[0].Name() != "s3_encryption" {
		t.Errorf("storage has %v, %v", entries, err)
	}
	if _, err := os.Stat(filepath.Join(dir, "s3_encryption", "uploads", "s3.example.com%3a9000", "photos")); err != nil {
		t.Error(err)
	}
}

func TestUploadsRefuse(t *testing.T) {
	t.Parallel()
	u := newUploads(&certmagic.FileStorage{Path: t.TempDir()}, "store")
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	for _, tt := range []struct {
		name                     string
		ctx                      context.Context
		bucket, id, key, content string
		want                     string
	}{
		{"no bucket", t.Context(), "", "id", "k", "e", "without a bucket"},
		{"no id", t.Context(), "b", "", "k", "e", "without a bucket or an id"},
		{"long id", t.Context(), "b", strings.Repeat("i", maxUploadID+1), "k", "e", "upload id of 2049 bytes"},
		{"long key", t.Context(), "b", "id", strings.Repeat("k", maxUploadKey+1), "e", "a key of 1025"},
		{"long envelope", t.Context(), "b", "id", "k", strings.Repeat("e", maxUploadEnvelope+1), "an envelope of 4097"},
		{"key of other bytes", t.Context(), "b", "id", "k\xff", "e", "not UTF-8"},
		{"ended", ended, "b", "id", "k", "e", context.Canceled.Error()},
	} {
		if err := u.Put(tt.ctx, tt.bucket, tt.id, tt.key, tt.content); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: got %v, want an error with %q", tt.name, err, tt.want)
		}
	}
	if ids, err := u.List(t.Context(), "b"); err != nil || len(ids) != 0 {
		t.Errorf("something was kept: %q, %v", ids, err)
	}
	for name, err := range map[string]error{
		"get":    second(u.Get(ended, "b", "id")),
		"delete": u.Delete(ended, "b", "id"),
		"list":   last(u.List(ended, "b")),
	} {
		if !errors.Is(err, context.Canceled) {
			t.Errorf("%s: got %v", name, err)
		}
	}
	// The longest there is, of bytes that JSON writes longest, can be read back.
	worst := func(n int) string { return strings.Repeat("\x01", n) }
	if err := u.Put(t.Context(), "b", worst(maxUploadID), worst(maxUploadKey), worst(maxUploadEnvelope)); err != nil {
		t.Fatal(err)
	}
	if key, envelope, err := u.Get(t.Context(), "b", worst(maxUploadID)); err != nil || key != worst(maxUploadKey) || envelope != worst(maxUploadEnvelope) {
		t.Errorf("the longest upload: %d and %d bytes, %v", len(key), len(envelope), err)
	}
}

func second(_, _ string, err error) error { return err }

func last(_ []string, err error) error { return err }

// TestUploadsSpoilt: what others put into the storage is not taken for an upload.
func TestUploadsSpoilt(t *testing.T) {
	t.Parallel()
	storage := &certmagic.FileStorage{Path: t.TempDir()}
	u := newUploads(storage, "store")
	at := func(id string) string { return path.Join(uploadsPrefix, "store", "b", hashed(id)) }
	for name, tt := range map[string]struct{ value, want string }{
		"not JSON":          {"x", "invalid character"},
		"too large":         {`{"id":"` + strings.Repeat("x", maxUploadValue) + `"}`, "at most"},
		"of another upload": {`{"id":"another","key":"k","envelope":"e"}`, "another upload"},
	} {
		if err := storage.Store(t.Context(), at("id"), []byte(tt.value)); err != nil {
			t.Fatal(err)
		}
		for where, err := range map[string]error{"get": second(u.Get(t.Context(), "b", "id")), "list": last(u.List(t.Context(), "b"))} {
			if err == nil || !strings.Contains(err.Error(), tt.want) || errors.Is(err, fs.ErrNotExist) {
				t.Errorf("%s, %s: got %v, want an error with %q", name, where, err, tt.want)
			}
		}
	}
	if err := u.Put(t.Context(), "b", "id", "k", "e"); err != nil {
		t.Fatal(err)
	}
	for _, beside := range []string{at("id") + ".tmp", path.Join(uploadsPrefix, "store", "b", "folder", hashed("id"))} {
		if err := storage.Store(t.Context(), beside, []byte("x")); err != nil {
			t.Fatal(err)
		}
	}
	if ids, err := u.List(t.Context(), "b"); err != nil || !slices.Equal(ids, []string{"id"}) {
		t.Errorf("got %q, %v", ids, err)
	}
}

// TestUploadsVanish: a storage that finds a value gone while it lists is not asked
// for what it did not find.
func TestUploadsVanish(t *testing.T) {
	t.Parallel()
	u := newUploads(&vanishing{FileStorage: certmagic.FileStorage{Path: t.TempDir()}}, "store")
	if err := u.Put(t.Context(), "b", "id", "k", "e"); err != nil {
		t.Fatal(err)
	}
	if ids, err := u.List(t.Context(), "b"); err != nil || !slices.Equal(ids, []string{"id"}) {
		t.Errorf("got %q, %v", ids, err)
	}
}

// vanishing is a storage out of which a value goes whenever it is listed.
type vanishing struct{ certmagic.FileStorage }

func (v *vanishing) List(ctx context.Context, prefix string, recursive bool) ([]string, error) {
	names, err := v.FileStorage.List(ctx, prefix, recursive)
	if err != nil {
		return names, err
	}
	return append(names, path.Join(prefix, hashed("gone"))), fs.ErrNotExist
}

func TestSegment(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]string{
		"photos":         "photos",
		"my.bucket-1_a":  "my.bucket-1_a",
		"Photos":         "%50hotos",
		"..":             "%2e%2e",
		".hidden.":       "%2ehidden%2e",
		"a/b":            "a%2fb",
		`a\b`:            "a%5cb",
		"a%2fb":          "a%252fb",
		"localhost:9000": "localhost%3a9000",
		"[::1]:9000":     "%5b%3a%3a1%5d%3a9000",
		"\x00é":          "%00%c3%a9",
	} {
		if got := segment(name); got != want {
			t.Errorf("%q: got %q, want %q", name, got, want)
		}
	}
}

// TestSegmentIsSafe: no two names share a segment, also where case does not count,
// and none leaves its folder.
func TestSegmentIsSafe(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		a, b := rapid.StringN(1, 12, -1).Draw(t, "a"), rapid.StringN(1, 12, -1).Draw(t, "b")
		x, y := segment(a), segment(b)
		if (a == b) != strings.EqualFold(x, y) {
			t.Errorf("%q and %q become %q and %q", a, b, x, y)
		}
		if path.Join("/top", x) != "/top/"+x || !filepath.IsLocal(x) {
			t.Errorf("%q becomes %q", a, x)
		}
	})
}
