package vault

import (
	"context"
	"errors"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sealgate/sealgate/module/keyring"
)

// pass lets time go by in a bubble.
func pass(d time.Duration) {
	time.Sleep(d) //nolint:forbidigo // nothing sleeps in a bubble
	synctest.Wait()
}

func tries(k *Keyring) error {
	_, err := k.Wrap(context.Background(), k.KEKs()[0], dataKey(), object("bucket", "name"))
	return err
}

const (
	callLogin  = "PUT auth/approle/login"
	callRenew  = "PUT auth/token/renew-self"
	callLookup = "GET auth/token/lookup-self"
)

// approle is a Keyring that logs in by AppRole.
func approle(t *testing.T, f *fakeVault, log *slog.Logger) (k *Keyring, secretID string) {
	t.Helper()
	secretID = write(t, "", f.secretID+"\n")
	k = bubbled(t, f, Config{AppRole: &AppRole{RoleID: "role", SecretIDFile: secretID}, Logger: log})
	return k, secretID
}

func TestRenewal(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := newFakeVault()
		k, _ := approle(t, f, nil)
		for range 100 { // hours
			pass(time.Hour)
			if err := tries(k); err != nil {
				t.Fatal(err)
			}
		}
		if f.count(callLogin) != 1 {
			t.Errorf("got %d logins, want 1", f.count(callLogin))
		}
		// Each between 0.3 and 0.4 of the hour.
		if n := f.count(callRenew); n < 250 || n > 334 {
			t.Errorf("got %d renewals in 100 hours", n)
		}
		status := k.Status()
		if !status.LoggedIn || status.Err != "" || time.Since(status.Since) > 24*time.Minute || time.Until(status.Expires) < 36*time.Minute {
			t.Errorf("got status %+v", status)
		}
	})
}

// Renewals that fail for a while cost nothing.
func TestRenewalFails(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := newFakeVault()
		var log record
		k, _ := approle(t, f, log.logger())
		pass(time.Minute)
		f.fail(on(failing(503, "Vault is sealed"), "auth/token/renew-self", "auth/approle/login"))
		pass(50 * time.Minute)
		if err := tries(k); err != nil {
			t.Errorf("while the token is good: %v", err)
		}
		if status := k.Status(); !status.LoggedIn || !strings.Contains(status.Err, "sealed") {
			t.Errorf("got status %+v", status)
		}
		if !strings.Contains(log.String(), "renewing the vault token") {
			t.Error("nothing is logged")
		}
		f.fail(nil)
		pass(time.Hour)
		if err := tries(k); err != nil || f.count(callLogin) != 1 || k.Status().Err != "" {
			t.Errorf("got error %v, %d logins, status %+v", err, f.count(callLogin), k.Status())
		}
	})
}

// Vault is away for longer than the token lives: calls fail at once, and soon
// after its return there is a new login.
func TestLongOutage(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := newFakeVault()
		k, _ := approle(t, f, nil)
		pass(time.Minute)
		f.fail(hanging)
		pass(48 * time.Hour)
		before := time.Now()
		if err := tries(k); !errors.Is(err, keyring.ErrUnavailable) {
			t.Errorf("got error %v, want %v", err, keyring.ErrUnavailable)
		}
		if took := time.Since(before); took != 0 {
			t.Errorf("a call took %v without a token", took)
		}
		if k.Status().LoggedIn {
			t.Error("the status says logged in")
		}
		f.fail(nil)
		pass(maxPause + DefaultTimeout)
		if err := tries(k); err != nil {
			t.Error(err)
		}
	})
}

// A gateway that starts before Vault does.
func TestVaultComesLater(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := newFakeVault()
		f.fail(failing(503, "Vault is sealed"))
		k, _ := approle(t, f, nil)
		if err := tries(k); !errors.Is(err, keyring.ErrUnavailable) {
			t.Errorf("got error %v, want %v", err, keyring.ErrUnavailable)
		}
		pass(time.Hour)
		f.fail(nil)
		tries(k) // asks for a login
		pass(minPause + time.Second)
		if err := tries(k); err != nil {
			t.Error(err)
		}
	})
}

// Calls that come before the first login wait for it.
func TestCallsWaitForLogin(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := newFakeVault()
		k, _ := approle(t, f, nil)
		var callers sync.WaitGroup
		for range 10 {
			callers.Go(func() {
				if err := tries(k); err != nil {
					t.Error(err)
				}
			})
		}
		callers.Wait()
		if n := f.count(callLogin); n != 1 {
			t.Errorf("got %d logins, want 1", n)
		}
	})
}

// A token that is refused is replaced, and not for every call.
func TestRevoked(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := newFakeVault()
		k, _ := approle(t, f, nil)
		pass(time.Minute)
		f.set(func(f *fakeVault) { clear(f.tokens) })
		if err := tries(k); !errors.Is(err, keyring.ErrDenied) {
			t.Errorf("got error %v, want %v", err, keyring.ErrDenied)
		}
		pass(time.Second)
		if err := tries(k); err != nil || f.count(callLogin) != 2 {
			t.Errorf("got error %v, %d logins", err, f.count(callLogin))
		}
		f.fail(on(failing(403, "permission denied"), "transit/encrypt/objects"))
		for range 1000 {
			tries(k)
			pass(100 * time.Millisecond)
		}
		if n := f.count(callLogin); n > 15 {
			t.Errorf("got %d logins in 100 s of refusals", n)
		}
	})
}

