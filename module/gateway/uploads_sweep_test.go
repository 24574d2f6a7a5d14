package gateway

import (
	"context"
	"errors"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/caddyserver/certmagic"
	"go.uber.org/zap"

	"github.com/sealgate/sealgate/module/upstream"
)

// memoryStorage is a storage whose times are those of the test.
type memoryStorage struct {
	mu     sync.Mutex
	values map[string]memoryValue
	locked map[string]bool
}

type memoryValue struct {
	value    []byte
	modified time.Time
}

func newMemoryStorage() *memoryStorage {
	return &memoryStorage{values: make(map[string]memoryValue), locked: make(map[string]bool)}
}

func (m *memoryStorage) get(name string) (memoryValue, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	v, ok := m.values[name]
	if !ok {
		return v, fs.ErrNotExist
	}
	return v, nil
}

func (m *memoryStorage) Store(_ context.Context, name string, value []byte) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.values[name] = memoryValue{value, time.Now()}
	return nil
}

func (m *memoryStorage) Load(_ context.Context, name string) ([]byte, error) {
	v, err := m.get(name)
	return v.value, err
}

func (m *memoryStorage) Delete(_ context.Context, name string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.values, name)
	return nil
}

func (m *memoryStorage) Exists(_ context.Context, name string) bool {
	_, err := m.get(name)
	return err == nil
}

func (m *memoryStorage) List(_ context.Context, prefix string, _ bool) ([]string, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	var names []string
	for name := range m.values {
		if strings.HasPrefix(name, prefix+"/") {
			names = append(names, name)
		}
	}
	return names, nil
}

func (m *memoryStorage) Stat(_ context.Context, name string) (certmagic.KeyInfo, error) {
	v, err := m.get(name)
	return certmagic.KeyInfo{Key: name, Modified: v.modified, Size: int64(len(v.value)), IsTerminal: true}, err
}

func (m *memoryStorage) Lock(ctx context.Context, name string) error {
	for {
		if ok, _ := m.TryLock(ctx, name); ok {
			return nil
		}
		if !pause(ctx, time.Second) {
			return ctx.Err()
		}
	}
}

func (m *memoryStorage) TryLock(_ context.Context, name string) (bool, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.locked[name] {
		return false, nil
	}
	m.locked[name] = true
	return true, nil
}

func (m *memoryStorage) Unlock(_ context.Context, name string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.locked, name)
	return nil
}

// patientStorage cannot say at once whether a lock is taken.
type patientStorage struct{ certmagic.Storage }

// sweptBed is a sweeper in front of a store that has some uploads.
type sweptBed struct {
	t       *testing.T
	storage *memoryStorage
	uploads *uploads
	mu      sync.Mutex
	open    map[string]bool
	err     error // what the store answers, if not nil
	asked   []string
	at      []time.Time
}

func newSweptBed(t *testing.T) *sweptBed {
	t.Helper()
	storage := newMemoryStorage()
	return &sweptBed{t: t, storage: storage, uploads: newUploads(storage, "store:9000"), open: make(map[string]bool)}
}

// put makes records, and uploads of those that are open.
func (b *sweptBed) put(open bool, ids ...string) {
	b.t.Helper()
	for _, id := range ids {
		if err := b.uploads.Put(b.t.Context(), "Photos_1", id, "key of "+id, "envelope"); err != nil {
			b.t.Fatal(err)
		}
		b.mu.Lock()
		b.open[id] = open
		b.mu.Unlock()
	}
}

func (b *sweptBed) store() sweptStore {
	return sweptStore{b.uploads, func(_ context.Context, bucket, key, id string) (bool, error) {
		b.mu.Lock()
		defer b.mu.Unlock()
		if bucket != "Photos_1" || key != "key of "+id {
			b.t.Errorf("asked for key %q in bucket %q", key, bucket)
		}
		b.asked, b.at = append(b.asked, id), append(b.at, time.Now())
		return b.open[id], b.err
	}}
}

// questions is how often the store was asked.
func (b *sweptBed) questions() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return len(b.asked)
}

// end ends an upload past the gateway.
func (b *sweptBed) end(id string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.open[id] = false
}

// known wants these to be the records.
func (b *sweptBed) known(want ...string) {
	b.t.Helper()
	got, err := b.uploads.List(b.t.Context(), "Photos_1")
	slices.Sort(got)
	if err != nil || !slices.Equal(got, want) {
		b.t.Errorf("records %q (%v), want %q", got, err, want)
	}
}

// elapse lets that much of the bubble's time go by, and all end that it leads to.
func elapse(d time.Duration) {
	time.Sleep(d) //nolint:forbidigo // nothing sleeps in a bubble
	synctest.Wait()
}

