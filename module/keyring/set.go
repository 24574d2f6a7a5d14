package keyring

import (
	"errors"
	"fmt"
	"slices"
)

// What can go wrong with a [Set], besides [ErrUnknownKey].
var (
	// ErrUnknownKeyring: there is no keyring of this name.
	ErrUnknownKeyring = errors.New("unknown keyring")
	// ErrNotAllowed: a keyring has the KEK, and it is none of those the
	// reader accepts.
	ErrNotAllowed = errors.New("keyring not allowed here")
	// ErrDuplicate: a KEK or a name is there twice, so that which one was
	// meant cannot be known.
	ErrDuplicate = errors.New("there twice")
)

// Member is a keyring of a [Set] and the name it goes by in policy.
type Member struct {
	Name    string // 1 to 64 letters, digits, "-", "_" and "."
	Keyring Keyring
}

// Set is the keyrings of one configuration, by name. It is immutable and safe
// for concurrent use; it does not own its keyrings, whose keys may change.
type Set struct {
	members []Member
}

// NewSet makes a set. It refuses a member without a key, a name that is
// malformed or used twice, and a KEK that is in two keyrings or twice in one;
// the last two are an [ErrDuplicate]. members is not kept.
func NewSet(members []Member) (*Set, error) {
	owner := make(map[KEK]string)
	names := make(map[string]bool, len(members))
	for _, m := range members {
		if !validName(m.Name) {
			return nil, fmt.Errorf(`keyring name %q: want 1 to 64 letters, digits, "-", "_" and "."`, m.Name)
		}
		if names[m.Name] {
			return nil, fmt.Errorf("keyring name %q: %w", m.Name, ErrDuplicate)
		}
		names[m.Name] = true
		keks := m.Keyring.KEKs()
		if len(keks) == 0 {
			return nil, fmt.Errorf("keyring %q has no key", m.Name)
		}
		for _, kek := range keks {
			if other, ok := owner[kek]; ok {
				return nil, fmt.Errorf("key %s of keyring %q, also of keyring %q: %w", kek, m.Name, other, ErrDuplicate)
			}
			owner[kek] = m.Name
		}
	}
	return &Set{members: slices.Clone(members)}, nil
}

// Names lists the keyrings in the order they were given.
func (s *Set) Names() []string {
	names := make([]string, len(s.members))
	for i, m := range s.members {
		names[i] = m.Name
	}
	return names
}

// Lookup returns the keyring of this name, or an [ErrUnknownKeyring].
func (s *Set) Lookup(name string) (Keyring, error) {
	for _, m := range s.members {
		if m.Name == name {
			return m.Keyring, nil
		}
	}
	return nil, fmt.Errorf("%w %q", ErrUnknownKeyring, name)
}

// Find returns the keyring that can unwrap with kek, if it is one of those
// allowed, which are names; an object that names a key of another keyring must
// not be opened in its place. Errors are [ErrUnknownKey], [ErrNotAllowed] and,
// where a reload has since brought one KEK into two keyrings, [ErrDuplicate].
func (s *Set) Find(kek KEK, allowed []string) (name string, k Keyring, err error) {
	for _, m := range s.members {
		if !slices.Contains(m.Keyring.KEKs(), kek) {
			continue
		}
		if k != nil {
			return "", nil, fmt.Errorf("key %s in keyrings %q and %q: %w", kek, name, m.Name, ErrDuplicate)
		}
		name, k = m.Name, m.Keyring
	}
	switch {
	case k == nil:
		return "", nil, fmt.Errorf("%w %s", ErrUnknownKey, kek)
	case !slices.Contains(allowed, name):
		return "", nil, fmt.Errorf("key %s of keyring %q: %w", kek, name, ErrNotAllowed)
	}
	return name, k, nil
}

// validName allows names that need no quoting in a Caddyfile, YAML or a log.
func validName(s string) bool {
	if s == "" || len(s) > 64 {
		return false
	}
	for i := range len(s) {
		switch c := s[i]; {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9':
		case c == '-', c == '_', c == '.':
		default:
			return false
		}
	}
	return true
}
