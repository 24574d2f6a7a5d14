package posture

import (
	"fmt"
	"maps"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// rich uses everything a file can have.
const richFile = "testdata/rich.yaml"

func readRich(t testing.TB) string {
	t.Helper()
	text, err := os.ReadFile(richFile)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func at(t testing.TB, text string) time.Time {
	t.Helper()
	out, err := time.Parse(time.RFC3339, text)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func TestRich(t *testing.T) {
	t.Parallel()
	p := parse(t, readRich(t))
	const main = "arn:aws:kms:eu-central-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab"
	r := p.Resolve("data-1", "a")
	if r.Profile != "kms-eu" || r.Mode != ModeKMS || r.KeyID != main || !slices.Equal(r.AllowedKeys, []string{main, "alias/spare"}) ||
		r.Tenant != "blue" || r.Classification != "confidential" || r.Floor != ModeKMS || r.Context["department"] != "finance" ||
		r.Enforcement != EnforcementEnforce || r.Presign != PresignAll || r.Deletes != DeletesAllow || !*r.BucketKey {
		t.Errorf("got %+v", r)
	}
	r = p.Resolve("data-1", "secret/a")
	if r.Mode != ModeCSE || r.Keyring != "vault-a" || r.Floor != ModeCSE || r.Checksum != ChecksumStrong || r.Presign != PresignRead ||
		r.PresignMaxS != 900 || r.Deletes != DeletesDeny || r.MaxDeleteKeys != 100 || r.TLSMin != 13 || r.ClientCert != Required ||
		!slices.Equal(r.Residency, []string{"eu-central-1"}) || !slices.Equal(r.Networks, []string{"office"}) ||
		!slices.Equal(r.RequiredContext, []string{"department"}) || r.Enforcement != EnforcementWarn {
		t.Errorf("got %+v", r)
	}
	want := map[string][]string{
		main: {"blue"}, "1234abcd-12ab-34cd-56ef-1234567890ab": {"blue"},
	}
	if got := p.KeyTenants(); !maps.EqualFunc(got, want, slices.Equal) {
		t.Errorf("got %v", got)
	}
}

// TestGrownRefuses changes the rich file in one place each.
func TestGrownRefuses(t *testing.T) {
	t.Parallel()
	text := readRich(t)
	for name, test := range map[string]struct{ old, replacement, want string }{
		"unknown section":               {"grants:", "grant:", "unknown field grant"},
		"unknown enforcement":           {"enforcement: enforce", "enforcement: Enforce", `enforcement: "Enforce" is not one of enforce, warn, audit`},
		"empty enforcement":             {"enforcement: enforce", `enforcement: ""`, "enforcement:"},
		"class without floor":           {"restricted: {floor: cse}", "restricted: {}", "classifications[restricted]: floor:"},
		"class of odd floor":            {"restricted: {floor: cse}", "restricted: {floor: unknown}", "classifications[restricted]: floor:"},
		"class with more":               {"restricted: {floor: cse}", "restricted: {floor: cse, why: x}", "unknown field why"},
		"floor raised":                  {"confidential: {floor: sse-kms}", "confidential: {floor: cse}", `buckets[data-*][""]: mode: sse-kms is weaker than cse, the floor of confidential`},
		"mode below the floor":          {"mode: cse\n      classification: restricted", "mode: sse-s3\n      classification: restricted", "mode: sse-s3 is weaker than cse"},
		"unknown class":                 {"classification: restricted", "classification: Restricted", `"Restricted" is none of classifications`},
		"empty class":                   {"classification: restricted", `classification: ""`, `"" is none of classifications`},
		"key without id":                {"id: alias/spare", `id: ""`, "keys[spare]: id: missing"},
		"key twice":                     {"id: alias/spare", "id: arn:aws:kms:eu-central-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab", "keys[spare]: id: it is that of keys[eu-main], too"},
		"a key for a name":              {"  spare: {id", "  1234abcd-12ab-34cd-56ef-1234567890ab: {id", "is a key, not a name"},
		"unknown key":                   {"key_id: eu-main", "key_id: eu-mian", `profiles[kms-eu]: key_id: "eu-mian" is neither a name of keys`},
		"unknown allowed key":           {"allowed_keys: [spare]", "allowed_keys: [spare, Spare]", `allowed_keys: "Spare"`},
		"key of another tenant":         {"tenant: blue", "tenant: red", "belongs to blue, not to red"},
		"key of another region":         {"residency: [eu-central-1, eu-west-1]", "residency: [eu-west-1]", "is in eu-central-1, which residency does not name"},
		"unknown keyring":               {"keyring: vault-a", "keyring: vault-b", `keyring: "vault-b" is none of keyrings`},
		"default keyring is not listed": {"      keyring: vault-a\n", "", `keyring: "main" is none of keyrings`},
		"keyring of another tenant":     {"vault-a: {tenants: []}", "vault-a: {tenants: [red]}", `keyring: "vault-a" belongs to red, not to blue`},
		"network without a length":      {`"192.0.2.0/24"`, `"192.0.2.0"`, "networks[office]:"},
		"network of too many bits":      {`"192.0.2.0/24"`, `"192.0.2.7/24"`, "write 192.0.2.0/24"},
		"network in disguise":           {`"192.0.2.0/24"`, `"::ffff:192.0.2.0/120"`, "networks[office]:"},
		"network without anything":      {`["192.0.2.0/24", "2001:db8::/32"]`, "[]", "networks[office]: no network"},
		"unknown network":               {"networks: [office]", "networks: [Office]", `networks: "Office" is none of networks`},
		"unknown profile":               {"{profile: kms-eu", "{profile: kms-us", `profile: "kms-us" is none of profiles`},
		"profile of a profile":          {"mode: sse-kms\n    key_id", "profile: kms-eu\n    mode: sse-kms\n    key_id", "a profile does not name another one"},
		"mode of the wrong profile":     {"{profile: kms-eu", "{profile: kms-eu, mode: cse", "key_id: has no meaning with mode cse"},
		"empty mode over a profile":     {"{profile: kms-eu", `{profile: kms-eu, mode: ""`, `mode: "" is not one of`},
		"unknown checksum":              {"checksum: strong", "checksum: sha256", "checksum:"},
		"empty checksum":                {"checksum: strong", `checksum: ""`, "checksum:"},
		"unknown presign":               {"presign: read", "presign: get", "presign:"},
		"presign too long":              {"presign_max_s: 900", "presign_max_s: 604801", "presign_max_s: 604801 is not between 1 and 604800"},
		"presign of nothing":            {"presign_max_s: 900", "presign_max_s: 0", "presign_max_s: 0 is not between"},
		"presign as text":               {"presign_max_s: 900", "presign_max_s: 15m", "line"},
		"unknown deletes":               {"deletes: deny", "deletes: no", "deletes:"},
		"too many keys":                 {"max_delete_keys: 100", "max_delete_keys: 1001", "max_delete_keys:"},
		"unknown TLS":                   {`min_tls: "1.3"`, `min_tls: "1.1"`, "min_tls:"},
		"unknown certificate":           {"client_cert: required", "client_cert: optional", "client_cert:"},
		"empty tenant":                  {"tenant: blue", `tenant: ""`, "tenant: an empty entry"},
		"empty residency entry":         {"residency: [eu-central-1]", `residency: [""]`, "residency: an empty entry"},
		"odd rule":                      {"PRE-001:", "PRE-1:", `"PRE-1" is not of the form AAA-000`},
		"rule in small letters":         {"PRE-001:", "pre-001:", "is not of the form"},
		"unknown action":                {"{action: warn, then", "{action: Warn, then", `rules[PRE-001]: action: "Warn" is not one of`},
		"no action":                     {"{action: warn, then", "{then", "rules[PRE-001]: action:"},
		"then without on":               {", on: 2027-02-01}", "}", "then and on belong together"},
		"on without then":               {"then: deny, on", "on", "then and on belong together"},
		"unknown then":                  {"then: deny", "then: none", "rules[PRE-001]: then:"},
		"odd date":                      {"on: 2027-02-01", "on: 2027-02-30", `on: "2027-02-30" is not a date`},
		"time for a date":               {"on: 2027-02-01", "on: 2027-02-01T00:00:00Z", "is not a date"},
		"year of a typo":                {"on: 2027-02-01", "on: 0027-02-01", "the year is not between"},
		"locked rule":                   {"PRE-001: {", "GRT-000: {", "GRT-000 always denies"},
		"locked family":                 {"PRE-001: {", "ENF-002: {", "ENF-002 always denies"},
		"rule of the waivers":           {"PRE-001: {", "BRK-001: {", "BRK-001 is always recorded"},
		"exception to a locked rule":    {"rules: [KEY-001]", "rules: [ENC-001]", "exceptions[legacy-import]: rules: ENC-001 always denies"},
		"exception without rules":       {"rules: [KEY-001]", "rules: []", "exceptions[legacy-import]: rules: missing"},
		"exception without resources":   {`resources: ["data-legacy/import/*"]`, "resources: []", "resources: missing"},
		"exception without end":         {"    until: 2027-01-31\n", "", "exceptions[legacy-import]: until:"},
		"exception without owner":       {"owner: team-x", `owner: ""`, "owner: missing"},
		"exception without ticket":      {"ticket: SEC-1234", `ticket: ""`, "ticket: missing"},
		"exception without id":          {"id: legacy-import", `id: ""`, "exceptions[0]: id: missing"},
		"id twice":                      {"id: inc-77", "id: legacy-import", "break_glass[legacy-import]: the id is used twice"},
		"group as a pattern":            {"groups: [sec-oncall]", "groups: ['sec-*']", "a group is a name, not a pattern"},
		"break-glass for nobody":        {"groups: [sec-oncall]", "groups: []", "names neither principals nor groups"},
		"break-glass on a locked rule":  {"rules: [PRE-001, NET-001]", "rules: [PRE-001, AUT-001]", "AUT-001 always denies"},
		"break-glass without beginning": {"    from: 2026-11-23T10:00:00Z\n", "", "break_glass[inc-77]: from:"},
		"break-glass for too long":      {"until: 2026-11-23T14:00:00Z", "until: 2026-11-24T10:00:01Z", "more than 24 hours"},
		"break-glass backwards":         {"until: 2026-11-23T14:00:00Z", "until: 2026-11-23T10:00:00Z", "is not after from"},
		"break-glass of a date":         {"until: 2026-11-23T14:00:00Z", "until: 2026-11-23", "is not a time"},
		"break-glass without a zone":    {"until: 2026-11-23T14:00:00Z", "until: 2026-11-23T14:00:00", "is not a time"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			changed := strings.Replace(text, test.old, test.replacement, 1)
			if changed == text {
				t.Fatal("the change changes nothing")
			}
			_, err := Parse([]byte(changed))
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("got %v, want %q", err, test.want)
			}
		})
	}
	if _, err := Parse([]byte(strings.Replace(text, "until: 2026-11-23T14:00:00Z", "until: 2026-11-24T10:00:00Z", 1))); err != nil {
		t.Errorf("24 hours: %v", err)
	}
}

func TestBounds(t *testing.T) {
	t.Parallel()
	var text strings.Builder
	text.WriteString("version: 1\nexceptions:\n")
	for i := range maxExceptions + 1 {
		fmt.Fprintf(&text, "  - {id: e%d, rules: [KEY-001], resources: [a/*], until: 2027-01-01, owner: o, ticket: t}\n", i)
	}
	if _, err := Parse([]byte(text.String())); err == nil || !strings.Contains(err.Error(), "exceptions: 1001 entries, at most 1000") {
		t.Errorf("got %v", err)
	}
}

// TestActionsOverTime looks at both sides of every date.
func TestActionsOverTime(t *testing.T) {
	t.Parallel()
	p := parse(t, `
version: 1
rules:
  PRE-001: {action: warn, then: deny, on: 2027-02-01}
  NET-001: {action: deny, then: audit, on: 2027-02-01}
  TLS-001: {action: "off"}
  KEY-001: {action: audit, then: warn, on: 2028-03-01}
exceptions:
  - {id: e, rules: [ACL-001], resources: [a/*], until: 2027-06-30, owner: o, ticket: t}
`)
	for _, test := range []struct {
		at, want string
	}{
		{"2026-01-01T00:00:00Z", "map[KEY-001:audit PRE-001:warn TLS-001:off]"},
		{"2027-01-31T23:59:59Z", "map[KEY-001:audit PRE-001:warn TLS-001:off]"},
		{"2027-02-01T00:00:00+01:00", "map[KEY-001:audit PRE-001:warn TLS-001:off]"}, // an hour early
		{"2027-02-01T00:00:00Z", "map[KEY-001:audit NET-001:audit TLS-001:off]"},
		{"2027-01-31T23:00:00-01:00", "map[KEY-001:audit NET-001:audit TLS-001:off]"},
		{"2028-02-29T23:59:59Z", "map[KEY-001:audit NET-001:audit TLS-001:off]"},
		{"2028-03-01T00:00:00Z", "map[KEY-001:warn NET-001:audit TLS-001:off]"},
		{"2100-01-01T00:00:00Z", "map[KEY-001:warn NET-001:audit TLS-001:off]"},
	} {
		if got := fmt.Sprint(p.Actions(p.Epoch(at(t, test.at)))); got != test.want {
			t.Errorf("%s: got %s, want %s", test.at, got, test.want)
		}
	}
	var epochs []int
	for _, text := range []string{"2027-01-31T23:59:59.999999999Z", "2027-02-01T00:00:00Z", "2027-06-30T23:59:59Z", "2027-07-01T00:00:00Z", "2028-03-01T00:00:00Z"} {
		epochs = append(epochs, p.Epoch(at(t, text)))
	}
	if want := []int{0, 1, 1, 2, 3}; !slices.Equal(epochs, want) {
		t.Errorf("got epochs %v, want %v", epochs, want)
	}
}

func TestWaivers(t *testing.T) {
	t.Parallel()
	p := parse(t, `
version: 1
exceptions:
  - {id: b, rules: [KEY-001, ACL-001], resources: ["data/import/*", data], until: 2027-01-31, owner: o, ticket: T-1}
  - {id: a, rules: [KEY-001], resources: ["da*"], groups: [Ops], principals: [loader], until: 2027-06-30, owner: o, ticket: T-2}
  - {id: open, rules: [TLS-001], resources: [public/*], principals: [anonymous], until: 2027-06-30, owner: o, ticket: T-3}
  - {id: all, rules: [ACL-001], resources: [some/*], principals: ["*"], until: 2027-06-30, owner: o, ticket: T-3}
break_glass:
  - {id: 0-inc, rules: [KEY-001], resources: ["*"], groups: [oncall], from: 2026-11-23T10:00:00Z, until: 2026-11-23T14:00:00+02:00, owner: o, ticket: T-4}
`)
	verified := func(principal string, groups ...string) Identity {
		return Identity{Verified: true, Principal: principal, Groups: groups}
	}
	app := verified("app")
	const before, inside, after = "2026-11-23T09:59:59.999999999Z", "2026-11-23T11:00:00Z", "2026-11-23T12:00:00Z"
	for name, test := range map[string]struct {
		id          Identity
		bucket, key string
		at          string
		want        string
	}{
		"resource":                         {app, "data", "import/x", before, "ACL-001:b KEY-001:b"},
		"another key":                      {app, "data", "imports/x", before, ""},
		"another bucket":                   {app, "data2", "import/x", before, ""},
		"the bucket":                       {app, "data", "", before, "ACL-001:b KEY-001:b"},
		"no bucket":                        {app, "", "", before, ""},
		"aliased key":                      {app, "data", "import//x", before, "ACL-001:b KEY-001:b"},
		"aliased prefix":                   {app, "data", "import/../x", before, "ACL-001:b KEY-001:b"},
		"aliased prefix of another prefix": {app, "data", "/import/x", before, ""},
		"group":                            {verified("app", "x", "Ops"), "data9", "y", before, "KEY-001:a"},
		"group in another case":            {verified("app", "ops"), "data9", "y", before, ""},
		"group nearly":                     {verified("app", "Ops2", "Op", ""), "data9", "y", before, ""},
		"principal":                        {verified("loader"), "data9", "y", before, "KEY-001:a"},
		"principal in another case":        {verified("Loader"), "data9", "y", before, ""},
		"principal named as the group":     {verified("Ops"), "data9", "y", before, ""},
		"group of nobody verified":         {Identity{Principal: "loader", Groups: []string{"Ops"}}, "data9", "y", before, ""},
		"group of an anonymous request":    {Identity{Anonymous: true, Principal: "loader", Groups: []string{"Ops"}}, "data9", "y", before, ""},
		"for everybody":                    {Identity{Anonymous: true}, "data", "import/x", before, "ACL-001:b KEY-001:b"},
		"anonymous":                        {Identity{Anonymous: true}, "public", "x", before, "TLS-001:open"},
		"verified is not anonymous":        {app, "public", "x", before, ""},
		"a principal called anonymous":     {verified("anonymous"), "public", "x", before, ""},
		"every verified one":               {app, "some", "x", before, "ACL-001:all"},
		"anonymous is not verified":        {Identity{Anonymous: true}, "some", "x", before, ""},
		"both":                             {verified("loader"), "data", "import/x", before, "ACL-001:b KEY-001:a KEY-001:b"},
		"last moment":                      {app, "data", "import/x", "2027-01-31T23:59:59.999999999Z", "ACL-001:b KEY-001:b"},
		"over":                             {app, "data", "import/x", "2027-02-01T00:00:00Z", ""},
		"over, said elsewhere":             {app, "data", "import/x", "2027-01-31T19:00:00-05:00", ""},
		"window is not open":               {verified("app", "oncall"), "x", "y", before, ""},
		"window opens":                     {verified("app", "oncall"), "x", "y", "2026-11-23T10:00:00Z", "KEY-001:0-inc"},
		"exception first":                  {verified("loader", "oncall"), "data9", "y", inside, "KEY-001:a KEY-001:0-inc"},
		"last moment of the window":        {verified("app", "oncall"), "x", "y", "2026-11-23T11:59:59.999999999Z", "KEY-001:0-inc"},
		"window is over":                   {verified("app", "oncall"), "x", "y", after, "KEY-001:0-inc ended"},
		"window for others":                {app, "x", "y", inside, ""},
		"window without a bucket":          {verified("app", "oncall"), "", "", inside, "KEY-001:0-inc"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var got []string
			for _, w := range p.Waivers(test.id, test.bucket, test.key, at(t, test.at)) {
				text := w.Rule + ":" + w.ID
				if w.Kind == WaiverEnded {
					text += " ended"
				}
				got = append(got, text)
			}
			if strings.Join(got, " ") != test.want {
				t.Errorf("got %v, want %s", got, test.want)
			}
		})
	}
	w := p.Waivers(app, "data", "import/x", at(t, before))[0]
	if want := (Waiver{Rule: "ACL-001", Kind: WaiverException, ID: "b", Ticket: "T-1", Until: "2027-02-01T00:00:00Z"}); w != want {
		t.Errorf("got %+v", w)
	}
}

