// Package sealreader holds a second reader of the sealed object format, in
// another language and written from its specification, against the first.
package sealreader

import (
	"bytes"
	"context"
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/sealgate/sealgate/module/seal"
)

// python is Debian's, for which `make clients` installs cryptography.
const python = "/usr/bin/python3"

func TestMain(m *testing.M) {
	if out, err := exec.Command(python, "-c", "import cryptography").CombinedOutput(); err != nil {
		fmt.Fprintf(os.Stderr, "%s cannot import cryptography, run `make clients`: %v\n%s", python, err, out)
		os.Exit(1)
	}
	os.Exit(m.Run())
}

const (
	namespace = "bucket"
	name      = "folder/ключ"
)

// sealed is an object as the store has it, and its keys.
type sealed struct {
	stored    []byte
	envelope  string
	namespace string
	name      string
	kek       []byte
	dataKey   []byte
	parts     int // of a multipart object
}

// open runs the reader. rng is "first-last" or "" for the whole object.
func (s sealed) open(t *testing.T, rng string) ([]byte, error) {
	t.Helper()
	dir := t.TempDir()
	write := func(name string, content []byte) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, content, 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	args := []string{"reader.py", write("stored", s.stored), "--envelope=" + s.envelope}
	if s.dataKey != nil {
		args = append(args, "--data-key", write("key", []byte(hex.EncodeToString(s.dataKey)+"\n")))
	} else {
		args = append(args, "--kek", write("kek", []byte(hex.EncodeToString(s.kek)+"\n")), "--namespace="+s.namespace, "--key="+s.name)
	}
	if s.parts > 0 {
		args = append(args, fmt.Sprintf("--parts=%d", s.parts))
	}
	if rng != "" {
		args = append(args, "--range="+rng)
	}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var plain, problem bytes.Buffer
	command := exec.CommandContext(ctx, python, args...)
	command.Env = append(os.Environ(), "PYTHONUTF8=1", "PYTHONDONTWRITEBYTECODE=1")
	command.Stdout, command.Stderr = &plain, &problem
	if err := command.Run(); err != nil {
		return plain.Bytes(), fmt.Errorf("%w: %s", err, problem.String())
	}
	return plain.Bytes(), nil
}

// wantPlain fails unless the reader gives want, whole and in one range.
func (s sealed) wantPlain(t *testing.T, want []byte) {
	t.Helper()
	got, err := s.open(t, "")
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Fatalf("the reader gave %d bytes, not the %d that were sealed", len(got), len(want))
	}
	if n := len(want); n > 0 {
		first, last := n/3, n-1-n/10
		got, err := s.open(t, fmt.Sprintf("%d-%d", first, last))
		if err != nil || !bytes.Equal(got, want[first:last+1]) {
			t.Errorf("bytes %d to %d: %d bytes, %v", first, last, len(got), err)
		}
	}
}

// wantRefused fails unless the reader refuses, with nothing given out.
func (s sealed) wantRefused(t *testing.T) {
	t.Helper()
	got, err := s.open(t, "")
	if err == nil || !strings.Contains(err.Error(), "refused:") || len(got) > 0 {
		t.Errorf("the reader gave %d bytes, %v", len(got), err)
	}
}

// newObject seals nothing yet: it makes the keys and the local wrap.
func newObject(t *testing.T, kind seal.Kind) (*seal.Object, sealed) {
	t.Helper()
	e, key := seal.New(kind)
	s := sealed{kek: random(t, 32), namespace: namespace, name: name}
	e.Wrap, e.KEK = seal.WrapLocal, [8]byte(random(t, 8))
	binding, err := e.Binding(namespace, name)
	if err != nil {
		t.Fatal(err)
	}
	wrap, err := hkdf.Key(sha256.New, s.kek, e.OID[:], "sealgate/1 wrap", 32)
	if err != nil {
		t.Fatal(err)
	}
	block, err := aes.NewCipher(wrap)
	if err != nil {
		t.Fatal(err)
	}
	gcm, err := cipher.NewGCMWithRandomNonce(block)
	if err != nil {
		t.Fatal(err)
	}
	e.Wrapped = gcm.Seal(nil, nil, key.Reveal(), binding)
	o, err := seal.Unlock(e, key)
	if err != nil {
		t.Fatal(err)
	}
	if s.envelope, err = e.Encode(); err != nil {
		t.Fatal(err)
	}
	return o, s
}

