// Package canary holds a policy against requests whose answer is known: what must be
// denied whatever a policy says, and what must go on working.
//
//	version: 1
//	base:                               # optional, what the requests have in common
//	  identity: {principal: app, groups: [writers]}
//	must_deny:
//	  - name: plaintext over the network
//	    rule: TLS-001                   # optional: this rule must be among those that deny
//	    input: {transport: {tls: false}, request: {operation: PutObject, …}}
//	must_allow:
//	  - name: nightly backup
//	    mode: sse-kms                   # optional: the encryption that must be decided
//	    input: {resource: {bucket: backup, key: db/1}, request: {…}}
//
// An input is a part of an input document (sealgate.input/v1), merged over base, which
// is merged over a request over TLS 1.3 with a verified signature. Objects are merged
// field by field, everything else is replaced. Requests nothing is known of must be
// denied, too, whether a file says so or not.
package canary

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"

	"go.yaml.in/yaml/v3"

	"github.com/sealgate/sealgate/policy"
)

// MaxSize bounds a file of canaries, in bytes.
const MaxSize = 4 << 20

// maxShown bounds the canaries that an error names.
const maxShown = 5

// Request is one canary.
type Request struct {
	Name string
	Rule string      // one that must deny, "" any
	Mode policy.Mode // that must be decided, "" any

	input []byte // a complete document
}

// Set is the canaries of a file. It does not change and is safe for concurrent use.
type Set struct {
	MustDeny, MustAllow []Request
}

// file is the form of a file.
type file struct {
	Version   int            `yaml:"version"`
	Base      map[string]any `yaml:"base"`
	MustDeny  []entry        `yaml:"must_deny"`
	MustAllow []entry        `yaml:"must_allow"`
}

type entry struct {
	Name  string         `yaml:"name"`
	Rule  string         `yaml:"rule"`
	Mode  string         `yaml:"mode"`
	Input map[string]any `yaml:"input"`
}

// ground is what every request begins with.
const ground = `{
	"schema": "` + policy.InputSchema + `",
	"identity": {"auth_method": "` + policy.AuthHeader + `", "verified": true},
	"transport": {"tls": true, "tls_version": "1.3"},
	"request": {"payload": "` + policy.PayloadHash + `"}
}`

// Parse reads a file, YAML or JSON. It is strict: an unknown field is an error, in an
// input as well, because a canary that is misspelt watches nothing.
func Parse(data []byte) (*Set, error) {
	if len(data) > MaxSize {
		return nil, fmt.Errorf("canaries: larger than %d bytes", MaxSize)
	}
	var f file
	decoder := yaml.NewDecoder(bytes.NewReader(data))
	decoder.KnownFields(true)
	if err := decoder.Decode(&f); err != nil {
		return nil, fmt.Errorf("canaries: %w", err)
	}
	if err := decoder.Decode(new(any)); !errors.Is(err, io.EOF) {
		return nil, errors.New("canaries: something follows the document")
	}
	if f.Version != 1 {
		return nil, errors.New("canaries: version must be 1")
	}
	if len(f.MustDeny)+len(f.MustAllow) == 0 {
		return nil, errors.New("canaries: there are none")
	}
	var base map[string]any
	if err := json.Unmarshal([]byte(ground), &base); err != nil {
		return nil, err
	}
	base = merge(base, f.Base)
	set := new(Set)
	for _, list := range []struct {
		name    string
		entries []entry
		into    *[]Request
	}{{"must_deny", f.MustDeny, &set.MustDeny}, {"must_allow", f.MustAllow, &set.MustAllow}} {
		for i, e := range list.entries {
			r, err := e.request(base)
			if err == nil && list.name == "must_deny" && e.Mode != "" || list.name == "must_allow" && e.Rule != "" {
				err = errors.New("rule is for must_deny, mode for must_allow")
			}
			if err != nil {
				return nil, fmt.Errorf("canaries: %s[%d] %s: %w", list.name, i, e.Name, err)
			}
			*list.into = append(*list.into, r)
		}
	}
	return set, nil
}

