package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig"

	"github.com/sealgate/sealgate/module/keyring"
	"github.com/sealgate/sealgate/module/keyring/local"
	"github.com/sealgate/sealgate/module/seal"
)

// unlock has the keyring unwrap the object's data key. The caller wipes the
// object.
func (f *objectFlags) unlock(ctx context.Context, e seal.Envelope) (*seal.Object, error) {
	binding, err := e.Binding(f.bucket, f.key)
	if err != nil {
		return nil, err
	}
	ring, end, err := f.openKeyring(ctx)
	if err != nil {
		return nil, err
	}
	defer end()
	kek := keyring.KEK{Kind: keyring.Kind(e.Wrap), ID: e.KEK}
	unwrapped, err := ring.Unwrap(ctx, kek, e.Wrapped, keyring.Binding{Namespace: f.bucket, OID: e.OID, AAD: binding})
	switch {
	case errors.Is(err, keyring.ErrCorrupt):
		return nil, fmt.Errorf("%w: the envelope is not that of bucket %q, key %q, or was changed", err, f.bucket, f.key)
	case errors.Is(err, keyring.ErrUnknownKey):
		return nil, fmt.Errorf("keyring %s: %w; the object needs %s", f.keyring, err, kek)
	case err != nil:
		return nil, fmt.Errorf("keyring %s: %w", f.keyring, err)
	}
	defer unwrapped.Wipe()
	key, err := seal.NewDataKey(unwrapped[:])
	if err != nil {
		return nil, err
	}
	defer key.Wipe()
	return seal.Unlock(e, key)
}

// openKeyring gives the keyring that was named, and a function that ends it.
func (f *objectFlags) openKeyring(ctx context.Context) (keyring.Keyring, func(), error) {
	if f.config == "" {
		file, err := local.Open(f.keyring)
		return file, func() {}, err
	}
	raw, err := configuredKeyring(f.config, f.keyring)
	if err != nil {
		return nil, nil, err
	}
	ring, end, err := startKeyring(ctx, raw)
	if err != nil {
		return nil, nil, fmt.Errorf("%s: keyring %s: %w", f.config, f.keyring, err)
	}
	return ring, end, nil
}

// configuredKeyring finds a keyring in a configuration. Nothing else of that is
// loaded, so that it may name ports, certificates and a store that are not here.
func configuredKeyring(path, name string) (json.RawMessage, error) {
	config, err := os.ReadFile(path) //nolint:gosec // the operator names the file
	if err != nil {
		return nil, err
	}
	if !strings.EqualFold(filepath.Ext(path), ".json") {
		if config, _, err = caddyconfig.GetAdapter("caddyfile").Adapt(config, map[string]any{"filename": path}); err != nil {
			return nil, fmt.Errorf("%s: %w", path, err)
		}
	}
	var apps struct {
		Apps struct {
			Encryption struct {
				Keyrings map[string]json.RawMessage `json:"keyrings"`
			} `json:"s3_encryption"`
		} `json:"apps"`
	}
	if err := json.Unmarshal(config, &apps); err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	raw, ok := apps.Apps.Encryption.Keyrings[name]
	if !ok {
		return nil, fmt.Errorf("%s: %w %q", path, keyring.ErrUnknownKeyring, name)
	}
	return raw, nil
}

// startKeyring loads the driver of a keyring as the gateway does. It works until
// ctx ends or the function it returns is called.
func startKeyring(ctx context.Context, raw json.RawMessage) (keyring.Keyring, func(), error) {
	var settings map[string]json.RawMessage
	if err := json.Unmarshal(raw, &settings); err != nil {
		return nil, nil, err
	}
	var driver string
	if err := json.Unmarshal(settings["driver"], &driver); err != nil {
		return nil, nil, fmt.Errorf("driver: %w", err)
	}
	delete(settings, "driver")
	own, err := json.Marshal(settings)
	if err != nil {
		return nil, nil, err
	}
	// A configuration of nothing but a log for what the driver has to say.
	base, err := caddy.ProvisionContext(&caddy.Config{Logging: &caddy.Logging{
		Logs: map[string]*caddy.CustomLog{caddy.DefaultLoggerName: {BaseLog: caddy.BaseLog{Level: "ERROR"}}},
	}})
	if err != nil {
		return nil, nil, err
	}
	guests, end := caddy.NewContext(base)
	stop := context.AfterFunc(ctx, end)
	loaded, err := guests.LoadModuleByID("s3_encryption.keyrings."+driver, own)
	if err != nil {
		stop()
		end()
		return nil, nil, err
	}
	ring, ok := loaded.(keyring.Keyring)
	if !ok {
		stop()
		end()
		return nil, nil, fmt.Errorf("%s is no keyring driver", driver)
	}
	return ring, func() { stop(); end() }, nil
}
