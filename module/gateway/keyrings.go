package gateway

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"go.uber.org/zap"

	"github.com/caddyserver/caddy/v2"

	"github.com/sealgate/sealgate/module/keyring"
)

// Where keyring drivers are registered, and the member of a keyring's JSON that
// names its driver. The struct tag of App.KeyringsRaw repeats both.
const (
	keyringNamespace = "s3_encryption.keyrings"
	driverKey        = "driver"
)

// keyrings are those of one configuration. A nil *keyrings has none.
type keyrings struct {
	set     *keyring.Set
	members []*keyringMember // by name
	unload  func()           // ends the guests
}

// keyringMember is one keyring of a configuration.
type keyringMember struct {
	name, driver string
	poolKey      string
	shared       *sharedKeyring
	guest        *keyringGuest
}

// loadKeyrings provisions the app's keyrings and puts the shared caches in front.
// What it returns is to be closed, also after an error.
func (a *App) loadKeyrings(ctx caddy.Context) (*keyrings, error) {
	members, err := a.keyringMembers(ctx.Logger())
	if err != nil || len(members) == 0 {
		return nil, err
	}
	// The guests get a context of their own, as they must end after they left
	// what other configurations use too.
	guests, unload := caddy.NewContext(ctx)
	k := &keyrings{unload: unload}
	loaded, err := guests.LoadModule(a, "KeyringsRaw")
	if err != nil {
		return k, fmt.Errorf("loading keyrings: %w", err)
	}
	var own, cached []keyring.Member
	for _, m := range members {
		guest, ok := loaded.(map[string]any)[m.name].(keyring.Keyring)
		if !ok {
			return k, fmt.Errorf("keyring %q: %s is no keyring driver", m.name, m.driver)
		}
		if m.shared, err = shareKeyring(m.poolKey); err != nil {
			return k, err
		}
		m.guest = m.shared.attach(guest)
		k.members = append(k.members, m)
		own = append(own, keyring.Member{Name: m.name, Keyring: guest})
		cached = append(cached, keyring.Member{Name: m.name, Keyring: m.shared.cache})
	}
	// The cache may still show the keys of the configuration in force, so those
	// of this one are checked first.
	if _, err := keyring.NewSet(own); err != nil {
		return k, err
	}
	k.set, err = keyring.NewSet(cached)
	return k, err
}

// keyringMembers lists the keyrings that are set, by name, and takes the others
// out of the app's JSON.
func (a *App) keyringMembers(logger *zap.Logger) ([]*keyringMember, error) {
	var members []*keyringMember
	for _, name := range slices.Sorted(maps.Keys(a.KeyringsRaw)) {
		raw := a.KeyringsRaw[name]
		var settings map[string]any
		if err := json.Unmarshal(raw, &settings); err != nil {
			return nil, fmt.Errorf("keyring %q: %w", name, err)
		}
		driver, _ := settings[driverKey].(string)
		delete(settings, driverKey)
		if notSet(settings) {
			logger.Info("keyring is not set: its placeholders are empty", zap.String("keyring", name))
			delete(a.KeyringsRaw, name)
			continue
		}
		var key bytes.Buffer
		if err := json.Compact(&key, raw); err != nil {
			return nil, fmt.Errorf("keyring %q: %w", name, err)
		}
		members = append(members, &keyringMember{name: name, driver: driver, poolKey: driver + " " + key.String()})
	}
	return members, nil
}

// notSet reports whether a keyring has settings and all of them are placeholders
// that are empty, so that one Caddyfile can serve with a keyring and without. A
// posture that names the keyring does not load then.
func notSet(settings map[string]any) bool {
	if len(settings) == 0 {
		return false
	}
	replacer := caddy.NewReplacer()
	for _, value := range settings {
		text, ok := value.(string)
		if !ok || text == "" || strings.TrimSpace(replacer.ReplaceKnown(text, "")) != "" {
			return false
		}
	}
	return true
}

// started has the shared caches ask the keyrings of this configuration.
func (k *keyrings) started() {
	if k == nil {
		return
	}
	for _, m := range k.members {
		m.shared.prefer(m.guest)
	}
}

// close gives the keyrings up, however far loading came.
func (k *keyrings) close() error {
	if k == nil {
		return nil
	}
	var errs []error
	for _, m := range k.members {
		m.shared.detach(m.guest)
		_, err := sharedKeyrings.Delete(m.poolKey)
		errs = append(errs, err)
	}
	k.unload()
	return errors.Join(errs...)
}

// all is the set of the keyrings, nil if there are none.
func (k *keyrings) all() *keyring.Set {
	if k == nil {
		return nil
	}
	return k.set
}

var errNoKeyring = errors.New("no keyring is configured")

// check says whether there is a keyring of this name.
func (k *keyrings) check(name string) error {
	if k == nil {
		return errNoKeyring
	}
	if _, err := k.set.Lookup(name); err != nil {
		return fmt.Errorf("%w; keyrings here: %s", err, strings.Join(k.set.Names(), ", "))
	}
	return nil
}
