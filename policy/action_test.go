package policy

import (
	"maps"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/open-policy-agent/opa/v1/ast"
	"pgregory.net/rapid"

	"github.com/sealgate/sealgate/policy/posture"
)

// taggedSite has a finding for every tag of a request: its id.
var taggedSite = map[string]string{"tagged.rego": `package site.rules.tagged

deny contains {"id": id, "msg": "tagged"} if some id, _ in input.request.tags
`}

// underPosture is an engine's generation under another posture, told by its text.
func underPosture(t testing.TB, g *Generation, text string) *Generation {
	t.Helper()
	other := *g
	other.setPosture(mustPosture(t, text))
	return &other
}

const openGrants = `
grants:
  - {id: all, principals: [app], actions: ["s3:*"], resources: ["*"]}
  - {id: all-open, principals: [anonymous], actions: ["s3:*"], resources: ["public/*"]}
`

// shown lists the findings of a decision as "id action waiver".
func shown(d Decision) string {
	var out []string
	for _, f := range d.Findings {
		out = append(out, strings.TrimSpace(f.ID+" "+f.Action+" "+f.Waiver))
	}
	slices.Sort(out)
	return strings.Join(out, ", ")
}

// tagged is a write with tags, one finding each.
func tagged(bucket, key string, ids ...string) *Input {
	in := put(bucket, key)
	in.Request.Tags = Map{}
	for _, id := range ids {
		in.Request.Tags[id] = "x"
	}
	return in
}

