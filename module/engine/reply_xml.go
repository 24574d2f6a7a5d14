package engine

import (
	"bytes"
	"encoding/xml"
	"errors"
	"io"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

// textAt is a stretch of a document: the content of an element, or a whole one.
type textAt struct {
	start, end int
	text       string // decoded, or what is to stand there
}

// leaf is an element of a store's document that has text and nothing else.
type leaf struct {
	textAt
	path  []string // local names from the root to the element; not to be kept
	outer textAt   // the element with its tags
	entry int      // where the element around it begins
}

// errUnusual: the document holds what the scanner does not read.
var errUnusual = errors.New("comment, section or doctype")

// eachLeaf calls f for the leaves of a store's document, in order. Listings are
// long, and encoding/xml takes ten times the time the store did: so tags are
// scanned here, and that package reads what is unusual.
func eachLeaf(doc []byte, f func(leaf)) error {
	err := scanLeaves(doc, nil) // nothing is told twice
	switch {
	case err == nil:
		return scanLeaves(doc, f)
	case errors.Is(err, errUnusual):
		return decodeLeaves(doc, f)
	}
	return err
}

// open is an element whose end has not come.
type open struct {
	name         string
	start, inner int
	leaf         bool
}

func scanLeaves(doc []byte, f func(leaf)) error {
	var stack []open
	var path []string
	names := make(map[string]string, 16) // one string for each name
	for at := 0; ; {
		i := bytes.IndexByte(doc[at:], '<')
		if i < 0 {
			break
		}
		start := at + i
		tag, end, err := cutTag(doc, start)
		if err != nil {
			return err
		}
		at = end
		switch {
		case tag[0] == '?':
			if start > 3 { // a byte order mark may stand before a declaration
				return errUnusual
			}
		case tag[0] == '!':
			return errUnusual
		case tag[0] == '/':
			name := localName(bytes.TrimRight(tag[1:], " \t\r\n"))
			n := len(stack) - 1
			if n < 0 || stack[n].name != string(name) {
				return errors.New("elements do not match")
			}
			if f != nil && stack[n].leaf && start > stack[n].inner {
				if err := tell(doc, stack, path, start, end, f); err != nil {
					return err
				}
			}
			stack, path = stack[:n], path[:n]
		default:
			if n := len(stack); n > 0 {
				stack[n-1].leaf = false
			}
			if tag[len(tag)-1] == '/' {
				continue
			}
			local := localName(tag)
			name, ok := names[string(local)]
			if !ok {
				name = string(local)
				names[name] = name
			}
			stack, path = append(stack, open{name, start, end, true}), append(path, name)
		}
	}
	if len(stack) > 0 {
		return io.ErrUnexpectedEOF
	}
	return nil
}

// tell gives f the leaf on top of the stack, which ends at end.
func tell(doc []byte, stack []open, path []string, inner, end int, f func(leaf)) error {
	top := stack[len(stack)-1]
	text := doc[top.inner:inner]
	l := leaf{textAt: textAt{start: top.inner, end: inner}, path: path, outer: textAt{start: top.start, end: end}}
	if len(stack) > 1 {
		l.entry = stack[len(stack)-2].start
	}
	var err error
	if l.text, err = unescaped(string(text)); err != nil {
		return err
	}
	f(l)
	return nil
}

// unescaped replaces the references that XML has without a doctype.
func unescaped(text string) (string, error) {
	if strings.IndexByte(text, '&') < 0 {
		return text, nil
	}
	var out strings.Builder
	for {
		before, rest, found := strings.Cut(text, "&")
		out.WriteString(before)
		if !found {
			return out.String(), nil
		}
		name, after, ok := strings.Cut(rest, ";")
		if !ok {
			return "", errReference
		}
		text = after
		if c, ok := references[name]; ok {
			out.WriteByte(c)
			continue
		}
		digits, ok := strings.CutPrefix(name, "#")
		base := 10
		if hex, isHex := strings.CutPrefix(digits, "x"); isHex {
			digits, base = hex, 16
		}
		n, err := strconv.ParseUint(digits, base, 31)
		if !ok || err != nil || !utf8.ValidRune(rune(n)) {
			return "", errReference
		}
		out.WriteRune(rune(n))
	}
}

var (
	references   = map[string]byte{"quot": '"', "amp": '&', "lt": '<', "gt": '>', "apos": '\''}
	errReference = errors.New("unknown reference")
)

// cutTag returns what stands between '<' at start and its '>', and the offset
// behind that.
func cutTag(doc []byte, start int) (tag []byte, end int, err error) {
	var quote byte
	for i := start + 1; i < len(doc); i++ {
		switch c := doc[i]; {
		case quote != 0:
			if c == quote {
				quote = 0
			}
		case c == '"' || c == '\'':
			quote = c
		case c == '>':
			if i == start+1 {
				return nil, 0, errors.New("empty tag")
			}
			return doc[start+1 : i], i + 1, nil
		case c == '!' && i == start+1:
			return nil, 0, errUnusual
		}
	}
	return nil, 0, io.ErrUnexpectedEOF
}

// localName is the name in a tag without prefix and attributes.
func localName(tag []byte) []byte {
	if i := bytes.IndexAny(tag, " \t\r\n/"); i >= 0 {
		tag = tag[:i]
	}
	if i := bytes.IndexByte(tag, ':'); i >= 0 {
		tag = tag[i+1:]
	}
	return tag
}

// decodeLeaves is scanLeaves by encoding/xml, for any document.
func decodeLeaves(doc []byte, f func(leaf)) error {
	var stack []open
	var path []string
	text := ""
	dec := xml.NewDecoder(bytes.NewReader(doc))
	for {
		at := int(dec.InputOffset())
		token, err := dec.Token()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		switch t := token.(type) {
		case xml.StartElement:
			if n := len(stack); n > 0 {
				stack[n-1].leaf = false
			}
			stack = append(stack, open{t.Name.Local, at, int(dec.InputOffset()), true})
			path, text = append(path, t.Name.Local), ""
		case xml.CharData:
			text += string(t)
		case xml.EndElement:
			n := len(stack) - 1
			if top := stack[n]; top.leaf && at > top.inner {
				l := leaf{textAt: textAt{top.inner, at, text}, path: path, outer: textAt{start: top.start, end: int(dec.InputOffset())}}
				if n > 0 {
					l.entry = stack[n-1].start
				}
				f(l)
			}
			stack, path = stack[:n], path[:n]
		}
	}
}

// edited gives doc with stretches of it replaced.
func edited(doc []byte, edits []textAt) []byte {
	if len(edits) == 0 {
		return doc
	}
	slices.SortFunc(edits, func(a, b textAt) int { return a.start - b.start })
	out := make([]byte, 0, len(doc))
	at := 0
	for _, e := range edits {
		out = append(append(out, doc[at:e.start]...), e.text...)
		at = e.end
	}
	return append(out, doc[at:]...)
}

func escapedXML(text string) string {
	var out bytes.Buffer
	_ = xml.EscapeText(&out, []byte(text)) // a bytes.Buffer does not fail
	return out.String()
}
