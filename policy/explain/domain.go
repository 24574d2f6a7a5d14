package explain

import (
	"cmp"
	"reflect"
	"slices"
	"strings"

	"github.com/open-policy-agent/opa/v1/ast"

	"github.com/sealgate/sealgate/policy"
)

// Who can make a change.
const (
	ByClient     = "client"     // in the request itself
	ByConnection = "connection" // how and from where it is sent
	ByIdentity   = "identity"   // with the credentials of somebody else
	ByOperator   = "operator"   // in posture.yaml
	ByStore      = "store"      // what is stored, or when
)

// order is from the easiest to the hardest.
var order = []string{ByClient, ByConnection, ByIdentity, ByOperator, ByStore}

// fixed are fields whose change would make another request of it, or weaken what the
// posture requires. Derived ones follow from others.
var fixed = []string{
	"schema", "gateway", "request.id", "request.operation", "request.action", "request.actions", "request.source_actions",
	"request.class", "request.method", "request.read_only", "request.multipart", "resource.bucket", "resource.version_id",
	"identity.access_key", "time.ns", "time.rfc3339", "copy_source.present", "copy_source.resource",
	"posture.id", "posture.bucket_glob", "posture.prefix", "posture.mode", "posture.rank", "posture.floor", "posture.classification",
	"posture.enforcement", "posture.actions", "posture.waivers", "posture.key_id", "posture.keyring", "posture.on_read",
	"posture.key_tenants", "document.present", "document.kind", "document.settings", "object.known", "copy_source.encryption.known",
	"encryption.bucket_default.known", "transport.loopback",
	// A choice of encryption is changed as a whole, by encryptions.
	"encryption.requested.mode", "encryption.requested.key_id", "encryption.requested.context", "encryption.explicit",
}

// derivedFrom names, for a field that Decide works out, the one it follows from.
var derivedFrom = map[string]string{
	"transport.tls":                "transport.tls_version",
	"transport.tls_version_num":    "transport.tls_version",
	"encryption.requested.rank":    "encryption.requested.mode",
	"encryption.explicit":          "encryption.requested.mode",
	"copy_source.encryption.rank":  "copy_source.encryption.mode",
	"object.encryption.rank":       "object.encryption.mode",
	"resource.prefixes":            "resource.key",
	"request.presign.active":       "identity.auth_method",
	"identity.verified":            "identity.auth_method",
	"encryption.bucket_default":    "encryption.bucket_default.mode",
	"encryption.requested":         "encryption.requested.mode",
	"encryption.requested.key_id":  "encryption.requested.mode",
	"request.acl":                  "request.acl.canned",
	"request.acl.public":           "request.acl.canned",
	"encryption.requested.context": "encryption.requested.mode",
}

func isFixed(path string) bool {
	return slices.ContainsFunc(fixed, func(f string) bool { return path == f || strings.HasPrefix(path, f+".") })
}

func byOf(path string) string {
	head, _, _ := strings.Cut(path, ".")
	switch {
	case head == "posture" || head == "grants":
		return ByOperator
	case head == "identity":
		return ByIdentity
	case head == "transport":
		return ByConnection
	case head == "time", head == "object", head == "copy_source", strings.HasPrefix(path, "encryption.bucket_default"):
		return ByStore
	}
	return ByClient
}

// domain is the values worth trying, by field: those the policy compares with.
type domain map[string][]ast.Value

// domainOf collects what some rules, and the rules they ask, read and compare with.
func (x *explainer) domainOf(in ast.Value, rules []*ast.Rule) domain {
	d := domain{}
	seen := map[*ast.Rule]bool{}
	queue := slices.Clone(rules)
	for len(queue) > 0 && x.ctx.Err() == nil {
		rule := queue[0]
		queue = queue[1:]
		if seen[rule] {
			continue
		}
		seen[rule] = true
		if rule.Else != nil {
			queue = append(queue, rule.Else)
		}
		for _, ref := range x.reader.everything(rule).inputs {
			d.add(pathOf(ref), nil)
		}
		for _, line := range linesOf(rule) {
			reads := x.reader.readsOf(rule, line...)
			values := x.comparedWith(in, reads)
			for _, ref := range reads.inputs {
				d.add(pathOf(ref), values)
			}
			for _, ref := range slices.Concat(reads.rules, reads.calls) {
				queue = append(queue, x.reader.rulesAt(ref)...)
			}
		}
	}
	return d
}

// linesOf groups the compiled parts of a rule's body by the line they come from.
func linesOf(rule *ast.Rule) [][]*ast.Expr {
	var out [][]*ast.Expr
	at := map[int]int{}
	for _, expr := range rule.Body {
		row := 0
		if expr.Location != nil {
			row = expr.Location.Row
		}
		i, ok := at[row]
		if !ok {
			i = len(out)
			at[row] = i
			out = append(out, nil)
		}
		out[i] = append(out[i], expr)
	}
	return out
}

