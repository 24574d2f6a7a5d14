package policy

import (
	"os"
	"strings"
	"testing"

	yaml "go.yaml.in/yaml/v3"

	"github.com/sealgate/sealgate/policy/posture"
)

// mutations are slips of the pen. Each gives another text than it is given.
var mutations = map[string]func(string) string{
	"last letter missing":  func(s string) string { return s[:max(0, len(s)-1)] },
	"first letter missing": func(s string) string { return s[min(1, len(s)):] },
	"letter added":         func(s string) string { return s + "x" },
	"letter twice":         func(s string) string { return s[:min(1, len(s))] + s },
	"in capitals":          strings.ToUpper,
	"space added":          func(s string) string { return " " + s },
	"dash lost":            func(s string) string { return strings.ReplaceAll(s, "-", "") },
	"dash for slash":       func(s string) string { return strings.ReplaceAll(s, "/", "-") },
	"star for everything":  func(string) string { return "*" },
	"nothing":              func(string) string { return "" },
	"null":                 func(string) string { return "null" },
	"true":                 func(string) string { return "true" },
	"unchanged":            func(string) string { return "unchanged" },
	"unknown":              func(string) string { return "unknown" },
}

// scalars returns every value of the document and every name of a field or bucket.
// Names of prefixes are left out: with one misspelt, the next shorter prefix of the
// same bucket applies, which is what the file then says.
func scalars(n *yaml.Node, depth int) []*yaml.Node {
	switch n.Kind {
	case yaml.ScalarNode:
		return []*yaml.Node{n}
	case yaml.MappingNode:
		var out []*yaml.Node
		for i, child := range n.Content {
			prefix := depth == 3 && i%2 == 0 && n.Content[i+1].Kind == yaml.MappingNode
			if !prefix {
				out = append(out, scalars(child, depth+1)...)
			}
		}
		return out
	}
	var out []*yaml.Node
	for _, child := range n.Content {
		out = append(out, scalars(child, depth+1)...)
	}
	return out
}

// TestMutations changes every single value of the posture in every way above. What
// still loads must never allow a write less strongly encrypted than before.
func TestMutations(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("testdata/posture.yaml")
	if err != nil {
		t.Fatal(err)
	}
	var document yaml.Node
	if err := yaml.Unmarshal(text, &document); err != nil {
		t.Fatal(err)
	}
	original := newEngine(t, nil).Current()
	writes := func() []*Input {
		return []*Input{put("data", "a"), put("data", "kms/a"), put("data", "kms/default/a"), put("data", "dsse/a"), put("data", "own/a"),
			put("data", "sealed/a"), put("data-1", "a"), put("partial", "in/a"), put("partial", "a"), put("elsewhere", "a")}
	}
	var before []Decision
	for _, in := range writes() {
		d, err := original.Decide(t.Context(), in)
		if err != nil {
			t.Fatal(err)
		}
		before = append(before, d)
	}
	loaded, refused := 0, 0
	for _, node := range scalars(&document, 0) {
		was := *node
		for name, mutate := range mutations {
			value := mutate(was.Value)
			if Mode(value).Rank() >= 0 {
				// "dsse-kms" without its first letter is a mode, too.
				continue
			}
			node.Value, node.Tag, node.Style = value, "", 0
			changed, err := yaml.Marshal(&document)
			place := name + " at " + was.Value
			*node = was
			if err != nil {
				t.Fatal(err)
			}
			p, err := posture.Parse(changed)
			if err != nil {
				refused++
				continue
			}
			loaded++
			g := *original
			g.setPosture(p)
			for i, in := range writes() {
				d, err := g.Decide(t.Context(), in)
				if err != nil || !d.Allow {
					continue
				}
				if d.Encryption.Mode.Rank() < before[i].Encryption.Mode.Rank() {
					t.Errorf("%s: %s/%s is written with %s instead of %s", place, in.Resource.Bucket, in.Resource.Key, d.Encryption.Mode, before[i].Encryption.Mode)
				}
				if !before[i].Allow && d.Encryption.Mode.Rank() < 0 {
					t.Errorf("%s: %s/%s is written with %s", place, in.Resource.Bucket, in.Resource.Key, d.Encryption.Mode)
				}
			}
		}
	}
	if loaded < 100 || refused < 100 {
		t.Errorf("%d changed postures were loaded, %d refused", loaded, refused)
	}
}
