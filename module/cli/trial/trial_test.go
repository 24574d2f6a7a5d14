package trial_test

import (
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/sealgate/sealgate/module/cli/awscli"
	"github.com/sealgate/sealgate/module/cli/trial"
	"github.com/sealgate/sealgate/module/engine"
)

const testPosture = `version: 1
buckets:
  data:
    "": {mode: sse-kms, key_id: key-a}
    "plain/": {mode: sse-s3}
    "sealed/": {mode: cse, keyring: main}
    "own/": {mode: sse-c}
grants:
  - {id: app, principals: [app], actions: ["s3:*"], resources: ["data", "data/*"]}
  - {id: open, principals: [anonymous], actions: ["s3:GetObject"], resources: ["data/plain/*"]}
`

var (
	app = trial.Caller{Principal: "app"}
	via = trial.Connection{IP: "192.0.2.7", TLS: "1.3"}
)

func newGateway(t *testing.T) *trial.Gateway {
	t.Helper()
	path := filepath.Join(t.TempDir(), "posture.yaml")
	if err := os.WriteFile(path, []byte(testPosture), 0o600); err != nil {
		t.Fatal(err)
	}
	g, err := trial.New(trial.Config{PostureFile: path, Timeout: 5 * time.Second, Time: time.Date(2027, 1, 31, 12, 0, 0, 0, time.UTC)})
	if err != nil {
		t.Fatal(err)
	}
	return g
}

func send(t *testing.T, who trial.Caller, command string) []trial.Result {
	t.Helper()
	c, err := awscli.Parse(command, awscli.Defaults{Size: func(string) int64 { return 9 << 20 }})
	if err != nil {
		t.Fatal(err)
	}
	results, err := newGateway(t).Send(t.Context(), who, via, c.Requests...)
	if err != nil {
		t.Fatal(err)
	}
	return results
}

// Every command that is allowed gets through to its end: the store that stands in
// answers what the gateway needs, also for objects that are sealed.
func TestCommandsGetThrough(t *testing.T) {
	t.Parallel()
	for command, calls := range map[string]int{ // requests that reach the store
		"s3 cp x s3://data/k":                                             3,
		"s3 cp x s3://data/sealed/k":                                      5,
		"s3 cp s3://data/k .":                                             2,
		"s3 cp s3://data/sealed/k .":                                      2,
		"s3 cp s3://data/plain/a s3://data/k":                             3,
		"s3 cp s3://data/sealed/a s3://data/sealed/b":                     -1,
		"s3 mv s3://data/plain/a s3://data/plain/b":                       4,
		"s3 rm s3://data/sealed/k":                                        1,
		"s3 ls s3://data/":                                                1,
		"s3 sync . s3://data/plain":                                       -1,
		"s3 presign s3://data/sealed/k":                                   1,
		"s3 cp x s3://data/own/k --sse-c AES256 --expected-size 5":        1,
		"s3api put-object --bucket data --key k":                          1,
		"s3api head-object --bucket data --key sealed/k":                  1,
		"s3api delete-objects --bucket data --delete 'Objects=[{Key=a}]'": 1,
		"s3api delete-object --bucket data --key k":                       1,
		"s3api put-bucket-versioning --bucket data --versioning-configuration Status=Enabled": 1,
	} {
		t.Run(command, func(t *testing.T) {
			t.Parallel()
			got := 0
			for _, r := range send(t, app, command) {
				if r.Record.Outcome != engine.OutcomeOK || r.Status >= 300 || r.Code != "" {
					t.Errorf("%s: %s, %d %s %s: %s", r.Request.Name, r.Record.Outcome, r.Status, r.Code, r.Message, r.Record.Cause)
				}
				if r.Record.Input == nil {
					t.Errorf("%s: no input", r.Request.Name)
				}
				got += len(r.Sent)
			}
			if calls >= 0 && got != calls {
				t.Errorf("%d requests reached the store, want %d", got, calls)
			}
		})
	}
}

// What the store is sent is what was decided.
func TestSent(t *testing.T) {
	t.Parallel()
	const header = "X-Amz-Server-Side-Encryption"
	r := send(t, app, "s3 cp x s3://data/k --expected-size 5")[0]
	if h := r.Sent[0].Header; h.Get(header) != "aws:kms" || h.Get(header+"-Aws-Kms-Key-Id") != "key-a" || r.Record.Sent.Mode != "sse-kms" {
		t.Errorf("sent %v, record %+v", h, r.Record.Sent)
	}
	r = send(t, app, "s3 cp x s3://data/sealed/k --expected-size 5")[0]
	if r.Record.Sent.Mode != "cse" || r.Record.Sent.Keyring != "main" || r.Sent[0].Bytes <= 5 {
		t.Errorf("sent %d bytes, record %+v", r.Sent[0].Bytes, r.Record.Sent)
	}
}

