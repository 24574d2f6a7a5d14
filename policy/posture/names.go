package posture

import (
	"maps"
	"net/netip"
	"slices"
	"strings"
	"time"
)

// Names are what a posture mentions: what to make up requests about to see what it does.
type Names struct {
	Principals []string // of grants and waivers, without those that stand for many
	Groups     []string
	Resources  []string    // patterns of grants and waivers
	Keys       []string    // KMS keys of entries
	Regions    []string    // of residency
	Addresses  []string    // the first one of every network
	Moments    []time.Time // at which what the file says changes
}

// Names lists what the posture mentions, each list sorted and fresh.
func (p *Posture) Names() Names {
	var n Names
	for name := range p.grants.principal {
		n.Principals = append(n.Principals, name)
	}
	for name := range p.grants.group {
		n.Groups = append(n.Groups, name)
	}
	for _, g := range p.grants.all {
		n.Resources = appendTexts(n.Resources, g.resources)
	}
	for _, s := range p.waivers.all {
		n.Principals = append(n.Principals, s.principals...)
		n.Groups = append(n.Groups, s.groups...)
		n.Resources = appendTexts(n.Resources, s.resources)
	}
	for r := range p.Rules() {
		n.Keys = append(n.Keys, r.AllowedKeys...)
		n.Regions = append(n.Regions, r.Residency...)
	}
	for _, prefix := range slices.SortedFunc(maps.Keys(p.networks.names), netip.Prefix.Compare) {
		n.Addresses = append(n.Addresses, prefix.Addr().String())
	}
	n.Principals = slices.DeleteFunc(n.Principals, func(s string) bool { return s == everyVerified || s == anonymous })
	for _, list := range []*[]string{&n.Principals, &n.Groups, &n.Resources, &n.Keys, &n.Regions} {
		slices.Sort(*list)
		*list = slices.Compact(*list)
	}
	n.Moments = slices.Clone(p.epochs.dates)
	return n
}

func appendTexts(list []string, globs []glob) []string {
	for _, g := range globs {
		list = append(list, g.text)
	}
	return list
}

// Sample is a text that a pattern matches; stars stand for with.
func Sample(pattern, with string) string { return strings.ReplaceAll(pattern, "*", with) }
