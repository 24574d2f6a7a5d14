package tests

import (
	"context"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/sealgate/sealgate/tests/servers"
)

// bed holds the servers that the tests of a run share.
var bed *testBed

// The clients of clients.yaml that tests speak to a gateway as.
const (
	clientKey, clientSecret     = "SEALGATETESTAPP01", "an-app-of-the-tests-secret"
	strangerKey, strangerSecret = "SEALGATESTRANGER1", "a-stranger-without-a-grant"
)

const clientsYAML = `version: 1
clients:
  - access_key: ` + clientKey + `
    secret: ` + clientSecret + `
    principal: app
    groups: [apps]
  - access_key: ` + strangerKey + `
    secret: ` + strangerSecret + `
    principal: stranger
`

// grantsYAML lets the app do anything; it ends a posture file.
const grantsYAML = `grants:
  - id: app
    principals: [app]
    actions: ["s3:*"]
    resources: ["*"]
`

// The keys that MinIO's key server knows.
const (
	keyDefault = "key-default"
	keyA       = "key-a"
	keyB       = "key-b"
)

type testBed struct {
	dir     string
	buckets atomic.Int64

	authority func() (*servers.Authority, error)
	binary    func() (string, error)
	keyring   func() (string, error) // the content of a key file
	keys      func() (*servers.KeyServer, error)
	minio     func() (*servers.Store, error)
	versity   func() (*servers.Store, error)

	mu       sync.Mutex
	gateways map[string]func() (*servers.RunningGateway, error)
	closers  []func()
}

func newTestBed(dir string) *testBed {
	b := &testBed{dir: dir, gateways: make(map[string]func() (*servers.RunningGateway, error))}
	ctx := context.Background()
	b.authority = sync.OnceValues(func() (*servers.Authority, error) { return servers.NewAuthority(dir) })
	b.binary = sync.OnceValues(func() (string, error) { return servers.BuildGateway(ctx, dir) })
	b.keyring = sync.OnceValues(func() (string, error) {
		binary, err := b.binary()
		if err != nil {
			return "", err
		}
		return servers.NewKeyring(ctx, binary, dir)
	})
	b.keys = sync.OnceValues(func() (*servers.KeyServer, error) {
		authority, err := b.authority()
		if err != nil {
			return nil, err
		}
		keys, err := servers.StartKeyServer(authority, keyDefault, keyA, keyB)
		if err == nil {
			b.atEnd(keys.Close)
		}
		return keys, err
	})
	b.minio = sync.OnceValues(func() (*servers.Store, error) {
		authority, err := b.authority()
		if err != nil {
			return nil, err
		}
		keys, err := b.keys()
		if err != nil {
			return nil, err
		}
		store, err := servers.MinIO{Authority: authority, Keys: keys}.Start(ctx)
		if err == nil {
			b.atEnd(store.Close)
			took.note("minio (server)", servers.Version("minio"))
		}
		return store, err
	})
	b.versity = sync.OnceValues(func() (*servers.Store, error) {
		authority, err := b.authority()
		if err != nil {
			return nil, err
		}
		store, err := servers.Versity{Authority: authority}.Start(ctx)
		if err == nil {
			b.atEnd(store.Close)
			took.note("versitygw (server)", servers.Version("versitygw"))
		}
		return store, err
	})
	return b
}

// atEnd has TestMain call f after all tests, last in first out.
func (b *testBed) atEnd(f func()) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.closers = append(b.closers, f)
}

func (b *testBed) close() {
	b.mu.Lock()
	defer b.mu.Unlock()
	for i := len(b.closers) - 1; i >= 0; i-- {
		b.closers[i]()
	}
}

// bucketName returns a name no other test uses. All names of a prefix have the
// same length.
func (b *testBed) bucketName(prefix string) string {
	n := b.buckets.Add(1)
	digits := []byte("00000")
	for i := len(digits) - 1; n > 0; i, n = i-1, n/10 {
		digits[i] += byte(n % 10)
	}
	return prefix + "-" + string(digits)
}

func value[T any](t testing.TB, get func() (T, error)) T {
	t.Helper()
	v, err := get()
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// showOnFailure prints the end of a server's output if the test fails.
func showOnFailure(t testing.TB, name string, p *servers.Process) {
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("%s, the end of its output:\n%s", name, p.Output())
		}
	})
}

