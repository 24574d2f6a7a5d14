package records

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"net/url"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/sealgate/sealgate/module/engine"
	"github.com/sealgate/sealgate/policy"
)

// MinHashKey is the least length of a Hasher's key, in bytes.
const MinHashKey = 16

// hashPrefix begins every hash; 64 hexadecimal digits follow.
const hashPrefix = "hmac-sha256:"

// hashedText takes the place of a text that shows a hashed value in another spelling.
const hashedText = "[hashed]"

// Hasher replaces values of a record by HMAC-SHA-256 (RFC 2104) under a secret key,
// so that equal values stay comparable, in one record and between records, and
// others cannot be tried by whoever does not know the key. An empty value stays
// empty. Each value of a list or a map is hashed by itself; names in maps stay.
type Hasher struct {
	mac    func(string) string // holds the key, where nothing can print it
	fields []field
}

// NewHasher returns a Hasher of the values that names name: words of HashNames, which
// stand for a value wherever a record shows it, or single paths such as
// input.request.tags.project. A path that is one of a word's stands for the word. key
// is not kept; an empty one is replaced by a random one, under which hashes can be
// compared only within the life of this process.
func NewHasher(key []byte, names ...string) (*Hasher, error) {
	switch {
	case len(names) == 0:
		return nil, errors.New("hash: nothing is named")
	case len(key) == 0:
		key = make([]byte, sha256.Size)
		_, _ = rand.Read(key) // never fails: crypto/rand ends the process instead
	case len(key) < MinHashKey:
		return nil, fmt.Errorf("hash: a key of %d bytes is too short; it must have at least %d", len(key), MinHashKey)
	}
	own := slices.Clone(key)
	h := &Hasher{mac: func(s string) string {
		m := hmac.New(sha256.New, own)
		m.Write([]byte(s))
		return hashPrefix + hex.EncodeToString(m.Sum(nil))
	}}
	var paths []string
	for _, name := range names {
		paths = append(paths, everywhere(name)...)
	}
	slices.Sort(paths)
	for _, path := range slices.Compact(paths) {
		f, err := fieldAt(path)
		if err != nil {
			return nil, err
		}
		h.fields = append(h.fields, f)
	}
	return h, nil
}

// apply hashes what is to be hashed in r, which is the caller's own but for its
// slices, maps and pointers: those are replaced, not written to.
func (h *Hasher) apply(r *engine.Record) {
	p := pass{mac: h.mac, known: make(map[string]string)}
	if r.Input != nil {
		in := *r.Input
		r.Input = &in
	}
	var hashed []string
	for _, f := range h.fields {
		root := reflect.ValueOf(r).Elem()
		if f.input {
			if r.Input == nil {
				continue
			}
			root = reflect.ValueOf(r.Input).Elem()
		}
		hashed = append(hashed, p.replace(root.FieldByIndex(f.index), f)...)
	}
	if p.text(&r.Cause) {
		hashed = append(hashed, "cause")
	}
	if len(p.known) > 0 && len(r.Findings) > 0 {
		r.Findings = slices.Clone(r.Findings)
		found := false
		for i := range r.Findings {
			message, path := p.text(&r.Findings[i].Message), p.text(&r.Findings[i].Path)
			found = found || message || path
		}
		if found {
			hashed = append(hashed, "findings")
		}
	}
	r.Hashed = hashed
}

// pass is the hashing of one record.
type pass struct {
	mac   func(string) string
	known map[string]string // what was hashed, and its hash
}

func (p *pass) hash(s string) string {
	if s == "" {
		return ""
	}
	sum, ok := p.known[s]
	if !ok {
		sum = p.mac(s)
		p.known[s] = sum
	}
	return sum
}

// replace hashes a value, of a map the entries that are meant. It returns the paths
// of what was hashed.
func (p *pass) replace(v reflect.Value, f field) []string {
	if v.Len() == 0 {
		return nil
	}
	switch v.Kind() {
	case reflect.String:
		v.SetString(p.hash(v.String()))
	case reflect.Slice:
		list := reflect.MakeSlice(v.Type(), v.Len(), v.Len())
		for i := range v.Len() {
			list.Index(i).SetString(p.hash(v.Index(i).String()))
		}
		v.Set(list)
	default: // a map: fieldAt lets nothing else through
		return p.replaceEntries(v, f)
	}
	return []string{f.path}
}

