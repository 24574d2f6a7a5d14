package gateway

import (
	"time"

	"github.com/sealgate/sealgate/module/keyring"
	"github.com/sealgate/sealgate/module/keyring/local"
	"github.com/sealgate/sealgate/module/keyring/vault"
)

// KeyringStatus is the state of one keyring. It holds no key.
type KeyringStatus struct {
	Name   string `json:"name"`
	Driver string `json:"driver"`
	// The names of its key-encryption keys; the first one wraps new data keys.
	KEKs []keyring.KEK `json:"keks"`
	// The keyring file, with driver local.
	File *local.Status `json:"file,omitempty"`
	// The login, with driver vault.
	Login *KeyringLogin `json:"login,omitempty"`
}

// KeyringLogin is the gateway's login at a key service.
type KeyringLogin struct {
	// Whether there is a token that has not expired.
	LoggedIn bool `json:"logged_in"`
	// When it was got or renewed, and when it expires; absent when it does not.
	Since   *time.Time `json:"since,omitempty"`
	Expires *time.Time `json:"expires,omitempty"`
	// What failed last, absent after a success.
	Error string `json:"error,omitempty"`
}

// What a driver may have to say of itself.
type (
	fileKeyring  interface{ Status() local.Status }
	loginKeyring interface{ Status() vault.Status }
)

// status describes the keyrings.
func (k *keyrings) status() []KeyringStatus {
	list := []KeyringStatus{}
	if k == nil {
		return list
	}
	for _, m := range k.members {
		s := KeyringStatus{Name: m.name, Driver: m.driver, KEKs: m.guest.keyring.KEKs()}
		switch guest := m.guest.keyring.(type) {
		case fileKeyring:
			status := guest.Status()
			s.File = &status
		case loginKeyring:
			status := guest.Status()
			s.Login = &KeyringLogin{
				LoggedIn: status.LoggedIn, Since: known(status.Since), Expires: known(status.Expires), Error: status.Err,
			}
		}
		list = append(list, s)
	}
	return list
}

// files says whether there is any keyring file, and whether all of them are in force
// as they are now.
func (k *keyrings) files() (good, any bool) {
	good = true
	for _, s := range k.status() {
		if s.File != nil {
			good, any = good && s.File.Err == "", true
		}
	}
	return good, any
}

// known is nil for no time.
func known(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	return &t
}
