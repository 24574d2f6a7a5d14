package lint

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/sealgate/sealgate/policy"
)

// constructs are the ways in which a string can meet a field: X is the string, L the
// field, O the object it is in, F its name there, N a number of its own, G another value
// of the field. What is before the line "---" stands beside the rule.
var constructs = map[string]string{
	"equal":                 `L == X`,
	"equal, turned":         `X == L`,
	"unified":               `L = X`,
	"not equal":             `L != X`,
	"negated":               `not L == X`,
	"in a set":              `L in {X, G}`,
	"in an array":           `L in [G, X]`,
	"in an object":          `L in {"a": X}`,
	"negated in a set":      `not L in {X, G}`,
	"local of the field":    "v := L\n\tv == X",
	"local of the string":   "v := X\n\tL == v",
	"local of a local":      "u := X\n\tv := u\n\tL == v",
	"local set":             "v := {G, X}\n\tL in v",
	"constant":              "cN := X\n---\nL == cN",
	"constant set":          "cN := {G, X}\n---\nL in cN",
	"constant of constants": "cN := {dN, G}\n\ndN := X\n---\nL in cN",
	"constant elsewhere":    "---\nL in data.site.lib.words.cN\n===\ncN := {G, X}",
	"default value":         "default cN := X\n\ncN := G if input.copy_source.present\n---\nL == cN",
	"else value":            "cN := G if {\n\tinput.copy_source.present\n} else := X\n---\nL == cN",
	"partial set":           "cN contains X\n---\nL in cN",
	"partial set by key":    "cN contains X\n---\ncN[L]",
	"partial object":        "cN[k] := X if some k in [\"a\"]\n---\ncN[_] == L",
	"object looked up":      "{X: 1, G: 2}[L] == 1",
	"constant looked up":    "cN := {X: 1, G: 2}\n---\ncN[L] == 1",
	"constant, with get":    "cN := {X: 1, G: 2}\n---\nobject.get(cN, L, 0) == 1",
	"keys of a constant":    "cN := {X: 1, G: 2}\n---\nL in object.keys(cN)",
	"some of a set":         "some v in {X, G}\n\tv == L",
	"some of the field":     "some v in [L]\n\tv == X",
	"any of an array":       "[G, X][_] == L",
	"head of a function":    "fN(X) := 1\n\nfN(G) := 2\n---\nfN(L) == 1",
	"argument":              "fN(v) if v == X\n---\nfN(L)",
	"argument behind two":   "fN(v) if gN(v)\n\ngN(v) if v in {X, G}\n---\nfN(L)",
	"both arguments":        "fN(a, b) if a == b\n---\nfN(L, X)",
	"object as argument":    "fN(o) if o.F == X\n---\nfN(O)",
	"object, destructured":  "fN([o, k]) if o.F == k\n---\nfN([O, X])",
	"result":                "fN(o) := o.F\n---\nfN(O) == X",
	"rule of the field":     "cN := L\n---\ncN == X",
	"every":                 "every v in [L] {\n\t\tv != X\n\t}",
	"comprehension":         "count({v | v := L; v == X}) > 0",
	"in a comprehension":    "X in {v | v := L}",
	"intersection":          "count({L} & {X, G}) > 0",
	"difference":            "count({L} - {X}) > 0",
	"arrays":                "[L, 1] == [X, 1]",
	"pairs":                 "[L, true] in {[X, true], [G, false]}",
	"destructured":          "[v, _] := [L, 1]\n\tv == X",
	"objects":               `{"a": L} == {"a": X}`,
	"lower case":            "lower(L) == X",
	"trimmed":               "trim_space(L) == X",
	"by a computed name":    "k := \"F\"\n\tO[k] == X",
	"with object.get":       "object.get(O, \"F\", \"\") == X",
	"replaced for a rule":   "cN if L == G\n---\ncN with L as X",
}

// leaf is a field of the schema that has few values.
type enumLeaf struct {
	object, name string // how to write it
	values       []string
	each         string // a line that has to be before it
}

// enumLeaves lists every one of the schema.
func enumLeaves(t testing.TB) []enumLeaf {
	t.Helper()
	root, err := readSchema("input.json")
	if err != nil {
		t.Fatal(err)
	}
	var out []enumLeaf
	var walk func(s *shape, object, each string)
	walk = func(s *shape, object, each string) {
		for name, f := range s.fields {
			switch {
			case f.shape.kinds == kindString && f.shape.words != nil:
				out = append(out, enumLeaf{object, name, f.shape.words.lists[0].values, each})
			case f.shape.kinds == kindObject:
				walk(f.shape, object+"."+name, each)
			case f.shape.kinds == kindArray && f.shape.elem.kinds == kindObject:
				walk(f.shape.elem, "x", fmt.Sprintf("some x in %s.%s\n\t", object, name))
			}
		}
	}
	walk((&shapes{root: root}).shape(root, "input", true), "input", "")
	slices.SortFunc(out, func(a, b enumLeaf) int { return strings.Compare(a.each+a.object+a.name, b.each+b.object+b.name) })
	if len(out) < 20 {
		t.Fatalf("only %d fields with few values", len(out))
	}
	return out
}

