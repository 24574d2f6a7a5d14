package local

import (
	"context"
	"errors"
	"sync"
	"time"

	"go.uber.org/zap"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"

	"github.com/sealgate/sealgate/module/keyring"
)

func init() {
	caddy.RegisterModule(new(Keyring))
}

// watchInterval is how often the file is compared. A change is promised to be
// in force within 5 seconds, loading included.
const watchInterval = 2 * time.Second

// Keyring is a keyring with its keys in one file, as a guest of the
// s3_encryption app. The file is made with `sealgate keyring init` and followed
// while the gateway runs: a change is in force within 5 seconds, an invalid one
// leaves the keys in force as they were.
type Keyring struct {
	// Path of the keyring file, mode 0600. Required. Placeholders of the kind
	// {env.NAME} and {file./path} are evaluated when the configuration is
	// loaded.
	Path string `json:"path,omitempty"`

	file *File
	stop func()
}

// CaddyModule returns the Caddy module information.
func (*Keyring) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{
		ID:  "s3_encryption.keyrings.local",
		New: func() caddy.Module { return new(Keyring) },
	}
}

// Provision reads the file and begins to follow it.
func (k *Keyring) Provision(ctx caddy.Context) error {
	path, err := caddy.NewReplacer().ReplaceOrErr(k.Path, true, true)
	if err != nil {
		return err
	}
	if path == "" {
		return errors.New("local keyring: path is missing")
	}
	if k.file, err = Open(path); err != nil {
		return err
	}
	logger := ctx.Logger().With(zap.String("path", path))
	watching, cancel := context.WithCancel(ctx)
	var watcher sync.WaitGroup
	watcher.Go(func() { k.file.Watch(watching, watchInterval, report(logger)) })
	k.stop = func() {
		cancel()
		watcher.Wait()
	}
	return nil
}

// report logs the outcome of loading a changed file.
func report(logger *zap.Logger) func(error) {
	return func(err error) {
		if err != nil {
			logger.Error("changed keyring file is invalid; the last good keys stay in force", zap.Error(err))
			return
		}
		logger.Info("changed keyring file loaded")
	}
}

// Validate checks that there is a key to wrap with.
func (k *Keyring) Validate() error {
	if len(k.KEKs()) == 0 {
		return errors.New("local keyring: no key")
	}
	return nil
}

// Cleanup ends the following of the file.
func (k *Keyring) Cleanup() error {
	if k.stop != nil {
		k.stop()
	}
	return nil
}

// KEKs implements [keyring.Keyring].
func (k *Keyring) KEKs() []keyring.KEK { return k.file.KEKs() }

// Wrap implements [keyring.Keyring].
func (k *Keyring) Wrap(ctx context.Context, kek keyring.KEK, key keyring.DataKey, b keyring.Binding) ([]byte, error) {
	return k.file.Wrap(ctx, kek, key, b)
}

// Unwrap implements [keyring.Keyring].
func (k *Keyring) Unwrap(ctx context.Context, kek keyring.KEK, wrapped []byte, b keyring.Binding) (keyring.DataKey, error) {
	return k.file.Unwrap(ctx, kek, wrapped, b)
}

// Status returns the state of the file.
func (k *Keyring) Status() Status { return k.file.Status() }

// UnmarshalCaddyfile sets up the keyring from Caddyfile tokens. Syntax:
//
//	local <path>
func (k *Keyring) UnmarshalCaddyfile(d *caddyfile.Dispenser) error {
	d.Next() // consume the driver's name
	if !d.AllArgs(&k.Path) {
		return d.ArgErr()
	}
	if d.NextBlock(0) {
		return d.Errf("unrecognized subdirective '%s'", d.Val())
	}
	return nil
}

// Interface guards
var (
	_ keyring.Keyring       = (*Keyring)(nil)
	_ caddy.Module          = (*Keyring)(nil)
	_ caddy.Provisioner     = (*Keyring)(nil)
	_ caddy.Validator       = (*Keyring)(nil)
	_ caddy.CleanerUpper    = (*Keyring)(nil)
	_ caddyfile.Unmarshaler = (*Keyring)(nil)
)