func TestNetworks(t *testing.T) {
	t.Parallel()
	p := parse(t, `
version: 1
networks:
  office: ["192.0.2.0/24", "2001:db8::/32", "192.0.2.0/24"]
  desk: ["192.0.2.7/32", "2001:db8::7/128"]
  v4: ["0.0.0.0/0"]
`)
	for address, want := range map[string]string{
		"192.0.2.7":         "[desk office v4]",
		"192.0.2.8":         "[office v4]",
		"::ffff:192.0.2.7":  "[desk office v4]",
		"198.51.100.1":      "[v4]",
		"2001:db8::7":       "[desk office]",
		"2001:db8::7%eth0":  "[desk office]",
		"2001:db9::":        "[]",
		"":                  "[]",
		"192.0.2.7:80":      "[]",
		"192.0.2.07":        "[]",
		"office":            "[]",
		"192.0.2.7, 10.0.0": "[]",
	} {
		if got := fmt.Sprint(p.Networks(address)); got != want {
			t.Errorf("%q: got %s, want %s", address, got, want)
		}
	}
}

// FuzzNetworks holds the lookup against asking every network.
func FuzzNetworks(f *testing.F) {
	p := parse(f, readRich(f))
	sets := map[string][]string{"office": {"192.0.2.0/24", "2001:db8::/32"}, "plant": {"198.51.100.0/25", "192.0.2.128/25"}}
	for _, seed := range []string{"192.0.2.7", "198.51.100.1", "198.51.100.200", "192.0.2.200", "2001:db8::1", "::ffff:192.0.2.1", "x"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, address string) {
		var want []string
		if a, err := netip.ParseAddr(address); err == nil {
			a = a.Unmap().WithZone("")
			for _, name := range slices.Sorted(maps.Keys(sets)) {
				if slices.ContainsFunc(sets[name], func(s string) bool { return netip.MustParsePrefix(s).Contains(a) }) {
					want = append(want, name)
				}
			}
		}
		if got := p.Networks(address); !slices.Equal(got, want) {
			t.Errorf("%q: got %v, want %v", address, got, want)
		}
	})
}

