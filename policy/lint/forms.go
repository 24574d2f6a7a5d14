package lint

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"

	"github.com/open-policy-agent/opa/v1/ast"
)

// ruleIDForm is the form of rule identifiers.
var ruleIDForm = regexp.MustCompile(`^[A-Z]{3}-[0-9]{3}$`)

// reserved are the families of identifiers that the gateway itself gives.
var reserved = []string{"EVL", "ENF"}

// requirementWords are the fields of a requirement that have few values; the rest of
// its fields follow.
var (
	requirementWords = []string{"mode", "bucket_key", "on_conflict", "on_read"}
	requirementOther = map[string]kind{
		"key_id": kindString, "keyring": kindString, "context": kindObject, "allowed_keys": kindArray | kindSet,
	}
)

// requirementShape is what an element of require has: what the decision says of an
// encryption, but for the mode of what writes nothing, and what readers get.
func requirementShape(b *shapes, decision *schema) *shape {
	out := &shape{kinds: kindObject, fields: map[string]*field{}, rest: unknown}
	encryption := decision.Properties["encryption"]
	for _, name := range requirementWords {
		s := encryption.Properties[name]
		if name == "on_read" {
			s = decision.Properties[name]
		}
		values := slices.DeleteFunc(b.values(s, ""), func(v string) bool { return v == "unchanged" })
		l := &list{of: "a requirement's " + name, values: values}
		if name == "on_read" {
			l.values = append(l.values, "") // says nothing
		}
		out.fields[name] = &field{shape: &shape{kinds: kindString, words: &words{lists: []*list{l}}}}
	}
	for name, k := range requirementOther {
		out.fields[name] = &field{shape: &shape{kinds: k, elem: text(), rest: text()}}
	}
	return out
}

// contribution is a rule that adds findings or requirements.
type contribution struct {
	rule    *ast.Rule
	shipped bool
	value   *shape // of what it adds
}

// contributions lists the rules that are asked for the findings or requirements of a
// tree: "rules" has deny, "encryption" has require.
func (f *flow) contributions(tree, name string) []contribution {
	var out []contribution
	for _, owner := range []string{"sealgate", "site"} {
		n := f.rules.child(owner).child(tree)
		for _, pkg := range slices.Sorted(maps.Keys(n.children)) {
			asked := n.children[pkg].children[name]
			if asked == nil {
				continue
			}
			for _, rule := range asked.rules {
				if rule.Head.RuleKind() == ast.MultiValue {
					out = append(out, contribution{rule, owner == "sealgate", f.ruleValue(rule, scope{}).element()})
				}
			}
		}
	}
	return out
}

// forms judges findings and requirements.
func (f *flow) forms() []Problem {
	denies := f.contributions("rules", "deny")
	shipped := f.shippedIDs(denies)
	var out []Problem
	for _, c := range denies {
		out = append(out, f.finding(c, shipped)...)
	}
	for _, c := range f.contributions("encryption", "require") {
		out = append(out, f.requirement(c)...)
	}
	return out
}

// shippedIDs are the identifiers of the library's findings.
func (f *flow) shippedIDs(denies []contribution) map[string]bool {
	ids := map[string]bool{}
	add := func(value *shape) {
		if value.any || value.fields["id"] == nil {
			return
		}
		if w := value.fields["id"].shape.words; w != nil {
			for id, places := range w.said {
				if slices.ContainsFunc(places, func(at *ast.Location) bool { return at != nil && strings.HasPrefix(at.File, "rego/") }) {
					ids[id] = true
				}
			}
		}
	}
	for _, c := range denies {
		if c.shipped {
			add(c.value)
		}
	}
	// Findings of the library that come from no deny: joins and grants.
	var walk func(n *node)
	walk = func(n *node) {
		for _, rule := range n.rules {
			if rule.Head.RuleKind() == ast.MultiValue {
				add(f.ruleValue(rule, scope{}).element())
			}
		}
		for _, child := range n.children {
			walk(child)
		}
	}
	walk(f.rules.child("sealgate").child("main"))
	walk(f.rules.child("sealgate").child("join"))
	return ids
}