// comparedWith is the texts and numbers in a condition: written there, in a function
// it calls, or the value of a rule it asks.
func (x *explainer) comparedWith(in ast.Value, of reads) []ast.Value {
	values := slices.Clone(of.consts)
	for _, ref := range of.calls {
		for _, rule := range x.reader.rulesAt(ref) {
			values = append(values, x.reader.everything(rule).consts...)
		}
	}
	for _, ref := range of.rules {
		if v := x.reader.value(in, ref); v != nil {
			values = append(values, scalars(v)...)
		}
	}
	for _, ref := range of.inputs { // fields are compared with each other
		if v, err := in.Find(ref[1:]); err == nil {
			values = append(values, scalars(v)...)
		}
	}
	return values
}

// scalars are the texts and numbers in a value, up to a bound.
func scalars(v ast.Value) []ast.Value {
	const most = 64
	var out []ast.Value
	keep := func(t *ast.Term) {
		switch t.Value.(type) {
		case ast.String, ast.Number:
			if len(out) < most {
				out = append(out, t.Value)
			}
		}
	}
	switch c := v.(type) {
	case ast.String, ast.Number:
		return []ast.Value{v}
	case *ast.Array:
		c.Foreach(keep)
	case ast.Set:
		c.Foreach(keep)
	}
	return out
}

func (d domain) add(path string, values []ast.Value) {
	if from, ok := derivedFrom[path]; ok {
		d[path] = nil
		path = from
	}
	have := d[path]
	for _, v := range values {
		if !slices.ContainsFunc(have, func(o ast.Value) bool { return o.Compare(v) == 0 }) {
			have = append(have, v)
		}
	}
	d[path] = have
}

// candidates are the values to try for the fields of a domain, one change each.
func (d domain) candidates(in *policy.Input) []candidate {
	var out []candidate
	for path, values := range d {
		if isFixed(path) {
			continue
		}
		v, rest, ok := fieldOf(in, path)
		if !ok {
			continue
		}
		for _, value := range valuesFor(path, rest, v, values) {
			if reflect.DeepEqual(get(in, path), value) {
				continue
			}
			out = append(out, single(in, path, value))
		}
	}
	slices.SortStableFunc(out, func(a, b candidate) int { return cmp.Compare(a.change.Set[0].Path, b.change.Set[0].Path) })
	return out
}

// valuesFor gives the values to try for one field, the best first.
func valuesFor(path, rest string, v reflect.Value, compared []ast.Value) []any {
	var out []any
	texts, numbers := split(compared)
	switch {
	case rest != "": // an entry of a map
		for _, s := range texts {
			out = append(out, s)
		}
		return append(out, nil)
	case v.Kind() == reflect.Bool:
		return []any{!v.Bool()}
	case v.CanInt():
		for _, n := range numbers {
			out = append(out, n, n-1, n+1)
		}
		slices.SortStableFunc(out, func(a, b any) int {
			return cmp.Compare(distance(a.(int64), v.Int()), distance(b.(int64), v.Int()))
		})
	case v.Kind() == reflect.String:
		for _, s := range words()[path] {
			out = append(out, reflect.ValueOf(s).Convert(v.Type()).Interface())
		}
		if len(out) == 0 {
			for _, s := range others(path, v.String(), texts) {
				out = append(out, reflect.ValueOf(s).Convert(v.Type()).Interface())
			}
		}
	case v.Type() == reflect.TypeFor[policy.List]():
		have := v.Interface().(policy.List)
		for _, s := range texts {
			if !slices.Contains(have, s) {
				out = append(out, append(slices.Clone(have), s))
			}
		}
		out = append(out, policy.List{})
	case v.Kind() == reflect.Map:
		out = append(out, reflect.MakeMap(v.Type()).Interface())
	}
	return out
}

// others are the texts compared with, and some that differ from them in what matters.
func others(path, have string, compared []string) []string {
	var apart []string
	for _, c := range compared {
		if c != "" && strings.Contains(have, c) && have != c {
			apart = append(apart, strings.ReplaceAll(have, c, ""))
		}
	}
	if have != "" {
		apart = append(apart, "other-"+have)
	}
	if path == "resource.key" { // it is one in any case, and seldom the one compared with
		return append(apart, compared...)
	}
	return append(append(slices.Clone(compared), ""), apart...)
}

func split(values []ast.Value) (texts []string, numbers []int64) {
	for _, v := range values {
		switch c := v.(type) {
		case ast.String:
			texts = append(texts, string(c))
		case ast.Number:
			if n, ok := c.Int64(); ok {
				numbers = append(numbers, n)
			}
		}
	}
	return texts, numbers
}

func distance(a, b int64) int64 {
	if a > b {
		return a - b
	}
	return b - a
}
