package explain

import (
	"cmp"
	"maps"
	"reflect"
	"slices"
	"strings"

	"github.com/open-policy-agent/opa/v1/ast"

	"github.com/sealgate/sealgate/policy"
	"github.com/sealgate/sealgate/policy/posture"
)

// Change is one thing that would be otherwise, though it may show in several fields of
// the input: a header that names a mode and one that names a key are one choice.
type Change struct {
	By  string `json:"by"` // who can make it: one of the By constants
	Set []Set  `json:"set"`
}

// Set is one field of the input in a change.
type Set struct {
	Path string `json:"path"`
	From any    `json:"from"`
	To   any    `json:"to"`
}

// Bounds of the search. An evaluation takes a fraction of a millisecond.
const (
	maxTries   = 1500
	maxChanges = 5
	maxSteps   = 6 // changes made together
)

// candidate is a change to try.
type candidate struct {
	change Change
	late   bool // the fields are those Decide fills in
}

func single(in *policy.Input, path string, value any) candidate {
	by := byOf(path)
	return candidate{
		change: Change{By: by, Set: []Set{{path, get(in, path), value}}},
		late:   by == ByOperator || path == "transport.networks",
	}
}

// several makes a candidate of more fields than one; those that stay are left out.
func several(in *policy.Input, by string, set ...Set) candidate {
	c := candidate{change: Change{By: by}, late: by == ByOperator}
	for _, s := range set {
		s.From = get(in, s.Path)
		if !reflect.DeepEqual(s.From, s.To) {
			c.change.Set = append(c.change.Set, s)
		}
	}
	return c
}

// apply makes the change in an input.
func (c candidate) apply(in *policy.Input) error {
	for _, s := range c.change.Set {
		if err := set(in, s.Path, s.To); err != nil {
			return err
		}
	}
	return nil
}

// outcome is what is decided of a request.
type outcome struct {
	allow bool
	// deny holds the ids of the findings that deny, with the one that the gateway has
	// or would have if there were no other: an obstacle behind another one counts.
	deny map[string]bool
}

// try decides the request with some changes made.
func (x *explainer) try(made ...candidate) (outcome, bool) {
	changed := *x.q.Input // fields are replaced, never written into
	in := &changed
	for _, c := range made {
		if !c.late && c.apply(in) != nil {
			return outcome{}, false
		}
	}
	d, err := x.g.Replay(x.ctx, in, policy.Trial{Adjust: func(in *policy.Input) {
		for _, c := range made {
			if c.late {
				_ = c.apply(in) // the same fields took it when the change was made up
			}
		}
	}})
	if err != nil {
		return outcome{}, false
	}
	return x.outcomeOf(in, d), true
}

func (x *explainer) outcomeOf(in *policy.Input, d policy.Decision) outcome {
	o := outcome{allow: d.Allow, deny: map[string]bool{}}
	for _, f := range d.Findings {
		if f.Denies() {
			o.deny[f.ID] = true
		}
	}
	if no := x.foresee(in, d); no != nil {
		o.allow = false
		o.deny[no.ID] = true
	}
	return o
}

// changes looks for the smallest change that flips the decision and, for a denial that
// none does, for the smallest changes that do so together.
func (x *explainer) changes(e *Explanation) (one, together []Change) {
	one = []Change{}
	candidates := x.candidates(e)
	found := map[string]bool{} // one value of a field is enough
	var helpful []candidate
	for i, c := range candidates {
		if i == maxTries || len(one) == maxChanges || x.ctx.Err() != nil {
			break
		}
		field := c.change.By + " " + c.change.Set[0].Path
		if found[field] {
			continue
		}
		o, ok := x.try(c)
		switch {
		case !ok:
		case o.allow != x.now.allow:
			one = append(one, c.change)
			found[field] = true
		case fewer(o, x.now):
			helpful = append(helpful, c)
		}
	}
	if len(one) > 0 || x.now.allow {
		return one, nil
	}
	return one, x.together(helpful, candidates)
}

