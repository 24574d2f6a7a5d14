package clients

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"
)

const commented = `# who may call
version: 1
clients:
  # the ledger
  - access_key: app1 # do not rename
    secret: 0123456789abcdef
    principal: billing
    attributes:
      team: ledger
  - access_key: app2
    secret_env: NOT_SET_ANYWHERE
    principal: archive
    disabled: false # for now
# the end
`

func read(t *testing.T, path string) string {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

func TestAdd(t *testing.T) {
	t.Parallel()
	expires := time.Date(2027, 1, 31, 12, 0, 0, 0, time.FixedZone("", 3600))
	for name, before := range map[string]string{
		"to a file with comments": commented, "to an empty list": "version: 1\nclients: []\n", "without a list": "version: 1\n",
		"to a null list": "version: 1\nclients:\n", "to a flow list": "version: 1\nclients: [{access_key: app1, secret: 0123456789abcdef, principal: p}]\n",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			path := fixture(t, before)
			old, err := List(path)
			if err != nil {
				t.Fatal(err)
			}
			c, err := Add(path, NewClient{Principal: "new one", Groups: []string{"a", "yes"}, Attributes: map[string]string{"n": "0123"}, Expires: expires})
			if err != nil {
				t.Fatal(err)
			}
			if !regexp.MustCompile(`^SG[A-Z2-7]{18}$`).MatchString(c.AccessKey) || !regexp.MustCompile(`^[A-Za-z0-9]{40}$`).MatchString(c.Secret.Reveal()) {
				t.Errorf("generated %q and a secret of %d characters", c.AccessKey, len(c.Secret.Reveal()))
			}
			now, err := List(path)
			if err != nil {
				t.Fatal(err)
			}
			if len(now) != len(old)+1 {
				t.Fatalf("%d clients, want %d", len(now), len(old)+1)
			}
			got := now[len(now)-1]
			if got.AccessKey != c.AccessKey || got.Principal != "new one" || fmt.Sprint(got.Groups) != "[a yes]" ||
				got.Attributes["n"] != "0123" || !got.Expires.Equal(expires) || got.Secret.Reveal() != "" {
				t.Errorf("listed %+v", got)
			}
			if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
				t.Errorf("mode %v, %v", info.Mode(), err)
			}
			left, err := os.ReadDir(filepath.Dir(path))
			if err != nil || len(left) != 1 {
				t.Errorf("files left: %v, %v", left, err)
			}
		})
	}
}

func TestAddKeepsWhatIsThere(t *testing.T) {
	t.Parallel()
	path := fixture(t, commented)
	if _, err := Add(path, NewClient{AccessKey: "app3", Secret: NewSecret("given-by-the-operator"), Principal: "p"}); err != nil {
		t.Fatal(err)
	}
	text := read(t, path)
	for _, line := range strings.Split(strings.TrimSpace(commented), "\n") {
		if !strings.Contains(text, strings.TrimSpace(line)) {
			t.Errorf("line %q is gone from\n%s", line, text)
		}
	}
	if !strings.Contains(text, "secret: given-by-the-operator") {
		t.Errorf("new secret is not in\n%s", text)
	}
}

func TestAddCreatesTheFile(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "clients.yaml")
	c, err := Add(path, NewClient{Principal: "first"})
	if err != nil {
		t.Fatal(err)
	}
	s := open(t, path) // refuses any mode but 0600 and stricter
	got, err := s.Lookup(c.AccessKey, time.Now())
	if err != nil || got.Secret.Reveal() != c.Secret.Reveal() || got.Principal != "first" {
		t.Errorf("lookup = %+v, %v", got, err)
	}
}

func TestAddRefuses(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name, before string
		client       NewClient
		want         string
	}{
		{"existing key", commented, NewClient{AccessKey: "app2", Principal: "p"}, ErrExists.Error()},
		{"no principal", commented, NewClient{}, "principal is missing"},
		{"anonymous", commented, NewClient{Principal: "anonymous"}, "principal must not"},
		{"short secret", commented, NewClient{Principal: "p", Secret: NewSecret("short")}, "16"},
		{"bad access key", commented, NewClient{Principal: "p", AccessKey: "a b c"}, "access_key"},
		{"broken file", "version: 1\nclients: [", NewClient{Principal: "p"}, "nothing was changed"},
		{"unknown field", "version: 1\nnew_field: 1\n", NewClient{Principal: "p"}, "nothing was changed"},
		{"aliased list", "version: 1\nclients: &x\n  - {access_key: app1, secret: 0123456789abcdef, principal: p, groups: &g [a]}\n", NewClient{Principal: "p", AccessKey: "app1"}, ErrExists.Error()},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			path := fixture(t, tc.before)
			if _, err := Add(path, tc.client); err == nil || !strings.Contains(err.Error(), tc.want) {
				t.Errorf("error = %v, want one with %q", err, tc.want)
			}
			if got := read(t, path); got != tc.before {
				t.Errorf("file changed to\n%s", got)
			}
		})
	}
	t.Run("exposed file", func(t *testing.T) {
		t.Parallel()
		path := fixture(t, commented)
		if err := os.Chmod(path, 0o644); err != nil { //nolint:gosec // the point
			t.Fatal(err)
		}
		if _, err := Add(path, NewClient{Principal: "p"}); !errors.Is(err, ErrExposed) {
			t.Errorf("error = %v", err)
		}
	})
}

