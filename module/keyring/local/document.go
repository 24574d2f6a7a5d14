package local

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
)

// version of the file format.
const version = "version: 1"

// maxKeys bounds what a file holds: decades of rotating every month.
const maxKeys = 1000

// State says what a key of the file is for.
type State string

// The states of a key. A file has exactly one current key.
const (
	Current State = "current" // wraps new data keys
	Old     State = "old"     // unwraps what it once wrapped
)

// key is one key-encryption key of the file.
type key struct {
	id      [8]byte
	created time.Time // UTC, in whole seconds
	state   State
	secret  *[keySize]byte
}

// Format writes the id alone, for every verb and flag: fmt would show the secret.
func (k key) Format(f fmt.State, _ rune) { _, _ = fmt.Fprintf(f, "%x", k.id) }

// keySize is the length of a key-encryption key, in bytes.
const keySize = 32

// preamble begins every file that is written.
const preamble = `# Sealgate keyring. Whoever has these keys can open every object sealed under
# them; whoever loses them has lost those objects. Keep a backup, as secret as
# this file, somewhere else. Change it with "sealgate keyring" only.
`

// parse reads a file. Lines that are empty or begin with "#" say nothing; the
// first other one is the version, and each that follows is a key:
//
//	key: <id> <created> <state> <secret>
//
// with the id as 16 hexadecimal digits, the time as in RFC 3339 and the secret
// in base64. The format is no YAML because it has nothing to guess: an id of
// digits is no number, and errors never quote, since any word of the file may
// be a secret.
func parse(data []byte) ([]key, error) {
	var keys []key
	versioned := false
	number := 0
	for line := range bytes.Lines(data) {
		number++
		text := strings.TrimSpace(string(line))
		switch {
		case text == "" || text[0] == '#':
			continue
		case !versioned && text == version:
			versioned = true
			continue
		case !versioned:
			return nil, fmt.Errorf("line %d: want %q", number, version)
		case len(keys) == maxKeys:
			return nil, fmt.Errorf("line %d: more than %d keys", number, maxKeys)
		}
		k, err := parseKey(strings.Fields(text))
		if err != nil {
			return nil, fmt.Errorf("line %d: %w", number, err)
		}
		keys = append(keys, k)
	}
	if !versioned {
		return nil, fmt.Errorf("the file is empty; want %q", version)
	}
	return keys, check(keys)
}

// parseKey reads the words of one line.
func parseKey(words []string) (key, error) {
	if len(words) != 5 || words[0] != "key:" {
		return key{}, errors.New("want key: <id> <created> <state> <secret>")
	}
	k := key{state: State(words[3]), secret: new([keySize]byte)}
	id, err := hex.DecodeString(words[1])
	if err != nil || len(id) != len(k.id) {
		return key{}, errors.New("the id is not 16 hexadecimal digits")
	}
	copy(k.id[:], id)
	created, err := time.Parse(time.RFC3339, words[2])
	k.created = created.UTC().Truncate(time.Second)
	if year := k.created.Year(); err != nil || year < 1 || year > 9999 { // in UTC, as it is written
		return key{}, errors.New("the time is not one such as 2027-01-31T00:00:00Z (RFC 3339)")
	}
	if k.state != Current && k.state != Old {
		return key{}, fmt.Errorf("the state is neither %s nor %s", Current, Old)
	}
	secret, err := base64.StdEncoding.Strict().DecodeString(words[4])
	if err != nil || len(secret) != keySize {
		return key{}, fmt.Errorf("the secret is not the base64 form of %d bytes", keySize)
	}
	copy(k.secret[:], secret)
	clear(secret)
	if *k.secret == [keySize]byte{} {
		return key{}, errors.New("the secret is all zeros")
	}
	return k, nil
}

// check looks at the keys of one file together.
func check(keys []key) error {
	current := 0
	ids := make(map[[8]byte]bool, len(keys))
	secrets := make(map[[keySize]byte]bool, len(keys))
	defer clear(secrets)
	for _, k := range keys {
		if ids[k.id] {
			return fmt.Errorf("key %x is there twice", k.id)
		}
		if secrets[*k.secret] {
			return fmt.Errorf("key %x has the secret of another key", k.id)
		}
		ids[k.id], secrets[*k.secret] = true, true
		if k.state == Current {
			current++
		}
	}
	if current != 1 {
		return fmt.Errorf("want exactly one %s key, found %d", Current, current)
	}
	return nil
}

// render writes a file that parse reads as keys.
func render(keys []key) []byte {
	var b bytes.Buffer
	b.WriteString(preamble + version + "\n")
	for _, k := range keys {
		fmt.Fprintf(&b, "key: %x %s %s %s\n", k.id, k.created.Format(time.RFC3339), k.state,
			base64.StdEncoding.EncodeToString(k.secret[:]))
	}
	return b.Bytes()
}

// currentFirst returns the keys in the order of the file, but the current one
// before the others.
func currentFirst(keys []key) []key {
	i := slices.IndexFunc(keys, func(k key) bool { return k.state == Current })
	return slices.Concat(keys[i:i+1], keys[:i], keys[i+1:])
}
