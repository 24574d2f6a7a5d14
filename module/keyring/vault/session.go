package vault

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/hashicorp/vault/api"

	"github.com/sealgate/sealgate/module/keyring"
)

// Pauses of a session.
const (
	firstPause = 500 * time.Millisecond // after a failure; doubles with each
	maxPause   = 15 * time.Second
	minPause   = time.Second      // between attempts that callers ask for
	minRelogin = 10 * time.Second // between logins because of refusals
)

// Status is what is known of a keyring's login. Times that are not known are
// zero.
type Status struct {
	LoggedIn bool      // there is a token that has not expired
	Since    time.Time // login or renewal of the token
	Expires  time.Time // zero: never
	Err      string    // what failed last, "" after a success
}

// session keeps a token of Vault good. One goroutine logs in, renews and logs in
// again for as long as the keyring is open; no error ends it.
type session struct {
	config Config
	name   name
	login  *api.Client // for logins alone
	calls  *api.Client // has the token that is good
	log    *slog.Logger

	ctx    context.Context // ends with close
	cancel context.CancelFunc
	done   chan struct{} // closed when the goroutine has ended
	kicked chan struct{} // a caller found the token refused or missing

	tried chan struct{} // closed after the first attempt to log in

	mu     sync.Mutex
	status Status
	err    error // of the last attempt
}

func startSession(c Config, n name, login, calls *api.Client) *session {
	s := &session{
		config: c, name: n, login: login, calls: calls,
		log:    c.Logger,
		done:   make(chan struct{}),
		kicked: make(chan struct{}, 1),
		tried:  make(chan struct{}),
	}
	s.ctx, s.cancel = context.WithCancel(context.Background())
	go s.run()
	return s
}

// close ends the goroutine and waits for it. The token is left to expire.
func (s *session) close() {
	s.cancel()
	<-s.done
	s.calls.ClearToken()
	s.login.ClearToken()
}

// ready waits for the first attempt to log in and is an error while there is no
// token to call with.
func (s *session) ready(ctx context.Context) error {
	select {
	case <-s.tried:
	case <-s.ctx.Done():
	case <-ctx.Done():
		return fmt.Errorf("%w: waiting for the login to vault: %w", keyring.ErrUnavailable, context.Cause(ctx))
	}
	if s.ctx.Err() != nil {
		return fmt.Errorf("%w: keyring closed", keyring.ErrUnavailable)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.loggedIn() {
		return nil
	}
	s.kick()
	if s.err != nil {
		return s.err
	}
	return fmt.Errorf("%w: the vault token has expired", keyring.ErrUnavailable)
}

// loggedIn is asked under s.mu.
func (s *session) loggedIn() bool {
	return s.status.LoggedIn && (s.status.Expires.IsZero() || time.Now().Before(s.status.Expires))
}

// kick asks for a new login. It does not wait.
func (s *session) kick() {
	select {
	case s.kicked <- struct{}{}:
	default:
	}
}

// report is the current Status.
func (s *session) report() Status {
	s.mu.Lock()
	defer s.mu.Unlock()
	status := s.status
	status.LoggedIn = s.loggedIn()
	return status
}

func (s *session) run() {
	defer close(s.done)
	for failures := 0; s.ctx.Err() == nil; {
		l, err := s.enter()
		if err != nil {
			failures++
			s.failed("logging in to vault", err)
			least := minPause
			if errors.Is(err, keyring.ErrDenied) { // each login may make a token
				least = minRelogin
			}
			s.wait(pause(failures), least)
			continue
		}
		failures = 0
		s.keep(l)
	}
}

// enter logs in, and proves the key before its first use.
func (s *session) enter() (lease, error) {
	ctx, cancel := limit(s.ctx, s.config.Timeout)
	defer cancel()
	l, err := login(ctx, s.config, s.login)
	if err != nil {
		return lease{}, err
	}
	if err := (transit{s.login, s.name}).check(ctx); err != nil {
		return lease{}, err
	}
	s.calls.SetToken(l.token.Reveal())
	select {
	case <-s.kicked: // by what has just been put right
	default:
	}
	s.succeeded(l)
	s.log.Info("logged in to vault", "key", s.name.path("keys"), "ttl", l.ttl, "renewable", l.renewable)
	return l, nil
}

// keep renews a token until it is time to log in again.
func (s *session) keep(l lease) {
	first := l.ttl
	for {
		if kicked := s.wait(renewAfter(l.ttl), minRelogin); kicked || s.ctx.Err() != nil || !l.renewable {
			return
		}
		renewed, err := s.renew(l)
		if err != nil {
			return
		}
		s.succeeded(renewed)
		s.log.Debug("renewed the vault token", "ttl", renewed.ttl)
		if renewed.ttl < first/2 { // near the end of what renewals can give
			return
		}
		l = renewed
	}
}

// renew tries until l expires, or is no token any more.
func (s *session) renew(l lease) (lease, error) {
	for failures := 1; ; failures++ {
		ctx, cancel := limit(s.ctx, s.config.Timeout)
		renewed, err := renew(ctx, s.calls)
		cancel()
		if err == nil {
			return renewed, nil
		}
		s.failed("renewing the vault token", err)
		wait := pause(failures)
		if errors.Is(err, keyring.ErrDenied) || !time.Now().Add(wait).Before(l.expires) {
			return lease{}, err
		}
		if s.wait(wait, minPause); s.ctx.Err() != nil {
			return lease{}, s.ctx.Err()
		}
	}
}

// wait returns after d, or for d = 0 never; earlier, but not before least, and
// with true when a caller kicks; and at once when the session ends.
func (s *session) wait(d, least time.Duration) bool {
	var end <-chan time.Time
	if d > 0 {
		timer := time.NewTimer(d)
		defer timer.Stop()
		end = timer.C
	}
	early := time.NewTimer(least)
	defer early.Stop()
	select {
	case <-s.ctx.Done():
		return false
	case <-end:
		return false
	case <-early.C:
	}
	select {
	case <-s.ctx.Done():
		return false
	case <-end:
		return false
	case <-s.kicked:
		return true
	}
}

func (s *session) succeeded(l lease) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.status = Status{LoggedIn: true, Since: time.Now(), Expires: l.expires}
	s.err = nil
	s.attempted()
}

func (s *session) failed(what string, err error) {
	if s.ctx.Err() != nil {
		return
	}
	s.log.Error(what, "key", s.name.path("keys"), "error", err.Error())
	s.mu.Lock()
	defer s.mu.Unlock()
	s.err = err
	s.status.Err = err.Error()
	s.attempted()
}

// attempted lets those go who wait for the first attempt, under s.mu.
func (s *session) attempted() {
	select {
	case <-s.tried:
	default:
		close(s.tried)
	}
}

// renewAfter is when to renew a token that is good for ttl: before half of it,
// 0 for never. Gateways that started together do not renew together.
func renewAfter(ttl time.Duration) time.Duration {
	if ttl <= 0 {
		return 0
	}
	return max(ttl*2/5-rand.N(ttl/10+1), minPause/2) //nolint:gosec // jitter
}

// pause is how long to wait after so many failures in a row.
func pause(failures int) time.Duration {
	d := maxPause
	if failures < 6 {
		d = firstPause << (failures - 1)
	}
	return d - rand.N(d/4) //nolint:gosec // jitter
}