func authority(t testing.TB) *servers.Authority { t.Helper(); return value(t, bed.authority) }

func keyServer(t testing.TB) *servers.KeyServer { t.Helper(); return value(t, bed.keys) }

func minioStore(t testing.TB) *servers.Store {
	t.Helper()
	s := value(t, bed.minio)
	showOnFailure(t, "minio", s.Process)
	return s
}

func versityStore(t testing.TB) *servers.Store {
	t.Helper()
	s := value(t, bed.versity)
	showOnFailure(t, "versitygw", s.Process)
	return s
}

// sharedGateway returns the run's gateway of that name, started by the first
// test that asks for it.
func sharedGateway(t testing.TB, name string, g servers.Gateway) *servers.RunningGateway {
	t.Helper()
	g = complete(t, g)
	bed.mu.Lock()
	get, ok := bed.gateways[name]
	if !ok {
		get = sync.OnceValues(func() (*servers.RunningGateway, error) {
			running, err := g.Start(context.Background())
			if err == nil {
				bed.atEnd(running.Close)
			}
			return running, err
		})
		bed.gateways[name] = get
	}
	bed.mu.Unlock()
	running := value(t, get)
	showOnFailure(t, "gateway "+name, running.Process)
	return running
}

// ownGateway starts a gateway for one test.
func ownGateway(t testing.TB, g servers.Gateway) *servers.RunningGateway {
	t.Helper()
	running, err := complete(t, g).Start(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(running.Close)
	showOnFailure(t, "gateway", running.Process)
	return running
}

// complete fills in what all gateways have in common.
func complete(t testing.TB, g servers.Gateway) servers.Gateway {
	t.Helper()
	g.Binary, g.Authority = value(t, bed.binary), authority(t)
	if g.Files == nil {
		g.Files = make(map[string]string)
	}
	if _, ok := g.Files["clients.yaml"]; !ok {
		g.Files["clients.yaml"] = clientsYAML
	}
	return g
}

// posture is a posture file: one line for each bucket pattern, then the grants.
func posture(lines ...string) string {
	return "version: 1\nbuckets:\n" + strings.Join(lines, "\n") + "\n" + grantsYAML
}

// minioModes is the posture of the shared gateway in front of MinIO: a bucket's
// name says how its objects are encrypted.
var minioModes = posture(
	`  "none-*": {"": {mode: none}}`,
	`  "sse-s3-*": {"": {mode: sse-s3, on_conflict: replace}}`,
	`  "sse-s3-strict-*": {"": {mode: sse-s3, on_conflict: reject}}`,
	`  "sse-kms-*": {"": {mode: sse-kms, key_id: `+keyA+`, context: {tenant: blue}, on_conflict: replace}}`,
	`  "sse-kms-keys-*": {"": {mode: sse-kms, key_id: `+keyA+`, allowed_keys: [`+keyA+`, `+keyB+`], on_conflict: keep-if-allowed}}`,
	`  "sse-c-*": {"": {mode: sse-c}}`,
	`  "dsse-kms-*": {"": {mode: dsse-kms, key_id: `+keyA+`}}`,
)

// minioGateway is the shared gateway in front of MinIO.
func minioGateway(t testing.TB) (*servers.RunningGateway, *servers.Store) {
	t.Helper()
	store := minioStore(t)
	return sharedGateway(t, "minio", servers.Gateway{
		Upstream: store.Endpoint, AccessKey: store.AccessKey, SecretKey: store.SecretKey,
		Files: map[string]string{"posture.yaml": minioModes},
	}), store
}

// versityGateway is the shared gateway in front of versitygw, which encrypts nothing.
func versityGateway(t testing.TB) (*servers.RunningGateway, *servers.Store) {
	t.Helper()
	store := versityStore(t)
	return sharedGateway(t, "versitygw", servers.Gateway{
		Upstream: store.Endpoint, AccessKey: store.AccessKey, SecretKey: store.SecretKey,
		Files: map[string]string{"posture.yaml": posture(`  "*": {"": {mode: none}}`)},
	}), store
}

// stores are the shared gateways, each in front of its store.
var stores = map[string]func(testing.TB) (*servers.RunningGateway, *servers.Store){
	"minio": minioGateway, "versitygw": versityGateway,
}
