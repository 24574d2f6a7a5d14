package main

import (
	"cmp"
	"context"
	"crypto/rand"
	"fmt"
	"net"
	"os"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"

	"github.com/sealgate/sealgate/module/engine"
)

// stack is the gateway and, where it is the embedded one, the store behind it.
type stack struct {
	endpoint string // base URL of the gateway
	upstream string // base URL of the store
	moved    bool   // the default address was taken
	store    *child // nil for a store of somebody else's
	gateway  *child

	credentials aws.CredentialsProvider // of the store
}

// bringUp starts what the options ask for. Stop it when done.
func bringUp(ctx context.Context, o options, w *workspace) (up *stack, err error) {
	up = new(stack)
	defer func() {
		if err != nil {
			up.stop()
		}
	}()
	address, moved, err := gatewayAddress(o.listen)
	if err != nil {
		return up, err
	}
	up.endpoint, up.moved = "http://"+address, moved
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		return up, err
	}
	env := []string{
		envCaddyfile + "=" + w.path(caddyfileName),
		// Bound to one address, but served under any name: localhost will do too.
		"BIND=" + host, "LISTEN=:" + port,
		"S3_REGION=" + o.region,
		"QUICKSTART_DIR=" + w.dir,
		"POLICY_DIR=" + w.policy,
		"VERIFY=" + string(verification(o)),
		// Caddy's own folders: nothing is written outside the workspace.
		"XDG_CONFIG_HOME=" + w.path("caddy"), "XDG_DATA_HOME=" + w.path("caddy"),
	}
	if o.store != nil {
		up.upstream = o.store.String()
		up.credentials = credentials.NewStaticCredentialsProvider(
			os.Getenv("AWS_ACCESS_KEY_ID"), os.Getenv("AWS_SECRET_ACCESS_KEY"), os.Getenv("AWS_SESSION_TOKEN"))
		// Both halves empty: the gateway takes the pair from the AWS_ variables.
		env = append(env, "UPSTREAM_ACCESS_KEY=", "UPSTREAM_SECRET_KEY=")
	} else {
		secret := rand.Text()
		up.credentials = credentials.NewStaticCredentialsProvider(storeAccessKey, secret, "")
		if err := up.startStore(ctx, w, secret); err != nil {
			return up, err
		}
		env = append(env, "UPSTREAM_ACCESS_KEY="+storeAccessKey, "UPSTREAM_SECRET_KEY="+secret)
	}
	up.gateway, err = startChild(ctx, childSpec{
		name: "serve-gateway", dir: w.dir, log: w.path("gateway.log"), env: append(env, "S3_ENDPOINT="+up.upstream),
	})
	return up, err
}

// verification is whether the store must confirm what it encrypts. The embedded one
// encrypts nothing: a posture of the reader's own could not be tried with it otherwise.
func verification(o options) engine.Verify {
	if o.posture != "" && o.store == nil {
		return engine.VerifyOff
	}
	return engine.VerifyRequired
}

// storeAccessKey owns the embedded store's buckets; it is the same in every run, so
// that a kept folder can be used again.
const storeAccessKey = "quickstart-store"

func (up *stack) startStore(ctx context.Context, w *workspace, secret string) error {
	address, err := freeAddress()
	if err != nil {
		return err
	}
	up.store, err = startChild(ctx, childSpec{
		name: "serve-store", dir: w.dir, log: w.path("store.log"), env: []string{
			envStoreListen + "=" + address,
			envStoreDir + "=" + w.path(storeName),
			envStoreAccessKey + "=" + storeAccessKey,
			envStoreSecretKey + "=" + secret,
		},
	})
	up.upstream = "http://" + address
	return err
}

// wait returns nil when ctx ends, or an error when a child ends before that.
func (up *stack) wait(ctx context.Context) error {
	var storeDone <-chan struct{} // never, without a store of our own
	if up.store != nil {
		storeDone = up.store.done
	}
	select {
	case <-ctx.Done():
		return nil
	case <-storeDone:
		return up.store.ended()
	case <-up.gateway.done:
		return up.gateway.ended()
	}
}

// stop ends the gateway, then the store. It is harmless before a start and twice.
func (up *stack) stop() {
	for _, c := range []*child{up.gateway, up.store} {
		if c != nil {
			c.stop()
		}
	}
}

// gatewayAddress checks that the gateway can listen where it is told to. Told
// nothing, it gives the default, or a free port where that is taken.
func gatewayAddress(listen string) (address string, moved bool, err error) {
	address = cmp.Or(listen, defaultListen)
	l, err := net.Listen("tcp", address)
	switch {
	case err == nil:
		return address, false, l.Close()
	case listen != "":
		return "", false, fmt.Errorf("-listen %s: %w", listen, err)
	}
	address, err = freeAddress()
	return address, true, err
}

// freeAddress is a loopback address that nothing listens on.
func freeAddress() (string, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	return l.Addr().String(), l.Close()
}
