package lint

import (
	"regexp"
	"slices"
	"strings"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/types"
)

// operation follows an expression that is a call. One operand more than the function
// takes is where its result goes.
func (f *flow) operation(s scope, e *ast.Expr, terms []*ast.Term) {
	operator, ok := terms[0].Value.(ast.Ref)
	if !ok {
		return
	}
	operands := terms[1:]
	name := operator.String()
	if len(operands) == 2 && (name == ast.Equality.Name || name == ast.Assign.Name) {
		f.unify(s, e.Location, operands[0], operands[1])
		return
	}
	arity := f.arity(operator)
	if arity < 0 || arity > len(operands) {
		return
	}
	result := f.apply(s, e.Location, operator, operands[:arity])
	if len(operands) == arity+1 {
		f.match(s, e.Location, operands[arity], result)
	}
}

// result is the shape of a call that stands as a term.
func (f *flow) result(s scope, at *ast.Location, call ast.Call) *shape {
	operator, ok := call[0].Value.(ast.Ref)
	if !ok {
		return unknown
	}
	return f.apply(s, at, operator, call[1:])
}

// arity is how many arguments a function takes, -1 if nothing is known of it.
func (f *flow) arity(operator ast.Ref) int {
	if n := f.function(operator); n != nil {
		return len(n.rules[0].Head.Args)
	}
	if b := ast.BuiltinMap[operator.String()]; b != nil {
		return b.Decl.Arity()
	}
	return -1
}

// function finds one of the policy's own.
func (f *flow) function(operator ast.Ref) *node {
	if !operator.HasPrefix(ast.DefaultRootRef) {
		return nil
	}
	n := f.rules
	for _, part := range operator[1:] {
		name, ok := part.Value.(ast.String)
		if !ok || n.children[string(name)] == nil {
			return nil
		}
		n = n.children[string(name)]
	}
	if len(n.rules) == 0 {
		return nil
	}
	return n
}

func (f *flow) apply(s scope, at *ast.Location, operator ast.Ref, operands []*ast.Term) *shape {
	args := make([]*shape, len(operands))
	for i, o := range operands {
		args[i] = f.term(s, o)
	}
	name := operator.String()
	if n := f.function(operator); n != nil {
		return f.call(n, name, args)
	}
	if rule, ok := builtins[name]; ok && len(args) == ast.BuiltinMap[name].Decl.Arity() {
		return rule(f, at, args)
	}
	if b := ast.BuiltinMap[name]; b != nil {
		return declared(b.Decl.Result())
	}
	return unknown
}

// declared is the shape of a type.
func declared(t types.Type) *shape {
	switch t := t.(type) {
	case nil:
		return of(kindBoolean)
	case types.Boolean:
		return of(kindBoolean)
	case types.Number:
		return of(kindNumber)
	case types.String:
		return text()
	case types.Null:
		return of(kindNull)
	case *types.NamedType:
		return declared(t.Type)
	case *types.Array:
		return &shape{kinds: kindArray, elem: unknown}
	case *types.Set:
		return &shape{kinds: kindSet, elem: unknown}
	}
	return unknown
}

// builtins are the built-in functions through which values can be followed, or which
// compare them.
var builtins = map[string]func(*flow, *ast.Location, []*shape) *shape{
	"internal.member_2": func(f *flow, at *ast.Location, a []*shape) *shape {
		f.compareMember(at, a[0], a[1])
		return of(kindBoolean)
	},
	"internal.member_3": func(f *flow, at *ast.Location, a []*shape) *shape {
		f.claims.compare(at, a[0], f.position(a[2]))
		f.compareMember(at, a[1], a[2])
		return of(kindBoolean)
	},
	"neq": func(f *flow, at *ast.Location, a []*shape) *shape {
		f.claims.compare(at, a[0], a[1])
		return of(kindBoolean)
	},
	"equal":          compareBoth,
	"object.get":     objectGet,
	"object.union":   func(_ *flow, _ *ast.Location, a []*shape) *shape { return merge(a[0], a[1]) },
	"object.union_n": func(_ *flow, _ *ast.Location, a []*shape) *shape { return mergeAll(a[0]) },
	"object.keys": func(f *flow, _ *ast.Location, a []*shape) *shape {
		return &shape{kinds: kindSet, elem: f.position(a[0])}
	},
	"object.remove": func(f *flow, at *ast.Location, a []*shape) *shape { return f.without(at, a[0], a[1]) },
	"object.filter": func(f *flow, at *ast.Location, a []*shape) *shape { return f.without(at, a[0], a[1]) },
	"array.concat":  func(_ *flow, _ *ast.Location, a []*shape) *shape { return collected(kindArray, a...) },
	"or":            func(_ *flow, _ *ast.Location, a []*shape) *shape { return collected(kindSet, a...) },
	"and":           compareElements,
	"minus": func(f *flow, at *ast.Location, a []*shape) *shape {
		if a[0].any || a[0].kinds&kindSet == 0 {
			return declared(ast.Minus.Decl.Result())
		}
		compareElements(f, at, a)
		return collected(kindSet, a[0])
	},
	"union":        func(_ *flow, _ *ast.Location, a []*shape) *shape { return nested(a[0]) },
	"intersection": func(_ *flow, _ *ast.Location, a []*shape) *shape { return nested(a[0]) },
	"max":          func(_ *flow, _ *ast.Location, a []*shape) *shape { return a[0].member() },
	"min":          func(_ *flow, _ *ast.Location, a []*shape) *shape { return a[0].member() },
	"sort": func(_ *flow, _ *ast.Location, a []*shape) *shape {
		return &shape{kinds: kindArray, elem: a[0].member()}
	},
	"startswith": tested(strings.HasPrefix, "begins with"),
	"endswith":   tested(strings.HasSuffix, "ends with"),
	"contains":   tested(strings.Contains, "contains"),
	"regex.match": func(f *flow, at *ast.Location, a []*shape) *shape {
		return tested(matches, "matches")(f, at, []*shape{a[1], a[0]})
	},
	"lower":       changed(strings.ToLower),
	"upper":       changed(strings.ToUpper),
	"trim_space":  changed(strings.TrimSpace),
	"trim_prefix": trimmed(strings.TrimPrefix),
	"trim_suffix": trimmed(strings.TrimSuffix),
}