func TestLint(t *testing.T) {
	t.Parallel()
	p := parse(t, `
version: 1
classifications: {public: {floor: none}, idle: {floor: cse}}
keys: {used: {id: alias/u}, idle: {id: alias/i}, owned: {id: alias/o, tenants: [blue]}}
keyrings: {main: {}, idle: {}}
networks: {idle: ["192.0.2.0/24"]}
profiles: {idle: {mode: cse}, kms: {mode: sse-kms, key_id: used}}
buckets:
  data:
    "": {profile: kms}
    a/: {mode: sse-kms, key_id: alias/u}
    a/b/: {mode: cse}
    a/b/c/: {mode: cse, tenant: blue}
    a//b/: {mode: cse}
    c//d/: {mode: cse}
    c//e: {profile: kms}
  only:
    in/: {mode: cse}
    x/../out/: {mode: sse-s3, classification: public}
rules:
  PRE-001: {action: warn, then: deny, on: 2026-01-01}
  NET-001: {action: warn, then: warn, on: 2028-01-01}
  ACL-001: {action: deny}
  ABC-001: {action: warn}
exceptions:
  - {id: old, rules: [KEY-001], resources: [data/*], until: 2026-11-22, owner: team-x, ticket: T-1}
  - {id: today, rules: [XYZ-001], resources: [data/*], until: 2026-11-23, owner: team-x, ticket: T-1}
break_glass:
  - {id: inc, rules: [KEY-001], resources: ["*"], groups: [g], from: 2026-11-22T10:00:00Z, until: 2026-11-22T11:00:00Z, owner: soc, ticket: T-2}
`)
	now := at(t, "2026-11-23T23:59:59Z")
	known := func(id string) bool { return id != "ABC-001" && id != "XYZ-001" }
	var got []string
	for _, n := range append(Lint(p, now), LintRules(p, known)...) {
		got = append(got, fmt.Sprintf("%s %s: %s", n.Level, n.Place, n.Text))
	}
	want := []string{
		`warning classifications[idle]: nothing uses it`,
		`warning keys[idle]: nothing uses it`,
		`warning keyrings[idle]: nothing uses it`,
		`warning networks[idle]: nothing uses it`,
		`warning profiles[idle]: nothing uses it`,
		`warning buckets[data]["a/"]: demands the same as prefix "" and makes no difference`,
		`error buckets[data]["c//d/"]: unreachable: some stores take it for "c/d/", of which something else is demanded by prefix "", so that every write is refused`,
		`warning buckets[data]["c//e"]: demands the same as prefix "" and makes no difference`,
		`error buckets[only]["x/../out/"]: unreachable: some stores take it for "out/", which nothing covers, so that every write is refused`,
		`warning rules[ACL-001]: deny is what every rule does that is not named here`,
		`warning rules[NET-001]: then is what action says`,
		`warning rules[PRE-001]: the action has been deny since 2026-01-01; write action: deny alone`,
		`warning exceptions[old]: expired at the end of 2026-11-22; owner team-x, ticket T-1`,
		`warning break_glass[inc]: over since 2026-11-22T11:00:00Z; owner soc, ticket T-2`,
		`warning rules[ABC-001]: no rule has this id`,
		`warning exceptions[today]: rules: no rule has the id XYZ-001`,
	}
	if !slices.Equal(got, want) {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	if got := Lint(parse(t, readRich(t)), at(t, "2026-11-23T10:00:00Z")); len(got) != 0 {
		t.Errorf("of the rich file: %v", got)
	}
	if got := append(Lint(p, now.Add(time.Second)), Lint(p, now)...); len(got) != 29 {
		t.Errorf("an exception ends with its day: %d notices", len(got))
	}
}

// TestFilesOfTheTree: every posture that is shipped loads and has nothing odd about it.
func TestFilesOfTheTree(t *testing.T) {
	t.Parallel()
	for _, file := range exampleFiles(t) {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		p, err := Parse(text)
		if err != nil {
			t.Errorf("%s: %v", file, err)
			continue
		}
		if notices := Lint(p, at(t, "2026-11-23T10:00:00Z")); len(notices) != 0 && !strings.Contains(file, "testdata") {
			t.Errorf("%s: %v", file, notices)
		}
	}
}

// exampleFiles finds every posture file of the tree.
func exampleFiles(t testing.TB) []string {
	t.Helper()
	var out []string
	err := filepath.WalkDir("../..", func(path string, entry os.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		if name := entry.Name(); strings.HasSuffix(name, "posture.yaml") || strings.Contains(path, "posture/testdata/") && strings.HasSuffix(name, ".yaml") {
			out = append(out, path)
		}
		return nil
	})
	if err != nil || len(out) < 5 {
		t.Fatalf("found %v, %v", out, err)
	}
	return out
}
