package gateway

import (
	"errors"
	"fmt"
	"net"
	"net/url"
	"regexp"
	"slices"
	"strings"

	"github.com/caddyserver/caddy/v2"

	"github.com/sealgate/sealgate/module/engine"
	"github.com/sealgate/sealgate/module/upstream"
)

// defaultRegion is signed upstream and expected of clients when none is set.
const defaultRegion = "us-east-1"

// Credential sources.
const (
	credentialsDefault = "default"
	credentialsStatic  = "static"
	credentialsClient  = "client"
)

// The words of fields that take one of a few; the first is the default.
var (
	addressingWords     = []string{"path", "virtual"}
	verifyWords         = []string{string(engine.VerifyRequired), string(engine.VerifyIfReported), string(engine.VerifyOff)}
	payloadCheckWords   = []string{string(engine.PayloadCheckGateway), string(engine.PayloadCheckStore)}
	sealedChecksumWords = []string{string(engine.SealedChecksumAuto), string(engine.SealedChecksumCRC64NVME), string(engine.SealedChecksumNone)}
	recordInputWords    = []string{string(engine.RecordInputDenied), string(engine.RecordInputAll), string(engine.RecordInputNone)}
	credentialsWords    = []string{credentialsDefault, credentialsStatic, credentialsClient}
)

// settings are a handler's fields with placeholders replaced and checked.
type settings struct {
	endpoint       *url.URL
	region         string
	domains        []string
	addressing     upstream.Addressing
	source         string // credentials: default, static or client
	accessKey      string
	secret         upstream.Secret
	clients        string
	policy         string
	bundle         *bundleSettings // nil without one
	gate           gateSettings
	posture        string
	verify         engine.Verify
	payloadCheck   engine.PayloadCheck
	sealedChecksum engine.SealedChecksum
	recordInput    engine.RecordInput
}

// resolver replaces placeholders and keeps the first error, so that fields can
// be read one after the other.
type resolver struct {
	replacer *caddy.Replacer
	err      error
}

// text gives the value of a field: trimmed, "" when the placeholders in it are empty.
func (r *resolver) text(field, value string) string {
	out, err := r.replacer.ReplaceOrErr(value, false, true)
	if err != nil {
		r.fail(fmt.Errorf("%s: %w", field, err))
	}
	return strings.TrimSpace(out)
}

// word gives the value of a field that is one of words; the first is the default.
func (r *resolver) word(field, value string, words []string) string {
	v := r.text(field, value)
	if v == "" {
		return words[0]
	}
	if !slices.Contains(words, v) {
		r.fail(fmt.Errorf("%s %q is none of %s", field, v, strings.Join(words, ", ")))
	}
	return v
}

// path gives the value of a field that names a file which must be set.
func (r *resolver) path(field, value string) string {
	v := r.text(field, value)
	if v == "" {
		r.unset(field, value, "path")
	}
	return v
}

// unset fails for a field that must be set. A placeholder in it, such as
// {env.CLIENTS_FILE}, is what the operator has to look at.
func (r *resolver) unset(field, value, what string) {
	if value != "" {
		r.fail(fmt.Errorf("%s: %s is empty; it must give the %s", field, value, what))
		return
	}
	r.fail(fmt.Errorf("%s: no %s set", field, what))
}

func (r *resolver) fail(err error) {
	if r.err == nil {
		r.err = err
	}
}

// resolve replaces the placeholders of every field and checks the result.
func (h *Handler) resolve(replacer *caddy.Replacer) (settings, error) {
	r := &resolver{replacer: replacer}
	s := settings{
		region:         r.text("region", h.Region),
		domains:        r.domains(h.Domain),
		clients:        r.path("clients", h.Clients),
		policy:         r.text("policy", h.Policy),
		bundle:         r.bundle(h.PolicyBundle),
		gate:           r.gate(h.Gate),
		posture:        r.path("posture", h.Posture),
		verify:         engine.Verify(r.word("verify", h.Verify, verifyWords)),
		payloadCheck:   engine.PayloadCheck(r.word("payload_check", h.PayloadCheck, payloadCheckWords)),
		sealedChecksum: engine.SealedChecksum(r.word("sealed_checksum", h.SealedChecksum, sealedChecksumWords)),
		recordInput:    engine.RecordInput(r.word("record_input", h.RecordInput, recordInputWords)),
		addressing:     upstream.PathStyle,
	}
	if s.region == "" {
		s.region = defaultRegion
	}
	if r.word("addressing", h.Addressing, addressingWords) == "virtual" {
		s.addressing = upstream.VirtualHost
	}
	if s.policy != "" && s.bundle != nil {
		r.fail(errors.New("policy: a directory and a bundle; there can be one of them"))
	}
	s.source, s.accessKey, s.secret = r.credentials(h.Credentials)
	s.endpoint = r.endpoint(h.Upstream, h.InsecureUpstream)
	return s, r.err
}

