package policy

import (
	"maps"
	"slices"
	"strings"

	"github.com/sealgate/sealgate/policy/posture"
)

// DecisionSchema is the identifier of the decision document.
const DecisionSchema = "sealgate.decision/v1"

// Decision is the answer for one request. Its slices and maps belong to the caller.
type Decision struct {
	Allow      bool       `json:"allow"`
	Findings   []Finding  `json:"findings"` // what was found; denied if one of them denies
	Encryption Encryption `json:"encryption"`
	OnRead     string     `json:"on_read"` // decrypt, pass-through or reject
	Revision   string     `json:"revision"`
}

// Finding is one thing a rule found wrong with a request.
type Finding struct {
	ID      string `json:"id"`  // AAA-000
	Message string `json:"msg"` // for the operator
	Path    string `json:"path"`
	Action  string `json:"action"` // what comes of it: one of the Action constants
	Waiver  string `json:"waiver"` // id of the exception or break-glass window that lifted it, "" none
}

// The values of Finding.Action. Findings of a rule that is off are not shown.
const (
	ActionDeny  = posture.ActionDeny  // the request is refused
	ActionWarn  = posture.ActionWarn  // the client is told, and the record
	ActionAudit = posture.ActionAudit // the record is told
)

// Encryption is how a write must be encrypted. Mode is Unchanged for operations
// that write nothing and on denials for which no rule requires a mode.
type Encryption struct {
	Mode    Mode   `json:"mode"`
	KeyID   string `json:"key_id"` // "" = the store's default key
	Keyring string `json:"keyring"`
	// Context holds the entries the encryption context must have; never nil.
	Context     map[string]string `json:"context"`
	BucketKey   *bool             `json:"bucket_key"`   // nil = not said
	AllowedKeys []string          `json:"allowed_keys"` // keys a client may name
	OnConflict  string            `json:"on_conflict"`  // one of the posture.OnConflict constants
}

// decisionLimit bounds the text of a decision that is remembered, in bytes.
const decisionLimit = 4 << 10

// clone returns a copy that shares nothing which could be written to.
func (d Decision) clone() Decision {
	d.Findings = slices.Clone(d.Findings)
	d.Encryption.Context = maps.Clone(d.Encryption.Context)
	d.Encryption.AllowedKeys = slices.Clone(d.Encryption.AllowedKeys)
	if p := d.Encryption.BucketKey; p != nil {
		v := *p
		d.Encryption.BucketKey = &v
	}
	return d
}

// detached returns a clone to keep: its text is its own as well, so that it does not
// hold on to the request it was taken from. A large one is not to be kept.
func (d Decision) detached() (Decision, bool) {
	d = d.clone()
	size := 0
	own := func(s *string) { *s, size = strings.Clone(*s), size+len(*s) }
	for i := range d.Findings {
		f := &d.Findings[i]
		own(&f.ID)
		own(&f.Message)
		own(&f.Path)
		own(&f.Action)
		own(&f.Waiver)
	}
	e := &d.Encryption
	for i := range e.AllowedKeys {
		own(&e.AllowedKeys[i])
	}
	own(&e.KeyID)
	own(&e.Keyring)
	entries := make(map[string]string, len(e.Context))
	for k, v := range e.Context {
		own(&k)
		own(&v)
		entries[k] = v
	}
	e.Context = entries
	return d, size <= decisionLimit
}

// Rule identifiers the engine itself raises; no site rule can switch them off.
const (
	FindingConflict = "ENC-000" // requirements of equal strength disagree
	FindingFloor    = "ENC-001" // nothing says how to encrypt, or weaker than the posture
	FindingNoGrant  = "GRT-000" // an action without a grant
)
