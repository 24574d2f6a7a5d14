package policy

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/open-policy-agent/opa/v1/ast"
)

// projection writes what a policy can read of a complete input, as a key.
type projection []func(key, *Input) key

// project finds what a compiled policy can read of the input. The error says why its
// decisions cannot be remembered, or why that would be of no use.
func project(compiler *ast.Compiler) (projection, error) {
	for _, b := range compiler.Required.Builtins {
		// What is required is described without whether it is deterministic.
		if known := ast.BuiltinMap[b.Name]; known == nil || !deterministic(known) {
			return nil, fmt.Errorf("%s does not depend on the input alone", b.Name)
		}
	}
	return projectionOf(reads(compiler.Modules))
}

// reads lists every reference to the input in every rule of a compiled policy, also in
// rules that are never asked. It is complete because it does not follow anything: OPA
// evaluates what stands in a rule, compilation has resolved imports and shadowed names,
// and no built-in function sees the input but through its arguments. A document that
// is given a name or handed to a function, x := input.request, counts as read with all
// there is in it. (OPA's own analysis, v1/dependencies, follows variables instead; the
// tests hold it against this one.)
func reads(modules map[string]*ast.Module) []ast.Ref {
	var found []ast.Ref
	var visitor *ast.GenericVisitor
	visitor = ast.NewGenericVisitor(func(x any) bool {
		switch x := x.(type) {
		case *ast.Head: // whose reference the visitor passes over
			for _, t := range x.Reference[min(1, len(x.Reference)):] {
				visitor.Walk(t)
			}
		case ast.Ref:
			if len(x) > 0 && x[0].Equal(ast.InputRootDocument) {
				found = append(found, x)
				for _, t := range x[1:] {
					visitor.Walk(t)
				}
				return true
			}
		case ast.Var:
			if x.Equal(ast.InputRootDocument.Value) {
				found = append(found, ast.InputRootRef)
			}
		}
		return false
	})
	for _, name := range slices.Sorted(maps.Keys(modules)) {
		for _, rule := range modules[name].Rules {
			visitor.Walk(rule)
		}
	}
	return found
}

// selection says which leaves are read, by their place in the table: with a nil set the
// whole leaf, otherwise the entries of that name.
type selection map[int]map[string]bool

// projectionOf selects the leaves that references to the input can touch.
func projectionOf(refs []ast.Ref) (projection, error) {
	selected := selection{}
	for _, ref := range refs {
		if err := selected.add(ref); err != nil {
			return nil, err
		}
	}
	var out projection
	for i, l := range leaves {
		names, ok := selected[i]
		switch {
		case !ok:
		case names == nil:
			out = append(out, l.write)
		default:
			for _, name := range slices.Sorted(maps.Keys(names)) {
				out = append(out, func(k key, in *Input) key { return k.entry(l.entries(in), name) })
			}
		}
	}
	return out, nil
}

// add selects the leaves below a reference, or the leaf or entry it reads from. A
// reference counts up to its first part that is not a constant name.
func (s selection) add(ref ast.Ref) error {
	path := inputPath(ref)
	touched := false
	for i, l := range leaves {
		whole, entry := l.touched(path)
		if !whole && entry == "" {
			continue
		}
		if l.unique {
			return fmt.Errorf("%s%s is read: input.%s differs in every request", place(ref), ref, l.path)
		}
		touched = true
		names, seen := s[i]
		switch {
		case whole:
			s[i] = nil
		case !seen:
			s[i] = map[string]bool{entry: true}
		case names != nil:
			names[entry] = true
		}
	}
	if !touched {
		return fmt.Errorf("%s%s is no field of the input", place(ref), ref)
	}
	return nil
}

// touched says whether a path reads the whole leaf or one entry of it.
func (l *leaf) touched(path []string) (whole bool, entry string) {
	own := strings.Split(l.path, ".")
	n := min(len(own), len(path))
	switch {
	case !slices.Equal(own[:n], path[:n]):
		return false, ""
	case l.entries == nil || n == len(path) || path[n] == "":
		return true, ""
	}
	return false, path[n]
}

// inputPath returns the constant names that follow input.
func inputPath(ref ast.Ref) []string {
	var path []string
	for _, t := range ref[1:] {
		name, ok := t.Value.(ast.String)
		if !ok {
			break
		}
		path = append(path, string(name))
	}
	return path
}

func place(ref ast.Ref) string {
	if at := ref[0].Location; at != nil && at.File != "" {
		return fmt.Sprintf("%s:%d: ", at.File, at.Row)
	}
	return ""
}
