package gateway

import (
	"cmp"
	"errors"
	"fmt"
	"net/url"
	"os"
	"slices"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"

	"github.com/sealgate/sealgate/policy"
	"github.com/sealgate/sealgate/policy/bundle"
)

// PolicyBundle is a signed OPA bundle with the site's own Rego, on a server. What
// "opa build" and "opa sign" make is accepted, if its roots are `["site"]` and it has no
// data. Placeholders are replaced when the configuration is loaded.
type PolicyBundle struct {
	// Where it is. An `http://` URL is accepted for this machine only. Redirects are
	// not followed. Required.
	URL string `json:"url,omitempty"`

	// The keys a bundle may be signed with. Required, unless `allow_unsigned` is set.
	VerificationKeys []VerificationKey `json:"verification_keys,omitempty"`

	// The id of the key that bundles must be signed with, whatever they say. Default:
	// the only key; with several, the one that the signature names.
	KeyID string `json:"key_id,omitempty"`

	// What a signature must say it is for. Default: nothing.
	Scope string `json:"scope,omitempty"`

	// Accepts bundles without a signature: whoever can change them on their way or on
	// the server decides what is allowed. Default: false.
	AllowUnsigned bool `json:"allow_unsigned,omitempty"`

	// The bearer token for the server: a single `{env.NAME}` or `{file./path}`
	// placeholder, never the token itself. It is read for every request. Default: none.
	Token string `json:"token,omitempty"`

	// A PEM file with the certificates to trust in the place of the system's.
	TrustedCA string `json:"trusted_ca,omitempty"`

	// The time between two requests; up to a fifth more, by chance. Default: `60s`.
	Interval caddy.Duration `json:"interval,omitempty"`

	// How long one download may take. Default: `30s`.
	Timeout caddy.Duration `json:"timeout,omitempty"`

	// A directory that keeps the last bundle in force, for a start at which the server
	// is not there. Default: none, and then there is no such start.
	Persist string `json:"persist,omitempty"`

	// How long requests are decided without the newest bundle being in force: because
	// the server is gone, or because what it has is not accepted. Default: for ever.
	MaxStaleness caddy.Duration `json:"max_staleness,omitempty"`

	// What happens then: `deny_writes`, `deny` or `serve`. Denied requests get 503.
	// Default: `deny_writes`.
	WhenStale string `json:"when_stale,omitempty"`

	// The largest bundle, in bytes, compressed or not. Default: 32 MiB.
	SizeLimit int64 `json:"size_limit,omitempty"`
}

// VerificationKey is a key that bundles may be signed with.
type VerificationKey struct {
	// A PEM file with the public key or a certificate; with an HS algorithm a file with
	// the shared secret. It is read when the configuration is loaded. Required.
	File string `json:"file,omitempty"`

	// The name that signatures have for it. It may be left out if there is one key.
	ID string `json:"id,omitempty"`

	// Its algorithm: `RS256`, `ES256`, `PS256`, `HS256`, or one of these with 384 or
	// 512. Default: `RS256`.
	Algorithm string `json:"algorithm,omitempty"`
}

// onlyKey is the id of a key that has none.
const onlyKey = "default"

// maxKeyFile bounds a file with a key, in bytes.
const maxKeyFile = 64 << 10

var whenStaleWords = []string{string(policy.StaleDenyWrites), string(policy.StaleDeny), string(policy.StaleServe)}

var errLiteralBundleToken = errors.New("policy bundle: the token must be a placeholder, {env.NAME} or {file./path}, not the token itself")

// bundleSettings are a PolicyBundle with placeholders replaced and checked.
type bundleSettings struct {
	options      bundle.Options
	maxStaleness time.Duration
	whenStale    policy.StaleAction
}

// bundle replaces the placeholders of a PolicyBundle; nil if there is none.
func (r *resolver) bundle(b *PolicyBundle) *bundleSettings {
	if b == nil {
		return nil
	}
	s := &bundleSettings{maxStaleness: time.Duration(b.MaxStaleness)}
	s.whenStale = policy.StaleAction(r.word("policy bundle: when_stale", b.WhenStale, whenStaleWords))
	s.options = bundle.Options{
		URL:       r.bundleURL(b.URL),
		CAFile:    r.text("policy bundle: trusted_ca", b.TrustedCA),
		Interval:  time.Duration(b.Interval),
		Timeout:   time.Duration(b.Timeout),
		SizeLimit: b.SizeLimit,
		Directory: r.text("policy bundle: persist", b.Persist),
		Verification: bundle.Verification{
			Keys: r.verificationKeys(b), KeyID: r.text("policy bundle: key_id", b.KeyID),
			Scope: r.text("policy bundle: scope", b.Scope), Unsigned: b.AllowUnsigned,
		},
	}
	if v := &s.options.Verification; v.KeyID == "" && len(v.Keys) == 1 {
		v.KeyID = v.Keys[0].ID
	}
	for _, d := range []caddy.Duration{b.Interval, b.Timeout, b.MaxStaleness} {
		if d < 0 {
			r.fail(errors.New("policy bundle: a duration is negative"))
		}
	}
	if b.SizeLimit < 0 {
		r.fail(errors.New("policy bundle: size_limit is negative"))
	}
	if b.Token != "" {
		if !placeholder.MatchString(b.Token) {
			r.fail(errLiteralBundleToken)
		}
		s.options.Token = func() (bundle.Token, error) {
			now := &resolver{replacer: caddy.NewReplacer()}
			return bundle.NewToken(now.text("token", b.Token)), now.err
		}
	}
	return s
}

