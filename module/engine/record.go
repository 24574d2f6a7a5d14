package engine

import (
	_ "embed"
	"time"

	"github.com/sealgate/sealgate/policy"
)

// Outcome says in one word how a request ended.
type Outcome string

const (
	// OutcomeOK: the store did what was asked (any 2xx or 304).
	OutcomeOK Outcome = "ok"
	// OutcomeDenied: policy said no.
	OutcomeDenied Outcome = "denied"
	// OutcomeRefused: malformed, unauthenticated or not carried by the gateway.
	OutcomeRefused Outcome = "refused"
	// OutcomeFault: the policy engine or the gateway could not decide.
	OutcomeFault Outcome = "fault"
	// OutcomeStore: the store answered with an error, or could not be reached.
	OutcomeStore Outcome = "store_error"
	// OutcomeWeak: the store's reply showed weaker encryption than decided.
	OutcomeWeak Outcome = "weak_reply"
	// OutcomeDamaged: what is stored could not be opened as a sealed object.
	OutcomeDamaged Outcome = "damaged"
	// OutcomeAborted: the connection was cut while a body travelled.
	OutcomeAborted Outcome = "aborted"
)

// Record is one decision record: what a client asked, what policy decided,
// what the store was sent and what it answered. It holds no secrets: there is
// no field a key, signature or token could be put in.
type Record struct {
	ID        string           `json:"id"`
	Time      time.Time        `json:"time"`
	Revision  string           `json:"revision"`
	Identity  RecordIdentity   `json:"identity"`
	Operation string           `json:"operation"`
	Resource  RecordResource   `json:"resource"`
	Asked     RecordEncryption `json:"asked"`
	Decided   RecordEncryption `json:"decided"`
	Sent      RecordEncryption `json:"sent"`
	Answered  RecordAnswer     `json:"answered"`
	Outcome   Outcome          `json:"outcome"`
	Findings  []policy.Finding `json:"findings"`
	// Cause is the operator's reason for a fault or refusal; clients never see it.
	Cause    string          `json:"cause,omitempty"`
	Duration RecordDurations `json:"duration_us"`
	// Client says where the request came from.
	Client RecordClient `json:"client"`
	// Keys counts the keys of a DeleteObjects request: named and denied.
	Keys *RecordKeys `json:"keys,omitempty"`
	// Input is what policy was asked about, where Config.RecordInput has it
	// recorded; of a DeleteObjects request, the first key denied.
	Input *policy.Input `json:"input,omitempty"`
	// Hashed are the paths of values that were replaced by keyed hashes before the
	// record was written. One below input means that the decision cannot be made again.
	Hashed []string `json:"hashed,omitempty"`
	// Erased are the paths of what was left out or shortened, because the record
	// would have been too large.
	Erased []string `json:"erased,omitempty"`
}

// RecordIdentity is who called, as verified.
type RecordIdentity struct {
	AuthMethod string   `json:"auth_method"`
	AccessKey  string   `json:"access_key"`
	Principal  string   `json:"principal"`
	Groups     []string `json:"groups"`
}

// RecordResource is what the request was about.
type RecordResource struct {
	Bucket     string `json:"bucket"`
	Key        string `json:"key"`
	VersionID  string `json:"version_id"`
	CopySource string `json:"copy_source,omitempty"`
}

// RecordEncryption is an encryption choice. Context holds the names only of
// the encryption context's entries: values may be personal data.
type RecordEncryption struct {
	Mode       string   `json:"mode"`
	KeyID      string   `json:"key_id,omitempty"`
	Keyring    string   `json:"keyring,omitempty"`
	Context    []string `json:"context,omitempty"`
	BucketKey  *bool    `json:"bucket_key,omitempty"`
	OnConflict string   `json:"on_conflict,omitempty"`
}

// RecordAnswer is how the request was answered.
type RecordAnswer struct {
	// Status and Code are what the client saw; Code is "" on success.
	Status int    `json:"status"`
	Code   string `json:"code,omitempty"`
	// Mode and KeyID are what the store reported, "" if it said nothing.
	Mode  string `json:"mode,omitempty"`
	KeyID string `json:"key_id,omitempty"`
	// VersionID is the version the store wrote, if it said so.
	VersionID string `json:"version_id,omitempty"`
	// UpstreamStatus and UpstreamRequestID are the store's, 0 and "" if it was not asked.
	UpstreamStatus    int    `json:"upstream_status,omitempty"`
	UpstreamRequestID string `json:"upstream_request_id,omitempty"`
	BytesIn           int64  `json:"bytes_in"`
	BytesOut          int64  `json:"bytes_out"`
}

// RecordDurations are microseconds.
type RecordDurations struct {
	Total    int64 `json:"total"`
	Decision int64 `json:"decision"`
	Upstream int64 `json:"upstream"`
}

// RecordClient is the client's side of the connection.
type RecordClient struct {
	IP        string `json:"ip"`
	Host      string `json:"host"`
	Method    string `json:"method"`
	Path      string `json:"path"`
	Proto     string `json:"proto"`
	TLS       string `json:"tls,omitempty"`
	UserAgent string `json:"user_agent"`
}

// RecordKeys counts the keys of a DeleteObjects request.
type RecordKeys struct {
	Named  int `json:"named"`
	Denied int `json:"denied"`
}

// RecordSchema is the JSON Schema (draft-07) of a decision record.
//
//go:embed record.schema.json
var RecordSchema []byte