// A denial ends a command, and says why; nothing reaches the store.
func TestDenied(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		who     trial.Caller
		command string
		rule    string
	}{
		"a stranger":          {trial.Caller{Principal: "eve"}, "s3 cp x s3://data/k", "GRT-000"},
		"nobody":              {trial.Caller{Anonymous: true}, "s3 cp x s3://data/plain/k", "AUT-002"},
		"the wrong key":       {app, "s3 cp x s3://data/k --sse aws:kms --sse-kms-key-id evil", "KEY-001"},
		"another encryption":  {app, "s3 cp x s3://data/k --sse", "ENF-003"},
		"a weaker copy":       {app, "s3 cp s3://data/sealed/a s3://data/plain/b", "CPY-001"},
		"a document's choice": {app, "s3api put-bucket-encryption --bucket data --server-side-encryption-configuration Rules=[{ApplyServerSideEncryptionByDefault={SSEAlgorithm=AES256}}]", "BKT-002"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			results := send(t, tc.who, tc.command)
			last := results[len(results)-1]
			if last.Status != http.StatusForbidden || last.Code != "AccessDenied" || !slices.Contains(last.RuleIDs, tc.rule) {
				t.Errorf("%d %s %v, want %s", last.Status, last.Code, last.RuleIDs, tc.rule)
			}
			for _, c := range last.Sent {
				if c.Method != http.MethodHead {
					t.Errorf("the store was sent %s %s", c.Method, c.URL)
				}
			}
		})
	}
}

// The connection and the clock are what they are said to be.
func TestConnection(t *testing.T) {
	t.Parallel()
	g := newGateway(t)
	get := trial.Request{Method: http.MethodGet, Path: "/data/plain/k", Presigned: time.Hour}
	for name, tc := range map[string]struct {
		via  trial.Connection
		rule string
	}{
		"TLS 1.3":                   {trial.Connection{IP: "192.0.2.7", TLS: "1.3"}, ""},
		"TLS 1.1":                   {trial.Connection{IP: "192.0.2.7", TLS: "1.1"}, "TLS-001"},
		"no TLS":                    {trial.Connection{IP: "2001:db8::1"}, "TLS-001"},
		"no TLS, from this machine": {trial.Connection{IP: "127.0.0.1"}, ""},
	} {
		results, err := g.Send(t.Context(), app, tc.via, get)
		if err != nil {
			t.Fatal(err)
		}
		r := results[0]
		if tc.rule == "" && r.Status != http.StatusOK || tc.rule != "" && !slices.Contains(r.RuleIDs, tc.rule) {
			t.Errorf("%s: %d %v %s, want %q", name, r.Status, r.RuleIDs, r.Record.Cause, tc.rule)
		}
		if in := r.Record.Input; in.Transport.SourceIP != tc.via.IP || in.Transport.TLSVersion != tc.via.TLS || in.Time.Date != "2027-01-31" {
			t.Errorf("%s: %+v, %+v", name, in.Transport, in.Time)
		}
	}
}

// A request that cannot be read is refused as in front of a store.
func TestRefused(t *testing.T) {
	t.Parallel()
	results, err := newGateway(t).Send(t.Context(), app, via, trial.Request{Method: http.MethodGet, Path: "/data/k", Header: http.Header{"X-Amz-Nonsense": {"x"}}})
	if err != nil || results[0].Record.Outcome != engine.OutcomeRefused || results[0].Status < 400 {
		t.Errorf("%+v, %v", results, err)
	}
}

// Every character a key can have is signed as it is sent, in a header and in a link.
func TestKeysAreSigned(t *testing.T) {
	t.Parallel()
	g := newGateway(t)
	for _, path := range []string{"/data/plain/a%20b", "/data/plain/%2B%25%3F", "/data/plain/%C3%BC", "/data/plain/a=b&c", "/data/plain//x"} {
		for _, life := range []time.Duration{0, time.Hour} {
			r := trial.Request{Method: http.MethodGet, Path: path, Presigned: life, Header: http.Header{"X-Amz-Checksum-Mode": {"ENABLED"}}}
			results, err := g.Send(t.Context(), app, via, r)
			if err != nil || results[0].Status != http.StatusOK {
				if strings.Contains(path, "=") && err == nil && results[0].Code == "SignatureDoesNotMatch" {
					t.Errorf("%s: the path is not as it is signed", path)
					continue
				}
				t.Errorf("%s, presigned %v: %+v, %v", path, life, results, err)
			}
		}
	}
}
