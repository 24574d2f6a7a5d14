package keyringtest_test

import (
	"context"
	"fmt"
	"path/filepath"
	"sync/atomic"
	"testing"

	"go.uber.org/goleak"

	"github.com/sealgate/sealgate/module/keyring"
	"github.com/sealgate/sealgate/module/keyring/keyringtest"
	"github.com/sealgate/sealgate/module/keyring/local"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// remote makes a local keyring behave as one whose service can fail.
type remote struct {
	*local.File
	failing atomic.Bool
	fail    func(context.Context) error
}

func (r *remote) Wrap(ctx context.Context, kek keyring.KEK, key keyring.DataKey, b keyring.Binding) ([]byte, error) {
	if r.failing.Load() {
		return nil, r.fail(ctx)
	}
	return r.File.Wrap(ctx, kek, key, b)
}

func (r *remote) Unwrap(ctx context.Context, kek keyring.KEK, wrapped []byte, b keyring.Binding) (keyring.DataKey, error) {
	if r.failing.Load() {
		return keyring.DataKey{}, r.fail(ctx)
	}
	return r.File.Unwrap(ctx, kek, wrapped, b)
}

func open(t *testing.T) *remote {
	t.Helper()
	path := filepath.Join(t.TempDir(), "main.keyring")
	if _, err := local.Init(path); err != nil {
		t.Fatal(err)
	}
	file, err := local.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	return &remote{File: file}
}

// fault is a keyring whose service fails with the error given, or, if that is
// nil, does not answer.
func fault(failure error) keyringtest.Fault {
	return func(t *testing.T) (keyring.Keyring, func()) {
		r := open(t)
		r.fail = func(ctx context.Context) error {
			if failure != nil {
				return fmt.Errorf("calling the service: %w", failure)
			}
			<-ctx.Done()
			return ctx.Err()
		}
		return r, func() { r.failing.Store(true) }
	}
}

func TestFaults(t *testing.T) {
	t.Parallel()
	keyringtest.Run(t, func(t *testing.T) keyring.Keyring { return open(t) }, keyringtest.Options{
		Unavailable: fault(keyring.ErrUnavailable),
		Denied:      fault(keyring.ErrDenied),
		Slow:        fault(nil),
	})
}
