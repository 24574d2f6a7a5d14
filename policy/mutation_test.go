package policy

import (
	"os"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	yaml "go.yaml.in/yaml/v3"

	"github.com/sealgate/sealgate/policy/posture"
)

// slips are slips of the pen in a text. Each gives another text than it is given.
var slips = map[string]func(string) string{
	"last letter missing":  func(s string) string { return s[:max(0, len(s)-1)] },
	"first letter missing": func(s string) string { return s[min(1, len(s)):] },
	"letter added":         func(s string) string { return s + "x" },
	"letter twice":         func(s string) string { return s[:min(1, len(s))] + s },
	"letters swapped": func(s string) string {
		return s[min(1, len(s)):min(2, len(s))] + s[:min(1, len(s))] + s[min(2, len(s)):]
	},
	"in capitals":         strings.ToUpper,
	"in small letters":    strings.ToLower,
	"space added":         func(s string) string { return " " + s },
	"dash lost":           func(s string) string { return strings.ReplaceAll(s, "-", "") },
	"dash for slash":      func(s string) string { return strings.ReplaceAll(s, "/", "-") },
	"slash twice":         func(s string) string { return strings.ReplaceAll(s, "/", "//") },
	"star for everything": func(string) string { return "*" },
	"nothing":             func(string) string { return "" },
}

// otherWords are the words any field takes, and some that none does.
var otherWords = []string{
	"none", "sse-s3", "sse-c", "sse-kms", "dsse-kms", "cse", "unchanged", "unknown", "null", "true", "false", "0", "1", "-1", "1e9",
	"enforce", "warn", "audit", "off", "deny", "allow", "reject", "replace", "keep-if-stronger", "keep-if-allowed", "decrypt",
	"pass-through", "all", "mixed", "read", "required", "strong", "1.2", "1.3", "2020-01-01", "2030-01-01", "2026-11-23T08:00:00Z",
	"KEY-001", "ENC-000", "ENC-001", "ENC-002", "GRT-000", "AUT-001", "anonymous", "kms-eu", "sealed", "plain", "restricted", "internal",
	"eu-main", "spare", "main", "vault-a", "office", "[]", "{}", "[x]", "{x: y}",
}

// mutation is one change of a document: do makes it and undo takes it back.
type mutation struct {
	name     string
	do, undo func()
}

// mutations lists every change of every value below a node, and of every name of a
// field, a bucket and what the file gives names to. Names of prefixes, and whether a
// prefix or bucket is there at all, are left out: without it, the next shorter prefix
// or wider pattern applies, which is what the file then says.
func mutations(n *yaml.Node, path []string) (out []mutation) {
	at := strings.Join(path, ".")
	set := func(node *yaml.Node, name string, changed yaml.Node) {
		was := *node
		out = append(out, mutation{name, func() { *node = changed }, func() { *node = was }})
	}
	text := func(node *yaml.Node, at string) {
		for name, slip := range slips {
			set(node, name+" at "+at+": "+node.Value, yaml.Node{Kind: yaml.ScalarNode, Value: slip(node.Value)})
		}
	}
	switch n.Kind {
	case yaml.DocumentNode:
		return mutations(n.Content[0], path)
	case yaml.ScalarNode:
		text(n, at)
		for _, word := range otherWords {
			var value yaml.Node
			if err := yaml.Unmarshal([]byte(word), &value); err == nil {
				set(n, word+" for "+n.Value+" at "+at, *value.Content[0])
			}
		}
	case yaml.SequenceNode:
		reversed := *n
		reversed.Content = slices.Clone(n.Content)
		slices.Reverse(reversed.Content)
		set(n, "reversed at "+at, reversed)
		for i, child := range n.Content {
			without := *n
			without.Content = slices.Delete(slices.Clone(n.Content), i, i+1)
			set(n, "entry missing at "+at, without)
			out = append(out, mutations(child, append(path, "[]"))...)
		}
	case yaml.MappingNode:
		buckets := len(path) > 0 && path[0] == "buckets"
		for i := 0; i < len(n.Content); i += 2 {
			key, child := n.Content[i], n.Content[i+1]
			if prefix := buckets && len(path) == 2; !prefix {
				text(key, at)
			}
			if !buckets || len(path) > 2 {
				without := *n
				without.Content = slices.Delete(slices.Clone(n.Content), i, i+2)
				set(n, key.Value+" missing at "+at, without)
			}
			out = append(out, mutations(child, append(slices.Clone(path), key.Value))...)
		}
	}
	return out
}

// asking lets a write ask for an encryption of its own.
func asking(in *Input, mode Mode, key string) *Input {
	in.Encryption = EncryptionFacts{Explicit: true, Requested: Requested{Mode: mode, KeyID: key}}
	return in
}

