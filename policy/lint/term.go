package lint

import (
	"maps"
	"slices"
	"strconv"

	"github.com/open-policy-agent/opa/v1/ast"
)

func quote(s string) string { return strconv.Quote(s) }

// term is the shape of a term's values.
func (f *flow) term(s scope, t *ast.Term) *shape {
	switch v := t.Value.(type) {
	case ast.Null:
		return of(kindNull)
	case ast.Boolean:
		return of(kindBoolean)
	case ast.Number:
		return of(kindNumber)
	case ast.String:
		return word(string(v), t.Location)
	case ast.Var:
		return f.local(s, v)
	case ast.Ref:
		return f.ref(s, v)
	case *ast.Array:
		out := &shape{kinds: kindArray}
		v.Foreach(func(e *ast.Term) { out.items = append(out.items, f.term(s, e)) })
		if len(out.items) == 0 {
			out.elem = &shape{}
		}
		return out
	case ast.Set:
		elements := []*shape{{}}
		v.Foreach(func(e *ast.Term) { elements = append(elements, f.term(s, e)) })
		return &shape{kinds: kindSet, elem: joinAll(elements...)}
	case ast.Object:
		return f.object(s, v)
	case *ast.ArrayComprehension:
		f.body(s, v.Body)
		return &shape{kinds: kindArray, elem: f.term(s, v.Term).sometimes()}
	case *ast.SetComprehension:
		f.body(s, v.Body)
		return &shape{kinds: kindSet, elem: f.term(s, v.Term).sometimes()}
	case *ast.ObjectComprehension:
		f.body(s, v.Body)
		f.term(s, v.Key)
		return &shape{kinds: kindObject, rest: f.term(s, v.Value).sometimes()}
	case ast.Call:
		return f.result(s, t.Location, v)
	}
	return unknown
}

func (f *flow) local(s scope, v ast.Var) *shape {
	switch {
	case v.Equal(ast.InputRootDocument.Value):
		return f.input
	case s[v] != nil:
		return s[v]
	}
	return unknown
}

func (f *flow) object(s scope, o ast.Object) *shape {
	out := &shape{kinds: kindObject, fields: map[string]*field{}}
	o.Foreach(func(k, v *ast.Term) {
		value := f.term(s, v)
		if name, ok := k.Value.(ast.String); ok {
			out.fields[string(name)] = &field{shape: value, at: []*ast.Location{k.Location}}
			return
		}
		names, ok := f.term(s, k).words.all()
		if !ok {
			out.rest = joinAll(out.rest, value)
		}
		for _, name := range names {
			out.fields[name] = &field{shape: value.sometimes()}
		}
	})
	return out
}

// unbound reports whether a term is a variable that has no value yet.
func unbound(s scope, t *ast.Term) (ast.Var, bool) {
	v, ok := t.Value.(ast.Var)
	return v, ok && s[v] == nil && !ast.RootDocumentNames.Contains(t)
}

// binds reports whether there are variables in a pattern that have no value yet.
func binds(s scope, t *ast.Term) bool {
	switch v := t.Value.(type) {
	case ast.Var:
		_, ok := unbound(s, t)
		return ok
	case *ast.Array:
		return v.Until(func(e *ast.Term) bool { return binds(s, e) })
	case ast.Object:
		return v.Until(func(_, e *ast.Term) bool { return binds(s, e) })
	}
	return false
}

// unify gives the variables of one side what is on the other, and compares the rest.
func (f *flow) unify(s scope, at *ast.Location, a, b *ast.Term) {
	switch {
	case binds(s, a) && !bare(s, b):
		f.match(s, at, a, f.term(s, b))
	case binds(s, b) && !bare(s, a):
		f.match(s, at, b, f.term(s, a))
	case bare(s, a) || bare(s, b):
	default:
		f.match(s, at, a, f.term(s, b))
	}
}

func bare(s scope, t *ast.Term) bool {
	_, ok := unbound(s, t)
	return ok
}