func TestActions(t *testing.T) {
	t.Parallel()
	site := newEngine(t, taggedSite).Current()
	g := underPosture(t, site, `
version: 1
networks: {office: ["192.0.2.0/24"]}
buckets:
  data:
    "": {mode: sse-s3}
    warn/: {mode: sse-kms, key_id: alias/k, enforcement: warn}
    audit/: {mode: cse, enforcement: audit}
rules:
  ABC-002: {action: warn}
  ABC-003: {action: audit}
  ABC-004: {action: "off"}
exceptions:
  - {id: ex, rules: [ABC-001, ABC-002], resources: [data/import/*], until: 2026-12-31, owner: o, ticket: T-1}
break_glass:
  - {id: inc, rules: [ABC-005], resources: ["*"], groups: [oncall], from: 2026-11-23T08:00:00Z, until: 2026-11-23T09:00:00Z, owner: o, ticket: T-2}
  - {id: past, rules: [ABC-006], resources: ["*"], groups: [oncall], from: 2026-11-23T07:00:00Z, until: 2026-11-23T08:00:00Z, owner: o, ticket: T-3}
`+openGrants)
	oncall := func(in *Input) *Input {
		in.Identity.Groups = List{"oncall"}
		return in
	}
	for name, test := range map[string]struct {
		in    *Input
		allow bool
		want  string
		mode  Mode
	}{
		"deny":                        {tagged("data", "a", "ABC-001"), false, "ABC-001 deny", SSES3},
		"warn":                        {tagged("data", "a", "ABC-002"), true, "ABC-002 warn", SSES3},
		"audit":                       {tagged("data", "a", "ABC-003"), true, "ABC-003 audit", SSES3},
		"off":                         {tagged("data", "a", "ABC-004"), true, "", SSES3},
		"one of them denies":          {tagged("data", "a", "ABC-001", "ABC-002", "ABC-003", "ABC-004"), false, "ABC-001 deny, ABC-002 warn, ABC-003 audit", SSES3},
		"enforcement warn":            {tagged("data", "warn/a", "ABC-001"), true, "ABC-001 warn", KMS},
		"enforcement caps no less":    {tagged("data", "warn/a", "ABC-003", "ABC-004"), true, "ABC-003 audit", KMS},
		"audit mode still seals":      {tagged("data", "audit/a", "ABC-001", "ABC-002"), true, "ABC-001 audit, ABC-002 warn", CSE},
		"locked under audit":          {tagged("data", "audit/a", "AUT-001", "ENF-001", "EVL-001", "ENC-001", "GRT-000"), false, "AUT-001 deny, ENC-001 deny, ENF-001 deny, EVL-001 deny, GRT-000 deny", CSE},
		"exception":                   {tagged("data", "import/a", "ABC-001"), true, "ABC-001 warn ex", SSES3},
		"exception of what warns":     {tagged("data", "import/a", "ABC-002"), true, "ABC-002 warn", SSES3},
		"exception elsewhere":         {tagged("data", "a", "ABC-001"), false, "ABC-001 deny", SSES3},
		"exception to another rule":   {tagged("data", "import/a", "ABC-001", "ABC-005"), false, "ABC-001 warn ex, ABC-005 deny", SSES3},
		"aliased key within":          {tagged("data", "import//a", "ABC-001"), true, "ABC-001 warn ex", SSES3},
		"aliased key out of it":       {tagged("data", "import/../a", "ABC-001"), false, "ABC-001 deny, ABC-001 warn ex", SSES3},
		"aliased key into it":         {tagged("data", "x/../import/a", "ABC-001"), false, "ABC-001 deny", SSES3},
		"aliased slash in front":      {tagged("data", "/import/a", "ABC-001"), false, "ABC-001 deny", SSES3},
		"break-glass":                 {oncall(tagged("data", "a", "ABC-005")), true, "ABC-005 warn inc, BRK-001 audit", SSES3},
		"break-glass not needed":      {oncall(tagged("data", "a")), true, "", SSES3},
		"break-glass for others":      {tagged("data", "a", "ABC-005"), false, "ABC-005 deny", SSES3},
		"break-glass does not cover":  {oncall(tagged("data", "a", "ABC-001", "ABC-005")), false, "ABC-001 deny, ABC-005 warn inc, BRK-001 audit, BRK-002 audit", SSES3},
		"break-glass is over":         {oncall(tagged("data", "a", "ABC-006")), false, "ABC-006 deny, BRK-002 audit, BRK-002 audit", SSES3},
		"break-glass, group's case":   {change(tagged("data", "a", "ABC-005"), func(in *Input) { in.Identity.Groups = List{"OnCall"} }), false, "ABC-005 deny", SSES3},
		"break-glass, not verified":   {change(oncall(tagged("data", "a", "ABC-005")), func(in *Input) { in.Identity.Verified = false }), false, "ABC-005 deny, AUT-001 deny, GRT-000 deny", SSES3},
		"uncovered is not weakened":   {tagged("elsewhere", "a", "ABC-003"), false, "ABC-003 audit, ENC-001 deny", Unchanged},
		"several findings of one id":  {change(tagged("data", "import/a", "ABC-001"), func(in *Input) { in.Request.ACL.Public = true }), false, "ABC-001 warn ex, ACL-001 deny", SSES3},
		"nothing is found":            {put("data", "audit/a"), true, "", CSE},
		"reads are found out as well": {change(get("data", "warn/a"), func(in *Input) { in.Request.Tags = Map{"ABC-001": ""} }), true, "ABC-001 warn", Unchanged},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for range 2 { // decided, and from memory
				in := *test.in
				d, err := g.Decide(t.Context(), &in)
				if err != nil {
					t.Fatal(err)
				}
				if d.Allow != test.allow || shown(d) != test.want || d.Encryption.Mode != test.mode {
					t.Errorf("got %v, %s, %s; want %v, %s, %s", d.Allow, shown(d), d.Encryption.Mode, test.allow, test.want, test.mode)
				}
			}
		})
	}
}

// TestActionsAgree draws what a posture could say, and findings: Rego and Go must give
// every finding the same action.
func TestActionsAgree(t *testing.T) {
	t.Parallel()
	g := newEngine(t, taggedSite).Current()
	rules := []string{"ABC-001", "ABC-002", "ABC-003", "ENC-000", "ENC-001", "GRT-000", "AUT-001", "AUT-002", "AUT-003", "EVL-009", "ENF-007", "ENC-002"}
	seen := map[string]bool{}
	rapid.Check(t, func(t *rapid.T) {
		in := tagged("data", "a", rapid.SliceOfN(rapid.SampledFrom(rules), 0, 5).Draw(t, "findings")...)
		g.fill(in)
		p := &in.Posture
		p.Enforcement = rapid.SampledFrom([]string{"enforce", "enforce", "warn", "audit"}).Draw(t, "enforcement")
		p.Actions = rapid.MapOfN(rapid.SampledFrom(rules), rapid.SampledFrom([]string{"warn", "audit", "off"}), 0, 3).Draw(t, "actions")
		for i := range rapid.IntRange(0, 4).Draw(t, "waivers") {
			p.Waivers = append(p.Waivers, Waiver{
				Rule: rapid.SampledFrom(rules).Draw(t, "rule"), ID: []string{"a", "b", "c", "d"}[i],
				Kind: rapid.SampledFrom([]string{WaiverException, WaiverBreakGlass, WaiverEnded}).Draw(t, "kind"),
			})
		}
		d, err := g.ask(t.Context(), in, p.term())
		if err == nil {
			err = in.judged(&d)
		}
		if err != nil {
			t.Fatal(err)
		}
		found := map[string]bool{}
		for _, f := range d.Findings {
			found[f.ID] = true
			seen[f.Action] = true
			if posture.Locked(f.ID) && f.Action != ActionDeny {
				t.Fatalf("%s does not deny", f.ID)
			}
		}
		for id := range in.Request.Tags {
			if action, _ := p.judge(id); found[id] == (action == posture.ActionOff) {
				t.Fatalf("%s: action %q, found %v", id, action, found[id])
			}
		}
	})
	if len(seen) != 3 {
		t.Errorf("only saw %v", slices.Collect(maps.Keys(seen)))
	}
}

