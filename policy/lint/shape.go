package lint

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/open-policy-agent/opa/v1/ast"
)

// kind is a set of the kinds of values there are.
type kind uint8

const (
	kindNull kind = 1 << iota
	kindBoolean
	kindNumber
	kindString
	kindArray
	kindSet
	kindObject
)

var kindNames = map[kind]string{
	kindNull: "null", kindBoolean: "a boolean", kindNumber: "a number", kindString: "a string",
	kindArray: "an array", kindSet: "a set", kindObject: "an object",
}

func (k kind) String() string {
	var names []string
	for _, one := range slices.Sorted(maps.Keys(kindNames)) {
		if k&one != 0 {
			names = append(names, kindNames[one])
		}
	}
	return strings.Join(names, " or ")
}

// shape is what is known of the values that a term can have. Shapes are shared and do
// not change once they are made.
type shape struct {
	any   bool // nothing is known; the other fields mean nothing
	kinds kind // none: there is no such value

	words  *words            // strings; nil = any string
	items  []*shape          // an array of that length; nil = any length
	elem   *shape            // of arrays and sets
	fields map[string]*field // of objects, by name
	rest   *shape            // what objects have under other names; nil = nothing

	path   string // in the input document, if the value is a part of it
	always bool   // every input has it
}

type field struct {
	shape *shape
	at    []*ast.Location // where a policy wrote the name, empty for fields of the schema
}

// words is a set of strings.
type words struct {
	open  bool // and others
	lists []*list
	said  map[string][]*ast.Location // as written in the policy, and where
}

// list is an enumeration of the schema, or of what else has few values.
type list struct {
	of     string // the path of the field, to show
	values []string
}

// unknown is the shape of what nothing is known about.
var unknown = &shape{any: true}

func of(k kind) *shape { return &shape{kinds: k} }

// text is the shape of any string.
func text() *shape { return of(kindString) }

// word is the shape of a string that is written in a policy.
func word(value string, at *ast.Location) *shape {
	return &shape{kinds: kindString, words: &words{said: map[string][]*ast.Location{value: {at}}}}
}

func (w *words) has(value string) bool {
	if w == nil || w.open {
		return true
	}
	if _, ok := w.said[value]; ok {
		return true
	}
	return slices.ContainsFunc(w.lists, func(l *list) bool { return slices.Contains(l.values, value) })
}

// all returns every string of the set; ok is false if they are not all known.
func (w *words) all() (values []string, ok bool) {
	if w == nil || w.open {
		return nil, false
	}
	for _, l := range w.lists {
		values = append(values, l.values...)
	}
	return slices.AppendSeq(values, maps.Keys(w.said)), true
}

// sole returns the strings of a set in which only the policy's own words are.
func (w *words) sole() (values []string, ok bool) {
	if w == nil || w.open || len(w.lists) > 0 {
		return nil, false
	}
	return slices.Sorted(maps.Keys(w.said)), true
}

func joinWords(a, b *words) *words {
	if a == nil {
		a = &words{open: true}
	}
	if b == nil {
		b = &words{open: true}
	}
	out := &words{open: a.open || b.open, lists: slices.Clone(a.lists), said: maps.Clone(a.said)}
	for _, l := range b.lists {
		if !slices.Contains(out.lists, l) {
			out.lists = append(out.lists, l)
		}
	}
	for value, at := range b.said {
		if out.said == nil {
			out.said = map[string][]*ast.Location{}
		}
		out.said[value] = places(out.said[value], at)
	}
	return out
}

func places(a, b []*ast.Location) []*ast.Location {
	out := slices.Clone(a)
	for _, at := range b {
		if !slices.Contains(out, at) {
			out = append(out, at)
		}
	}
	return out
}

// join is the shape of what has one shape or the other.
func join(a, b *shape) *shape {
	switch {
	case a == b || b.empty():
		return a
	case a.empty():
		return b
	case a.any || b.any:
		return unknown
	}
	out := &shape{kinds: a.kinds | b.kinds, always: a.always && b.always}
	if a.path == b.path {
		out.path = a.path
	}
	switch {
	case a.kinds&kindString == 0:
		out.words = b.words
	case b.kinds&kindString == 0:
		out.words = a.words
	case a.words != nil || b.words != nil:
		out.words = joinWords(a.words, b.words)
	}
	const lists = kindArray | kindSet
	switch {
	case a.kinds&lists == 0:
		out.items, out.elem = b.items, b.elem
	case b.kinds&lists == 0:
		out.items, out.elem = a.items, a.elem
	case len(a.items) > 0 && len(a.items) == len(b.items):
		for i := range a.items {
			out.items = append(out.items, join(a.items[i], b.items[i]))
		}
	default:
		out.elem = join(a.element(), b.element())
	}
	switch {
	case a.kinds&kindObject == 0:
		out.fields, out.rest = b.fields, b.rest
	case b.kinds&kindObject == 0:
		out.fields, out.rest = a.fields, a.rest
	default:
		out.fields, out.rest = joinFields(a, b)
	}
	return out
}