// together adds one change after the other that leaves less against the request: of
// those that help by themselves and, when they do not get further, of all.
func (x *explainer) together(helpful, all []candidate) []Change {
	var made []candidate
	now := x.now
	add := func(from []candidate) (further bool) {
		for _, c := range from {
			if now.allow || len(made) == maxSteps || x.ctx.Err() != nil {
				return further
			}
			if o, ok := x.try(append(slices.Clone(made), c)...); ok && fewer(o, now) {
				made, now, further = append(made, c), o, true
			}
		}
		return further
	}
	for add(helpful) || add(all) {
		if now.allow {
			break
		}
	}
	if !now.allow {
		return nil
	}
	var out []Change
	for _, c := range made {
		out = append(out, c.change)
	}
	return out
}

// fewer reports whether less stands against a request than before, and nothing new.
func fewer(o, before outcome) bool {
	if len(o.deny) >= len(before.deny) {
		return false
	}
	for id := range o.deny {
		if !before.deny[id] {
			return false
		}
	}
	return true
}

// candidates lists the changes to try, the easiest first: those of fields that the
// rules behind the decision read.
func (x *explainer) candidates(e *Explanation) []candidate {
	in := x.q.Input
	value := in.Value()
	var rules []*ast.Rule
	own := slices.ContainsFunc(slices.Collect(maps.Keys(x.now.deny)), func(id string) bool { return strings.HasPrefix(id, "ENF-") })
	for _, r := range e.Deciding {
		if r.rule != nil && (r.Finding.Denies() || e.Decision.Allow) {
			rules = append(rules, r.rule)
		}
		own = own || r.rule == nil
	}
	if e.Decision.Allow {
		for _, n := range e.Near {
			rules = append(rules, n.rule)
		}
	}
	d := x.domainOf(value, rules)
	out := d.candidates(in)
	if _, reads := d["encryption.requested.mode"]; reads || own {
		out = append(out, encryptions(in)...)
	}
	if _, reads := d["transport.tls_version"]; reads {
		out = append(out, connections(in)...)
	}
	if _, reads := d["identity.auth_method"]; reads {
		out = append(out, several(in, ByIdentity,
			Set{Path: "identity.auth_method", To: policy.AuthHeader}, Set{Path: "identity.verified", To: true},
			Set{Path: "request.presign", To: policy.Presign{}}))
	}
	if _, reads := d["document.settings"]; reads {
		out = append(out, documents(in)...)
	}
	out = append(out, operators(in, e)...)
	out = slices.DeleteFunc(out, func(c candidate) bool { return len(c.change.Set) == 0 })
	slices.SortStableFunc(out, func(a, b candidate) int {
		return cmp.Or(
			cmp.Compare(slices.Index(order, a.change.By), slices.Index(order, b.change.By)),
			cmp.Compare(len(a.change.Set), len(b.change.Set)),
		)
	})
	return out
}

// encryptions are the choices a client can make: none, and every mode with every key
// that the posture knows.
func encryptions(in *policy.Input) []candidate {
	asks := func(mode policy.Mode, key string, context policy.Map) candidate {
		return several(in, ByClient,
			Set{Path: "encryption.requested.mode", To: mode}, Set{Path: "encryption.requested.key_id", To: key},
			Set{Path: "encryption.requested.context", To: context},
			Set{Path: "encryption.explicit", To: mode != policy.None})
	}
	if !takesChoice(in) {
		return nil
	}
	required := policy.Map(maps.Clone(map[string]string(in.Encryption.Requested.Context)))
	if required == nil {
		required = policy.Map{}
	}
	maps.Copy(required, in.Posture.Context)
	for _, name := range in.Posture.RequiredContext {
		if required[name] == "" {
			required[name] = "value"
		}
	}
	out := []candidate{asks(policy.None, "", policy.Map{})}
	for _, mode := range []policy.Mode{in.Posture.Mode, policy.SSES3, policy.KMS, policy.DSSE, policy.SSEC} {
		if mode.Rank() <= 0 || mode == policy.CSE {
			continue
		}
		if !mode.KMS() {
			out = append(out, asks(mode, "", policy.Map{}))
			continue
		}
		keys := append([]string{in.Encryption.Requested.KeyID, "", in.Posture.KeyID}, in.Posture.AllowedKeys...)
		slices.Sort(keys)
		for _, key := range slices.Compact(keys) {
			out = append(out, asks(mode, key, in.Encryption.Requested.Context), asks(mode, key, required))
		}
	}
	return out
}