// TestSweep: only records that are old, and whose upload the store no longer has,
// go; and the store is not asked more often than it was promised.
func TestSweep(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := newSweptBed(t)
		b.put(false, "gone", "ended")
		b.put(true, "living")
		elapse(sweepAge - time.Hour)
		b.put(false, "young")
		_ = b.storage.Store(t.Context(), b.uploads.prefix+"/photos/"+hashed("x"), []byte("no record"))
		_ = b.storage.Store(t.Context(), b.uploads.prefix+"/photos/beside", []byte("no record"))

		asked, dropped, err := b.store().sweep(t.Context())
		if asked != 0 || dropped != 0 || err != nil {
			t.Errorf("of young records %d were asked for and %d dropped: %v", asked, dropped, err)
		}
		elapse(time.Hour)
		asked, dropped, err = b.store().sweep(t.Context())
		if asked != 3 || dropped != 2 || err != nil {
			t.Errorf("%d were asked for and %d dropped: %v", asked, dropped, err)
		}
		b.known("living", "young")
		for i, at := range b.at[1:] {
			if at.Sub(b.at[i]) < sweepPause {
				t.Errorf("questions %v and %v", b.at[i], at)
			}
		}

		elapse(sweepAge)
		b.err = errors.New("no answer")
		asked, dropped, err = b.store().sweep(t.Context())
		if asked != 3 || dropped != 0 || err == nil { // two records, and one that is none
			t.Errorf("%d were asked for and %d dropped: %v", asked, dropped, err)
		}
		b.known("living", "young")
	})
}

// TestSweeper: records are swept again and again, by one gateway at a time, until
// it is stopped.
func TestSweeper(t *testing.T) {
	t.Parallel()
	for name, wrap := range map[string]func(*memoryStorage) certmagic.Storage{
		"a storage that says at once": func(m *memoryStorage) certmagic.Storage { return m },
		"a storage that does not":     func(m *memoryStorage) certmagic.Storage { return patientStorage{m} },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				b := newSweptBed(t)
				b.uploads.storage = wrap(b.storage)
				b.put(true, "living")
				s := &sweeper{every: time.Hour, logger: zap.NewNop(), stores: func() []sweptStore { return []sweptStore{b.store()} }}
				s.start()
				elapse(sweepAge + time.Hour)
				first := b.questions()
				elapse(10 * time.Hour)
				if n := b.questions() - first; n < 8 || n > 12 {
					t.Errorf("in ten hours %d times", n)
				}

				if got, err := b.storage.TryLock(t.Context(), b.uploads.prefix+".sweep"); !got || err != nil {
					t.Fatalf("a lock was left: %v", err)
				}
				first = b.questions()
				b.end("living")
				elapse(10 * time.Hour)
				if b.questions() != first {
					t.Error("two gateways sweep at once")
				}
				b.known("living")
				_ = b.storage.Unlock(t.Context(), b.uploads.prefix+".sweep")
				elapse(2 * time.Hour)
				b.known()

				b.put(false, "later")
				s.stop()
				elapse(2 * sweepAge)
				b.known("later")
			})
		})
	}
}

// TestSweepAsks: only an answer that says so in S3's words means that an upload is
// no more.
func TestSweepAsks(t *testing.T) {
	t.Parallel()
	const document = `<?xml version="1.0" encoding="UTF-8"?><Error><Code>%</Code></Error>`
	for _, tc := range []struct {
		name   string
		status int
		body   string
		open   bool
		fails  bool
	}{
		{"parts", http.StatusOK, "<ListPartsResult/>", true, false},
		{"no such upload", http.StatusNotFound, strings.Replace(document, "%", "NoSuchUpload", 1), false, false},
		{"no such bucket", http.StatusNotFound, strings.Replace(document, "%", "NoSuchBucket", 1), false, false},
		{"no such key", http.StatusNotFound, strings.Replace(document, "%", "NoSuchKey", 1), false, true},
		{"not found, says a machine between", http.StatusNotFound, "<html>NoSuchUpload</html>", false, true},
		{"nothing", http.StatusNotFound, "", false, true},
		{"forbidden", http.StatusForbidden, strings.Replace(document, "%", "AccessDenied", 1), false, true},
		{"out of order", http.StatusServiceUnavailable, strings.Replace(document, "%", "NoSuchUpload", 1), false, true},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			asked := make(chan *http.Request, 1)
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				asked <- r
				w.WriteHeader(tc.status)
				_, _ = w.Write([]byte(tc.body))
			}))
			defer server.Close()
			endpoint, err := url.Parse(server.URL)
			if err != nil {
				t.Fatal(err)
			}
			client, err := upstream.New(upstream.Config{
				Endpoint: endpoint, Region: "us-east-1",
				Credentials: upstream.Static(upstream.Credentials{AccessKey: "A", Secret: upstream.NewSecret("S")}),
			})
			if err != nil {
				t.Fatal(err)
			}
			open, err := inquiry{client}.open(t.Context(), "photos", "a/ü", "id+/=")
			if open != tc.open || (err != nil) != tc.fails {
				t.Errorf("got %v, %v", open, err)
			}
			r := <-asked
			if q := r.URL.Query(); r.Method != http.MethodGet || r.URL.Path != "/photos/a/ü" || q.Get("uploadId") != "id+/=" || q.Get("max-parts") != "1" {
				t.Errorf("asked %s %s", r.Method, r.URL)
			}
		})
	}
}

// TestSweptStores: a store is swept once, however many handlers are in front of it,
// and only in the gateway's own name.
func TestSweptStores(t *testing.T) {
	t.Parallel()
	of := func(host, source string) *Handler {
		return &Handler{uploads: newUploads(newMemoryStorage(), host), settings: settings{source: source}}
	}
	g := &registry{handlers: []*Handler{of("a", ""), of("a", ""), of("b", credentialsClient), {}, of("c", credentialsStatic)}}
	var hosts []string
	for _, s := range g.swept() {
		hosts = append(hosts, s.uploads.prefix)
	}
	if want := []string{uploadsPrefix + "/a", uploadsPrefix + "/c"}; !slices.Equal(hosts, want) {
		t.Errorf("got %q, want %q", hosts, want)
	}
}
