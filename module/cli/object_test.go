package cli

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/sealgate/sealgate/module/seal"
)

// vectors are the sealed objects that every version must open.
const vectors = "../seal/testdata/vectors"

type vector struct {
	Namespace string `json:"namespace"`
	Key       string `json:"key"`
	KEK       string `json:"kek"`
	Envelope  string `json:"envelope"`
	Stored    string `json:"stored"`
	Parts     int    `json:"parts"`
	Size      int64  `json:"plaintext_size"`
	Hash      string `json:"plaintext_sha256"`
}

// flags gives a vector's flags, with a keyring file of its key.
func (v *vector) flags(t *testing.T) objectFlags {
	t.Helper()
	e, err := seal.ParseEnvelope(v.Envelope)
	if err != nil {
		t.Fatal(err)
	}
	secret, err := hex.DecodeString(v.KEK)
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "main.keyring")
	text := fmt.Sprintf("version: 1\nkey: %x 2026-01-02T03:04:05Z current %s\n", e.KEK, base64.StdEncoding.EncodeToString(secret))
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return objectFlags{envelope: v.Envelope, bucket: v.Namespace, key: v.Key, keyring: path}
}

// eachVector runs a test with every vector that has its bytes in a file.
func eachVector(t *testing.T, test func(t *testing.T, v *vector, path string)) {
	files, err := filepath.Glob(filepath.Join(vectors, "*.bin"))
	if err != nil || len(files) < 6 {
		t.Fatalf("%d vectors, %v", len(files), err)
	}
	for _, path := range files {
		t.Run(filepath.Base(path), func(t *testing.T) {
			t.Parallel()
			raw, err := os.ReadFile(strings.TrimSuffix(path, ".bin") + ".json")
			if err != nil {
				t.Fatal(err)
			}
			v := new(vector)
			if err := json.Unmarshal(raw, v); err != nil {
				t.Fatal(err)
			}
			test(t, v, path)
		})
	}
}

func TestVectorsOpen(t *testing.T) {
	t.Parallel()
	eachVector(t, func(t *testing.T, v *vector, path string) {
		out := filepath.Join(t.TempDir(), "out")
		var said bytes.Buffer
		o := opening{objectFlags: v.flags(t), path: path, output: out, stdout: &said, stderr: &said}
		opened, err := o.run(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		plain, err := os.ReadFile(out)
		if err != nil {
			t.Fatal(err)
		}
		if sum := sha256.Sum256(plain); hex.EncodeToString(sum[:]) != v.Hash || opened.Plain != v.Size {
			t.Errorf("opened %d bytes that are not those of the vector", opened.Plain)
		}
	})
}

func TestVectorsInspected(t *testing.T) {
	t.Parallel()
	eachVector(t, func(t *testing.T, v *vector, path string) {
		flags := v.flags(t)
		verified, err := flags.inspect(t.Context(), path)
		if err != nil {
			t.Fatal(err)
		}
		if len(verified.Parts) != max(1, v.Parts) || *verified.Plain != v.Size || !verified.Verified {
			t.Errorf("%d parts, %d bytes, verified %t", len(verified.Parts), *verified.Plain, verified.Verified)
		}
		last := verified.Parts[len(verified.Parts)-1]
		if last.Offset+last.Stored != verified.Stored || last.PlainOffset+last.Plain != v.Size {
			t.Errorf("the parts do not fill the object: %+v", verified.Parts)
		}
		flags.keyring = ""
		claimed, err := flags.inspect(t.Context(), path)
		if err != nil || claimed.Verified {
			t.Fatalf("without a keyring: verified %t, %v", claimed.Verified, err)
		}
		if fmt.Sprint(claimed.Parts, *claimed.Plain, claimed.KEK) != fmt.Sprint(verified.Parts, *verified.Plain, verified.KEK) {
			t.Errorf("without a keyring %+v, with it %+v", claimed.Parts, verified.Parts)
		}
	})
}

// TestEveryBitCounts: a change anywhere in the stored bytes leaves no output.
func TestEveryBitCounts(t *testing.T) {
	t.Parallel()
	eachVector(t, func(t *testing.T, v *vector, path string) {
		flags := v.flags(t)
		raw, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		dir := t.TempDir()
		step := max(1, len(raw)/50)
		for at := 0; at < len(raw); at += step {
			damaged := bytes.Clone(raw)
			damaged[at] ^= 0x10
			in := filepath.Join(dir, "in")
			if err := os.WriteFile(in, damaged, 0o600); err != nil {
				t.Fatal(err)
			}
			var said bytes.Buffer
			o := opening{objectFlags: flags, path: in, output: filepath.Join(dir, "out"), stdout: &said, stderr: &said}
			_, err := o.run(t.Context())
			var no *failure
			if !errors.As(objectError(err), &no) || no.code != exitFinding {
				t.Errorf("byte %d: %v", at, err)
			}
		}
		if left, err := os.ReadDir(dir); err != nil || len(left) != 1 {
			t.Errorf("left behind: %v, %v", left, err)
		}
	})
}

func TestInterruptedOpen(t *testing.T) {
	t.Parallel()
	eachVector(t, func(t *testing.T, v *vector, path string) {
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		dir := t.TempDir()
		var said bytes.Buffer
		o := opening{objectFlags: v.flags(t), path: path, output: filepath.Join(dir, "out"), stdout: &said, stderr: &said}
		if _, err := o.run(ctx); !errors.Is(err, context.Canceled) {
			t.Errorf("got %v", err)
		}
		if left, err := os.ReadDir(dir); err != nil || len(left) != 0 {
			t.Errorf("left behind: %v, %v", left, err)
		}
	})
}

func FuzzClaimedHeader(f *testing.F) {
	files, err := filepath.Glob(filepath.Join(vectors, "*.bin"))
	if err != nil || len(files) == 0 {
		f.Fatal(files, err)
	}
	for _, path := range files {
		raw, err := os.ReadFile(path)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(raw[:seal.HeaderSize])
	}
	f.Add([]byte("\x89SGT"))
	f.Fuzz(func(t *testing.T, raw []byte) {
		kind, h, ok := claimedHeader(raw)
		if !ok {
			return
		}
		if h.Number < 1 || h.Number > seal.MaxParts || h.Length < 0 || h.Length > seal.MaxSingle && kind == seal.Single || h.Length > seal.MaxPart && kind == seal.Multipart {
			t.Errorf("accepted %v %+v", kind, h)
		}
	})
}