// typos are the words that one slip of a finger makes of a word: every deletion and
// swap, and at every place a letter too many and a wrong one.
func typos(word string, right []string) []string {
	var out []string
	add := func(w string) {
		if !slices.Contains(right, w) && !slices.Contains(out, w) {
			out = append(out, w)
		}
	}
	for i := range len(word) + 1 {
		letter := string(rune('a' + (i*7+len(word))%26))
		add(word[:i] + letter + word[i:])
		if i == len(word) {
			break
		}
		add(word[:i] + word[i+1:])
		add(word[:i] + letter + word[i+1:])
		add(word[:i] + strings.ToUpper(word[i:i+1]) + word[i+1:])
		if i+1 < len(word) {
			add(word[:i] + word[i+1:i+2] + word[i:i+1] + word[i+2:])
		}
	}
	return out
}

// corpus is generated Rego in which strings meet fields.
type corpus struct {
	rules, words strings.Builder
	samples      []sample
	n            int
}

// sample is one meeting.
type sample struct {
	construct, field, value string
	file                    string
	from, to                int // rows, the last excluded
}

func (c *corpus) add(construct string, l enumLeaf, value string) {
	c.n++
	good := l.values[0]
	if good == value && len(l.values) > 1 {
		good = l.values[1]
	}
	text := strings.NewReplacer(
		"L", l.object+"."+l.name, "X", fmt.Sprintf("%q", value), "O", l.object, "F", l.name,
		"N", fmt.Sprint(c.n), "G", fmt.Sprintf("%q", good),
	).Replace(constructs[construct])
	text, elsewhere, _ := strings.Cut(text, "\n===\n")
	beside, body, ok := strings.Cut(text, "---\n")
	if !ok {
		beside, body = "", text
	}
	s := sample{construct: construct, field: l.object + "." + l.name, value: value, file: "rules.rego", from: rows(&c.rules)}
	if elsewhere != "" {
		s.file, s.from = "words.rego", rows(&c.words)
		fmt.Fprintf(&c.words, "%s\n\n", elsewhere)
		s.to = rows(&c.words)
	}
	fmt.Fprintf(&c.rules, "%s\ndeny contains {\"id\": \"TST-001\", \"msg\": \"%d\"} if {\n\t%s%s\n}\n\n", beside, c.n, l.each, body)
	if elsewhere == "" {
		s.to = rows(&c.rules)
	}
	c.samples = append(c.samples, s)
}

func rows(b *strings.Builder) int { return strings.Count(b.String(), "\n") + 3 }

// check writes the corpus and looks for problems in it.
func (c *corpus) check(t *testing.T) map[string][]Problem {
	t.Helper()
	dir := t.TempDir()
	write(t, dir, "rules.rego", "package site.rules.generated\n\n"+c.rules.String())
	write(t, dir, "words.rego", "package site.lib.words\n\n"+c.words.String())
	found := map[string][]Problem{}
	for _, p := range check(t, dir, Options{}) {
		if p.Level == Error {
			found[filepath.Base(p.File)] = append(found[filepath.Base(p.File)], p)
		}
	}
	return found
}

func write(t testing.TB, dir, name, text string) {
	t.Helper()
	path := filepath.Join(dir, name)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

func check(t testing.TB, dir string, o Options) []Problem {
	t.Helper()
	s, err := policy.ReadSources(dir)
	if err != nil {
		t.Fatal(err)
	}
	found, err := Check(t.Context(), s, o)
	if err != nil {
		t.Fatal(err)
	}
	return found
}

// usable reports whether a construct can be written for a field.
func usable(construct string, l enumLeaf) bool {
	switch construct {
	case "replaced for a rule":
		return l.each == ""
	case "object as argument", "object, destructured", "result", "rule of the field":
		return l.each == "" || construct != "rule of the field"
	}
	return true
}

// TestTypos writes every slip of every value of every field with few values, each in
// one of the constructs in turn, and all slips of one value in all constructs.
func TestTypos(t *testing.T) {
	t.Parallel()
	for i, construct := range slices.Sorted(keys(constructs)) {
		if i%sampled != 0 {
			continue
		}
		t.Run(construct, func(t *testing.T) {
			t.Parallel()
			c := &corpus{}
			for i, l := range enumLeaves(t) {
				if !usable(construct, l) {
					continue
				}
				for j, value := range l.values {
					for k, typo := range typos(value, l.values) {
						thorough := i == len(construct)%20 && j == len(construct)%len(l.values)
						if thorough || k == (i+j+len(construct))%(3*len(value)+1) {
							c.add(construct, l, typo)
						}
					}
				}
			}
			found := c.check(t)
			if len(c.samples) < 50 {
				t.Errorf("only %d samples", len(c.samples))
			}
			for _, s := range c.samples {
				if !slices.ContainsFunc(found[s.file], func(p Problem) bool {
					return p.Row >= s.from && p.Row < s.to && p.Code == ImpossibleValue && strings.Contains(p.Message, fmt.Sprintf("%q", s.value))
				}) {
					t.Errorf("%s against %s, rows %d to %d: %q is not found", s.construct, s.field, s.from, s.to, s.value)
				}
			}
		})
	}
}

// TestNoTypos writes every value that is right in every construct.
func TestNoTypos(t *testing.T) {
	t.Parallel()
	c := &corpus{}
	for i, construct := range slices.Sorted(keys(constructs)) {
		for _, l := range enumLeaves(t) {
			if i%sampled != 0 || !usable(construct, l) || construct == "lower case" || construct == "trimmed" {
				continue
			}
			for _, value := range l.values {
				c.add(construct, l, value)
			}
		}
	}
	for name, problems := range c.check(t) {
		for _, p := range problems {
			t.Errorf("%s: %s", name, p)
		}
	}
}

func keys[V any](m map[string]V) func(func(string) bool) {
	return func(yield func(string) bool) {
		for k := range m {
			if !yield(k) {
				return
			}
		}
	}
}
