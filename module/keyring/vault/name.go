package vault

import (
	"crypto/sha256"
	"fmt"
	"regexp"

	"github.com/sealgate/sealgate/module/keyring"
)

// name is where a key is in Vault.
type name struct {
	mount string // of the transit engine, without slashes at its ends
	key   string
}

// The characters of mounts and keys. Vault's own names may have others; these
// need no escaping in a URL.
var (
	mountPath = regexp.MustCompile(`^[A-Za-z0-9_-][A-Za-z0-9._-]*(?:/[A-Za-z0-9_-][A-Za-z0-9._-]*)*$`)
	keyName   = regexp.MustCompile(`^[A-Za-z0-9_][A-Za-z0-9._-]*$`)
)

func (n name) check() error {
	if !mountPath.MatchString(n.mount) {
		return fmt.Errorf("mount %q is not the path of a transit engine", n.mount)
	}
	if !keyName.MatchString(n.key) {
		return fmt.Errorf("key %q is not the name of a transit key", n.key)
	}
	return nil
}

// path is that of an operation on the key.
func (n name) path(operation string) string { return n.mount + "/" + operation + "/" + n.key }

// kek is the name that objects store for this key. It does not depend on the
// server's address, so the server can move; id tells apart keys of the same name
// on different servers.
func (n name) kek(id string) keyring.KEK {
	text := "sealgate vault" + n.mount + "/" + n.key
	if id != "" {
		text += "#" + id // no mount and no key has one
	}
	sum := sha256.Sum256([]byte(text))
	return keyring.KEK{Kind: keyring.Transit, ID: [8]byte(sum[:8])}
}
