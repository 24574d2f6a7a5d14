package records

import (
	"slices"
	"strings"
	"time"

	"github.com/sealgate/sealgate/module/engine"
	"github.com/sealgate/sealgate/policy"
)

// decisionPath is the policy decision that events are about, as OPA names it.
const decisionPath = "sealgate/main/decision"

// bundleName is what events call the policy in force.
const bundleName = "sealgate"

// event is a decision as OPA's decision logs have it (www.openpolicyagent.org,
// "Decision Logs"). The whole record, without its input, is in custom.record, which
// OPA leaves to whoever embeds it.
type event struct {
	Labels      map[string]string      `json:"labels"`
	DecisionID  string                 `json:"decision_id"`
	Revision    string                 `json:"revision,omitempty"`
	Bundles     map[string]eventBundle `json:"bundles,omitempty"`
	Path        string                 `json:"path"`
	Input       *policy.Input          `json:"input,omitempty"`
	Result      *eventResult           `json:"result,omitempty"`
	Erased      []string               `json:"erased,omitempty"`
	Masked      []string               `json:"masked,omitempty"`
	RequestedBy string                 `json:"requested_by,omitempty"`
	Timestamp   time.Time              `json:"timestamp"`
	Metrics     map[string]int64       `json:"metrics"`
	Custom      eventCustom            `json:"custom"`
}

type eventBundle struct {
	Revision string `json:"revision,omitempty"`
}

// eventResult is what a record has of the decision document.
type eventResult struct {
	Allow      bool                    `json:"allow"`
	Findings   []policy.Finding        `json:"findings"`
	Encryption engine.RecordEncryption `json:"encryption"`
	Revision   string                  `json:"revision"`
}

type eventCustom struct {
	Record *engine.Record `json:"record"`
}

// eventOf makes an event of a record that is the caller's own.
func eventOf(r *engine.Record, labels map[string]string) *event {
	bare := *r
	bare.Input = nil
	e := &event{
		Labels: labels, DecisionID: r.ID, Path: decisionPath, Input: r.Input, Timestamp: r.Time,
		RequestedBy: r.Client.IP,
		Metrics: map[string]int64{
			"timer_rego_query_eval_ns":   r.Duration.Decision * 1000,
			"timer_server_handler_ns":    r.Duration.Total * 1000,
			"timer_sealgate_upstream_ns": r.Duration.Upstream * 1000,
		},
		Custom: eventCustom{&bare},
	}
	if r.Revision != "" {
		e.Revision, e.Bundles = r.Revision, map[string]eventBundle{bundleName: {r.Revision}}
	}
	if decided(r) {
		e.Result = &eventResult{Allow: !refused(r), Findings: r.Findings, Encryption: r.Decided, Revision: r.Revision}
		if r.Input == nil {
			e.Erased = append(e.Erased, "/input")
		}
	}
	for _, path := range r.Erased {
		if path != "input" {
			e.Erased = append(e.Erased, pointers(path)...)
		}
	}
	for _, path := range r.Hashed {
		e.Masked = append(e.Masked, pointers(path)...)
	}
	slices.Sort(e.Masked)
	return e
}

// decided reports whether policy was asked at all.
func decided(r *engine.Record) bool {
	return r.Decided.Mode != "" || len(r.Findings) > 0 || refused(r)
}

// pointers are where an event shows what a record has at a path, as JSON pointers
// (RFC 6901).
func pointers(path string) []string {
	escape := strings.NewReplacer("~", "~0", "/", "~1")
	entry := ""
	if f, err := fieldAt(path); err == nil && f.entry != "" { // the name of an entry may have dots
		entry = "/" + escape.Replace(f.entry)
		path = strings.TrimSuffix(path, "."+f.entry)
	}
	at := "/" + strings.ReplaceAll(path, ".", "/") + entry
	if strings.HasPrefix(path, "input.") {
		return []string{at}
	}
	all := []string{"/custom/record" + at}
	switch path {
	case "client.ip":
		all = append(all, "/requested_by")
	case "findings":
		all = append(all, "/result/findings")
	case "decided.key_id":
		all = append(all, "/result/encryption/key_id")
	}
	return all
}
