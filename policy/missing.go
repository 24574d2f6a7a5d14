package policy

// Missing lists the actions of a request, on its resource and on a copy's source,
// that no grant covers: the part of a decision that needs no evaluation. It is meant
// for requests that must not cause work at the store before they are decided, such as
// the look at a copy's source; it is no decision. Without a policy everything is
// missing.
func (g *Generation) Missing(in *Input) []string {
	if g == nil {
		return []string{in.Request.Action}
	}
	missing := g.grants(in).Missing
	if other, ok := in.alias(); ok {
		missing = distinct(append(missing, g.grants(other).Missing...))
	}
	return missing
}
