package awskms

import (
	"net/http"
	"testing"

	"github.com/sealgate/sealgate/module/keyring"
	"github.com/sealgate/sealgate/module/keyring/keyringtest"
)

func TestConformance(t *testing.T) {
	t.Parallel()
	for name, config := range kinds("") {
		// With reuse, an intermediate key that is held works on while KMS does
		// not answer; TestFaults looks at keyrings that hold none.
		faults := func(fault fakeFault) keyringtest.Fault {
			if config.Reuse != nil {
				return nil
			}
			return func(t *testing.T) (keyring.Keyring, func()) {
				f := newFakeKMS(arnA)
				c := config
				c.Endpoint = f.serve(t)
				return open(t, c), func() { f.setFault(fault) }
			}
		}
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			keyringtest.Run(t, func(t *testing.T) keyring.Keyring {
				return direct(open(t, config), newFakeKMS(arnA))
			}, keyringtest.Options{
				Unavailable: faults(failing(http.StatusServiceUnavailable, "KMSInternalException")),
				Denied:      faults(failing(http.StatusBadRequest, "AccessDeniedException")),
				Slow:        faults(hanging),
			})
		})
	}
}