// finding judges what a deny adds.
func (f *flow) finding(c contribution, shipped map[string]bool) []Problem {
	at := c.rule.Head.Location
	switch {
	case c.value.any:
		return nil
	case c.value.kinds&kindObject == 0:
		return []Problem{problem(FindingForm, at, "a finding is an object", `write {"id": "ABC-001", "msg": "…", "path": "…"}`)}
	}
	var out []Problem
	for _, name := range slices.Sorted(maps.Keys(c.value.fields)) {
		fl := c.value.fields[name]
		switch {
		case name != "id" && name != "msg" && name != "path":
			out = append(out, problem(FindingForm, first(fl.at, at), "a finding has no "+quote(name), suggest(name, []string{"id", "msg", "path"})))
		case !fl.shape.is(kindString):
			out = append(out, problem(FindingForm, first(fl.at, at), fmt.Sprintf("%s of a finding is a string, not %s", name, fl.shape.kinds), "write a string"))
		}
	}
	for _, name := range []string{"id", "msg"} {
		if c.value.fields[name] == nil && c.value.rest == nil {
			out = append(out, problem(FindingForm, at, "the finding has no "+quote(name), "add it"))
		}
	}
	if id := c.value.fields["id"]; id != nil {
		out = append(out, f.identifiers(c, id.shape, shipped)...)
	}
	if path := c.value.fields["path"]; path != nil && !path.shape.any && path.shape.words != nil {
		for said, places := range path.shape.words.said {
			if wrong, right := f.path(said); wrong != "" {
				out = append(out, problem(FindingForm, first(places, at), wrong, suggest(said, right)))
			}
		}
	}
	return out
}

// identifiers judges a finding's id.
func (f *flow) identifiers(c contribution, id *shape, shipped map[string]bool) []Problem {
	if id.any || id.words == nil {
		return nil
	}
	var out []Problem
	for said, places := range id.words.said {
		at := first(places, c.rule.Head.Location)
		switch {
		case !ruleIDForm.MatchString(said):
			out = append(out, problem(RuleID, at, quote(said)+" is not of the form AAA-000", "write three capital letters, a hyphen and three digits"))
		case c.shipped:
		case slices.Contains(reserved, said[:3]):
			out = append(out, problem(RuleID, at, said[:3]+" is for the gateway's own faults", "choose other letters"))
		case shipped[said]:
			out = append(out, problem(ShippedID, at, quote(said)+" is a rule of the library: actions and exceptions of the posture for it would hold for this rule as well", "choose an id of your own"))
		}
	}
	return out
}

// path judges where a finding points: below input, without its name. Empty is nowhere,
// and what a document has is not looked at.
func (f *flow) path(said string) (wrong string, right []string) {
	if said == "" {
		return "", nil
	}
	at := f.input
	words := strings.Split(said, ".")
	for i, name := range words {
		if at.any || at.rest != nil || at.kinds&(kindArray|kindObject) != at.kinds {
			return "", nil
		}
		if at.kinds == kindArray {
			return "", nil
		}
		next := at.fields[name]
		if next == nil {
			for _, known := range slices.Sorted(maps.Keys(at.fields)) {
				right = append(right, strings.Join(append(slices.Clone(words[:i]), known), "."))
			}
			return fmt.Sprintf("the path %q is not in the input: %s has no field %q", said, at.path, name), right
		}
		at = next.shape
		if at.kinds&(kindArray|kindObject) == 0 && i < len(words)-1 {
			return fmt.Sprintf("the path %q is not in the input: %s is %s", said, at.path, at.kinds), []string{strings.TrimPrefix(at.path, "input.")}
		}
	}
	return "", nil
}

// requirement judges what a require adds.
func (f *flow) requirement(c contribution) []Problem {
	at := c.rule.Head.Location
	switch {
	case c.value.any:
		return nil
	case c.value.kinds&kindObject == 0:
		return []Problem{problem(RequirementForm, at, "a requirement is an object", `write {"mode": "sse-kms", …}`)}
	}
	var out []Problem
	want := f.rules.child("sealgate").child("join").child("requirements").value.elem
	for _, name := range slices.Sorted(maps.Keys(c.value.fields)) {
		fl, known := c.value.fields[name], want.fields[name]
		place := first(fl.at, at)
		switch {
		case known == nil:
			out = append(out, problem(RequirementForm, place, "a requirement has no "+quote(name), suggest(name, slices.Sorted(maps.Keys(want.fields)))))
		case !fl.shape.is(known.shape.kinds):
			out = append(out, problem(RequirementForm, place, fmt.Sprintf("%s of a requirement is %s, not %s", name, known.shape.kinds, fl.shape.kinds), "write "+known.shape.kinds.String()))
		case known.shape.words != nil && !fl.shape.any && fl.shape.words != nil:
			for said, places := range fl.shape.words.said {
				if !known.shape.words.has(said) {
					values, _ := known.shape.words.all()
					out = append(out, problem(ImpossibleValue, first(places, place), fmt.Sprintf("%q is never %s", said, known.shape.words.lists[0].of), suggest(said, values)))
				}
			}
		}
	}
	if c.value.fields["mode"] == nil && c.value.rest == nil {
		out = append(out, problem(RequirementForm, at, `the requirement has no "mode"`, "add it"))
	}
	return out
}

// first is the first place there is.
func first(places []*ast.Location, otherwise *ast.Location) *ast.Location {
	for _, at := range places {
		if at != nil {
			return at
		}
	}
	return otherwise
}