// TestForgedActions: a finding that comes with more than a rule may say is a fault.
func TestForgedActions(t *testing.T) {
	t.Parallel()
	for name, finding := range map[string]string{
		"action":                 `{"id": "ABC-001", "msg": "m", "action": "audit"}`,
		"use of break-glass":     `{"id": concat("-", ["BRK", "001"]), "msg": "m"}`,
		"action and waiver":      `{"id": "ABC-001", "msg": "m", "path": "", "action": "warn", "waiver": ""}`,
		"action deny":            `{"id": "ABC-001", "msg": "m", "path": "", "action": "deny", "waiver": ""}`,
		"action off":             `{"id": "ABC-001", "msg": "m", "path": "", "action": "off", "waiver": ""}`,
		"waiver":                 `{"id": "ABC-001", "msg": "m", "waiver": "ex"}`,
		"action of a locked one": `{"id": "GRT-000", "msg": "m", "path": "", "action": "audit", "waiver": ""}`,
		"no id":                  `{"msg": "m", "path": "", "action": "audit", "waiver": ""}`,
		"id of no text":          `{"id": ["ABC-001"], "msg": "m"}`,
		"a list":                 `["ABC-001", "audit"]`,
		"a text":                 `"audit"`,
		"null":                   `null`,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			g := newEngine(t, map[string]string{"forged.rego": "package site.rules.forged\n\ndeny contains " + finding + " if input.resource.bucket == \"data\"\n"}).Current()
			for _, text := range []string{"", "enforcement: audit\n"} {
				g := underPosture(t, g, "version: 1\n"+text+"buckets: {data: {\"\": {mode: sse-s3}}}\n"+openGrants)
				d, err := g.Decide(t.Context(), put("data", "a"))
				if faultID(t, err) != FaultDecision && (err != nil || d.Allow || text != "" || name != "action deny") {
					t.Errorf("got %+v, %v", d, err)
				}
			}
		})
	}
}

// TestReservedIDs: a site's rule with an id that never denies is not loaded.
func TestReservedIDs(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	writeFiles(t, dir, map[string]string{"a.rego": "package site.rules.a\n\ndeny contains {\"id\": \"BRK-001\", \"msg\": \"m\"} if input.request.class == \"write\"\n"})
	_, err := New(Options{PostureFile: "testdata/posture.yaml", SiteDir: dir})
	if err == nil || !strings.Contains(err.Error(), "BRK-001 is an id of the gateway's own, which never denies") {
		t.Errorf("got %v", err)
	}
}

