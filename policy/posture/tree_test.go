package posture

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// TestTreeIsLongestPrefix holds the tree against trying every key.
func TestTreeIsLongestPrefix(t *testing.T) {
	t.Parallel()
	text := rapid.StringMatching(`[ab/]{0,6}`)
	rapid.Check(t, func(t *rapid.T) {
		keys := rapid.SliceOf(text).Draw(t, "keys")
		var tr tree[string]
		for _, key := range keys {
			tr.at(key).value = &key
		}
		for range 10 {
			s := text.Draw(t, "text")
			want := "none"
			for _, key := range keys {
				if strings.HasPrefix(s, key) && (want == "none" || len(key) > len(want)) {
					want = key
				}
			}
			got := "none"
			if v := tr.longest(s); v != nil {
				got = *v
			}
			if got != want {
				t.Fatalf("%q in %q: got %q, want %q", s, keys, got, want)
			}
		}
	})
}

// TestResolveIsMostSpecific holds resolution against trying every pattern and prefix.
func TestResolveIsMostSpecific(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		names := rapid.SliceOfNDistinct(rapid.StringMatching(`[ab*-]{1,5}`), 1, 8, rapid.ID).Draw(t, "patterns")
		prefixes := rapid.SliceOfNDistinct(rapid.StringMatching(`[xy/]{0,3}`), 1, 5, rapid.ID).Draw(t, "prefixes")
		var text strings.Builder
		text.WriteString("version: 1\nbuckets:\n")
		for _, name := range names {
			fmt.Fprintf(&text, "  %q:\n", name)
			for _, prefix := range prefixes {
				fmt.Fprintf(&text, "    %q: {mode: none}\n", prefix)
			}
		}
		p, err := Parse([]byte(text.String()))
		if err != nil {
			return // two patterns tie
		}
		for range 10 {
			bucket, key := rapid.StringMatching(`[ab-]{0,6}`).Draw(t, "bucket"), rapid.StringMatching(`[xy/]{0,4}`).Draw(t, "key")
			want, best := "none", -1
			for _, name := range names {
				g := newGlob(name)
				if literal := g.literal() + 1000*min(1, 1-min(1, g.stars)); bucket != "" && g.match(bucket) && literal > best {
					want, best = name, literal
				}
			}
			longest := "none"
			for _, prefix := range prefixes {
				if strings.HasPrefix(key, prefix) && (longest == "none" || len(prefix) > len(longest)) {
					longest = prefix
				}
			}
			r := p.Resolve(bucket, key)
			switch {
			case want == "none" || longest == "none":
				if r != nil {
					t.Fatalf("%q %q: got %s", bucket, key, r.ID)
				}
			case r == nil || r.BucketGlob != want || r.Prefix != longest:
				t.Fatalf("%q %q: got %+v, want %q %q", bucket, key, r, want, longest)
			}
		}
	})
}

// TestWaiversIndex holds the index against asking every scope, and epochs against their
// promise: nothing changes within one.
func TestWaiversIndex(t *testing.T) {
	t.Parallel()
	day := func(n int) time.Time { return time.Date(2026, 11, 1+n, 0, 0, 0, 0, time.UTC) }
	rapid.Check(t, func(t *rapid.T) {
		var text strings.Builder
		text.WriteString("version: 1\nrules:\n")
		for i, action := range rapid.SliceOfN(rapid.SampledFrom([]string{"deny", "warn", "audit", "off"}), 1, 4).Draw(t, "actions") {
			fmt.Fprintf(&text, "  RUL-00%d: {action: %s, then: %s, on: %s}\n", i, action, rapid.SampledFrom([]string{"deny", "warn", `"off"`}).Draw(t, "then"),
				day(rapid.IntRange(0, 20).Draw(t, "on")).Format(time.DateOnly))
		}
		text.WriteString("exceptions:\n")
		resource := rapid.SampledFrom([]string{"a/x*", "a", "a*", "b/*", "*", "b/x/y", "*/x", "a/*/z"})
		for i := range rapid.IntRange(1, 5).Draw(t, "exceptions") {
			fmt.Fprintf(&text, "  - {id: e%d, rules: [KEY-001], resources: [%q, %q], until: %s, owner: o, ticket: t}\n", i,
				resource.Draw(t, "resource"), resource.Draw(t, "resource"), day(rapid.IntRange(0, 20).Draw(t, "until")).Format(time.DateOnly))
		}
		p, err := Parse([]byte(text.String()))
		if err != nil {
			t.Fatal(err)
		}
		for range 20 {
			bucket, key := rapid.SampledFrom([]string{"a", "b", "ab", ""}).Draw(t, "bucket"), rapid.SampledFrom([]string{"", "x", "x/y", "q/z"}).Draw(t, "key")
			now := day(0).Add(time.Duration(rapid.IntRange(0, 22*48).Draw(t, "hour")) * 30 * time.Minute)
			name := bucket
			if key != "" {
				name += "/" + key
			}
			var want, got []string
			for _, s := range p.waivers.all {
				if now.Before(s.until) && s.covers(name) {
					want = append(want, s.id)
				}
			}
			for _, w := range p.Waivers(Identity{}, bucket, key, now) {
				got = append(got, w.ID)
			}
			if !slices.Equal(got, want) {
				t.Fatalf("%s at %v: got %v, want %v", name, now, got, want)
			}
			begin := now
			for p.Epoch(begin.Add(-time.Minute)) == p.Epoch(now) && begin.After(day(-2)) {
				begin = begin.Add(-time.Minute)
			}
			for _, a := range p.rules {
				if a.at(begin) != a.at(now) {
					t.Fatalf("%s changes between %v and %v, within an epoch", a.rule, begin, now)
				}
				if action := p.Actions(p.Epoch(now))[a.rule]; action != a.at(now) && (action != "" || a.at(now) != ActionDeny) {
					t.Fatalf("%s at %v: got %q, want %q", a.rule, now, action, a.at(now))
				}
			}
		}
	})
}