func random(t *testing.T, n int) []byte {
	t.Helper()
	b := make([]byte, n)
	if _, err := rand.Read(b); err != nil {
		t.Fatal(err)
	}
	return b
}

func read(t *testing.T, s *seal.Sealer, err error) []byte {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	stored, err := io.ReadAll(s)
	if err != nil {
		t.Fatal(err)
	}
	return stored
}

func single(t *testing.T, plain []byte) sealed {
	t.Helper()
	o, s := newObject(t, seal.Single)
	sealer, err := o.SealSingle(bytes.NewReader(plain), int64(len(plain)))
	s.stored = read(t, sealer, err)
	return s
}

// multipart seals a part for each number, and a closing part if the last one is
// not to be final. It returns the parts one by one too.
func multipart(t *testing.T, plains [][]byte, numbers []int, final bool) (s sealed, parts [][]byte) {
	t.Helper()
	o, s := newObject(t, seal.Multipart)
	var list []seal.Part
	for i, plain := range plains {
		p := seal.Part{Number: numbers[i], Length: int64(len(plain)), Final: final && i == len(plains)-1}
		sealer, err := o.SealPart(bytes.NewReader(plain), p)
		parts, list = append(parts, read(t, sealer, err)), append(list, p)
	}
	if !final {
		closing, err := o.ClosingPart(numbers[len(numbers)-1]+1, list)
		if err != nil {
			t.Fatal(err)
		}
		parts = append(parts, closing)
	}
	s.stored, s.parts = bytes.Join(parts, nil), len(parts)
	return s, parts
}

func TestReaderOpens(t *testing.T) {
	t.Parallel()
	for _, size := range []int{0, 1, 65535, 65536, 65537, 3*65536 + 9} {
		t.Run(fmt.Sprintf("single of %d", size), func(t *testing.T) {
			t.Parallel()
			plain := random(t, size)
			single(t, plain).wantPlain(t, plain)
		})
	}
	for label, test := range map[string]struct {
		sizes, numbers []int
		final          bool
	}{
		"one empty part":   {[]int{0}, []int{1}, true},
		"final":            {[]int{65536, 100_001, 7}, []int{1, 2, 3}, true},
		"closed":           {[]int{65536, 70_000}, []int{1, 2}, false},
		"closed with gaps": {[]int{5, 0, 200_000, 1}, []int{2, 3, 700, 9999}, false},
		"larger chunks":    {[]int{33<<20 + 5, 10}, []int{1, 2}, true},
	} {
		t.Run(label, func(t *testing.T) {
			t.Parallel()
			var plains [][]byte
			for _, size := range test.sizes {
				plains = append(plains, random(t, size))
			}
			s, _ := multipart(t, plains, test.numbers, test.final)
			s.wantPlain(t, bytes.Join(plains, nil))
		})
	}
}

