package policy

import (
	"iter"

	"github.com/sealgate/sealgate/policy/posture"
)

// Fill fills in what Decide fills in, and decides nothing.
func (g *Generation) Fill(in *Input) {
	if g != nil {
		g.fill(in)
	}
}

// Mentioned is what the posture mentions.
func (g *Generation) Mentioned() posture.Names {
	if g == nil {
		return posture.Names{}
	}
	return g.posture.Names()
}

// PostureRules yields every entry of the posture, in no particular order. They are not
// to be modified.
func (g *Generation) PostureRules() iter.Seq[*posture.Rule] {
	if g == nil {
		return func(func(*posture.Rule) bool) {}
	}
	return g.posture.Rules()
}

// PostureDigest identifies the content of the posture file; "" when nothing is loaded.
func (g *Generation) PostureDigest() string {
	if g == nil {
		return ""
	}
	return g.sources.postureDigest()
}
