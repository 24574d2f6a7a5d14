package s3

import (
	"fmt"
	"maps"
	"math"
	"path"
	"slices"
	"strings"
)

// bypassRetention is needed on top of what changes or removes a locked object.
const bypassRetention = "s3:BypassGovernanceRetention"

// actionNames are the IAM actions a request can need, sorted.
var actionNames = nameActions(operations)

func nameActions(ops []*Operation) []string {
	names := map[string]bool{bypassRetention: true}
	for _, op := range ops {
		// Operations of other services are refused; no grant can name their actions.
		if strings.HasPrefix(op.Action, actionPrefix) {
			names[op.Action] = true
		}
	}
	for _, action := range versionActions {
		names[action] = true
	}
	return slices.Sorted(maps.Keys(names))
}

const actionPrefix = "s3:"

// CheckAction says whether a grant of an action can ever allow something: whether
// the action, in which '*' stands for any run of letters, is one that a request
// can need. The error of one that is not names the action that was probably meant.
func CheckAction(pattern string) error {
	for _, name := range actionNames {
		if ok, err := path.Match(pattern, name); ok && err == nil {
			return nil
		}
	}
	name := strings.TrimPrefix(pattern, actionPrefix)
	if op, ok := Lookup(name); ok && strings.HasPrefix(op.Action, actionPrefix) {
		return fmt.Errorf("no request needs %.100q; the action of %s is %s", pattern, name, op.Action)
	}
	return fmt.Errorf("no request needs %.100q; the nearest action is %s", pattern, nearestAction(pattern))
}

// nearestAction is the action with the fewest letters to change, of several the one
// with the longest beginning in common. Of a pattern the text before the first '*'
// is compared with beginnings.
func nearestAction(pattern string) string {
	text, _, isPattern := strings.Cut(pattern, "*")
	text = strings.ToLower(text[:min(len(text), 100)])
	nearest, fewest, longest := "", math.MaxInt, 0
	for _, name := range actionNames {
		candidate := strings.ToLower(name)
		if isPattern {
			candidate = candidate[:min(len(candidate), len(text))]
		}
		n, same := changes(text, candidate), common(text, candidate)
		if n < fewest || n == fewest && same > longest {
			nearest, fewest, longest = name, n, same
		}
	}
	return nearest
}

// common is the length of the beginning that a and b share.
func common(a, b string) int {
	n := 0
	for n < min(len(a), len(b)) && a[n] == b[n] {
		n++
	}
	return n
}

// changes counts the bytes to insert, remove or replace to make b of a
// (Levenshtein distance).
func changes(a, b string) int {
	row := make([]int, len(b)+1) // of the matrix of beginnings of a against those of b
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0]++
		for j := range len(b) {
			replaced := diagonal
			if a[i] != b[j] {
				replaced++
			}
			diagonal = row[j+1]
			row[j+1] = min(replaced, row[j]+1, row[j+1]+1)
		}
	}
	return row[len(b)]
}
