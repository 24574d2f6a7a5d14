package clients

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"regexp"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"go.yaml.in/yaml/v3"
)

// version of the file format.
const version = 1

// Limits of the values in the file.
const (
	minSecret    = 16 // characters; also what FIPS asks of the HMAC key made of it
	maxSecret    = 1024
	minAccessKey = 3
	maxAccessKey = 128
	maxName      = 256 // bytes of a principal, a group, an attribute name
	maxAttribute = 1024
)

// document is clients.yaml as written, before secrets are fetched.
type document struct {
	Version int     `yaml:"version"`
	Clients []entry `yaml:"clients"`
}

type entry struct {
	AccessKey  string            `yaml:"access_key"`
	Secret     string            `yaml:"secret,omitempty"`
	SecretFile string            `yaml:"secret_file,omitempty"`
	SecretEnv  string            `yaml:"secret_env,omitempty"`
	Principal  string            `yaml:"principal"`
	Groups     []string          `yaml:"groups,omitempty,flow"`
	Attributes map[string]string `yaml:"attributes,omitempty"`
	Expires    string            `yaml:"expires,omitempty"`
	Disabled   bool              `yaml:"disabled,omitempty"`

	expires time.Time
}

// GoString keeps the secret out of %#v; entry is never printed otherwise.
func (e entry) GoString() string { return "clients.entry{" + e.AccessKey + "}" }

// String keeps the secret out of %v.
func (e entry) String() string { return e.AccessKey }

// parse reads and checks a document. It does not fetch secrets that are kept
// elsewhere. Its errors never show a value that could be a secret.
func parse(data []byte) (document, error) {
	dec := yaml.NewDecoder(bytes.NewReader(data))
	dec.KnownFields(true)
	var d document
	switch err := dec.Decode(&d); {
	case errors.Is(err, io.EOF):
		return document{}, errors.New("the file is empty; want version: 1")
	case err != nil:
		return document{}, describe(err)
	}
	if err := dec.Decode(new(yaml.Node)); !errors.Is(err, io.EOF) {
		return document{}, errors.New("the file holds more than one YAML document")
	}
	if d.Version != version {
		return document{}, fmt.Errorf("version is %d; want version: %d", d.Version, version)
	}
	seen := make(map[string]int, len(d.Clients))
	for i := range d.Clients {
		e := &d.Clients[i]
		if err := e.check(); err != nil {
			return document{}, fmt.Errorf("client %d%s: %w", i+1, e.label(), err)
		}
		if first, ok := seen[e.AccessKey]; ok {
			return document{}, fmt.Errorf("client %d%s: access_key is already that of client %d", i+1, e.label(), first)
		}
		seen[e.AccessKey] = i + 1
	}
	return d, nil
}

// label names an entry in an error, if its access key is fit to be shown: a
// secret written into the wrong field must not reach a log.
func (e *entry) label() string {
	if checkAccessKey(e.AccessKey) != nil {
		return ""
	}
	return " (" + e.AccessKey + ")"
}

func (e *entry) check() error {
	if err := checkAccessKey(e.AccessKey); err != nil {
		return err
	}
	sources := 0
	for _, s := range []string{e.Secret, e.SecretFile, e.SecretEnv} {
		if s != "" {
			sources++
		}
	}
	if sources != 1 {
		return fmt.Errorf("want exactly one of secret, secret_file and secret_env, found %d", sources)
	}
	if e.Secret != "" {
		if err := checkSecret(e.Secret); err != nil {
			return err
		}
	}
	if err := checkName("principal", e.Principal); err != nil {
		return err
	}
	if e.Principal == "anonymous" || e.Principal == "*" {
		return errors.New(`principal must not be "anonymous" or "*": they have a meaning of their own in a policy`)
	}
	for _, g := range e.Groups {
		if err := checkName("group", g); err != nil {
			return err
		}
		if g == "*" {
			return errors.New(`group must not be "*": it has a meaning of its own in a policy`)
		}
	}
	for k, v := range e.Attributes {
		if err := checkName("attribute name", k); err != nil {
			return err
		}
		if len(v) > maxAttribute || !utf8.ValidString(v) {
			return fmt.Errorf("attribute %q: want at most %d bytes of text", k, maxAttribute)
		}
	}
	if e.Expires != "" {
		t, err := time.Parse(time.RFC3339, e.Expires)
		if err != nil {
			return errors.New("expires: want a time such as 2027-01-31T00:00:00Z (RFC 3339)")
		}
		e.expires = t
	}
	return nil
}

// checkAccessKey allows what survives in the credential scope of a signature,
// where "/" and "," separate, without escaping anywhere.
func checkAccessKey(s string) error {
	if len(s) < minAccessKey || len(s) > maxAccessKey {
		return fmt.Errorf("access_key: want %d to %d characters", minAccessKey, maxAccessKey)
	}
	for i := range len(s) {
		switch c := s[i]; {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9':
		case c == '-', c == '_', c == '.':
		default:
			return errors.New(`access_key: want letters, digits, "-", "_" and "." only`)
		}
	}
	return nil
}

func checkSecret(s string) error {
	if len(s) < minSecret || len(s) > maxSecret {
		return fmt.Errorf("secret: want %d to %d characters", minSecret, maxSecret)
	}
	for i := range len(s) {
		if s[i] <= ' ' || s[i] > '~' {
			return errors.New("secret: want printable ASCII characters without spaces")
		}
	}
	return nil
}

// checkName allows any text that a reader can tell from another: no control
// or format characters and no space at either end.
func checkName(what, s string) error {
	switch {
	case s == "":
		return fmt.Errorf("%s is missing", what)
	case len(s) > maxName:
		return fmt.Errorf("%s: want at most %d bytes", what, maxName)
	case !utf8.ValidString(s), strings.TrimSpace(s) != s:
		return fmt.Errorf("%s: want text without spaces at the ends", what)
	case strings.ContainsFunc(s, func(r rune) bool { return !unicode.IsPrint(r) }):
		return fmt.Errorf("%s: want printable characters only", what)
	}
	return nil
}

var (
	yamlValue  = regexp.MustCompile("`.*`")
	yamlAnchor = regexp.MustCompile(`unknown anchor '.*' referenced`)
	yamlType   = regexp.MustCompile(` (in type|into) (clients\.)?\S+`)
)

// describe rewrites an error of the YAML package: it quotes values and names
// Go types, and any value in this file may be a secret.
func describe(err error) error {
	s := strings.TrimPrefix(err.Error(), "yaml: ")
	s = strings.TrimPrefix(s, "unmarshal errors:")
	s = yamlAnchor.ReplaceAllString(s, "unknown anchor "+redacted+" referenced")
	lines := strings.Split(s, "\n")
	out := lines[:0]
	for _, l := range lines {
		l = yamlValue.ReplaceAllString(l, redacted)
		if l = strings.TrimSpace(yamlType.ReplaceAllString(l, "")); l != "" {
			out = append(out, l)
		}
	}
	return errors.New(strings.Join(out, "; "))
}
