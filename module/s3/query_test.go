package s3

import (
	"slices"
	"testing"
)

func TestParseQuery(t *testing.T) {
	t.Parallel()
	for raw, want := range map[string]Query{
		"":            nil,
		"&&":          {},
		"acl":         {{Name: "acl", RawName: "acl"}},
		"acl=":        {{Name: "acl", HasValue: true, RawName: "acl"}},
		"a=b=c":       {{Name: "a", Value: "b=c", HasValue: true, RawName: "a", RawValue: "b=c"}},
		"=v":          {{Value: "v", HasValue: true, RawValue: "v"}},
		"a=1&b&a=2":   {{Name: "a", Value: "1", HasValue: true, RawName: "a", RawValue: "1"}, {Name: "b", RawName: "b"}, {Name: "a", Value: "2", HasValue: true, RawName: "a", RawValue: "2"}},
		"p=%2B+%2526": {{Name: "p", Value: "++%26", HasValue: true, RawName: "p", RawValue: "%2B+%2526"}},
		"a;b=c;d":     {{Name: "a;b", Value: "c;d", HasValue: true, RawName: "a;b", RawValue: "c;d"}},
		"%61=%26?":    {{Name: "a", Value: "&?", HasValue: true, RawName: "%61", RawValue: "%26?"}},
	} {
		got, err := ParseQuery(raw)
		if err != nil || !slices.Equal(got, want) {
			t.Errorf("%q: got %#v, %v; want %#v", raw, got, err, want)
		}
	}
	for _, raw := range []string{"%", "a=%2", "%zz=1", "a=%ff", "a=%00", "\xff"} {
		_, err := ParseQuery(raw)
		wantError(t, err, "InvalidURI")
	}
	q, _ := ParseQuery("a=1&A=2&a=3")
	if v, ok := q.Get("a"); v != "1" || !ok {
		t.Errorf("Get(a) = %q, %v", v, ok)
	}
	if v, ok := q.Get("b"); v != "" || ok {
		t.Errorf("Get(b) = %q, %v", v, ok)
	}
}

func TestEscape(t *testing.T) {
	t.Parallel()
	const in = "a b/../c//d+~é=@:%2F./x!*'()"
	if got, want := EscapePath(in), "a%20b/../c//d%2B~%C3%A9%3D%40%3A%252F./x%21%2A%27%28%29"; got != want {
		t.Errorf("EscapePath: got %s, want %s", got, want)
	}
	if got, want := EscapeQuery(in), "a%20b%2F..%2Fc%2F%2Fd%2B~%C3%A9%3D%40%3A%252F.%2Fx%21%2A%27%28%29"; got != want {
		t.Errorf("EscapeQuery: got %s, want %s", got, want)
	}
	if got := EscapePath("plain-._~/Key1"); got != "plain-._~/Key1" {
		t.Errorf("EscapePath changed %s", got)
	}
}