// bundleURL refuses plaintext beyond this machine: a signature does not tell an old
// bundle from the newest.
func (r *resolver) bundleURL(value string) *url.URL {
	v := r.text("policy bundle", value)
	if v == "" {
		r.unset("policy bundle", value, "URL")
		return nil
	}
	u, err := url.Parse(v)
	switch {
	case err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https":
		r.fail(errors.New("policy bundle: not an http:// or https:// URL")) // it may hold a signature
	case u.User != nil:
		r.fail(errors.New("policy bundle: a URL with a user name or password is not accepted; use token"))
	case u.Scheme == "http" && !loopback(u.Hostname()):
		r.fail(fmt.Errorf("policy bundle: http://%s would carry the policy over a network where it can be held back or replaced by an older one; use https://", u.Host))
	}
	return u
}

// verificationKeys reads the files with the keys. An error shows no key.
func (r *resolver) verificationKeys(b *PolicyBundle) []bundle.Key {
	var keys []bundle.Key
	for _, k := range b.VerificationKeys {
		path := r.path("policy bundle: verification_key", k.File)
		if path == "" {
			continue
		}
		key := bundle.Key{
			ID:        r.text("policy bundle: verification_key", k.ID),
			Algorithm: cmp.Or(r.text("policy bundle: verification_key", k.Algorithm), "RS256"),
		}
		if key.ID == "" {
			if len(b.VerificationKeys) > 1 {
				r.fail(fmt.Errorf("policy bundle: verification_key %s: where there are several keys each needs an id", path))
			}
			key.ID = cmp.Or(b.KeyID, onlyKey)
		}
		text, err := os.ReadFile(path)
		if err == nil && len(text) > maxKeyFile {
			err = fmt.Errorf("%s: larger than %d bytes", path, maxKeyFile)
		}
		if err != nil {
			r.fail(fmt.Errorf("policy bundle: verification_key: %w", err))
		}
		key.PEM = string(text)
		keys = append(keys, key)
	}
	return keys
}

// unmarshalPolicy reads
//
//	policy <directory>
//	policy bundle <url> {
//	    ...
//	}
func (h *Handler) unmarshalPolicy(d *caddyfile.Dispenser) error {
	args := d.RemainingArgs()
	switch {
	case len(args) == 1:
		h.Policy = args[0]
		for d.NextBlock(1) {
			return d.Errf("a policy directory has no option '%s'", d.Val())
		}
		return nil
	case len(args) != 2 || args[0] != "bundle":
		return d.ArgErr()
	}
	h.PolicyBundle = &PolicyBundle{URL: args[1]}
	var seen []string
	for d.NextBlock(1) {
		name := d.Val()
		if slices.Contains(seen, name) && name != "verification_key" {
			return d.Errf("%s is already specified", name)
		}
		seen = append(seen, name)
		if err := h.PolicyBundle.unmarshalOption(d, name); err != nil {
			return err
		}
	}
	return nil
}

func (b *PolicyBundle) unmarshalOption(d *caddyfile.Dispenser, name string) error {
	switch name {
	case "verification_key":
		return b.unmarshalKey(d)
	case "key_id":
		return oneArg(d, &b.KeyID)
	case "scope":
		return oneArg(d, &b.Scope)
	case "trusted_ca":
		return oneArg(d, &b.TrustedCA)
	case "persist":
		return oneArg(d, &b.Persist)
	case "when_stale":
		return oneWord(d, &b.WhenStale, whenStaleWords)
	case "interval":
		return oneDuration(d, &b.Interval)
	case "timeout":
		return oneDuration(d, &b.Timeout)
	case "max_staleness":
		return oneDuration(d, &b.MaxStaleness)
	case "token":
		var token string
		if err := oneArg(d, &token); err != nil {
			return err
		}
		if !placeholder.MatchString(token) {
			return d.WrapErr(errLiteralBundleToken)
		}
		b.Token = token
		return nil
	case "size_limit":
		var text string
		if err := oneArg(d, &text); err != nil {
			return err
		}
		if b.SizeLimit = sizeOf(text); b.SizeLimit <= 0 {
			return d.Errf("size_limit '%s' is not a size", text)
		}
		return nil
	case "allow_unsigned":
		if d.NextArg() {
			return d.ArgErr()
		}
		b.AllowUnsigned = true
		return nil
	default:
		return d.Errf("unrecognized option '%s' of policy bundle", name)
	}
}

// unmarshalKey reads: verification_key <file> [<id> [<algorithm>]].
func (b *PolicyBundle) unmarshalKey(d *caddyfile.Dispenser) error {
	args := d.RemainingArgs()
	if len(args) == 0 || len(args) > 3 {
		return d.ArgErr()
	}
	args = append(args, "", "")
	b.VerificationKeys = append(b.VerificationKeys, VerificationKey{File: args[0], ID: args[1], Algorithm: args[2]})
	return nil
}

// oneDuration reads exactly one argument that is a positive duration.
func oneDuration(d *caddyfile.Dispenser, target *caddy.Duration) error {
	name := d.Val()
	var text string
	if err := oneArg(d, &text); err != nil {
		return err
	}
	v, err := caddy.ParseDuration(text)
	if err != nil || v <= 0 {
		return d.Errf("%s '%s' is not a positive duration", name, text)
	}
	*target = caddy.Duration(v)
	return nil
}