func (e entry) request(base map[string]any) (Request, error) {
	r := Request{Name: e.Name, Rule: e.Rule, Mode: policy.Mode(e.Mode)}
	switch {
	case e.Name == "":
		return r, errors.New("it has no name")
	case len(e.Input) == 0:
		return r, errors.New("it has no input")
	case r.Mode != "" && r.Mode.Rank() < 0:
		return r, fmt.Errorf("%q is no mode", e.Mode)
	}
	var err error
	if r.input, err = json.Marshal(merge(base, e.Input)); err != nil {
		return r, err
	}
	in, err := policy.ReadInput(r.input)
	if err != nil {
		return r, err
	}
	if in.Request.Class == "" || in.Request.Operation == "" {
		return r, errors.New("input.request needs a class and an operation")
	}
	return r, nil
}

// merge is over merged over a document. Neither is modified.
func merge(document, over map[string]any) map[string]any {
	out := make(map[string]any, len(document)+len(over))
	for name, value := range document {
		out[name] = value
	}
	for name, value := range over {
		below, isObject := out[name].(map[string]any)
		above, overObject := value.(map[string]any)
		if isObject && overObject {
			value = merge(below, above)
		}
		out[name] = value
	}
	return out
}

// Check asks a policy about every canary. Its error names those with another answer;
// no answer is another one. A nil Set has the requests nothing is known of alone.
func (s *Set) Check(ctx context.Context, g *policy.Generation) error {
	var wrong []error
	for _, class := range policy.Classes() {
		in := &policy.Input{Request: policy.Request{Class: class}}
		d, err := g.Replay(ctx, in, policy.Trial{})
		if err == nil && d.Allow {
			err = errors.New("it is allowed")
		}
		if err != nil {
			wrong = append(wrong, fmt.Errorf("an empty %s request must be denied: %w", class, err))
		}
	}
	if s != nil {
		for _, r := range s.MustDeny {
			wrong = append(wrong, r.ask(ctx, g, r.denied))
		}
		for _, r := range s.MustAllow {
			wrong = append(wrong, r.ask(ctx, g, r.allowed))
		}
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	wrong = slices.DeleteFunc(wrong, func(err error) bool { return err == nil })
	if n := len(wrong); n > maxShown {
		wrong = append(wrong[:maxShown], fmt.Errorf("and %d more", n-maxShown))
	}
	return errors.Join(wrong...)
}

// ask has a policy decide a canary and judges the answer.
func (r Request) ask(ctx context.Context, g *policy.Generation, judge func(policy.Decision) error) error {
	in, err := policy.ReadInput(r.input)
	if err != nil {
		return err
	}
	d, err := g.Replay(ctx, in, policy.Trial{})
	if err == nil {
		err = judge(d)
	}
	if err != nil {
		return fmt.Errorf("canary %q: %w", r.Name, err)
	}
	return nil
}

func (r Request) denied(d policy.Decision) error {
	if d.Allow {
		return errors.New("it must be denied, and is allowed")
	}
	if r.Rule == "" || slices.ContainsFunc(d.Findings, func(f policy.Finding) bool { return f.Denies() && f.ID == r.Rule }) {
		return nil
	}
	return fmt.Errorf("it must be denied by %s, and is denied by %s", r.Rule, rules(d))
}

func (r Request) allowed(d policy.Decision) error {
	if !d.Allow {
		return fmt.Errorf("it must be allowed, and is denied by %s", rules(d))
	}
	if r.Mode != "" && d.Encryption.Mode != r.Mode {
		return fmt.Errorf("it must be stored with %s, and is with %s", r.Mode, d.Encryption.Mode)
	}
	return nil
}

// rules names what denies.
func rules(d policy.Decision) string {
	var ids []string
	for _, f := range d.Findings {
		if f.Denies() {
			ids = append(ids, f.ID+" ("+f.Message+")")
		}
	}
	return fmt.Sprint(ids)
}
