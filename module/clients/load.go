package clients

import (
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"hash"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"time"
)

// Sizes of the files, in bytes.
const (
	maxFile       = 16 << 20
	maxSecretFile = 4 << 10
)

// ErrExposed: a file with secrets can be reached by others than its owner, or
// is not a regular file.
var ErrExposed = errors.New("file is not private")

// readPrivate reads a file that may hold secrets. What it opened is what it
// checks, so the file cannot be swapped in between.
func readPrivate(path string, limit int64) ([]byte, fs.FileInfo, error) {
	f, err := os.Open(path) //nolint:gosec // the operator names the file
	if err != nil {
		return nil, nil, err
	}
	defer func() { _ = f.Close() }()
	info, err := f.Stat()
	if err != nil {
		return nil, nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, nil, fmt.Errorf("%s: %w: not a regular file", path, ErrExposed)
	}
	if p := info.Mode().Perm(); p&0o077 != 0 && runtime.GOOS != "windows" {
		return nil, nil, fmt.Errorf("%s: %w: mode is %04o; its group and others must have no access (chmod 600)", path, ErrExposed, p)
	}
	data, err := io.ReadAll(io.LimitReader(f, limit+1))
	if err != nil {
		return nil, nil, err
	}
	if int64(len(data)) > limit {
		return nil, nil, fmt.Errorf("%s: larger than %d bytes", path, limit)
	}
	return data, info, nil
}

// generation is one state of the file and of the secret files it names.
// It is immutable.
type generation struct {
	clients  map[string]Client
	files    []string // the file itself, then its secret files, in order
	sum      [sha256.Size]byte
	loadedAt time.Time
}

// load reads everything anew.
func load(path string) (*generation, error) {
	data, _, err := readPrivate(path, maxFile)
	if err != nil {
		return nil, err
	}
	doc, err := parse(data)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	digest := sha256.New()
	add(digest, data)
	g := &generation{clients: make(map[string]Client, len(doc.Clients)), files: []string{path}, loadedAt: time.Now()}
	for i := range doc.Clients {
		e := &doc.Clients[i]
		if e.SecretFile != "" {
			e.SecretFile = beside(path, e.SecretFile)
			g.files = append(g.files, e.SecretFile)
		}
		secret, err := e.fetch(digest)
		if err != nil {
			return nil, fmt.Errorf("%s: client %d (%s): %w", path, i+1, e.AccessKey, err)
		}
		c := e.client()
		c.Secret = NewSecret(secret)
		g.clients[c.AccessKey] = c
	}
	digest.Sum(g.sum[:0])
	return g, nil
}

// client is the entry without its secret.
func (e *entry) client() Client {
	return Client{
		AccessKey: e.AccessKey, Principal: e.Principal, Groups: e.Groups,
		Attributes: e.Attributes, Expires: e.expires, Disabled: e.Disabled,
	}
}

// fetch returns the secret from where the entry says it is, and adds the
// content of a secret file to digest.
func (e *entry) fetch(digest hash.Hash) (string, error) {
	switch {
	case e.SecretFile != "":
		data, _, err := readPrivate(e.SecretFile, maxSecretFile)
		if err != nil {
			return "", fmt.Errorf("secret_file: %w", err)
		}
		add(digest, data)
		secret := strings.TrimSuffix(strings.TrimSuffix(string(data), "\n"), "\r")
		if err := checkSecret(secret); err != nil {
			return "", fmt.Errorf("secret_file: %w", err)
		}
		return secret, nil
	case e.SecretEnv != "":
		secret, ok := os.LookupEnv(e.SecretEnv)
		if !ok {
			return "", fmt.Errorf("secret_env: %s is not set", e.SecretEnv)
		}
		if err := checkSecret(secret); err != nil {
			return "", fmt.Errorf("secret_env: %w", err)
		}
		return secret, nil
	}
	return e.Secret, nil
}

// current reports whether the files still hold what was loaded.
func (g *generation) current() bool {
	digest := sha256.New()
	for i, path := range g.files {
		limit := int64(maxSecretFile)
		if i == 0 {
			limit = maxFile
		}
		data, _, err := readPrivate(path, limit)
		if err != nil {
			return false
		}
		add(digest, data)
	}
	return [sha256.Size]byte(digest.Sum(nil)) == g.sum
}

// add puts one file into a digest over several.
func add(digest hash.Hash, data []byte) {
	var n [8]byte
	binary.BigEndian.PutUint64(n[:], uint64(len(data)))
	digest.Write(n[:])
	digest.Write(data)
}

// beside resolves name against the folder that holds path.
func beside(path, name string) string {
	if filepath.IsAbs(name) {
		return name
	}
	return filepath.Join(filepath.Dir(path), name)
}