func joinFields(a, b *shape) (fields map[string]*field, rest *shape) {
	fields = map[string]*field{}
	for _, pair := range [][2]*shape{{a, b}, {b, a}} {
		for name, f := range pair[0].fields {
			other := pair[1].fields[name]
			switch {
			case fields[name] != nil:
			case other != nil:
				fields[name] = &field{shape: join(f.shape, other.shape), at: places(f.at, other.at)}
			case pair[1].rest != nil:
				fields[name] = &field{shape: join(f.shape, pair[1].rest).sometimes(), at: f.at}
			default:
				fields[name] = &field{shape: f.shape.sometimes(), at: f.at}
			}
		}
	}
	return fields, joinAll(a.rest, b.rest)
}

// joinAll joins those that are not nil; nil if there are none. It halves the list, so
// that what is written in many rules is not copied for each.
func joinAll(all ...*shape) *shape {
	switch len(all) {
	case 0:
		return nil
	case 1:
		return all[0]
	}
	a, b := joinAll(all[:len(all)/2]...), joinAll(all[len(all)/2:]...)
	switch {
	case a == nil:
		return b
	case b == nil:
		return a
	}
	return join(a, b)
}

func (s *shape) empty() bool { return !s.any && s.kinds == 0 }

// is reports whether a value can be of one of the kinds.
func (s *shape) is(k kind) bool { return s.any || s.kinds&k != 0 }

// sometimes is the shape of a value that need not be there.
func (s *shape) sometimes() *shape {
	if !s.always {
		return s
	}
	out := *s
	out.always = false
	return &out
}

// element is the shape of an element of an array or a set.
func (s *shape) element() *shape {
	switch {
	case s.any:
		return unknown
	case len(s.items) > 0:
		return joinAll(s.items...)
	case s.elem == nil:
		return unknown
	}
	return s.elem
}

// member is the shape of what is "in" a collection.
func (s *shape) member() *shape {
	if s.any {
		return unknown
	}
	out := &shape{}
	if s.kinds&(kindArray|kindSet) != 0 {
		out = join(out, s.element())
	}
	if s.kinds&kindObject != 0 {
		out = join(out, s.entry())
	}
	return out.sometimes()
}

// entry is the shape of a value in an object, whatever its name.
func (s *shape) entry() *shape {
	out := &shape{}
	if s.rest != nil {
		out = s.rest
	}
	for _, name := range slices.Sorted(maps.Keys(s.fields)) {
		out = join(out, s.fields[name].shape)
	}
	return out.sometimes()
}

// names is the shape of the names in an object.
func (s *shape) names() *shape {
	if s.any {
		return unknown
	}
	w := &words{open: s.rest != nil, said: map[string][]*ast.Location{}}
	for name, f := range s.fields {
		w.said[name] = f.at
	}
	return &shape{kinds: kindString, words: w}
}

// closed reports whether a part of the input has the fields of the schema and no others.
func (s *shape) closed() bool {
	return !s.any && s.path != "" && s.kinds == kindObject && s.rest == nil
}

// key tells shapes apart, for remembering what was found out about calls.
func (s *shape) key(b *strings.Builder) {
	switch {
	case s.any:
		b.WriteByte('?')
		return
	case s.path != "":
		fmt.Fprintf(b, "<%s %p>", s.path, s)
		return
	}
	fmt.Fprintf(b, "%d", s.kinds)
	if s.words != nil {
		fmt.Fprintf(b, "w%t", s.words.open)
		for _, l := range s.words.lists {
			fmt.Fprintf(b, "%p,", l)
		}
		for _, value := range slices.Sorted(maps.Keys(s.words.said)) {
			fmt.Fprintf(b, "%q%v", value, s.words.said[value])
		}
	}
	for _, item := range s.items {
		b.WriteByte('[')
		item.key(b)
	}
	if s.elem != nil {
		b.WriteByte('*')
		s.elem.key(b)
	}
	for _, name := range slices.Sorted(maps.Keys(s.fields)) {
		fmt.Fprintf(b, ".%q%v:", name, s.fields[name].at)
		s.fields[name].shape.key(b)
	}
	if s.rest != nil {
		b.WriteByte('~')
		s.rest.key(b)
	}
	b.WriteByte(';')
}
