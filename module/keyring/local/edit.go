package local

import (
	"crypto/rand"
	"fmt"
	"path/filepath"
	"time"

	"github.com/sealgate/sealgate/module/keyring"
)

// Key is a key of a file as it is shown to people: without its secret.
type Key struct {
	KEK     keyring.KEK
	Created time.Time
	State   State
}

// Init makes a keyring file at path, mode 0600, with one new key, and returns
// that. It never overwrites: if there is anything at path the error is
// [ErrExists].
func Init(path string) (Key, error) {
	k, err := newKey()
	if err != nil {
		return Key{}, err
	}
	if err := createFile(path, render([]key{k})); err != nil {
		return Key{}, err
	}
	return k.shown(), nil
}

// Rotate adds a new key to the file at path, makes it the current one, and
// returns it. The other keys stay, so that what they wrapped can be read. It
// replaces the file in one step; rotations at the same time follow one another.
func Rotate(path string) (Key, error) {
	if real, err := filepath.EvalSymlinks(path); err == nil {
		path = real // replace the file, not the link to it
	}
	unlock, err := lockDir(filepath.Dir(path))
	if err != nil {
		return Key{}, err
	}
	defer unlock()
	data, info, err := readPrivate(path)
	if err != nil {
		return Key{}, err
	}
	keys, err := parse(data)
	if err != nil {
		return Key{}, fmt.Errorf("%s: %w; nothing was changed", path, err)
	}
	k, err := newKey()
	if err != nil {
		return Key{}, err
	}
	for i := range keys {
		keys[i].state = Old
	}
	edited := render(append(keys, k))
	// What cannot be read back must not take the place of what can.
	if _, err := parse(edited); err != nil {
		return Key{}, fmt.Errorf("%s: %w; nothing was changed", path, err)
	}
	if err := replaceFile(path, edited, info); err != nil {
		return Key{}, err
	}
	return k.shown(), nil
}

// List returns the keys of the file at path in its order, oldest first unless
// somebody moved them.
func List(path string) ([]Key, error) {
	g, err := load(path)
	if err != nil {
		return nil, err
	}
	shown := make([]Key, len(g.inFileOrder))
	for i, k := range g.inFileOrder {
		shown[i] = k.shown()
	}
	return shown, nil
}

func (k key) shown() Key { return Key{KEK: k.kek(), Created: k.created, State: k.state} }

func (k key) kek() keyring.KEK { return keyring.KEK{Kind: keyring.Local, ID: k.id} }

// newKey draws a key. The id is random too: nothing that the store sees is
// computed from the secret.
func newKey() (key, error) {
	k := key{created: time.Now().UTC().Truncate(time.Second), state: Current, secret: new([keySize]byte)}
	if _, err := rand.Read(k.id[:]); err != nil {
		return key{}, err
	}
	if _, err := rand.Read(k.secret[:]); err != nil {
		return key{}, err
	}
	return k, nil
}
