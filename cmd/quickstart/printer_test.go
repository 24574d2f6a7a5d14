package main

import (
	"strings"
	"testing"
)

func TestSection(t *testing.T) {
	t.Parallel()
	s := section{
		title:   "A title",
		request: "PUT /bucket/key",
		facts: []fact{
			seen("asked", "nothing", "nothing"),
			seen("decided", "sse-s3", "sse-s3").because("posture.yaml"),
			seen("schlüssel", "a long value without a remark", "a long value without a remark"),
			seen("got", "200", "403"),
		},
		note: "Two\nlines.",
	}
	for _, tc := range []struct {
		name   string
		colour bool
		want   string
	}{
		{"plain", false, `1  A title
   PUT /bucket/key

   asked       nothing
   decided     sse-s3   posture.yaml
   schlüssel   a long value without a remark
   got         200
               expected: 403

   Two
   lines.

`},
		{"on a terminal", true, "\x1b[1m1  A title\x1b[0m\n" +
			"   PUT /bucket/key\n\n" +
			"   \x1b[2masked    \x1b[0m   nothing\n" +
			"   \x1b[2mdecided  \x1b[0m   sse-s3   \x1b[2mposture.yaml\x1b[0m\n" +
			"   \x1b[2mschlüssel\x1b[0m   a long value without a remark\n" +
			"   \x1b[2mgot      \x1b[0m   \x1b[31m200   \x1b[0m\n" +
			"               \x1b[31mexpected: 403\x1b[0m\n\n" +
			"   Two\n   lines.\n\n"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			var out strings.Builder
			p := &printer{out: &out, colour: tc.colour}
			p.section(s)
			if out.String() != tc.want {
				t.Errorf("got\n%q\nwant\n%q", out.String(), tc.want)
			}
			if p.facts != 4 || p.wrong != 1 {
				t.Errorf("counted %d facts, %d of them wrong; want 4 and 1", p.facts, p.wrong)
			}
			if err := p.verdict(); err == nil {
				t.Error("a wrong fact passes the check")
			}
		})
	}
}

func TestVerdict(t *testing.T) {
	t.Parallel()
	var out strings.Builder
	p := &printer{out: &out}
	p.section(section{title: "A title", facts: []fact{seen("a", "1", "1"), seen("b", "2", "2")}})
	if err := p.verdict(); err != nil {
		t.Fatal(err)
	}
	if !strings.HasSuffix(out.String(), "All 2 facts hold.\n") {
		t.Errorf("got %q", out.String())
	}
}
