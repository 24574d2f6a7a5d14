// Package trial answers what would become of a request: it puts a gateway together
// for it, of the same parts that serve traffic (module/engine, policy, upstream), and
// sends the request through. Only the ends are stand-ins: a client whose keys were
// made for the occasion, keyrings that live in memory, and a store that answers from
// memory. Nothing leaves the process.
//
// The request is written as a client writes it and parsed as a server reads it: what
// is decided here is decided of the same bytes as in front of a store.
package trial

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"net/url"
	"time"

	"github.com/sealgate/sealgate/module/clients"
	"github.com/sealgate/sealgate/module/engine"
	"github.com/sealgate/sealgate/module/keyring"
	"github.com/sealgate/sealgate/module/s3"
	"github.com/sealgate/sealgate/module/sigv4"
	"github.com/sealgate/sealgate/module/upstream"
	"github.com/sealgate/sealgate/policy"
)

// DefaultRegion is the region of the gateway and its store unless told otherwise.
const DefaultRegion = "us-east-1"

// Config is what a trial is made with.
type Config struct {
	PostureFile string // required
	SiteDir     string // the site's Rego, "" for the library alone
	Region      string // DefaultRegion if empty
	Endpoint    string // the store a policy is told of; AWS's own in the region if empty
	// Timeout of one evaluation; a trial is not in a hurry. 0 means a second.
	Timeout time.Duration
	// Time is when everything happens; now if zero.
	Time time.Time
}

// Caller is who sends requests.
type Caller struct {
	Principal  string
	Groups     []string
	Attributes map[string]string
	Anonymous  bool // without a signature; the rest does not count
}

// Connection is how requests arrive.
type Connection struct {
	IP  string // of the client; a loopback address is this machine
	TLS string // "1.0" to "1.3", "" without TLS
}

// Gateway is a gateway for trials. It is not safe for concurrent use: it has one
// client at a time.
type Gateway struct {
	engine *engine.Engine
	policy *policy.Engine
	store  *store
	rings  *keyring.Set
	caller *caller
	region string
	at     time.Time
	last   *engine.Record
}

// New puts a gateway together. Errors are those of loading the policy.
func New(c Config) (*Gateway, error) {
	if c.Region == "" {
		c.Region = DefaultRegion
	}
	if c.Endpoint == "" {
		c.Endpoint = "https://s3." + c.Region + ".amazonaws.com"
	}
	if c.Timeout == 0 {
		c.Timeout = time.Second
	}
	if c.Time.IsZero() {
		c.Time = time.Now()
	}
	endpoint, err := url.Parse(c.Endpoint)
	if err != nil {
		return nil, fmt.Errorf("endpoint: %w", err)
	}
	g := &Gateway{store: newStore(), region: c.Region, at: c.Time, caller: newCaller()}
	names := map[string]bool{}
	g.policy, err = policy.New(policy.Options{
		PostureFile: c.PostureFile, SiteDir: c.SiteDir, Timeout: c.Timeout, Now: g.now, CheckAction: s3.CheckAction,
		CheckKeyring: func(name string) error { names[name] = true; return nil },
	})
	if err != nil {
		return nil, err
	}
	if g.rings, err = throwaway(names); err != nil {
		return nil, err
	}
	if g.engine, err = g.build(g.policy, endpoint); err != nil {
		return nil, err
	}
	return g, nil
}

// build makes an engine in front of the store of the trial.
func (g *Gateway) build(p *policy.Engine, endpoint *url.URL) (*engine.Engine, error) {
	up, err := upstream.New(upstream.Config{
		Endpoint: endpoint, Insecure: true, Region: g.region, Transport: g.store, Now: g.now,
		Credentials: upstream.Static(upstream.Credentials{AccessKey: "AKTRIALGATEWAY", Secret: upstream.NewSecret(random())}),
	})
	if err != nil {
		return nil, err
	}
	return engine.New(engine.Config{
		Verifier: sigv4.NewVerifier(sigv4.VerifierConfig{Region: g.region, Now: g.now}),
		Clients:  g.caller, Policy: p, Upstream: up, Keyrings: g.rings, Region: g.region,
		Recorder: g, RecordInput: engine.RecordInputAll, Now: g.now,
	})
}

// Policy is the policy that decides.
func (g *Gateway) Policy() *policy.Generation { return g.policy.Current() }

func (g *Gateway) now() time.Time { return g.at }

// Record implements engine.Recorder.
func (g *Gateway) Record(_ context.Context, r *engine.Record) {
	kept := *r
	g.last = &kept
}

// caller is the one client there is.
type caller struct{ client clients.Client }

func newCaller() *caller {
	return &caller{clients.Client{AccessKey: "AKTRIALCLIENT0000001", Secret: clients.NewSecret(random())}}
}

// Lookup implements engine.ClientSource.
func (c *caller) Lookup(accessKey string, _ time.Time) (clients.Client, error) {
	if accessKey != c.client.AccessKey {
		return clients.Client{}, clients.ErrUnknown
	}
	return c.client, nil
}

func random() string {
	var b [20]byte
	_, _ = rand.Read(b[:]) // never fails: crypto/rand ends the process instead
	return hex.EncodeToString(b[:])
}

// errNoRecord says that the engine wrote no record, which it always does.
var errNoRecord = errors.New("internal error: the request left no decision record")
