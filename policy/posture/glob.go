package posture

import "strings"

// A glob is a pattern in which '*' stands for any run of characters, the empty run
// and slashes included. There is no other special character.
type glob struct {
	text   string
	prefix string // what stands before the first '*', all of it when there is none
	stars  int
}

func newGlob(text string) glob {
	prefix, _, _ := strings.Cut(text, "*")
	return glob{text: text, prefix: prefix, stars: strings.Count(text, "*")}
}

// literal is the number of characters that must be matched as they stand.
func (g glob) literal() int { return len(g.text) - g.stars }

func (g glob) match(s string) bool {
	if g.stars == 0 {
		return s == g.text
	}
	if !strings.HasPrefix(s, g.prefix) {
		return false
	}
	if len(g.prefix)+1 == len(g.text) {
		return true
	}
	return wildcard(g.text[len(g.prefix):], s[len(g.prefix):])
}

// matchUnder reports whether the pattern matches any string that begins with s.
// Once a '*' is reached it can take up the rest of s, so only the literal
// beginning decides.
func (g glob) matchUnder(s string) bool {
	if g.stars > 0 && len(g.prefix) < len(s) {
		return strings.HasPrefix(s, g.prefix)
	}
	return strings.HasPrefix(g.prefix, s)
}

// wildcard matches in at most len(pattern)*len(s) steps: on a mismatch only the
// last '*' seen is widened.
func wildcard(pattern, s string) bool {
	p, i := 0, 0
	star, mark := -1, 0
	for i < len(s) {
		switch {
		case p < len(pattern) && pattern[p] == '*':
			star, mark = p, i
			p++
		case p < len(pattern) && pattern[p] == s[i]:
			p++
			i++
		case star >= 0:
			mark++
			p, i = star+1, mark
		default:
			return false
		}
	}
	return strings.Trim(pattern[p:], "*") == ""
}

// overlap reports whether some string is matched by both patterns.
func overlap(a, b glob) bool {
	n := min(len(a.prefix), len(b.prefix))
	if a.prefix[:n] != b.prefix[:n] {
		return false
	}
	// reach[j] says whether a[:i] and b[:j] can stand for the same string. A star
	// either ends here (the other pattern stays) or takes one more of its characters.
	reach := make([]bool, len(b.text)+1)
	reach[0] = true
	for j := 1; j <= len(b.text); j++ {
		reach[j] = reach[j-1] && b.text[j-1] == '*'
	}
	for i := 1; i <= len(a.text); i++ {
		diagonal := reach[0]
		reach[0] = reach[0] && a.text[i-1] == '*'
		for j := 1; j <= len(b.text); j++ {
			above, x, y := reach[j], a.text[i-1], b.text[j-1]
			if x == '*' || y == '*' {
				reach[j] = above || reach[j-1]
			} else {
				reach[j] = diagonal && x == y
			}
			diagonal = above
		}
	}
	return reach[len(b.text)]
}