func TestAddThroughALink(t *testing.T) {
	t.Parallel()
	real := fixture(t, commented)
	link := filepath.Join(t.TempDir(), "link.yaml")
	if err := os.Symlink(real, link); err != nil {
		t.Fatal(err)
	}
	if _, err := Add(link, NewClient{Principal: "p", AccessKey: "linked"}); err != nil {
		t.Fatal(err)
	}
	if info, err := os.Lstat(link); err != nil || info.Mode()&os.ModeSymlink == 0 {
		t.Errorf("the link was replaced: %v, %v", info, err)
	}
	if !strings.Contains(read(t, real), "linked") {
		t.Error("the file behind the link was not edited")
	}
}

func TestAddKeepsMode(t *testing.T) {
	t.Parallel()
	path := fixture(t, commented)
	if err := os.Chmod(path, 0o400); err != nil {
		t.Fatal(err)
	}
	if _, err := Add(path, NewClient{Principal: "p"}); err != nil {
		t.Fatal(err)
	}
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o400 {
		t.Errorf("mode = %v, %v", info.Mode(), err)
	}
}

func TestConcurrentEditsLoseNothing(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "clients.yaml")
	const editors = 16
	var running sync.WaitGroup
	for i := range editors {
		running.Go(func() {
			if _, err := Add(path, NewClient{Principal: fmt.Sprint("p", i)}); err != nil {
				t.Error(err)
			}
		})
	}
	running.Wait()
	if all, err := List(path); err != nil || len(all) != editors {
		t.Errorf("%d clients, want %d; %v", len(all), editors, err)
	}
}

func TestSetDisabled(t *testing.T) {
	t.Parallel()
	path := fixture(t, commented)
	state := func(key string) bool {
		t.Helper()
		all, err := List(path)
		if err != nil {
			t.Fatal(err)
		}
		for _, c := range all {
			if c.AccessKey == key {
				return c.Disabled
			}
		}
		t.Fatalf("%s is gone", key)
		return false
	}
	for _, step := range []struct {
		key string
		to  State
	}{{"app1", Disabled}, {"app2", Disabled}, {"app2", Disabled}, {"app1", Enabled}, {"app2", Enabled}, {"app2", Enabled}} {
		if err := SetDisabled(path, step.key, step.to); err != nil {
			t.Fatalf("%v: %v", step, err)
		}
		if got := state(step.key); got != bool(step.to) {
			t.Errorf("%v: disabled = %v", step, got)
		}
	}
	if text := read(t, path); !strings.Contains(text, "# for now") || !strings.Contains(text, "# do not rename") {
		t.Errorf("comments are gone from\n%s", text)
	}
	if err := SetDisabled(path, "app9", Disabled); !errors.Is(err, ErrUnknown) {
		t.Errorf("unknown key: %v", err)
	}
}

// A value that several entries share cannot be changed for one of them alone.
func TestSetDisabledRefusesSharedValues(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		in   string
		keys []string
	}{
		"alias": {`version: 1
clients:
  - {access_key: app1, secret: 0123456789abcdef, principal: p, disabled: &off false}
  - {access_key: app2, secret: 0123456789abcdef, principal: p, disabled: *off}
`, []string{"app1", "app2"}},
		"merge": {`version: 1
clients:
  - &base {access_key: app1, secret: 0123456789abcdef, principal: p, disabled: false}
  - {<<: *base, access_key: app2}
`, []string{"app1"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			path := fixture(t, tc.in)
			for _, key := range tc.keys {
				if err := SetDisabled(path, key, Disabled); !errors.Is(err, errOwnHand) {
					t.Errorf("%s: %v", key, err)
				}
			}
			if read(t, path) != tc.in {
				t.Error("file changed")
			}
		})
	}
}
