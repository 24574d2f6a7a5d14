package cli

import (
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"slices"
	"strings"

	"github.com/sealgate/sealgate/module/engine"
	"github.com/sealgate/sealgate/policy"
	"github.com/sealgate/sealgate/policy/explain"
)

// triedRequests is what became of the requests of one command, in JSON too.
type triedRequests struct {
	Requests []triedRequest `json:"requests"`
	Notes    []string       `json:"notes,omitempty"`
	// Left counts requests that a client would not have sent any more.
	Left int `json:"not_sent"`
}

type triedRequest struct {
	Name        string                  `json:"name"`
	Method      string                  `json:"method"`
	Path        string                  `json:"path"`
	Times       int                     `json:"more_like_it,omitempty"`
	Operation   string                  `json:"operation"`
	Outcome     engine.Outcome          `json:"outcome"`
	Findings    []policy.Finding        `json:"findings"`
	Cause       string                  `json:"cause,omitempty"`
	Asked       engine.RecordEncryption `json:"asked"`
	Decided     engine.RecordEncryption `json:"decided"`
	Sent        engine.RecordEncryption `json:"sent"`
	Calls       []triedCall             `json:"calls"`
	Client      triedClient             `json:"client"`
	Input       *policy.Input           `json:"input,omitempty"`
	Explanation *explain.Explanation    `json:"explanation,omitempty"`

	subject string
}

// triedCall is what reached the store.
type triedCall struct {
	Method  string            `json:"method"`
	URL     string            `json:"url"`
	Headers map[string]string `json:"encryption_headers"`
	Bytes   int64             `json:"bytes"`
}

// triedClient is what the client saw.
type triedClient struct {
	Status  int      `json:"status"`
	Code    string   `json:"code,omitempty"`
	Message string   `json:"message,omitempty"`
	RuleIDs []string `json:"rule_ids"`
	Warning string   `json:"warning,omitempty"`
}

// finding is the error for requests that did not all succeed.
func (t triedRequests) finding() error {
	for _, r := range t.Requests {
		if r.Outcome == engine.OutcomeFault {
			return errors.New("it could not be decided: " + r.Cause)
		}
		if r.Client.Status == 0 || r.Client.Status >= http.StatusBadRequest || r.Client.Code != "" {
			return finding(errors.New("not everything is allowed"))
		}
	}
	return nil
}

func (t triedRequests) print(w io.Writer, site string) {
	for i, r := range t.Requests {
		if i > 0 {
			fmt.Fprintln(w)
		}
		r.print(w, site)
	}
	if t.Left > 0 {
		fmt.Fprintf(w, "\nThe client would not go on: %s not sent.\n", plural(t.Left, "request"))
	}
	for _, n := range t.Notes {
		fmt.Fprintf(w, "\nNote: %s.\n", n)
	}
}

// verdict is the first word on a request.
func (r triedRequest) verdict() string {
	switch r.Outcome {
	case engine.OutcomeOK:
		if r.Client.Code != "" { // in a reply of status 200: some of several objects
			return "ALLOWED IN PART"
		}
		return "ALLOWED"
	case engine.OutcomeDenied:
		return "DENIED"
	}
	return strings.ToUpper(string(r.Outcome))
}

func (r triedRequest) print(w io.Writer, site string) {
	fmt.Fprintf(w, "%s  %s\n", r.verdict(), r.subject)
	fmt.Fprintf(w, "  request    %s: %s %s%s\n", r.Name, r.Method, r.Path, more(r.Times))
	for _, f := range r.Findings {
		fmt.Fprintf(w, "  finding    %s  %s%s%s\n", f.ID, f.Message, effect(f), r.placeOf(f, site))
	}
	if r.Outcome == engine.OutcomeRefused {
		fmt.Fprintf(w, "  reason     %s\n", r.Cause)
	}
	if r.Asked.Mode != "" {
		fmt.Fprintf(w, "  asked      %s\n", choiceWords(r.Asked))
	}
	if m := r.Decided.Mode; m != "" && m != string(policy.Unchanged) {
		fmt.Fprintf(w, "  decided    %s\n", choiceWords(r.Decided))
	}
	r.printCalls(w)
	seen := fmt.Sprintf("%d %s", r.Client.Status, http.StatusText(r.Client.Status))
	if r.Client.Status == 0 {
		seen = "a connection that is cut"
	}
	if r.Client.Code != "" {
		seen += ", " + r.Client.Code
	}
	if len(r.Client.RuleIDs) > 0 {
		seen += " (" + strings.Join(r.Client.RuleIDs, ", ") + ")"
	}
	if r.Client.Warning != "" {
		seen += ", warned of " + r.Client.Warning
	}
	fmt.Fprintf(w, "  client     sees %s\n", seen)
	if r.Explanation != nil {
		explanationWords{w: w, in: r.Explanation.Input, e: r.Explanation, site: site}.changes()
	}
}

func (r triedRequest) printCalls(w io.Writer) {
	if len(r.Calls) == 0 {
		fmt.Fprintln(w, "  store      is sent nothing")
		return
	}
	for _, c := range r.Calls {
		fmt.Fprintf(w, "  store      is sent %s %s\n", c.Method, c.URL)
		for _, name := range slices.Sorted(maps.Keys(c.Headers)) {
			fmt.Fprintf(w, "             %s: %s\n", name, c.Headers[name])
		}
	}
	if r.Sent.Mode == string(policy.CSE) {
		fmt.Fprintf(w, "             sealed by the gateway, %s\n", choiceWords(r.Sent))
	}
}

// placeOf is where the rule of a finding is.
func (r triedRequest) placeOf(f policy.Finding, site string) string {
	if r.Explanation == nil {
		return ""
	}
	for _, d := range r.Explanation.Deciding {
		if d.Finding.ID == f.ID && d.Finding.Message == f.Message && d.Place != nil {
			return "  " + explanationWords{site: site}.place(*d.Place)
		}
	}
	return ""
}

func more(times int) string {
	if times == 0 {
		return ""
	}
	return fmt.Sprintf(" (and %d more like it)", times)
}

func choiceWords(e engine.RecordEncryption) string {
	out := e.Mode
	if e.KeyID != "" {
		out += " under " + e.KeyID
	}
	if e.Keyring != "" {
		out += " under keyring " + e.Keyring
	}
	if len(e.Context) > 0 {
		out += ", context " + strings.Join(e.Context, ", ")
	}
	return out
}
