package s3

import (
	"errors"
	"strings"
	"testing"
)

func TestCheckKey(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name, key string
		want      error
	}{
		{"plain", "a/b c+%2F..", nil},
		{"longest", strings.Repeat("k", 1024), nil},
		{"too long", strings.Repeat("k", 1025), ErrKeyTooLongError},
		{"empty", "", ErrInvalidArgument},
		{"NUL", "a\x00b", ErrInvalidURI},
		{"not UTF-8", "a\xff", ErrInvalidURI},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			if err := CheckKey(tt.key); !errors.Is(err, tt.want) {
				t.Errorf("CheckKey = %v, want %v", err, tt.want)
			}
		})
	}
}

func TestParseTagging(t *testing.T) {
	t.Parallel()
	tag := func(s string) string { return "<Tagging><TagSet>" + s + "</TagSet></Tagging>" }
	tests := []struct {
		name, doc, want string
		err             error
	}{
		{"none", tag(""), "", nil},
		{"two", tag("<Tag><Key>a b</Key><Value>1&amp;2</Value></Tag><Tag><Key>c</Key><Value></Value></Tag>"), "a%20b=1%262&c=", nil},
		{"another root", "<Other><TagSet/></Other>", "", ErrMalformedXML},
		{"key twice in a tag", tag("<Tag><Key>a</Key><Key>b</Key><Value>v</Value></Tag>"), "", ErrMalformedXML},
		{"no value", tag("<Tag><Key>a</Key></Tag>"), "", ErrMalformedXML},
		{"unknown element", tag("<Tag><Key>a</Key><Value>v</Value><X/></Tag>"), "", ErrMalformedXML},
		{"too many", tag(strings.Repeat("<Tag><Key>a</Key><Value>v</Value></Tag>", 11)), "", ErrInvalidTag},
		{"no XML", "a=b", "", ErrMalformedXML},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			got, err := ParseTagging([]byte(tt.doc))
			if !errors.Is(err, tt.err) || got != tt.want {
				t.Errorf("ParseTagging = %q, %v; want %q, %v", got, err, tt.want, tt.err)
			}
		})
	}
}