// domains splits values at blanks and commas, so that one environment variable
// can hold several names.
func (r *resolver) domains(values []string) []string {
	var names []string
	for _, v := range values {
		for _, name := range strings.FieldsFunc(r.text("domain", v), func(c rune) bool { return c == ' ' || c == ',' }) {
			if strings.ContainsAny(name, "/:*") {
				r.fail(fmt.Errorf("domain %q is not a host name", name))
			}
			names = append(names, strings.ToLower(name))
		}
	}
	return names
}

// endpoint parses the upstream URL and refuses plaintext beyond this machine.
func (r *resolver) endpoint(value string, insecure bool) *url.URL {
	v := r.text("upstream", value)
	if v == "" {
		r.unset("upstream", value, "endpoint URL")
		return nil
	}
	u, err := url.Parse(v)
	switch {
	case err != nil || u.Host == "":
		r.fail(fmt.Errorf("upstream %q is not an http:// or https:// URL", v))
	case u.User != nil:
		r.fail(errors.New("upstream: a URL with a user name or password is not accepted; use credentials"))
	case u.RawQuery != "" || u.Fragment != "" || strings.Trim(u.Path, "/") != "":
		r.fail(fmt.Errorf("upstream %q has a path or query; an S3 endpoint is scheme and host only", v))
	case u.Scheme == "https":
	case u.Scheme != "http":
		r.fail(fmt.Errorf("upstream %q is not an http:// or https:// URL", v))
	case !insecure && !loopback(u.Hostname()):
		r.fail(fmt.Errorf("upstream %q would carry objects in plaintext over a network; use https://, or say insecure_upstream", v))
	}
	return u
}

// loopback reports whether host is this machine. Names other than localhost are
// not looked up: what they resolve to may change.
func loopback(host string) bool {
	if strings.EqualFold(strings.TrimSuffix(host, "."), "localhost") {
		return true
	}
	ip := net.ParseIP(host)
	return ip != nil && ip.IsLoopback()
}

// placeholder is the form a secret must have in a configuration, which anybody
// with access to the admin API can read.
var placeholder = regexp.MustCompile(`^\{(env|file)\.[^{}]+\}$`)

// errLiteralSecret never shows the value.
var errLiteralSecret = errors.New("credentials static: the secret must be a placeholder, {env.NAME} or {file./path}, not the secret itself")

// credentials gives the source and, for static, the pair. A static pair whose
// placeholders are both empty counts as not set.
func (r *resolver) credentials(c *Credentials) (source, accessKey string, secret upstream.Secret) {
	if c == nil {
		return credentialsDefault, "", upstream.Secret{}
	}
	source = r.word("credentials", c.Source, credentialsWords)
	if source != credentialsStatic {
		if c.AccessKey != "" || c.Secret != "" {
			r.fail(fmt.Errorf("credentials %s takes no access key and no secret", source))
		}
		return source, "", upstream.Secret{}
	}
	if !placeholder.MatchString(c.Secret) {
		r.fail(errLiteralSecret)
		return source, "", upstream.Secret{}
	}
	accessKey = r.text("credentials: access key", c.AccessKey)
	plain := r.text("credentials: secret", c.Secret)
	switch {
	case accessKey == "" && plain == "":
		return credentialsDefault, "", upstream.Secret{}
	case accessKey == "":
		r.fail(errors.New("credentials static: the access key is empty"))
	case plain == "":
		r.fail(fmt.Errorf("credentials static: the secret %s is empty or cannot be read", c.Secret))
	}
	return source, accessKey, upstream.NewSecret(plain)
}
