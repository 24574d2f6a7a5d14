package local

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/sealgate/sealgate/module/keyring"
)

// File is a keyring with its keys in one file. It is safe for concurrent use;
// wrapping and unwrapping never wait for a reload.
type File struct {
	path    string
	loading sync.Mutex // one reload at a time
	good    atomic.Pointer[generation]
	failure atomic.Pointer[string] // of the last reload; nil after a good one
}

// Status is the state of a File.
type Status struct {
	Path     string    `json:"path"`
	LoadedAt time.Time `json:"loaded_at"`       // when the keys in force were read
	Err      string    `json:"error,omitempty"` // why the file as it is now is not in force; "" if it is
	Keys     int       `json:"keys"`            // in force, the current one included
}

// generation is one state of the file. It is immutable.
type generation struct {
	keks        []keyring.KEK // the current one first
	secrets     map[keyring.KEK]*[keySize]byte
	inFileOrder []key
	sum         [sha256.Size]byte
	loadedAt    time.Time
}

// Open reads the keys at path. A file that others than its owner can reach is
// an [ErrExposed].
func Open(path string) (*File, error) {
	f := &File{path: path}
	if err := f.Reload(); err != nil {
		return nil, err
	}
	return f, nil
}

// load reads the file anew.
func load(path string) (*generation, error) {
	data, _, err := readPrivate(path)
	if err != nil {
		return nil, err
	}
	defer clear(data)
	keys, err := parse(data)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	g := &generation{
		secrets:     make(map[keyring.KEK]*[keySize]byte, len(keys)),
		inFileOrder: keys, sum: sha256.Sum256(data), loadedAt: time.Now(),
	}
	for _, k := range currentFirst(keys) {
		g.keks = append(g.keks, k.kek())
		g.secrets[k.kek()] = k.secret
	}
	return g, nil
}

// KEKs implements [keyring.Keyring]: the current key, then the others in the
// order of the file.
func (f *File) KEKs() []keyring.KEK { return f.good.Load().keks }

// Wrap implements [keyring.Keyring]. The result is 60 bytes and the encoded
// context.
func (f *File) Wrap(ctx context.Context, kek keyring.KEK, k keyring.DataKey, b keyring.Binding) ([]byte, error) {
	secret, err := f.secret(ctx, kek)
	if err != nil {
		return nil, err
	}
	return wrap(secret, k, b)
}

// Unwrap implements [keyring.Keyring].
func (f *File) Unwrap(ctx context.Context, kek keyring.KEK, wrapped []byte, b keyring.Binding) (keyring.DataKey, error) {
	secret, err := f.secret(ctx, kek)
	if err != nil {
		return keyring.DataKey{}, err
	}
	return unwrap(secret, wrapped, b)
}

// secret finds a key, for a caller who still waits for it.
func (f *File) secret(ctx context.Context, kek keyring.KEK) (*[keySize]byte, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	secret, ok := f.good.Load().secrets[kek]
	if !ok {
		return nil, fmt.Errorf("%w %s", keyring.ErrUnknownKey, kek)
	}
	return secret, nil
}

// Reload reads the file again. On error the keys in force stay, and
// [File.Status] shows the error until a reload succeeds. A file in which a key
// in force has another secret is such an error: objects sealed under the one or
// the other could no longer be told apart.
func (f *File) Reload() error {
	f.loading.Lock()
	defer f.loading.Unlock()
	g, err := load(f.path)
	if err == nil {
		err = g.follows(f.good.Load())
	}
	if err != nil {
		text := err.Error()
		f.failure.Store(&text)
		return err
	}
	f.good.Store(g)
	f.failure.Store(nil)
	return nil
}

// follows checks that g may replace before, which may be nil.
func (g *generation) follows(before *generation) error {
	if before == nil {
		return nil
	}
	for kek, secret := range g.secrets {
		if was, ok := before.secrets[kek]; ok && subtle.ConstantTimeCompare(was[:], secret[:]) == 0 {
			return fmt.Errorf("key %x has another secret than before", kek.ID)
		}
	}
	return nil
}

// Status returns the state of the keyring.
func (f *File) Status() Status {
	g := f.good.Load()
	return Status{Path: f.path, LoadedAt: g.loadedAt, Err: f.fault(), Keys: len(g.keks)}
}

func (f *File) fault() string {
	if s := f.failure.Load(); s != nil {
		return *s
	}
	return ""
}

// Watch looks at the content of the file every so often, which must be
// positive, and reloads when it changed. It calls onChange after each change of
// state: with nil when new content is in force, with the error when the new
// content cannot be used, once for as long as the error stays the same. It
// returns when ctx ends. Content, not time stamps, because mounted secrets and
// restored files keep theirs.
func (f *File) Watch(ctx context.Context, every time.Duration, onChange func(error)) {
	ticker := time.NewTicker(every)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
		before := f.fault()
		if before == "" && f.unchanged() {
			continue
		}
		err := f.Reload()
		if err != nil && err.Error() == before {
			continue
		}
		onChange(err)
	}
}

// unchanged reports whether the file still holds what was loaded.
func (f *File) unchanged() bool {
	data, _, err := readPrivate(f.path)
	if err != nil {
		return false
	}
	defer clear(data)
	return sha256.Sum256(data) == f.good.Load().sum
}

// Interface guards
var _ keyring.Keyring = (*File)(nil)