func TestReaderRefuses(t *testing.T) {
	t.Parallel()
	whole := single(t, random(t, 70_000))
	other := single(t, random(t, 70_000))
	multi, parts := multipart(t, [][]byte{random(t, 70_000), random(t, 70_000), random(t, 3)}, []int{1, 2, 3}, true)
	closed, closing := multipart(t, [][]byte{random(t, 10), random(t, 10)}, []int{1, 3}, false)
	with := func(s sealed, change func(*sealed)) sealed {
		s.stored = bytes.Clone(s.stored)
		change(&s)
		return s
	}
	flip := func(s sealed, at int) sealed {
		return with(s, func(s *sealed) { s.stored[(at+len(s.stored))%len(s.stored)] ^= 1 })
	}
	join := func(s sealed, parts ...[]byte) sealed {
		return with(s, func(s *sealed) { s.stored, s.parts = bytes.Join(parts, nil), 0 })
	}
	for label, s := range map[string]sealed{
		"magic":              flip(whole, 0),
		"flags":              flip(whole, 4),
		"length":             flip(whole, 15),
		"salt":               flip(whole, 20),
		"check":              flip(whole, 60),
		"nonce":              flip(whole, 64),
		"ciphertext":         flip(whole, 1000),
		"tag":                flip(whole, -1),
		"cut":                with(whole, func(s *sealed) { s.stored = s.stored[:len(s.stored)-1] }),
		"chunk cut":          with(whole, func(s *sealed) { s.stored = s.stored[:64+65564] }),
		"longer":             with(whole, func(s *sealed) { s.stored = append(s.stored, 0) }),
		"other envelope":     with(whole, func(s *sealed) { s.envelope, s.kek = other.envelope, other.kek }),
		"other key":          with(whole, func(s *sealed) { s.kek = other.kek }),
		"other name":         with(whole, func(s *sealed) { s.name += "x" }),
		"other namespace":    with(whole, func(s *sealed) { s.namespace = "bucke" }),
		"border of names":    with(whole, func(s *sealed) { s.namespace, s.name = "bucketf", "older/ключ" }),
		"envelope, padded":   with(whole, func(s *sealed) { s.envelope += "=" }),
		"envelope, cut":      with(whole, func(s *sealed) { s.envelope = s.envelope[:len(s.envelope)-2] }),
		"commitment":         with(whole, func(s *sealed) { s.kek, s.dataKey = nil, random(t, 32) }),
		"part header":        flip(multi, 70_000+14_416+10),
		"fill":               flip(multi, 70_000+14_415),
		"last fill":          flip(multi, -1),
		"first part dropped": join(multi, parts[1], parts[2]),
		"part dropped":       join(multi, parts[0], parts[2]),
		"last part dropped":  join(multi, parts[0], parts[1]),
		"parts swapped":      join(multi, parts[1], parts[0], parts[2]),
		"part twice":         join(multi, parts[0], parts[0], parts[1], parts[2]),
		"part of another":    join(multi, parts[0], closing[1], parts[2]),
		"closing lists more": join(closed, closing[0], closing[2]),
		"closing dropped":    join(closed, closing[0], closing[1]),
		"number of parts":    with(multi, func(s *sealed) { s.parts++ }),
	} {
		t.Run(label, func(t *testing.T) {
			t.Parallel()
			s.wantRefused(t)
		})
	}
}

// The vectors hold with this reader too, by key-encryption key and by data key.
// One has no stored bytes, only how to make them, and is for Go alone.
func TestReaderOpensVectors(t *testing.T) {
	t.Parallel()
	const dir = "../../module/seal/testdata/vectors"
	files, err := filepath.Glob(filepath.Join(dir, "*.json"))
	if err != nil {
		t.Fatal(err)
	}
	opened := 0
	for _, file := range files {
		raw, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		var v struct {
			Namespace, Key, KEK, Envelope, Stored string
			DataKey                               string `json:"data_key"`
			Parts                                 int
			PlainHash                             string `json:"plaintext_sha256"`
			Range                                 struct{ Offset, Length int64 }
			RangeHash                             string `json:"range_sha256"`
		}
		if err := json.Unmarshal(raw, &v); err != nil {
			t.Fatal(err)
		}
		if v.Stored == "" {
			continue
		}
		opened++
		t.Run(filepath.Base(file), func(t *testing.T) {
			t.Parallel()
			stored, err := os.ReadFile(filepath.Join(dir, v.Stored))
			if err != nil {
				t.Fatal(err)
			}
			byKEK := sealed{stored: stored, envelope: v.Envelope, namespace: v.Namespace, name: v.Key, kek: unhex(t, v.KEK), parts: v.Parts}
			byDataKey := byKEK
			byDataKey.dataKey = unhex(t, v.DataKey)
			for _, s := range []sealed{byKEK, byDataKey} {
				got, err := s.open(t, "")
				if err != nil || hashOf(got) != v.PlainHash {
					t.Errorf("%d bytes, %v", len(got), err)
				}
			}
			if r := v.Range; r.Length > 0 {
				got, err := byKEK.open(t, fmt.Sprintf("%d-%d", r.Offset, r.Offset+r.Length-1))
				if err != nil || hashOf(got) != v.RangeHash {
					t.Errorf("range: %d bytes, %v", len(got), err)
				}
			}
			byKEK.stored[len(stored)-1] ^= 0x80
			byKEK.wantRefused(t)
		})
	}
	if opened < 6 {
		t.Errorf("%d vectors with stored bytes", opened)
	}
}

func unhex(t *testing.T, text string) []byte {
	t.Helper()
	b, err := hex.DecodeString(text)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func hashOf(b []byte) string {
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:])
}
