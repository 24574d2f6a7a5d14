package replay

import (
	"cmp"
	"maps"
	"slices"

	"github.com/sealgate/sealgate/policy"
)

// Outcome is what came of one request.
type Outcome struct {
	Kind Kind `json:"kind"`
	// ID is that of the decision record.
	ID string `json:"id"`
	// Input is the request; nil when its record has none.
	Input  *policy.Input `json:"input,omitempty"`
	Before Verdict       `json:"before"`
	After  Verdict       `json:"after"`
	// Lacks are the fields the candidate reads and the record does not tell; "input"
	// stands for all of it. It is set where Kind is NotReplayable.
	Lacks []string `json:"lacks,omitempty"`
}

// String is the outcome in one line.
func (o Outcome) String() string {
	name := "a request"
	if o.Input != nil {
		name = Subject(o.Input)
	}
	if o.ID != "" {
		name += " [" + o.ID + "]"
	}
	if o.Kind == NotReplayable {
		return name + ": " + o.Before.String() + "; the record lacks " + list(o.Lacks)
	}
	return name + ": " + o.Before.String() + ", now " + o.After.String()
}

// Subject says what a request is about, and whose it is.
func Subject(in *policy.Input) string {
	out := in.Request.Operation
	switch {
	case in.Resource.Key != "":
		out += " " + in.Resource.Bucket + "/" + in.Resource.Key
	case in.Resource.Bucket != "":
		out += " " + in.Resource.Bucket
	}
	switch {
	case in.Identity.Principal != "":
		out += " for " + in.Identity.Principal
	case in.Identity.AuthMethod == "" || in.Identity.AuthMethod == policy.AuthAnonymous:
		out += " without a signature"
	}
	return out
}

// Rule is what changes about one rule.
type Rule struct {
	Rule   string `json:"rule"`
	Gained int    `json:"gained"` // requests that have a finding of it only now
	Lost   int    `json:"lost"`   // requests that had one and have none
	Turned int    `json:"turned"` // requests of which something else comes of it: warn in place of deny
	// DenyToAllow and AllowToDeny count those of them that pass now, or no longer.
	DenyToAllow int `json:"deny_to_allow"`
	AllowToDeny int `json:"allow_to_deny"`
}

// Bounds of a report, which may be about any number of requests.
const (
	defaultExamples = 5
	maxNames        = 1000
)

// Report sums up outcomes. It is not safe for concurrent use.
type Report struct {
	Revision string `json:"revision"` // of the candidate
	// Baseline is the revision whose verdicts the candidate's are compared with; ""
	// where they are those of the time.
	Baseline      string       `json:"baseline,omitempty"`
	Requests      int          `json:"requests"`
	Same          int          `json:"same"`
	Changed       int          `json:"changed"`
	NotReplayable int          `json:"not_replayable"`
	Kinds         map[Kind]int `json:"kinds"` // of those that changed
	// Lacking counts the requests that are not replayable, by what is lacking.
	Lacking map[string]int `json:"lacking"`

	rules    map[string]*Rule
	examples map[Kind][]Outcome
	each     int
}

// NewReport makes an empty report that keeps a number of examples of each kind; 0
// means 5, less than 0 none.
func NewReport(examples int) *Report {
	if examples == 0 {
		examples = defaultExamples
	}
	return &Report{
		Kinds: map[Kind]int{}, Lacking: map[string]int{},
		rules: map[string]*Rule{}, examples: map[Kind][]Outcome{}, each: examples,
	}
}

// Wants reports whether an outcome of this kind would be kept as an example.
func (r *Report) Wants(k Kind) bool { return k != Same && len(r.examples[k]) < r.each }

// Add counts an outcome. It may be kept; its input is not copied.
func (r *Report) Add(o Outcome) {
	r.Requests++
	switch o.Kind {
	case Same:
		r.Same++
		return
	case NotReplayable:
		r.NotReplayable++
		for _, path := range o.Lacks {
			if _, known := r.Lacking[path]; known || len(r.Lacking) < maxNames {
				r.Lacking[path]++
			}
		}
	default:
		r.Changed++
		r.Kinds[o.Kind]++
		r.count(o)
	}
	if r.Wants(o.Kind) {
		r.examples[o.Kind] = append(r.examples[o.Kind], o)
	}
}

func (r *Report) count(o Outcome) {
	before, after := actions(o.Before), actions(o.After)
	for rule, action := range after {
		switch then, was := before[rule]; {
		case !was:
			r.of(rule, o.Kind, func(n *Rule) { n.Gained++ })
		case then != action:
			r.of(rule, o.Kind, func(n *Rule) { n.Turned++ })
		}
	}
	for rule := range before {
		if _, still := after[rule]; !still {
			r.of(rule, o.Kind, func(n *Rule) { n.Lost++ })
		}
	}
}

// actions are the strongest ones by rule.
func actions(v Verdict) map[string]string {
	out := make(map[string]string, len(v.Findings)+1)
	for _, f := range v.Findings {
		if out[f.ID] != policy.ActionDeny {
			out[f.ID] = f.Action
		}
	}
	if v.Fault != "" {
		out[v.Fault] = policy.ActionDeny
	}
	return out
}

func (r *Report) of(rule string, k Kind, count func(*Rule)) {
	n := r.rules[rule]
	if n == nil {
		if len(r.rules) == maxNames {
			return
		}
		n = &Rule{Rule: rule}
		r.rules[rule] = n
	}
	count(n)
	switch k {
	case DenyToAllow:
		n.DenyToAllow++
	case AllowToDeny:
		n.AllowToDeny++
	}
}

// Rules lists the rules about which something changes, those by which more passes
// first.
func (r *Report) Rules() []Rule {
	out := make([]Rule, 0, len(r.rules))
	for _, n := range r.rules {
		out = append(out, *n)
	}
	slices.SortFunc(out, func(a, b Rule) int {
		return cmp.Or(cmp.Compare(b.DenyToAllow, a.DenyToAllow), cmp.Compare(b.AllowToDeny, a.AllowToDeny),
			cmp.Compare(b.Gained+b.Lost+b.Turned, a.Gained+a.Lost+a.Turned), cmp.Compare(a.Rule, b.Rule))
	})
	return out
}

// Examples are the first outcomes of each kind, by kind in the order of Differences,
// those that are not replayable last.
func (r *Report) Examples() []Outcome {
	out := []Outcome{}
	for _, k := range append(Differences(), NotReplayable) {
		out = append(out, r.examples[k]...)
	}
	return out
}

// Example is the first outcome of a kind; ok is false if there is none.
func (r *Report) Example(k Kind) (o Outcome, ok bool) {
	if list := r.examples[k]; len(list) > 0 {
		return list[0], true
	}
	return Outcome{}, false
}

// Snapshot is a copy that goes on being what it is when more is added.
func (r *Report) Snapshot() *Report {
	out := *r
	out.Kinds, out.Lacking = maps.Clone(r.Kinds), maps.Clone(r.Lacking)
	out.rules, out.examples = make(map[string]*Rule, len(r.rules)), make(map[Kind][]Outcome, len(r.examples))
	for name, n := range r.rules {
		rule := *n
		out.rules[name] = &rule
	}
	for k, list := range r.examples {
		out.examples[k] = slices.Clone(list)
	}
	return &out
}