// match holds a pattern against a value.
func (f *flow) match(s scope, at *ast.Location, pattern *ast.Term, value *shape) {
	if v, ok := unbound(s, pattern); ok {
		s[v] = value
		return
	}
	switch p := pattern.Value.(type) {
	case *ast.Array:
		if value.any || value.kinds&kindArray == 0 {
			break
		}
		for i := range p.Len() {
			element := value.element()
			if len(value.items) == p.Len() {
				element = value.items[i]
			}
			f.match(s, at, p.Elem(i), element)
		}
		return
	case ast.Object:
		if value.any || value.kinds&kindObject == 0 || value.closed() {
			break
		}
		p.Foreach(func(k, v *ast.Term) { f.match(s, at, v, f.selectOne(s, value, k)) })
		return
	}
	f.claims.compare(at, f.term(s, pattern), value)
}

// ref is the shape of what a reference leads to.
func (f *flow) ref(s scope, r ast.Ref) *shape {
	if r[0].Equal(ast.DefaultRootDocument) {
		return f.data(s, f.rules, r[1:])
	}
	return f.selectAll(s, f.term(s, r[0]), r[1:])
}

// data follows a reference into the rules of the policy.
func (f *flow) data(s scope, n *node, rest ast.Ref) *shape {
	if len(n.rules) > 0 || n.value != nil {
		return f.selectAll(s, f.nodeValue(n), rest)
	}
	if len(rest) == 0 {
		return unknown
	}
	if name, ok := rest[0].Value.(ast.String); ok {
		if next := n.children[string(name)]; next != nil {
			return f.data(s, next, rest[1:])
		}
		return unknown
	}
	if v, ok := unbound(s, rest[0]); ok {
		s[v] = text()
	}
	var out *shape
	for _, name := range slices.Sorted(maps.Keys(n.children)) {
		out = joinAll(out, f.data(s, n.children[name], rest[1:]))
	}
	if out == nil {
		return unknown
	}
	return out
}

func (f *flow) selectAll(s scope, value *shape, path ast.Ref) *shape {
	for _, key := range path {
		value = f.selectOne(s, value, key)
	}
	return value
}

// selectOne is the shape of a part of a value. A key that has no value yet gets those
// it can have.
func (f *flow) selectOne(s scope, value *shape, key *ast.Term) *shape {
	if v, ok := unbound(s, key); ok {
		s[v] = f.position(value)
		return value.member()
	}
	k := f.term(s, key)
	if value.any {
		return unknown
	}
	out := &shape{}
	if value.kinds&kindObject != 0 {
		out = join(out, f.property(key.Location, value, k))
	}
	if value.kinds&kindArray != 0 && k.is(kindNumber) {
		out = join(out, value.element().sometimes())
	}
	if value.kinds&kindSet != 0 {
		f.claims.compare(key.Location, k, value.element())
		out = join(out, k.sometimes())
	}
	if out.empty() {
		return unknown
	}
	return out
}

// position is the shape of the keys of a collection.
func (f *flow) position(collection *shape) *shape {
	if collection.any {
		return unknown
	}
	out := &shape{}
	if collection.kinds&kindObject != 0 {
		out = join(out, collection.names())
	}
	if collection.kinds&kindArray != 0 {
		out = join(out, of(kindNumber))
	}
	if collection.kinds&kindSet != 0 {
		out = join(out, collection.element())
	}
	return out.sometimes()
}

// property is the shape of what an object has under names of shape k.
func (f *flow) property(at *ast.Location, object, k *shape) *shape {
	if k.any || k.kinds&kindString == 0 {
		return object.entry()
	}
	names, ok := k.words.sole()
	if !ok {
		// A table of the policy, looked up by a field: its names are held against it.
		f.claims.compareWords(object.names().words, k.words)
		f.claims.compareWords(k.words, object.names().words)
		return object.entry()
	}
	out := &shape{}
	for _, name := range names {
		found := object.fields[name]
		for _, place := range nameAt(k, name, at) {
			switch {
			case found != nil:
				f.knownField(place, name)
			case object.closed():
				f.unknownField(place, object, name)
			}
		}
		switch {
		case found != nil && len(names) == 1:
			out = join(out, found.shape)
		case found != nil:
			out = join(out, found.shape.sometimes())
		case object.rest != nil:
			out = join(out, object.rest.sometimes())
		}
	}
	if out.empty() {
		return unknown
	}
	return out
}

// nameAt is where a name was written.
func nameAt(k *shape, name string, otherwise *ast.Location) []*ast.Location {
	if at := k.words.said[name]; len(at) > 0 && at[0] != nil {
		return at
	}
	return []*ast.Location{otherwise}
}