// The secret id is read at each login.
func TestSecretIDRotates(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := newFakeVault()
		f.role.renewable = false
		k, file := approle(t, f, nil)
		pass(time.Minute)
		write(t, file, "second-secret-id")
		f.set(func(f *fakeVault) { f.secretID = "second-secret-id" })
		pass(3 * time.Hour)
		if err := tries(k); err != nil {
			t.Error(err)
		}
		if n := f.count(callLogin); n < 7 || n > 12 {
			t.Errorf("got %d logins in 3 hours", n)
		}
		write(t, file, "")
		pass(2 * time.Hour)
		if err := tries(k); !errors.Is(err, keyring.ErrUnavailable) || strings.Contains(err.Error(), "second") {
			t.Errorf("got error %v, want %v", err, keyring.ErrUnavailable)
		}
	})
}

// Renewals end at the token's greatest age: a login comes before that.
func TestGreatestAge(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := newFakeVault()
		f.role.end = time.Now().Add(5 * time.Hour)
		k, _ := approle(t, f, nil)
		pass(4 * time.Hour)
		f.set(func(f *fakeVault) { f.role.end = time.Time{} })
		for range 100 {
			pass(2 * time.Minute)
			if err := tries(k); err != nil {
				t.Fatal(err)
			}
		}
		if n := f.count(callLogin); n != 2 {
			t.Errorf("got %d logins, want 2", n)
		}
	})
}

// An agent keeps the token in a file good, or puts another one there.
func TestTokenFile(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := newFakeVault()
		f.tokens["hvs.one"] = &fakeToken{ttl: time.Hour, expires: time.Now().Add(time.Hour)}
		file := write(t, "", "hvs.one\n")
		k := bubbled(t, f, Config{TokenFile: file})
		if err := tries(k); err != nil {
			t.Fatal(err)
		}
		f.set(func(f *fakeVault) { f.tokens["hvs.two"] = &fakeToken{} })
		write(t, file, "hvs.two\n")
		pass(2 * time.Hour)
		if err := tries(k); err != nil {
			t.Error(err)
		}
		if n := f.count(callLookup); n != 2 {
			t.Errorf("got %d logins, want 2", n)
		}
	})
}

// A reply that does not say how long a token is good is none that says for ever.
func TestOddLookup(t *testing.T) {
	t.Parallel()
	for _, reply := range []string{"", "{}", `{"data":{"renewable":true}}`, `{"data":{"ttl":"x","renewable":true}}`, `{"data":{"ttl":60,"renewable":"x"}}`} {
		f := newFakeVault()
		f.fail(on(saying(200, reply), "auth/token/lookup-self"))
		k := bubbled(t, f, Config{})
		if err := tries(k); !errors.Is(err, keyring.ErrUnavailable) || k.Status().LoggedIn {
			t.Errorf("%q: got error %v, status %+v", reply, err, k.Status())
		}
	}
}

// A fixed token that ends takes the keyring with it, without a storm of calls.
func TestTokenEnds(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := newFakeVault()
		f.tokens["hvs.short"] = &fakeToken{ttl: time.Hour, expires: time.Now().Add(time.Hour)}
		k := bubbled(t, f, Config{Token: NewSecret("hvs.short")})
		pass(24 * time.Hour)
		if err := tries(k); !errors.Is(err, keyring.ErrDenied) {
			t.Errorf("got error %v, want %v", err, keyring.ErrDenied)
		}
		if n := f.count(callLookup); n > 24*3600/10 {
			t.Errorf("got %d calls in a day", n)
		}
	})
}

// What the session logs names no secret.
func TestLog(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := newFakeVault()
		var log record
		k, _ := approle(t, f, log.logger())
		pass(time.Hour)
		f.fail(failing(403, "first-secret-id hvs.login-1"))
		pass(time.Hour)
		k.Close()
		text := log.String()
		for _, want := range []string{"logged in to vault", "renewing the vault token", "logging in to vault"} {
			if !strings.Contains(text, want) {
				t.Errorf("the log has no %q", want)
			}
		}
		if strings.Contains(text, "first-secret-id") || strings.Contains(text, "hvs.") {
			t.Errorf("the log shows a secret:\n%s", text)
		}
	})
}

// record is a log in memory.
type record struct {
	mu   sync.Mutex
	text strings.Builder
}

func (r *record) logger() *slog.Logger {
	return slog.New(slog.NewTextHandler(r, &slog.HandlerOptions{Level: slog.LevelDebug}))
}

func (r *record) Write(p []byte) (int, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.text.Write(p)
}

func (r *record) String() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.text.String()
}
