package policy

import (
	"fmt"

	"github.com/open-policy-agent/opa/v1/ast"

	"github.com/sealgate/sealgate/policy/posture"
)

// decode reads a decision strictly: a missing field, a further field, a wrong type
// or an unknown word is the fault EVL-004. Nothing of the result is merged or
// defaulted, so that a policy cannot be misread.
func decode(v ast.Value) (Decision, error) {
	var d Decision
	r := reader{}
	top := r.object("decision", v, "schema", "allow", "findings", "encryption", "on_read")
	if s := r.text("schema", top["schema"]); r.err == nil && s != DecisionSchema {
		r.fail("schema", "is %q, not %q", s, DecisionSchema)
	}
	d.Allow = r.boolean("allow", top["allow"])
	d.Findings = r.findings(top["findings"])
	d.Encryption = r.encryption(top["encryption"])
	d.OnRead = r.word("on_read", top["on_read"],
		posture.OnReadDecrypt, posture.OnReadPassThrough, posture.OnReadReject)
	if r.err != nil {
		return Decision{}, fault(FaultDecision, r.err)
	}
	return d, nil
}

// reader keeps the first thing that was wrong; after it every method is idle.
type reader struct{ err error }

func (r *reader) fail(path, format string, args ...any) {
	if r.err == nil {
		r.err = fmt.Errorf("%s: %w", path, fmt.Errorf(format, args...))
	}
}

// object returns exactly the named fields.
func (r *reader) object(path string, v ast.Value, names ...string) map[string]ast.Value {
	if r.err != nil {
		return nil
	}
	o, ok := v.(ast.Object)
	if !ok {
		r.fail(path, "is not an object")
		return nil
	}
	out := make(map[string]ast.Value, len(names))
	for _, name := range names {
		term := o.Get(ast.InternedTerm(name))
		if term == nil {
			r.fail(path, "has no %s", name)
			continue
		}
		out[name] = term.Value
	}
	if o.Len() != len(out) {
		r.fail(path, "has fields that are not in the schema")
	}
	return out
}

func (r *reader) text(path string, v ast.Value) string {
	s, ok := v.(ast.String)
	if !ok {
		r.fail(path, "is not a string")
	}
	return string(s)
}

func (r *reader) word(path string, v ast.Value, allowed ...string) string {
	s := r.text(path, v)
	if r.err != nil {
		return ""
	}
	for _, a := range allowed {
		if s == a {
			return a
		}
	}
	r.fail(path, "%.100q is not a value of the schema", s)
	return ""
}

func (r *reader) boolean(path string, v ast.Value) bool {
	b, ok := v.(ast.Boolean)
	if !ok {
		r.fail(path, "is not a boolean")
	}
	return bool(b)
}

// each visits the elements of an array or a set; sets are visited in order.
func (r *reader) each(path string, v ast.Value, visit func(ast.Value)) int {
	if r.err != nil {
		return 0
	}
	switch c := v.(type) {
	case *ast.Array:
		c.Foreach(func(t *ast.Term) { visit(t.Value) })
		return c.Len()
	case ast.Set:
		c.Foreach(func(t *ast.Term) { visit(t.Value) })
		return c.Len()
	}
	r.fail(path, "is not a list")
	return 0
}

func (r *reader) findings(v ast.Value) []Finding {
	var out []Finding
	r.each("findings", v, func(v ast.Value) {
		f := r.object("findings", v, "id", "msg", "path", "action", "waiver")
		if r.err != nil {
			return
		}
		finding := Finding{
			ID: r.text("findings.id", f["id"]), Message: r.text("findings.msg", f["msg"]), Path: r.text("findings.path", f["path"]),
			Action: r.word("findings.action", f["action"], ActionDeny, ActionWarn, ActionAudit),
			Waiver: r.text("findings.waiver", f["waiver"]),
		}
		if !ruleID(finding.ID) {
			r.fail("findings.id", "%.100q is not of the form AAA-000", finding.ID)
		}
		out = append(out, finding)
	})
	return out
}

// ruleID checks the form AAA-000.
func ruleID(s string) bool {
	if len(s) != 7 || s[3] != '-' {
		return false
	}
	for i := range 3 {
		if s[i] < 'A' || s[i] > 'Z' || s[i+4] < '0' || s[i+4] > '9' {
			return false
		}
	}
	return true
}

func (r *reader) encryption(v ast.Value) Encryption {
	f := r.object("encryption", v, "mode", "key_id", "keyring", "context", "bucket_key", "on_conflict", "allowed_keys")
	if r.err != nil {
		return Encryption{}
	}
	return Encryption{
		Mode: Mode(r.word("encryption.mode", f["mode"], string(Unchanged), string(None), string(SSES3),
			string(SSEC), string(KMS), string(DSSE), string(CSE))),
		KeyID:       r.text("encryption.key_id", f["key_id"]),
		Keyring:     r.text("encryption.keyring", f["keyring"]),
		Context:     r.texts("encryption.context", f["context"]),
		BucketKey:   BucketKey(r.word("encryption.bucket_key", f["bucket_key"], string(BucketKeyYes), string(BucketKeyNo), string(BucketKeyUnset))).Pointer(),
		AllowedKeys: r.list("encryption.allowed_keys", f["allowed_keys"]),
		OnConflict: r.word("encryption.on_conflict", f["on_conflict"], posture.OnConflictReject,
			posture.OnConflictReplace, posture.OnConflictKeepStronger, posture.OnConflictKeepIfAllowed),
	}
}

func (r *reader) list(path string, v ast.Value) []string {
	var out []string
	r.each(path, v, func(v ast.Value) { out = append(out, r.text(path, v)) })
	return out
}

func (r *reader) texts(path string, v ast.Value) map[string]string {
	o, ok := v.(ast.Object)
	if !ok {
		r.fail(path, "is not an object")
		return nil
	}
	out := make(map[string]string, o.Len())
	o.Foreach(func(k, v *ast.Term) { out[r.text(path, k.Value)] = r.text(path, v.Value) })
	return out
}
