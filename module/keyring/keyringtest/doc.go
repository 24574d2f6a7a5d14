// Package keyringtest is what every keyring driver has to pass, as tests that
// the driver's own tests run:
//
//	func TestConformance(t *testing.T) {
//		keyringtest.Run(t, func(t *testing.T) keyring.Keyring { … }, keyringtest.Options{…})
//	}
package keyringtest
