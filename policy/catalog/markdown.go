package catalog

import (
	"fmt"
	"strings"
)

// Markdown writes the reference page of rules, and the mapping to controls.
func Markdown(rules []Rule, mapping Mapping) string {
	var b strings.Builder
	line := func(format string, args ...any) { fmt.Fprintf(&b, format+"\n", args...) }
	line("# Rules of the library\n")
	line("Generated from the annotations in `rego/` by `go test ./policy/catalog -update`; do not edit.\n")
	line("A finding of a rule refuses the request, unless the posture gives the rule another action, an exception or a")
	line("break-glass window. Findings of **locked** rules always refuse. Rules about something a posture can say fire only")
	line("where it says it.\n")
	line("| rule | severity | what |")
	line("|---|---|---|")
	for _, f := range Families() {
		for _, r := range of(rules, f.ID) {
			line("| [%s](#%s) | %s | %s |", r.ID, strings.ToLower(r.ID), r.Severity, r.Title)
		}
	}
	for _, f := range Families() {
		line("\n## %s: %s", f.ID, f.Title)
		for _, r := range of(rules, f.ID) {
			line("\n### %s\n", r.ID)
			locked := ""
			if r.Locked {
				locked = " · locked"
			}
			line("**%s** · %s%s · [%s](../../%s)\n", r.Title, r.Severity, locked, r.Location.File, r.Location.File)
			line("%s\n", r.Description)
			line("*What to do:* %s\n", r.Remediation)
			line("*Controls:* %s", strings.Join(r.Controls, ", "))
			for _, ref := range r.References {
				line("\n<%s>", ref)
			}
		}
	}
	line("\n## Controls\n")
	line("%s", mapping.Caution)
	for _, f := range mapping.Frameworks {
		line("\n### %s\n", f.Name)
		line("<%s>\n", f.Source)
		line("| control | what | rules |")
		line("|---|---|---|")
		for _, c := range f.Controls {
			what := c.Title
			if c.Note != "" {
				what += " (" + c.Note + ")"
			}
			line("| %s | %s | %s |", c.ID, what, strings.Join(c.Rules, ", "))
		}
	}
	return b.String()
}

func of(rules []Rule, family string) []Rule {
	var out []Rule
	for _, r := range rules {
		if r.Family == family {
			out = append(out, r)
		}
	}
	return out
}