func compareBoth(f *flow, at *ast.Location, a []*shape) *shape {
	f.claims.compare(at, a[0], a[1])
	return of(kindBoolean)
}

func (f *flow) compareMember(at *ast.Location, value, collection *shape) {
	if collection.any || collection.kinds&(kindArray|kindSet|kindObject) == 0 {
		return
	}
	f.claims.compare(at, value, collection.member())
}

func compareElements(f *flow, at *ast.Location, a []*shape) *shape {
	if !a[0].any && !a[1].any {
		f.claims.compare(at, a[0].element(), a[1].element())
	}
	return collected(kindSet, a[0])
}

// collected is a collection of the elements of others.
func collected(k kind, from ...*shape) *shape {
	out := &shape{kinds: k, elem: &shape{}}
	for _, s := range from {
		out.elem = join(out.elem, s.element())
	}
	return out
}

// nested is the shape of a set made of the elements of sets.
func nested(sets *shape) *shape { return &shape{kinds: kindSet, elem: sets.element().element()} }

// objectGet follows object.get, whose key may be a path.
func objectGet(f *flow, at *ast.Location, a []*shape) *shape {
	value, key, otherwise := a[0], a[1], a[2]
	if value.any {
		return unknown
	}
	path := []*shape{key}
	if key.kinds == kindArray {
		if len(key.items) == 0 {
			return unknown
		}
		path = key.items
	}
	for _, k := range path {
		switch {
		case value.any || k.any:
			return unknown
		case value.kinds&kindObject != 0:
			value = f.property(at, value, k)
		default:
			value = value.member()
		}
	}
	return join(value.sometimes(), otherwise)
}

// merge is the shape of object.union: the second wins, and objects in both are merged.
func merge(a, b *shape) *shape {
	if a.any || b.any || a.kinds != kindObject || b.kinds != kindObject {
		return unknown
	}
	out := &shape{kinds: kindObject, fields: map[string]*field{}, rest: joinAll(a.rest, b.rest)}
	for name, f := range a.fields {
		out.fields[name] = f
	}
	for name, f := range b.fields {
		if old := out.fields[name]; old != nil && old.shape.kinds == kindObject && f.shape.kinds == kindObject {
			out.fields[name] = &field{shape: merge(old.shape, f.shape), at: f.at}
			continue
		}
		out.fields[name] = f
	}
	return out
}

func mergeAll(objects *shape) *shape {
	if objects.any || len(objects.items) == 0 {
		return unknown
	}
	out := objects.items[0]
	for _, o := range objects.items[1:] {
		out = merge(out, o)
	}
	return out
}

// without judges the names that are to be taken out of an object, or left in it.
func (f *flow) without(at *ast.Location, object, names *shape) *shape {
	if !object.any && object.kinds == kindObject && !names.any {
		f.property(at, object, names.member())
	}
	return unknown
}

// tested judges a test of a string that has few values against words of the policy.
func tested(test func(s, arg string) bool, does string) func(*flow, *ast.Location, []*shape) *shape {
	return func(f *flow, at *ast.Location, a []*shape) *shape {
		result := of(kindBoolean)
		if a[0].any || a[1].any || a[0].words == nil || len(a[0].words.lists) == 0 {
			return result
		}
		values, known := a[0].words.all()
		args, sole := a[1].words.sole()
		if !known || !sole {
			return result
		}
		for _, arg := range args {
			possible := slices.ContainsFunc(values, func(v string) bool { return test(v, arg) })
			f.claims.add(claim{
				code: ImpossibleValue, at: nameAt(a[1], arg, at)[0], subject: does + arg, possible: possible,
				message: "no value of " + a[0].words.lists[0].of + " " + does + " " + quote(arg),
				fix:     suggest(arg, values),
			})
		}
		return result
	}
}

func matches(s, pattern string) bool {
	expression, err := regexp.Compile(pattern)
	return err != nil || expression.MatchString(s)
}

// changed follows a function that makes one string of one string.
func changed(change func(string) string) func(*flow, *ast.Location, []*shape) *shape {
	return func(_ *flow, _ *ast.Location, a []*shape) *shape { return mapped(a[0], change) }
}

// trimmed follows a function that takes a word of the policy away.
func trimmed(trim func(s, arg string) string) func(*flow, *ast.Location, []*shape) *shape {
	return func(_ *flow, _ *ast.Location, a []*shape) *shape {
		if a[1].any {
			return text()
		}
		args, ok := a[1].words.sole()
		if !ok || len(args) != 1 {
			return text()
		}
		return mapped(a[0], func(s string) string { return trim(s, args[0]) })
	}
}

func mapped(s *shape, change func(string) string) *shape {
	if s.any || s.words == nil || s.kinds != kindString {
		return text()
	}
	out := &words{open: s.words.open, said: map[string][]*ast.Location{}}
	for _, l := range s.words.lists {
		values := make([]string, len(l.values))
		for i, v := range l.values {
			values[i] = change(v)
		}
		out.lists = append(out.lists, &list{of: l.of, values: values})
	}
	for value, at := range s.words.said {
		out.said[change(value)] = at
	}
	return &shape{kinds: kindString, words: out}
}
