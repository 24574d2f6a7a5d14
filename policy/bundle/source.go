package bundle

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	opabundle "github.com/open-policy-agent/opa/v1/bundle"
	"github.com/open-policy-agent/opa/v1/download"
	"github.com/open-policy-agent/opa/v1/logging"
	"github.com/open-policy-agent/opa/v1/plugins"
	"github.com/open-policy-agent/opa/v1/plugins/rest"

	"github.com/sealgate/sealgate/policy"
)

// Defaults of Options.
const (
	DefaultInterval = time.Minute
	DefaultTimeout  = 30 * time.Second
)

// Options say where a bundle is and whose it must be.
type Options struct {
	URL          *url.URL // http or https, without a user
	Verification Verification
	// Token gives the bearer token to send, asked for every request; nil for none.
	Token func() (Token, error)
	// CAFile is a PEM file with the certificates to trust in the place of the system's.
	CAFile string
	// Interval is the shortest time from one request to the next when all is well; the
	// longest is a fifth more. 0 means DefaultInterval. After a failure it is shorter
	// at first.
	Interval time.Duration
	// Timeout bounds one download; 0 means DefaultTimeout.
	Timeout time.Duration
	// SizeLimit is in bytes; 0 means DefaultSizeLimit.
	SizeLimit int64
	// Directory is where the last bundle in force is kept; "" for nowhere.
	Directory string
	// Now is the clock; nil means time.Now.
	Now func() time.Time
}

// Source is a bundle on a server. It is safe for concurrent use.
type Source struct {
	options    Options
	config     *opabundle.VerificationConfig
	origin     string
	door       *door
	downloader *download.Downloader
	updates    chan update

	polling sync.Mutex // one request at a time

	mu     sync.Mutex // guards what follows
	site   policy.Site
	digest string // of site, "" as long as there is none
	err    error  // of the last request
	errAt  time.Time
	polled bool

	kept    []byte // the bundle that is kept, nil if none is
	refused string // what was rolled back from, as it is kept
}

// authPlugin is the name OPA's client knows the door by.
const authPlugin = "policy"

