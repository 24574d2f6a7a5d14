package posture

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"time"
)

var rulePattern = regexp.MustCompile(`^[A-Z]{3}-[0-9]{3}$`)

// ruleAction is what comes of the findings of a rule, before and from a date.
type ruleAction struct {
	rule  string
	first string
	then  string // "" = it does not change
	on    time.Time
}

func (a ruleAction) at(t time.Time) string {
	if a.then != "" && !t.Before(a.on) {
		return a.then
	}
	return a.first
}

// ruleID refuses what is no rule whose findings may do something else.
func ruleID(rule string) error {
	switch {
	case !rulePattern.MatchString(rule):
		return fmt.Errorf("%.100q is not of the form AAA-000", rule)
	case Locked(rule):
		return fmt.Errorf("%s always denies; nothing in this file changes that", rule)
	case strings.HasPrefix(rule, "BRK-"):
		return fmt.Errorf("%s is always recorded and never denies", rule)
	}
	return nil
}

func newActions(rules map[string]actionYAML, p *problems) []ruleAction {
	var out []ruleAction
	for _, rule := range slices.Sorted(maps.Keys(rules)) {
		place, y := fmt.Sprintf("rules[%s]", rule), rules[rule]
		if err := ruleID(rule); err != nil {
			p.add("rules", "%w", err)
		}
		a := ruleAction{rule: rule, first: y.Action, then: or(y.Then, "")}
		oneOf(place+": action", p, &y.Action, actions...)
		oneOf(place+": then", p, y.Then, actions...)
		switch {
		case (y.Then == nil) != (y.On == nil):
			p.add(place, "then and on belong together")
		case y.On != nil:
			var err error
			if a.on, err = day(*y.On); err != nil {
				p.add(place, "on: %w", err)
			}
		}
		out = append(out, a)
	}
	return out
}

var actions = []string{ActionDeny, ActionWarn, ActionAudit, ActionOff}

// Actions returns what comes of the findings of rules in an epoch, for those where it
// is not deny: warn, audit or off, by rule id. The map is not to be modified.
func (p *Posture) Actions(epoch int) map[string]string { return p.actions[epoch] }

// perEpoch makes the tables of Actions. Epochs in which no rule changes share one.
func (e epochs) perEpoch(list []ruleAction) []map[string]string {
	out := make([]map[string]string, len(e.dates)+1)
	for i := range out {
		begin := time.Time{}
		if i > 0 {
			begin = e.dates[i-1]
			if !slices.ContainsFunc(list, func(a ruleAction) bool { return a.then != "" && a.on.Equal(begin) }) {
				out[i] = out[i-1]
				continue
			}
		}
		out[i] = map[string]string{}
		for _, a := range list {
			if action := a.at(begin); action != ActionDeny {
				out[i][a.rule] = action
			}
		}
	}
	return out
}
