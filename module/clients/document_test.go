package clients

import (
	"strings"
	"testing"
	"time"
)

const minimal = `version: 1
clients:
  - access_key: app1
    secret: 0123456789abcdef
    principal: billing
`

func TestParse(t *testing.T) {
	t.Parallel()
	d, err := parse([]byte(`
version: 1
clients:
  - access_key: AKIA.full_one-1
    secret: 0123456789abcdef
    principal: "user/jürgen meier"
    groups: [finance, ops]
    attributes: {team: ledger, tier: 1}
    expires: 2027-01-31T00:00:00+01:00
    disabled: true
  - {access_key: file, secret_file: s.txt, principal: two}
  - {access_key: env, secret_env: APP_SECRET, principal: three, expires: ~, groups: []}
`))
	if err != nil {
		t.Fatal(err)
	}
	if len(d.Clients) != 3 {
		t.Fatalf("%d clients, want 3", len(d.Clients))
	}
	c := d.Clients[0].client()
	want := time.Date(2027, 1, 30, 23, 0, 0, 0, time.UTC)
	if c.Principal != "user/jürgen meier" || !c.Disabled || !c.Expires.Equal(want) || c.Attributes["tier"] != "1" || len(c.Groups) != 2 {
		t.Errorf("client = %+v", c)
	}
	if !d.Clients[2].expires.IsZero() {
		t.Error("null expires is a time")
	}
}

func TestParseRefuses(t *testing.T) {
	t.Parallel()
	client := func(fields string) string { return "version: 1\nclients:\n  - {" + fields + "}\n" }
	const sound = "access_key: app, secret: 0123456789abcdef, principal: p"
	for _, tc := range []struct{ name, in, want string }{
		{"empty file", "", "empty"},
		{"only a comment", "# nothing\n", "empty"},
		{"no version", "clients: []\n", "version is 0"},
		{"other version", "version: 2\nclients: []\n", "version is 2"},
		{"two documents", minimal + "---\nversion: 1\n", "more than one"},
		{"unknown field at top", "version: 1\nclient: []\n", "field client not found"},
		{"unknown field", client(sound + ", secert: x"), "field secert not found"},
		{"field twice", "version: 1\nclients:\n  - access_key: a\n    access_key: b\n", "already defined"},
		{"not a list", "version: 1\nclients: {a: b}\n", "cannot unmarshal"},
		{"tab", "version: 1\nclients:\n\t- a\n", "line"},
		{"access key twice", client(sound) + "  - {" + sound + "}\n", "client 2 (app): access_key is already that of client 1"},
		{"no access key", client("secret: 0123456789abcdef, principal: p"), "access_key"},
		{"access key too short", client("access_key: ab, secret: 0123456789abcdef, principal: p"), "access_key"},
		{"access key with slash", client("access_key: a/b/c, secret: 0123456789abcdef, principal: p"), "access_key"},
		{"access key with comma", client(`access_key: "a,b,c", secret: 0123456789abcdef, principal: p`), "access_key"},
		{"access key not ascii", client("access_key: schlüssel, secret: 0123456789abcdef, principal: p"), "access_key"},
		{"access key too long", client("access_key: " + strings.Repeat("a", 129) + ", secret: 0123456789abcdef, principal: p"), "access_key"},
		{"no secret", client("access_key: app, principal: p"), "exactly one"},
		{"two secrets", client(sound + ", secret_env: X"), "exactly one"},
		{"three secrets", client(sound + ", secret_env: X, secret_file: y"), "found 3"},
		{"secret of 15", client("access_key: app, secret: 0123456789abcde, principal: p"), "16"},
		{"secret with space", client("access_key: app, secret: 0123456789 abcdef, principal: p"), "printable"},
		{"secret not ascii", client("access_key: app, secret: 0123456789abcdéf, principal: p"), "printable"},
		{"no principal", client("access_key: app, secret: 0123456789abcdef"), "principal is missing"},
		{"anonymous", client("access_key: app, secret: 0123456789abcdef, principal: anonymous"), "principal must not"},
		{"star", client(`access_key: app, secret: 0123456789abcdef, principal: "*"`), "principal must not"},
		{"principal with control", client(`access_key: app, secret: 0123456789abcdef, principal: "a\nb"`), "printable"},
		{"principal with bidi override", client(`access_key: app, secret: 0123456789abcdef, principal: "a\u202eb"`), "printable"},
		{"principal with space at end", client(`access_key: app, secret: 0123456789abcdef, principal: "p "`), "spaces"},
		{"group star", client(sound + `, groups: ["*"]`), "group must not"},
		{"group empty", client(sound + `, groups: [""]`), "group is missing"},
		{"attribute not text", client(sound + ", attributes: {a: [1]}"), "cannot unmarshal"},
		{"expires date only", client(sound + ", expires: 2027-01-31"), "RFC 3339"},
		{"expires words", client(sound + ", expires: never"), "RFC 3339"},
		{"disabled not bool", client(sound + ", disabled: maybe"), "cannot unmarshal"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			_, err := parse([]byte(tc.in))
			if err == nil || !strings.Contains(err.Error(), tc.want) {
				t.Errorf("error = %v, want one with %q", err, tc.want)
			}
		})
	}
}

// A secret in a wrong place must not come back in an error.
func TestParseErrorsHideValues(t *testing.T) {
	t.Parallel()
	const s = "hunter2`hunter2"
	for name, in := range map[string]string{
		"as disabled":   "version: 1\nclients:\n  - {access_key: app, disabled: \"" + s + "\"}\n",
		"as version":    "version: \"" + s + "\"\n",
		"as clients":    "version: 1\nclients: \"" + s + "\"\n",
		"as client":     "version: 1\nclients: [\"" + s + "\"]\n",
		"as expires":    "version: 1\nclients:\n  - {access_key: app, secret: 0123456789abcdef, principal: p, expires: \"" + s + "\"}\n",
		"as access key": "version: 1\nclients:\n  - {access_key: \"" + s + "\"}\n",
		"as alias":      "version: 1\nclients:\n  - {access_key: app, secret: *hunter2hunter2 }\n",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := parse([]byte(in))
			if err == nil || strings.Contains(err.Error(), "hunter2") {
				t.Errorf("error = %v", err)
			}
		})
	}
}

func FuzzParse(f *testing.F) {
	f.Add([]byte(minimal))
	f.Add([]byte("version: 1\nclients:\n  - &a {access_key: app, secret: 0123456789abcdef, principal: p}\n  - *a\n"))
	f.Add([]byte("version: 1\nclients: [{access_key: a.b, secret_file: x, principal: p, attributes: {a: b}, expires: 2027-01-31T00:00:00Z}]"))
	f.Fuzz(func(t *testing.T, data []byte) {
		d, err := parse(data)
		if err != nil {
			return
		}
		seen := map[string]bool{}
		for _, e := range d.Clients {
			if seen[e.AccessKey] {
				t.Errorf("access key %q twice", e.AccessKey)
			}
			seen[e.AccessKey] = true
			if e.Principal == "" || e.Principal == "*" || (e.Secret != "" && len(e.Secret) < minSecret) {
				t.Errorf("accepted %q", e.AccessKey)
			}
		}
	})
}