// TestMutations changes every single value of the postures in every way above. What
// still loads must never allow a write less strongly encrypted than before.
func TestMutations(t *testing.T) {
	t.Parallel()
	later := time.Date(2027, 6, 1, 0, 0, 0, 0, time.UTC)
	for file, test := range map[string]struct {
		writes          func() []*Input
		modes           bool // another mode is a load error, too
		loaded, refused int  // at least
	}{
		"testdata/posture.yaml": {
			writes: func() []*Input {
				return []*Input{put("data", "a"), put("data", "kms/a"), put("data", "kms/default/a"), put("data", "dsse/a"), put("data", "own/a"),
					put("data", "sealed/a"), put("data-1", "a"), put("partial", "in/a"), put("partial", "a"), put("elsewhere", "a")}
			},
			loaded: 300, refused: 1000,
		},
		"testdata/rich.yaml": {
			writes: func() []*Input {
				return []*Input{put("data", "a"), put("data", "secret/a"), put("data", "stronger/a"), put("data", "own/a"), put("data", "open/a"),
					put("data-1", "import/a"), put("elsewhere", "a"), asking(put("data", "a"), SSES3, ""), asking(put("data", "secret/a"), None, ""),
					asking(put("data", "import/a"), KMS, "alias/other"), asking(put("data", "stronger//a"), SSES3, ""),
					change(put("data", "secret/a"), func(in *Input) { in.Time = TimeAt(later) }),
					change(put("data", "open/a"), func(in *Input) { in.Transport = Transport{SourceIP: "203.0.113.1"} })}
			},
			modes: true, loaded: 1000, refused: 5000,
		},
	} {
		t.Run(file, func(t *testing.T) {
			t.Parallel()
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			original := underPosture(t, newEngine(t, nil).Current(), string(text))
			var before []Decision
			for _, in := range test.writes() {
				d, err := original.Decide(t.Context(), in)
				if err != nil {
					t.Fatal(err)
				}
				before = append(before, d)
			}
			if slices.IndexFunc(before, func(d Decision) bool { return d.Allow }) < 0 {
				t.Fatal("nothing is allowed")
			}
			loaded, refused, asked := 0, 0, 0
			var document yaml.Node
			if err := yaml.Unmarshal(text, &document); err != nil {
				t.Fatal(err)
			}
			for i, m := range mutations(&document, nil) {
				if i%sampled != 0 {
					continue
				}
				m.do()
				changed, err := yaml.Marshal(&document)
				m.undo()
				if err != nil {
					t.Fatal(err)
				}
				if !test.modes && otherMode(string(text), string(changed)) {
					continue
				}
				p, err := posture.Parse(changed)
				if err != nil {
					refused++
					continue
				}
				loaded++
				g := *original
				g.setPosture(p)
				same := test.writes()
				for i, in := range test.writes() {
					if seesTheSame(&g, original, in, same[i]) {
						continue
					}
					asked++
					compareWrites(t, &g, m.name, test.writes()[i], before[i])
				}
			}
			if loaded*sampled < test.loaded || refused*sampled < test.refused || asked*sampled < test.loaded {
				t.Errorf("%d changed postures were loaded, %d refused, %d decisions made", loaded, refused, asked)
			}
		})
	}
}

// seesTheSame reports whether a request looks the same to policy under two postures, so
// that the decision is the same and need not be made; under its plain name, too.
func seesTheSame(g, h *Generation, a, b *Input) bool {
	g.fill(a)
	h.fill(b)
	a.Posture.epoch, b.Posture.epoch = 0, 0
	if !reflect.DeepEqual(a, b) {
		return false
	}
	a, ok := a.alias()
	if !ok {
		return true
	}
	b, _ = b.alias()
	return seesTheSame(g, h, a, b)
}

// compareWrites asks a changed posture about a write. It must not be allowed with less
// than was decided before, were it denied then or not.
func compareWrites(t *testing.T, g *Generation, name string, in *Input, before Decision) {
	t.Helper()
	d, err := g.Decide(t.Context(), in)
	if err != nil || !d.Allow {
		return
	}
	if mode := d.Encryption.Mode; mode.Rank() < before.Encryption.Mode.Rank() || mode.Rank() < 0 {
		t.Errorf("%s: %s/%s is written with %s instead of %s", name, in.Resource.Bucket, in.Resource.Key, mode, before.Encryption.Mode)
	}
}

// otherMode reports whether a file names modes as often as another one, but others:
// without floors that is what the file then says.
func otherMode(before, after string) bool {
	count := func(text string) (out []string) {
		var document map[string]any
		if yaml.Unmarshal([]byte(text), &document) != nil {
			return nil
		}
		buckets, _ := document["buckets"].(map[string]any)
		for _, prefixes := range buckets {
			list, _ := prefixes.(map[string]any)
			for _, entry := range list {
				fields, _ := entry.(map[string]any)
				mode, _ := fields["mode"].(string)
				out = append(out, mode)
			}
		}
		slices.Sort(out)
		return out
	}
	return !slices.Equal(count(before), count(after))
}