func (p *pass) replaceEntries(v reflect.Value, f field) []string {
	var hashed []string
	above := strings.TrimSuffix(strings.TrimSuffix(f.path, f.entry), ".")
	entries := reflect.MakeMapWithSize(v.Type(), v.Len())
	for _, name := range v.MapKeys() {
		value := v.MapIndex(name)
		if value.Len() > 0 && meant(f.entry, name.String()) {
			hashed = append(hashed, above+"."+name.String())
			value = reflect.ValueOf(p.hash(value.String()))
		}
		entries.SetMapIndex(name, value)
	}
	if len(hashed) > 0 {
		v.Set(entries)
	}
	slices.Sort(hashed)
	return hashed
}

// meant reports whether an entry of a map is the one named; a final * stands for any
// ending.
func meant(entry, name string) bool {
	if start, ok := strings.CutSuffix(entry, "*"); ok {
		return strings.HasPrefix(name, start)
	}
	return entry == "" || entry == name
}

// text replaces the values hashed so far in words for people. A text that has one in
// another spelling, quoted or escaped, is replaced as a whole.
func (p *pass) text(s *string) bool {
	if *s == "" || len(p.known) == 0 {
		return false
	}
	before := *s
	long, short := p.values()
	pairs := make([]string, 0, 2*len(long))
	for _, value := range long {
		pairs = append(pairs, value, p.known[value])
	}
	out := strings.NewReplacer(pairs...).Replace(before)
	plain := hashesIn.ReplaceAllString(out, "")
	for _, text := range append(spellings(plain), plain) {
		if slices.ContainsFunc(long, func(value string) bool { return strings.Contains(text, value) }) ||
			slices.ContainsFunc(short, func(value string) bool { return hasWord(text, value) }) {
			out = hashedText
			break
		}
	}
	*s = out
	return out != before
}

// shortest is the least length of values that are looked for within words.
const shortest = 4

// values are those hashed so far, the longest first: one may be part of another.
func (p *pass) values() (long, short []string) {
	for value := range p.known {
		if len(value) < shortest {
			short = append(short, value)
		} else {
			long = append(long, value)
		}
	}
	slices.SortFunc(long, func(a, b string) int { return len(b) - len(a) })
	return long, short
}

// hasWord reports whether a text has a value with no letter or digit beside it.
func hasWord(text, value string) bool {
	for at := 0; ; at++ {
		next := strings.Index(text[at:], value)
		if next < 0 {
			return false
		}
		at += next
		before, _ := utf8.DecodeLastRuneInString(text[:at])
		after, _ := utf8.DecodeRuneInString(text[at+len(value):])
		if !inWord(before) && !inWord(after) {
			return true
		}
	}
}

func inWord(r rune) bool { return unicode.IsLetter(r) || unicode.IsDigit(r) }

// spellings are what a text says once what may be escaped in it is not.
func spellings(s string) []string {
	var all []string
	if plain, err := url.PathUnescape(s); err == nil && plain != s {
		all = append(all, plain)
	}
	if plain, err := url.QueryUnescape(s); err == nil && plain != s {
		all = append(all, plain)
	}
	// What %q wrote; each part by itself, as the text around it is not quoted.
	for rest := s; ; {
		at := strings.IndexByte(rest, '"')
		if at < 0 {
			return all
		}
		rest = rest[at:]
		quoted, err := strconv.QuotedPrefix(rest)
		if err != nil {
			rest = rest[1:]
			continue
		}
		if plain, err := strconv.Unquote(quoted); err == nil && plain != quoted[1:len(quoted)-1] {
			all = append(all, plain)
		}
		rest = rest[len(quoted):]
	}
}

var inputType, recordType = reflect.TypeFor[policy.Input](), reflect.TypeFor[engine.Record]()
