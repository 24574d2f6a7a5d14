package posture

import (
	"slices"
	"strings"
)

// tree is a radix tree: values by key, found by what a text begins with. What it takes
// to find one grows with the length of the text, not with the number of keys.
type tree[T any] struct{ root node[T] }

type node[T any] struct {
	label    string // what the key has beyond the parent's; empty only at the root
	value    *T     // nil where no key ends
	first    []byte // first byte of each child's label
	children []*node[T]
}

// next goes down by one node; nil when no further key is a beginning of the text.
func (n *node[T]) next(text string) (child *node[T], rest string) {
	if text == "" {
		return nil, ""
	}
	i := slices.Index(n.first, text[0])
	if i < 0 || !strings.HasPrefix(text, n.children[i].label) {
		return nil, ""
	}
	return n.children[i], text[len(n.children[i].label):]
}

// longest returns the value of the longest key the text begins with, nil when there
// is none.
func (t *tree[T]) longest(text string) *T {
	found := t.root.value
	for n, rest := t.root.next(text); n != nil; n, rest = n.next(rest) {
		if n.value != nil {
			found = n.value
		}
	}
	return found
}

// at returns the place for the value of a key, which is made if it is not there.
func (t *tree[T]) at(key string) *node[T] {
	n := &t.root
	for key != "" {
		i := slices.Index(n.first, key[0])
		if i < 0 {
			child := &node[T]{label: key}
			n.first, n.children = append(n.first, key[0]), append(n.children, child)
			return child
		}
		child := n.children[i]
		same := common(child.label, key)
		if same < len(child.label) {
			below := *child
			below.label = child.label[same:]
			*child = node[T]{label: key[:same], first: []byte{below.label[0]}, children: []*node[T]{&below}}
		}
		n, key = child, key[same:]
	}
	return n
}

// common is how many bytes two texts have in common at their beginning.
func common(a, b string) int {
	n := min(len(a), len(b))
	for i := range n {
		if a[i] != b[i] {
			return i
		}
	}
	return n
}