// takesChoice reports whether a request can name an encryption.
func takesChoice(in *policy.Input) bool {
	switch in.Request.Operation {
	case "PutObject", "CopyObject", "CreateMultipartUpload", "PostObject":
		return true
	}
	return false
}

func connections(in *policy.Input) []candidate {
	var out []candidate
	for _, version := range []string{"1.2", "1.3"} {
		out = append(out, several(in, ByConnection, Set{Path: "transport.tls", To: true}, Set{Path: "transport.tls_version", To: version}))
	}
	return out
}

// documents change what the first setting of a document asks for.
func documents(in *policy.Input) []candidate {
	if len(in.Document.Settings) == 0 {
		return nil
	}
	var out []candidate
	for _, mode := range []policy.Mode{in.Posture.Mode, policy.SSES3, policy.KMS, policy.DSSE} {
		keys := []string{""}
		if mode.KMS() {
			keys = append([]string{in.Posture.KeyID, in.Document.Settings[0].KeyID}, in.Posture.AllowedKeys...)
			slices.Sort(keys)
			keys = slices.Compact(keys)
		}
		for _, key := range keys {
			settings := slices.Clone(in.Document.Settings)
			settings[0].Mode, settings[0].KeyID, settings[0].Rank = mode, key, mode.Rank()
			out = append(out, several(in, ByClient, Set{Path: "document.settings", To: settings}))
		}
	}
	return append(out, several(in, ByClient, Set{Path: "document.blocked", To: policy.List{}}))
}

// operators are what the posture could say instead: a key that is allowed as well, how
// conflicts end, a grant, and that a rule only warns.
func operators(in *policy.Input, e *Explanation) []candidate {
	if e.Decision.Allow {
		return nil
	}
	var out []candidate
	if len(in.Grants.Missing) > 0 {
		out = append(out, several(in, ByOperator, Set{Path: "grants.missing", To: policy.List{}}))
	}
	if key := in.Encryption.Requested.KeyID; key != "" && !slices.Contains(in.Posture.AllowedKeys, key) {
		out = append(out, several(in, ByOperator, Set{Path: "posture.allowed_keys", To: append(slices.Clone(in.Posture.AllowedKeys), key)}))
	}
	if in.Encryption.Explicit {
		for _, word := range []string{posture.OnConflictKeepIfAllowed, posture.OnConflictKeepStronger, posture.OnConflictReplace} {
			out = append(out, several(in, ByOperator, Set{Path: "posture.on_conflict", To: word}))
		}
	}
	if in.Posture.ID == "" && in.Request.Class == policy.ClassWrite {
		out = append(out, covered(in, policy.SSES3), covered(in, policy.SSES3, Set{Path: "posture.on_conflict", To: posture.OnConflictKeepStronger}))
		if asked := in.Encryption.Requested.Mode; asked.Rank() > 0 {
			out = append(out, covered(in, asked))
		}
	}
	for _, f := range e.Decision.Findings {
		if f.Denies() && !posture.Locked(f.ID) {
			out = append(out, several(in, ByOperator, Set{Path: "posture.actions." + f.ID, To: posture.ActionWarn}))
		}
	}
	return out
}

// covered is a posture for what none covers, under the key that was asked for.
func covered(in *policy.Input, mode policy.Mode, more ...Set) candidate {
	fields := append([]Set{
		{Path: "posture.id", To: in.Resource.Bucket + "/"}, {Path: "posture.mode", To: mode}, {Path: "posture.rank", To: mode.Rank()},
	}, more...)
	if key := in.Encryption.Requested.KeyID; mode.KMS() && key != "" {
		fields = append(fields, Set{Path: "posture.key_id", To: key}, Set{Path: "posture.allowed_keys", To: policy.List{key}})
	}
	return several(in, ByOperator, fields...)
}
