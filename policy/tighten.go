package policy

import (
	"bytes"

	"github.com/open-policy-agent/opa/v1/ast"
)

// Tightens reports whether a candidate can only deny more than the policy in force: its
// posture and every file are the same, and files that it has in addition hold packages
// of denials which nothing there was before reads. It is false where that is not seen.
func (c *Candidate) Tightens() bool {
	if c.Current == nil {
		return false
	}
	before, after := c.Current.sources, c.Generation.sources
	if !bytes.Equal(before.posture.data, after.posture.data) {
		return false
	}
	added := make(map[string]source, len(after.site))
	for _, f := range after.site {
		added[f.name] = f
	}
	for _, f := range before.site {
		if same, ok := added[f.name]; !ok || !bytes.Equal(same.data, f.data) {
			return false
		}
		delete(added, f.name)
	}
	old, err := parse("", before.site)
	if err != nil {
		return false
	}
	for _, f := range added {
		fresh, err := parse("", []source{f})
		if err != nil || !onlyDenies(fresh[f.name], old) {
			return false
		}
	}
	return true
}

// onlyDenies reports whether a module is the first of a package of denials that no
// module of old has a part in or reads. What the library reads of a site is
// site.rules[_].deny.
func onlyDenies(fresh *ast.Module, old map[string]*ast.Module) bool {
	path, ground := groundPath(fresh.Package.Path)
	if !ground || len(path) < 4 || path[1] != "site" || path[2] != "rules" {
		return false
	}
	for _, m := range old {
		if meet(m.Package.Path, fresh.Package.Path) || readsAny(m, fresh.Package.Path) {
			return false
		}
	}
	return true
}

// readsAny reports whether a module mentions what may be in a package.
func readsAny(m *ast.Module, pkg ast.Ref) bool {
	found := wholeData(m)
	ast.WalkRefs(m, func(r ast.Ref) bool {
		found = found || r.HasPrefix(ast.DefaultRootRef) && meet(r, pkg)
		return false
	})
	return found
}

// wholeData reports whether a module uses data itself, other than to begin a reference.
func wholeData(m *ast.Module) bool {
	begins := 0
	ast.WalkRefs(m, func(r ast.Ref) bool {
		if len(r) > 0 && r[0].Equal(ast.DefaultRootDocument) {
			begins++
		}
		return false
	})
	uses := 0
	ast.WalkTerms(m, func(t *ast.Term) bool {
		if t.Equal(ast.DefaultRootDocument) {
			uses++
		}
		return false
	})
	return uses > begins
}

// meet reports whether one of two references may lead into the other: they do not
// differ in a word before one of them ends or has a variable.
func meet(a, b ast.Ref) bool {
	for i := range min(len(a), len(b)) {
		x, xGround := a[i].Value.(ast.String)
		y, yGround := b[i].Value.(ast.String)
		if xGround && yGround && x != y {
			return false
		}
	}
	return true
}
