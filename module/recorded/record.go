package recorded

import (
	"bytes"
	"encoding/json"
	"strings"
	"time"

	"github.com/sealgate/sealgate/module/engine"
	"github.com/sealgate/sealgate/policy"
	"github.com/sealgate/sealgate/policy/replay"
)

// record is what a replay needs of a decision record.
type record struct {
	ID        string                  `json:"id"`
	Time      time.Time               `json:"time"`
	Operation string                  `json:"operation"`
	Outcome   engine.Outcome          `json:"outcome"`
	Decided   engine.RecordEncryption `json:"decided"`
	Findings  []policy.Finding        `json:"findings"`
	Keys      *engine.RecordKeys      `json:"keys"`
	Input     json.RawMessage         `json:"input"`
	Hashed    []string                `json:"hashed"`
	Erased    []string                `json:"erased"`
}

// read gives the request of a record; ok is false if there is none to replay.
func (r *Reader) read(text []byte) (request replay.Request, ok bool) {
	var is record
	if err := json.Unmarshal(text, &is); err != nil || is.ID == "" || is.Outcome == "" {
		r.Unreadable++
		return request, false
	}
	if is.Time.Before(r.Since) {
		return request, false
	}
	request = replay.Request{ID: is.ID, Before: is.verdict()}
	if len(is.Input) == 0 || bytes.Equal(is.Input, []byte("null")) {
		if is.Outcome == engine.OutcomeRefused {
			r.Early++
			return request, false
		}
		return request, true
	}
	document, err := policy.ReadRecorded(is.Input, is.below())
	if err != nil { // an input of another version, with fields this one does not know
		return request, true
	}
	request.Input, request.Lacks = document.Input, document.Lacks
	return request, true
}

// below are the paths of the input that are not what they were.
func (r *record) below() []string {
	var out []string
	for _, list := range [][]string{r.Hashed, r.Erased} {
		for _, path := range list {
			if below, ok := strings.CutPrefix(path, "input."); ok {
				out = append(out, below)
			}
		}
	}
	return out
}

// verdict is what policy said, as a record tells it: what the gateway or the store made
// of the request afterwards is left out.
func (r *record) verdict() replay.Verdict {
	v := replay.Verdict{
		Allow: true, Findings: []policy.Finding{}, Brief: true,
		// These have one record for several decisions.
		Pooled: r.Keys != nil || strings.Contains(r.Operation, "Copy"),
	}
	for _, f := range r.Findings {
		switch {
		case strings.HasPrefix(f.ID, "EVL-"):
			v.Fault, v.Allow = f.ID, false
		case strings.HasPrefix(f.ID, "ENF-"):
		default:
			v.Findings = append(v.Findings, f)
			v.Allow = v.Allow && !f.Denies()
		}
	}
	d := r.Decided
	v.Encryption = policy.Encryption{
		Mode: policy.Mode(d.Mode), KeyID: d.KeyID, Keyring: d.Keyring, BucketKey: d.BucketKey, OnConflict: d.OnConflict,
		Context: make(map[string]string, len(d.Context)),
	}
	for _, name := range d.Context {
		v.Encryption.Context[name] = ""
	}
	return v
}