// Open prepares a source. Nothing is asked for before the first Read.
func Open(o Options) (*Source, error) {
	if o.Interval <= 0 {
		o.Interval = DefaultInterval
	}
	if o.Timeout <= 0 {
		o.Timeout = DefaultTimeout
	}
	if o.SizeLimit <= 0 {
		o.SizeLimit = DefaultSizeLimit
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.URL == nil || o.URL.Host == "" || o.URL.User != nil || o.URL.Scheme != "http" && o.URL.Scheme != "https" {
		return nil, errors.New("a bundle has an http:// or https:// URL without a user")
	}
	config, err := o.Verification.config()
	if err != nil {
		return nil, err
	}
	s := &Source{options: o, config: config, updates: make(chan update, 1)}
	s.origin = o.URL.Scheme + "://" + o.URL.Host + o.URL.EscapedPath() // a query may be a signature
	s.door = &door{token: o.Token, limit: o.SizeLimit}
	if s.downloader, err = s.connect(); err != nil {
		return nil, err
	}
	return s, s.prepare()
}

// connect makes OPA's downloader, which is told when to ask.
func (s *Source) connect() (*download.Downloader, error) {
	type trust struct {
		CACert string `json:"ca_cert"`
	}
	seconds := int64(max(1, s.options.Timeout/time.Second))
	service := map[string]any{
		"name":                            "policy",
		"url":                             s.options.URL.Scheme + "://" + s.options.URL.Host,
		"response_header_timeout_seconds": seconds,
		"credentials":                     map[string]string{"plugin": authPlugin},
	}
	if s.options.CAFile != "" {
		service["tls"] = trust{s.options.CAFile}
	}
	encoded, err := json.Marshal(service)
	if err != nil {
		return nil, err
	}
	client, err := rest.New(encoded, nil, rest.Logger(logging.NewNoOpLogger()),
		rest.AuthPluginLookup(func(string) rest.HTTPAuthPlugin { return s.door }))
	if err != nil {
		return nil, err
	}
	manual := plugins.TriggerManual
	config := download.Config{Trigger: &manual}
	if err := config.ValidateAndInjectDefaults(); err != nil {
		return nil, err
	}
	return download.New(config, client, s.options.URL.RequestURI()).
		WithBundleVerificationConfig(s.config).
		WithSizeLimitBytes(s.options.SizeLimit).
		WithBundleParserOpts(parserOptions).
		WithCallback(s.update), nil
}

// Read implements policy.SiteSource: the last bundle that was verified. The first call
// makes the first request and waits for it.
func (s *Source) Read(ctx context.Context) (policy.Site, error) {
	s.mu.Lock()
	polled := s.polled
	s.mu.Unlock()
	if !polled {
		s.poll(ctx)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	site := s.site
	site.Err, site.ErrAt = s.err, s.errAt
	switch {
	case s.digest != "":
		return site, nil
	case s.err != nil:
		return policy.Site{}, s.err
	}
	return policy.Site{}, ctx.Err()
}

// Run asks for newer bundles until ctx ends.
func (s *Source) Run(ctx context.Context) {
	timer := time.NewTimer(s.delay(0))
	defer timer.Stop()
	for failures := 0; ; {
		select {
		case <-ctx.Done():
			return
		case <-timer.C:
		}
		if s.poll(ctx); s.failing() {
			failures++
		} else {
			failures = 0
		}
		timer.Reset(s.delay(failures))
	}
}

// Refresh asks for a newer bundle now and waits for the answer. What came of it shows
// in the next Read.
func (s *Source) Refresh(ctx context.Context) { s.poll(ctx) }

// delay is the time to the next request, with a part by chance so that many gateways
// do not ask at once. After failures it grows from a second up to the interval.
func (s *Source) delay(failures int) time.Duration {
	d := s.options.Interval
	if failures > 0 && failures < 16 {
		d = min(d, time.Second<<(failures-1))
	}
	return d + rand.N(d/5+1) //nolint:gosec // no secret
}

func (s *Source) failing() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.err != nil
}

// update is what came of a request.
type update struct {
	site  policy.Site
	fresh bool // there is a new site
	err   error
}

// update is called by the downloader with the outcome of a request.
func (s *Source) update(_ context.Context, u download.Update) error {
	raw := s.door.take()
	out := update{err: u.Error}
	if u.Bundle != nil {
		out.site, out.err = siteOf(u.Bundle)
		out.site.Raw, out.fresh = raw, true
	}
	if out.err != nil {
		out.err = s.explain(out.err)
		// What is not taken must be sent again as long as it is there.
		s.downloader.SetCache("")
	}
	s.updates <- out
	return nil
}

// poll makes one request. A failure leaves what there is.
func (s *Source) poll(ctx context.Context) {
	s.polling.Lock()
	defer s.polling.Unlock()
	bounded, cancel := context.WithTimeout(ctx, s.options.Timeout)
	defer cancel()
	at := s.options.Now()
	// Trigger may give up before the downloader does, which then ends soon because of
	// the context. Once it has told of the outcome it does not touch itself any more.
	_ = s.downloader.Trigger(bounded)
	u := <-s.updates
	if ctx.Err() != nil {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.polled = true
	if u.err == nil && !u.fresh && s.digest == "" {
		u.err = &policy.StepError{Step: policy.StepDownload, Err: fmt.Errorf("%s: the server sent nothing", s.origin)}
	}
	if u.err != nil {
		s.err, s.errAt = u.err, at
		return
	}
	if u.fresh {
		s.site, s.digest = u.site, u.site.Digest()
		s.site.Origin = s.origin
	}
	s.err, s.site.Fetched = nil, at
	s.touch(at)
}

// explain gives the error of a download its step, and leaves out the query of the URL.
func (s *Source) explain(err error) error {
	var at *policy.StepError
	if errors.As(err, &at) {
		return at
	}
	var status download.HTTPError
	if errors.As(err, &status) {
		return &policy.StepError{Step: policy.StepDownload, Err: fmt.Errorf("%s: the server answered %d %s", s.origin, status.StatusCode, http.StatusText(status.StatusCode))}
	}
	var asked *url.Error
	if errors.As(err, &asked) {
		return &policy.StepError{Step: policy.StepDownload, Err: fmt.Errorf("asking %s: %w", s.origin, asked.Err)}
	}
	if strings.HasPrefix(err.Error(), "request failed: ") {
		return &policy.StepError{Step: policy.StepDownload, Err: err}
	}
	return &policy.StepError{Step: policy.StepVerify, Err: err}
}

// Interface guards
var _ policy.Keeper = (*Source)(nil)
