package lint

import (
	"cmp"
	"fmt"
	"io/fs"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/open-policy-agent/opa/v1/ast"

	"github.com/sealgate/sealgate/policy"
	"github.com/sealgate/sealgate/rego"
)

// literal is a string in a rule of the library that is a value of some field.
type literal struct {
	file       string // rego/…
	start, end int    // with its quotes
	row        int
	value      string
}

func (l literal) String() string { return fmt.Sprintf("%s:%d: %q", l.file, l.row, l.value) }

// notCompared are strings that look like values of a field and are held against none,
// with the reason.
var notCompared = map[string]string{
	`rego/join/join.rego "unset"`:   "held against any field of a requirement",
	`rego/join/join.rego "decrypt"`: "what readers get when nothing is said",
	`rego/main/main.rego "allow"`:   "a field of the decision",
	`rego/main/main.rego "deny"`:    "the action of a rule nothing else is said of",
}

// literals lists the strings that are values of a field with few, in the bodies of the
// library's rules and in its constants. What a head with a body says is an answer.
func literals(t *testing.T) []literal {
	t.Helper()
	values := map[string]bool{}
	for _, l := range enumLeaves(t) {
		for _, v := range l.values {
			values[v] = v != ""
		}
	}
	var out []literal
	err := fs.WalkDir(rego.FS(), ".", func(path string, _ fs.DirEntry, err error) error {
		if err != nil || !strings.HasSuffix(path, ".rego") || strings.HasSuffix(path, "_test.rego") {
			return err
		}
		data, err := fs.ReadFile(rego.FS(), path)
		if err != nil {
			return err
		}
		file := "rego/" + path
		module, err := ast.ParseModule(file, string(data))
		if err != nil {
			return err
		}
		visit := func(term *ast.Term) bool {
			if term.Location == nil {
				return false
			}
			text := string(term.Location.Text)
			value, ok := term.Value.(ast.String)
			if ok && values[string(value)] && text == strconv.Quote(string(value)) && notCompared[file+" "+text] == "" {
				start := term.Location.Offset
				out = append(out, literal{file, start, start + len(text), term.Location.Row, string(value)})
			}
			return false
		}
		ast.WalkRules(module, func(rule *ast.Rule) bool {
			ast.WalkTerms(rule.Body, visit)
			if rule.Head.Value != nil && rule.Body.Equal(ast.NewBody(ast.NewExpr(ast.BooleanTerm(true)))) && !rule.Default {
				ast.WalkTerms(rule.Head.Value, visit)
			}
			return false
		})
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	slices.SortFunc(out, func(a, b literal) int {
		return cmp.Or(strings.Compare(a.file, b.file), cmp.Compare(a.start, b.start))
	})
	return slices.Compact(out)
}

// checkLibrary looks for problems in the shipped rules with strings of them replaced.
func checkLibrary(t *testing.T, replaced map[literal]string) []Problem {
	t.Helper()
	s, err := policy.ReadSources("")
	if err != nil {
		t.Fatal(err)
	}
	modules, err := s.Modules(false)
	if err != nil {
		t.Fatal(err)
	}
	byFile := map[string][]literal{}
	for l := range replaced {
		byFile[l.file] = append(byFile[l.file], l)
	}
	for file, list := range byFile {
		slices.SortFunc(list, func(a, b literal) int { return b.start - a.start })
		text := string(s.Text(file))
		for _, l := range list {
			text = text[:l.start] + strconv.Quote(replaced[l]) + text[l.end:]
		}
		if modules[file], err = ast.ParseModuleWithOpts(file, text, ast.ParserOptions{ProcessAnnotation: true}); err != nil {
			t.Fatal(err)
		}
	}
	found, err := checkModules(modules, Options{})
	if err != nil {
		t.Fatal(err)
	}
	return found
}

// TestLibrary: there is nothing wrong with the rules that are shipped.
func TestLibrary(t *testing.T) {
	t.Parallel()
	for _, p := range checkLibrary(t, nil) {
		t.Errorf("%s", p)
	}
}

// TestLibraryTypos makes every slip in every string of the shipped rules. Those that
// the compiler does not refuse are made in all strings at once: each must be found in
// its place.
func TestLibraryTypos(t *testing.T) {
	t.Parallel()
	var right []string
	for _, l := range enumLeaves(t) {
		right = append(right, l.values...)
	}
	var together []literal
	made := map[literal][]string{}
	most := 0
	all := literals(t)
	for i, l := range all {
		if i%sampled != 0 {
			continue
		}
		made[l] = typos(l.value, right)
		most = max(most, len(made[l]))
		switch found := checkLibrary(t, map[literal]string{l: made[l][0]}); {
		case len(found) == 0:
			t.Errorf("%s: %q is not found", l, made[l][0])
		case found[0].Code == ImpossibleValue:
			together = append(together, l)
		default: // an error of the compiler
			for _, typo := range made[l][1:min(5, len(made[l]))] {
				if len(checkLibrary(t, map[literal]string{l: typo})) == 0 {
					t.Errorf("%s: %q is not found", l, typo)
				}
			}
		}
	}
	if len(all) < 80 || len(together) < 60/sampled {
		t.Errorf("only %d strings, %d made wrong together", len(all), len(together))
	}
	for k := 0; k < most; k += sampled {
		replaced := map[literal]string{}
		for _, l := range together {
			if k < len(made[l]) {
				replaced[l] = made[l][k]
			}
		}
		found := checkLibrary(t, replaced)
		for l, typo := range replaced {
			if !slices.ContainsFunc(found, func(p Problem) bool {
				return p.File == l.file && p.Row == l.row && p.Code == ImpossibleValue && strings.Contains(p.Message, strconv.Quote(typo))
			}) {
				t.Errorf("%s: %q is not found", l, typo)
			}
		}
	}
	t.Logf("%d strings, %d of them made wrong together", len(made), len(together))
}