// TestActionsHoldAgainstRego loads libraries whose author made mistakes with actions.
func TestActionsHoldAgainstRego(t *testing.T) {
	t.Parallel()
	text := `
version: 1
buckets: {data: {"": {mode: sse-s3}}}
rules: {TLS-001: {action: audit}}
exceptions: [{id: ex, rules: [ACL-001], resources: [data/*], groups: [Ops], until: 2026-12-31, owner: o, ticket: t}]
` + openGrants
	public := func(in *Input) { in.Request.ACL.Public = true }
	for name, test := range map[string]struct {
		passage, replacement string
		change               func(*Input)
	}{
		"nothing is locked":        {`id in {"ENC-000", "ENC-001", "GRT-000", "AUT-001", "AUT-002"}`, `id in {"XXX-000"}`, nil},
		"everything is audited":    {`outcome(id) := ["deny", ""] if locked(id)`, `outcome(id) := ["audit", ""] if is_string(id)`, public},
		"everything is allowed":    {"default allow := false\n\nallow if {\n\tevery finding in findings {\n\t\tfinding.action in {\"warn\", \"audit\"}\n\t}\n}", "allow := true", public},
		"everything is denied":     {"default allow := false\n\nallow if {", "default allow := false\n\nallow if {\n\tinput.request.method == \"\"", func(*Input) {}},
		"a waiver of thin air":     {`else := ["deny", ""]`, `else := ["warn", "ex"]`, public},
		"an action of no use":      {`{"warn", "audit"}`, `{"warn", "audit", "deny"}`, public},
		"waivers that have ended":  {`waiver.kind != "ended"`, `waiver.kind != ""`, nil},
		"any waiver for any rule":  {"\twaiver.rule == rule\n\twaiver.kind != \"ended\"", "\tis_string(rule)\n\twaiver.kind != \"ended\"", nil},
		"actions are turned off":   {`if action := input.posture.actions[id]`, `if action := input.posture.actions["NOT-000"]`, func(in *Input) { in.Transport = Transport{SourceIP: "192.0.2.7"} }},
		"enforcement all the time": {`input.posture.enforcement != "enforce"`, `input.posture.enforcement != ""`, public},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			g, err := withLibrary(t, "main/main.rego", test.passage, test.replacement)
			if err != nil {
				// Empty requests must be denied and are, by locked rules.
				if !strings.Contains(err.Error(), "is allowed") && !strings.Contains(err.Error(), FaultDecision) {
					t.Fatal(err)
				}
				return
			}
			g = underPosture(t, g, text)
			in := put("data", "a")
			if test.change != nil {
				test.change(in)
				if d, err := g.Decide(t.Context(), in); faultID(t, err) != FaultDecision {
					t.Errorf("got %+v, %v", d, err)
				}
				return
			}
			public(in)
			in.Identity.Principal = "stranger"
			g.fill(in)
			in.Posture.Waivers = Waivers{
				{Rule: "ACL-001", Kind: WaiverEnded, ID: "ex"}, {Rule: "KEY-001", Kind: WaiverException, ID: "ex"},
				{Rule: "GRT-000", Kind: WaiverException, ID: "ex"},
			}
			d, err := g.ask(t.Context(), in, in.Posture.term())
			if err == nil {
				err = in.judged(&d)
			}
			if faultID(t, err) != FaultDecision {
				t.Errorf("got %+v, %v", d, err)
			}
		})
	}
}

// TestDates asks on both sides of every date, and what was decided on one side must not
// be remembered on the other.
func TestDates(t *testing.T) {
	t.Parallel()
	g := underPosture(t, newEngine(t, taggedSite).Current(), `
version: 1
buckets: {data: {"": {mode: sse-s3}}}
rules:
  ABC-001: {action: warn, then: deny, on: 2027-03-28}
  ABC-002: {action: deny, then: warn, on: 2027-03-28}
exceptions:
  - {id: ex, rules: [ABC-003], resources: [data/*], until: 2027-10-30, owner: o, ticket: t}
break_glass:
  - {id: inc, rules: [ABC-004], resources: ["*"], principals: [app], from: 2027-05-01T10:00:00+02:00, until: 2027-05-01T12:00:00Z, owner: o, ticket: t}
`+openGrants)
	g.cache.every = 0
	ask := func(at time.Time, id string) bool {
		in := tagged("data", "a", id)
		in.Time = TimeAt(at)
		d, err := g.Decide(t.Context(), in)
		if err != nil {
			t.Fatal(err)
		}
		return d.Allow
	}
	zone := time.FixedZone("far away", -11*60*60)
	for _, test := range []struct {
		id, date      string
		before, after bool
	}{
		{"ABC-001", "2027-03-28T00:00:00Z", true, false},
		{"ABC-002", "2027-03-28T00:00:00Z", false, true},
		{"ABC-003", "2027-10-31T00:00:00Z", true, false},
		{"ABC-004", "2027-05-01T08:00:00Z", false, true},
		{"ABC-004", "2027-05-01T12:00:00Z", true, false},
	} {
		at, err := time.Parse(time.RFC3339, test.date)
		if err != nil {
			t.Fatal(err)
		}
		for range 3 {
			for _, moment := range []time.Time{at.Add(-time.Nanosecond), at.Add(-time.Nanosecond).In(zone), at.Add(-time.Minute)} {
				if got := ask(moment, test.id); got != test.before {
					t.Errorf("%s at %v: allowed %v", test.id, moment, got)
				}
			}
			for _, moment := range []time.Time{at, at.In(zone), at.Add(time.Nanosecond), at.Add(time.Minute)} {
				if got := ask(moment, test.id); got != test.after {
					t.Errorf("%s at %v: allowed %v", test.id, moment, got)
				}
			}
		}
	}
	if entries(g.cache) == 0 || g.cache.stopped() != "" {
		t.Errorf("nothing was remembered: %s", g.cache.stopped())
	}
}

