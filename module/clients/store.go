package clients

import (
	"context"
	"sync"
	"sync/atomic"
	"time"
)

// Store holds the clients of one file. It is safe for concurrent use; lookups
// never wait for a reload.
type Store struct {
	path    string
	loading sync.Mutex // one reload at a time
	good    atomic.Pointer[generation]
	failure atomic.Pointer[string] // of the last reload; nil after a good one
}

// Status is the state of a Store.
type Status struct {
	Path     string
	LoadedAt time.Time // when the clients in force were read
	Err      string    // why the file as it is now is not in force; "" if it is
	Clients  int       // in force, disabled and expired ones included
}

// Open reads the clients at path. A file that others than its owner can reach
// is an [ErrExposed].
func Open(path string) (*Store, error) {
	s := &Store{path: path}
	if err := s.Reload(); err != nil {
		return nil, err
	}
	return s, nil
}

// Lookup returns the client with this access key if it may be let in at now.
// Errors are [ErrUnknown], [ErrDisabled] and [ErrExpired]; they come with no
// client.
func (s *Store) Lookup(accessKey string, now time.Time) (Client, error) {
	c, ok := s.good.Load().clients[accessKey]
	if !ok {
		return Client{}, ErrUnknown
	}
	if err := c.usable(now); err != nil {
		return Client{}, err
	}
	return c, nil
}

// Reload reads the file again. On error the clients in force stay, and
// [Store.Status] shows the error until a reload succeeds.
func (s *Store) Reload() error {
	s.loading.Lock()
	defer s.loading.Unlock()
	g, err := load(s.path)
	if err != nil {
		text := err.Error()
		s.failure.Store(&text)
		return err
	}
	s.good.Store(g)
	s.failure.Store(nil)
	return nil
}

// Status returns the state of the store.
func (s *Store) Status() Status {
	g := s.good.Load()
	return Status{Path: s.path, LoadedAt: g.loadedAt, Err: s.fault(), Clients: len(g.clients)}
}

func (s *Store) fault() string {
	if f := s.failure.Load(); f != nil {
		return *f
	}
	return ""
}

// Watch looks at the content of the file and of its secret files every so
// often, which must be positive, and reloads when it changed. It calls
// onChange after each change of state: with nil when new content is in force,
// with the error when the new content cannot be used, once for as long as the
// error stays the same. It returns when ctx ends. Content, not time stamps,
// because mounted secrets and restored files keep theirs.
func (s *Store) Watch(ctx context.Context, every time.Duration, onChange func(error)) {
	ticker := time.NewTicker(every)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
		before := s.fault()
		if before == "" && s.good.Load().current() {
			continue
		}
		err := s.Reload()
		if err != nil && err.Error() == before {
			continue
		}
		onChange(err)
	}
}
