package main

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"

	"github.com/sealgate/sealgate/module/keyring/local"
	"github.com/sealgate/sealgate/module/sigv4"
	"github.com/sealgate/sealgate/tests/servers"
)

// bench is a store with two proxies before it.
type bench struct {
	options
	store   *servers.Store
	direct  target
	caddy   target
	gateway target
	closers []func()
}

// target is one way to the store.
type target struct {
	name     string
	endpoint string
	signer   sigv4.Signer
	header   http.Header // what this way's client has to ask for itself
	client   *http.Client
	pid      int
	retries  *atomic.Int64 // after a 503, as SDKs do
}

const (
	clientKey, clientSecret = "SEALGATEBENCHMARK", "the-secret-of-a-benchmark"
	bucket                  = "bench"
)

const files = `version: 1
clients:
  - {access_key: ` + clientKey + `, secret: ` + clientSecret + `, principal: bench}
`

const posture = `version: 1
buckets:
  "*": {"": {mode: %s}}
grants:
  - {id: bench, principals: [bench], actions: ["s3:*"], resources: ["*"]}
`

// plainCaddy forwards what the client signed, so the Host header has to stay and
// nothing may be compressed.
const plainCaddy = `{
	admin off
	auto_https off
	servers {
		protocols h1
	}
	log default {
		level ERROR
	}
}

(proxy) {
	bind 127.0.0.1
	reverse_proxy {$UPSTREAM} {
		header_up Host {http.request.hostport}
		transport http {
			compression off
			versions 1.1
			%s
		}
	}
}

https://:{$PORT} {
	tls {$CERT} {$KEY}
	import proxy
}

http://:{$PLAIN_PORT} {
	import proxy
}
`

func start(ctx context.Context, o options) (_ *bench, err error) {
	b := &bench{options: o}
	defer func() {
		if err != nil {
			b.close()
		}
	}()
	dir, err := os.MkdirTemp("", "sealgate-bench-")
	if err != nil {
		return nil, err
	}
	b.closers = append(b.closers, func() { _ = os.RemoveAll(dir) })
	authority, err := servers.NewAuthority(dir)
	if err != nil {
		return nil, err
	}
	fmt.Println("building the gateway")
	binary, err := servers.BuildGateway(ctx, dir)
	if err != nil {
		return nil, err
	}
	if err := b.startStore(ctx, authority); err != nil {
		return nil, err
	}
	b.direct = b.target("direct", b.store.Endpoint, authority)
	trust := ""
	if o.tls {
		trust = "tls_trust_pool file {$AUTHORITY}"
	}
	common := servers.Gateway{
		Binary: binary, Authority: authority, Upstream: b.store.Endpoint, AccessKey: b.store.AccessKey, SecretKey: b.store.SecretKey,
	}
	plain := common
	plain.Caddyfile = fmt.Sprintf(plainCaddy, trust)
	sealgate := common
	sealgate.Files = map[string]string{"clients.yaml": files, "posture.yaml": fmt.Sprintf(posture, "sse-s3")}
	if o.store == "versitygw" {
		sealgate.Options = "verify off" // it confirms nothing
	}
	if o.seal {
		if err := seals(&sealgate, dir); err != nil {
			return nil, err
		}
	}
	if b.caddy, err = b.proxy(ctx, "caddy", plain); err != nil {
		return nil, err
	}
	if b.gateway, err = b.proxy(ctx, "sealgate", sealgate); err != nil {
		return nil, err
	}
	b.gateway.signer.AccessKey, b.gateway.signer.Secret = clientKey, clientSecret
	b.gateway.header = nil // the gateway asks
	return b, b.direct.createBucket(ctx)
}

// seals has the gateway seal everything, under a fresh local keyring.
func seals(g *servers.Gateway, dir string) error {
	path := filepath.Join(dir, "main.keyring")
	if _, err := local.Init(path); err != nil {
		return err
	}
	keys, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	g.Files["main.keyring"], g.Files["posture.yaml"] = string(keys), fmt.Sprintf(posture, "cse, sealed: all")
	options := g.Options
	if strings.HasPrefix(g.Upstream, "https:") {
		options += "\n\t\ttransport http {\n\t\t\ttls_trust_pool file {$AUTHORITY}\n\t\t}"
	}
	g.Caddyfile = strings.Replace(fmt.Sprintf(servers.DefaultCaddyfile, options), "\tauto_https off\n",
		"\tauto_https off\n\ts3_encryption {\n\t\tkeyring main local {$DIR}/main.keyring\n\t}\n", 1)
	return nil
}

func (b *bench) startStore(ctx context.Context, authority *servers.Authority) error {
	if b.dir != "" {
		// Servers keep their data below the folder for temporary files.
		if err := os.Setenv("TMPDIR", b.dir); err != nil {
			return err
		}
		defer func() { _ = os.Unsetenv("TMPDIR") }()
	}
	var issuer *servers.Authority
	if b.tls {
		issuer = authority
	}
	var err error
	if b.options.store == "minio" {
		keys, keysErr := servers.StartKeyServer(authority, "key-default")
		if keysErr != nil {
			return keysErr
		}
		b.closers = append(b.closers, keys.Close)
		b.store, err = servers.MinIO{Authority: issuer, Keys: keys}.Start(ctx)
	} else {
		b.store, err = servers.Versity{Authority: issuer}.Start(ctx)
	}
	if err == nil {
		b.closers = append(b.closers, b.store.Close)
		fmt.Printf("store: %s %s, data in %s, TLS %t\n", b.options.store, servers.Version(b.options.store), b.store.Data, b.tls)
	}
	return err
}

func (b *bench) proxy(ctx context.Context, name string, g servers.Gateway) (target, error) {
	running, err := g.Start(ctx)
	if err != nil {
		return target{}, fmt.Errorf("%s: %w", name, err)
	}
	b.closers = append(b.closers, running.Close)
	endpoint := running.PlainEndpoint
	if b.tls {
		endpoint = running.Endpoint
	}
	t := b.target(name, endpoint, g.Authority)
	t.pid = running.Process.PID()
	return t, nil
}

func (b *bench) target(name, endpoint string, authority *servers.Authority) target {
	transport := authority.Transport()
	transport.MaxIdleConnsPerHost = b.concurrency
	transport.WriteBufferSize, transport.ReadBufferSize = 64<<10, 64<<10
	b.closers = append(b.closers, transport.CloseIdleConnections)
	t := target{
		name: name, endpoint: strings.TrimSuffix(endpoint, "/"), client: &http.Client{Transport: transport}, retries: new(atomic.Int64),
		signer: sigv4.Signer{AccessKey: b.store.AccessKey, Secret: b.store.SecretKey, Region: servers.Region},
	}
	if b.options.store == "minio" {
		t.header = http.Header{"X-Amz-Server-Side-Encryption": {"AES256"}}
	}
	return t
}

func (b *bench) close() {
	for i := len(b.closers) - 1; i >= 0; i-- {
		b.closers[i]()
	}
}