// TestWaiversAreRemembered: two requests that differ in whose they are, as far as the
// waivers know, do not share an answer.
func TestWaiversAreRemembered(t *testing.T) {
	t.Parallel()
	g := underPosture(t, newEngine(t, taggedSite).Current(), `
version: 1
buckets: {data: {"": {mode: sse-s3}}}
exceptions:
  - {id: one, rules: [ABC-001], resources: [data/a/*], groups: [ops], until: 2027-10-30, owner: o, ticket: t}
  - {id: two, rules: [ABC-001], resources: [data/b/*], groups: [ops], until: 2027-10-30, owner: o, ticket: t}
`+openGrants)
	g.cache.every = 0
	for range 2 {
		for key, want := range map[string]string{"a/x": "ABC-001 warn one", "b/x": "ABC-001 warn two", "c/x": "ABC-001 deny"} {
			for _, group := range []string{"ops", "Ops", ""} {
				in := tagged("data", key, "ABC-001")
				in.Identity.Groups = List{group}
				d, err := g.Decide(t.Context(), in)
				if err != nil {
					t.Fatal(err)
				}
				want := want
				if group != "ops" {
					want = "ABC-001 deny"
				}
				if shown(d) != want {
					t.Errorf("%s of %q: got %s, want %s", key, group, shown(d), want)
				}
			}
		}
	}
}

// TestNotices: what is odd about a posture is in the status.
func TestNotices(t *testing.T) {
	t.Parallel()
	file := t.TempDir() + "/posture.yaml"
	text := `
version: 1
buckets: {data: {"": {mode: sse-s3}}}
rules: {ABC-001: {action: warn}, XYZ-001: {action: warn}, TLS-001: {action: warn}}
exceptions:
  - {id: ex, rules: [ACL-001, XYZ-002], resources: [data/*], until: 2026-11-23, owner: o, ticket: t}
`
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	writeFiles(t, dir, map[string]string{"a.rego": "package site.rules.a\n\ndeny contains {\"id\": \"ABC-001\", \"msg\": \"m\"} if input.request.class == \"write\"\n"})
	now := testTime
	e, err := New(Options{PostureFile: file, SiteDir: dir, Now: func() time.Time { return now }})
	if err != nil {
		t.Fatal(err)
	}
	places := func() (out []string) {
		for _, n := range e.Status().Notices {
			out = append(out, n.Place)
		}
		return out
	}
	if got := places(); !slices.Equal(got, []string{"rules[XYZ-001]", "exceptions[ex]"}) {
		t.Errorf("got %v", e.Status().Notices)
	}
	now = time.Date(2026, 11, 24, 0, 0, 0, 0, time.UTC)
	if got := places(); !slices.Equal(got, []string{"exceptions[ex]", "rules[XYZ-001]", "exceptions[ex]"}) {
		t.Errorf("a day later: %v", e.Status().Notices)
	}
	var none *Generation
	if none.Notices(now) != nil {
		t.Error("nothing is loaded and has notices")
	}
}

// TestLockedAgrees compares the two lists of rules that always deny.
func TestLockedAgrees(t *testing.T) {
	t.Parallel()
	g := newEngine(t, nil).Current()
	locked := func(id string) bool {
		in := put("data", "a")
		g.fill(in)
		value := in.value(in.Posture.term())
		result, err := evaluateQuery(t, g, `data.sealgate.main.locked(`+ast.StringTerm(id).String()+`)`, value)
		if err != nil {
			t.Fatal(err)
		}
		return result
	}
	for _, id := range []string{"ENC-000", "ENC-001", "ENC-002", "GRT-000", "GRT-001", "AUT-001", "AUT-002", "AUT-003", "EVL-001", "EVL-999", "ENF-000", "ENF-123", "EVLX", "BRK-001", "ABC-001", ""} {
		if got := locked(id); got != posture.Locked(id) {
			t.Errorf("%q: Rego says %v, Go %v", id, got, posture.Locked(id))
		}
	}
}
