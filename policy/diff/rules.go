package diff

import (
	"maps"
	"reflect"
	"slices"
	"strings"

	"github.com/open-policy-agent/opa/v1/ast"

	"github.com/sealgate/sealgate/policy"
	"github.com/sealgate/sealgate/policy/posture"
)

// rules is what the rules of two policies read, and which of them can make a difference.
type rules struct {
	texts   map[string][]string // by path below input: what is compared with it
	numbers map[string][]int64
	named   []string                   // every text in a rule: what rules tell apart
	focus   map[string]bool            // paths a difference can depend on
	byID    map[string]map[string]bool // paths that the rules with a finding read
	reads   []string                   // paths that either policy reads
}

func newRules(a, b *policy.Generation) *rules {
	x := &rules{texts: map[string][]string{}, numbers: map[string][]int64{}, focus: map[string]bool{}, byID: map[string]map[string]bool{}}
	x.reads = slices.Compact(slices.Sorted(slices.Values(slices.Concat(a.Reads().Paths(), b.Reads().Paths()))))
	changed := changedFacts(a, b)
	inA, inB := ruleTexts(a), ruleTexts(b)
	named := map[string]bool{}
	for _, side := range []struct {
		of, other map[string]bool
		g         *policy.Generation
	}{{inA, inB, a}, {inB, inA, b}} {
		r := &reader{compiler: side.g.Compiler(), memo: map[*ast.Rule]*summary{}}
		for _, module := range r.compiler.Modules {
			joins := combines(module.Package.Path)
			if joins && !module.Package.Path.Equal(combiners[1]) {
				continue
			}
			for _, rule := range module.Rules {
				s := r.summary(rule)
				for _, text := range s.texts {
					named[text] = true
				}
				if !joins {
					for _, line := range r.lines(rule) {
						x.compare(line)
					}
				}
				for _, id := range s.ids {
					if x.byID[id] == nil {
						x.byID[id] = map[string]bool{}
					}
					maps.Copy(x.byID[id], s.reads)
				}
				if !side.other[textOf(module, rule)] || dependsOnNew(r, rule, side.other) || s.touches(changed) {
					maps.Copy(x.focus, s.reads)
				}
			}
		}
	}
	x.named = slices.Sorted(maps.Keys(named))
	return x
}

// ruleTexts are the rules of a policy, as they are written.
func ruleTexts(g *policy.Generation) map[string]bool {
	out := map[string]bool{}
	for _, module := range g.Compiler().Modules {
		for _, rule := range module.Rules {
			out[textOf(module, rule)] = true
		}
	}
	return out
}

func textOf(module *ast.Module, rule *ast.Rule) string {
	text := rule.String()
	if rule.Location != nil && len(rule.Location.Text) > 0 {
		text = string(rule.Location.Text)
	}
	return module.Package.Path.String() + "\n" + text
}

// dependsOnNew reports whether a rule asks one that the other policy does not have.
func dependsOnNew(r *reader, rule *ast.Rule, other map[string]bool) bool {
	for dependency := range r.below(rule) {
		if !other[textOf(dependency.Module, dependency)] {
			return true
		}
	}
	return false
}

// changedFacts are the fields of input.posture that are not the same for some resource,
// and the ids of rules whose actions and waivers differ, as "id:".
func changedFacts(a, b *policy.Generation) map[string]bool {
	out := map[string]bool{}
	find := func(g *policy.Generation, r *posture.Rule) *posture.Rule {
		return g.Rule(posture.Sample(r.BucketGlob, "x"), r.Prefix+"k")
	}
	diff := func(r, other *posture.Rule) {
		if other == nil {
			other = &posture.Rule{}
		}
		v, w := reflect.ValueOf(r).Elem(), reflect.ValueOf(other).Elem()
		for i := range v.NumField() {
			if !reflect.DeepEqual(v.Field(i).Interface(), w.Field(i).Interface()) {
				for _, path := range postureFields[v.Type().Field(i).Name] {
					out[path] = true
				}
			}
		}
	}
	for r := range a.PostureRules() {
		diff(r, find(b, r))
	}
	for r := range b.PostureRules() {
		diff(r, find(a, r))
	}
	return out
}

// postureFields are the fields of the input that a field of an entry gives, where it is
// not the one of that name.
var postureFields = func() map[string][]string {
	out := map[string][]string{
		"ID": {"posture.id"}, "Mode": {"posture.mode", "posture.rank"}, "Profile": nil, "Sealed": nil, "Keyrings": nil,
		"KeyID": {"posture.key_id", "posture.allowed_keys"},
	}
	facts := reflect.TypeFor[policy.Posture]()
	for i := range facts.NumField() {
		f := facts.Field(i)
		if _, done := out[f.Name]; !done && f.IsExported() {
			out[f.Name] = []string{"posture." + f.Tag.Get("json")}
		}
	}
	return out
}()

// compare notes what is compared with the fields read in one line.
func (x *rules) compare(l line) {
	for path := range l.reads {
		for _, text := range l.texts {
			if len(x.texts[path]) < maxTexts && !slices.Contains(x.texts[path], text) {
				x.texts[path] = append(x.texts[path], text)
			}
		}
		for _, n := range l.numbers {
			if len(x.numbers[path]) < maxTexts && !slices.Contains(x.numbers[path], n) {
				x.numbers[path] = append(x.numbers[path], n)
			}
		}
	}
}

// maxTexts bounds the values of one field.
const maxTexts = 24

// isRead reports whether either policy reads a field, or something in it.
func (x *rules) isRead(paths ...string) bool {
	return slices.ContainsFunc(paths, func(p string) bool {
		return slices.ContainsFunc(x.reads, func(r string) bool { return overlap(p, r) })
	})
}

// inFocus reports whether a difference can depend on one of some fields.
func (x *rules) inFocus(paths ...string) bool {
	return slices.ContainsFunc(paths, func(p string) bool {
		for f := range x.focus {
			if overlap(p, f) {
				return true
			}
		}
		return false
	})
}

// entries are the names under which a policy looks into a map.
func (x *rules) entries(path string) []string {
	var out []string
	for _, r := range x.reads {
		if name, ok := strings.CutPrefix(r, path+"."); ok {
			out = append(out, name)
		}
	}
	return out
}

func overlap(a, b string) bool {
	if len(a) > len(b) {
		a, b = b, a
	}
	return a == "" || a == b || strings.HasPrefix(b, a+".")
}
