package recorded_test

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/sealgate/sealgate/module/engine"
	"github.com/sealgate/sealgate/module/recorded"
	"github.com/sealgate/sealgate/policy"
	"github.com/sealgate/sealgate/policy/replay"
)

var at = time.Date(2026, 11, 23, 8, 0, 0, 0, time.UTC)

// record is a record as the engine makes it.
func record(id string, change ...func(*engine.Record)) string {
	r := engine.Record{
		ID: id, Time: at, Operation: "PutObject", Outcome: engine.OutcomeOK, Findings: []policy.Finding{},
		Decided: engine.RecordEncryption{Mode: "sse-kms", KeyID: "k", Context: []string{"a"}},
		Input: &policy.Input{
			Schema: policy.InputSchema, Request: policy.Request{ID: id, Operation: "PutObject", Class: policy.ClassWrite},
			Resource: policy.Resource{Bucket: "b", Key: id},
		},
	}
	for _, c := range change {
		c(&r)
	}
	text, err := json.Marshal(r)
	if err != nil {
		panic(err)
	}
	return string(text)
}

func read(t *testing.T, r *recorded.Reader, files ...io.Reader) []replay.Request {
	t.Helper()
	var list []recorded.File
	for i, f := range files {
		list = append(list, recorded.File{Name: fmt.Sprint("file ", i), Reader: f})
	}
	var out []replay.Request
	for request, err := range r.Requests(list...) {
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, request)
	}
	return out
}

func ids(requests []replay.Request) string {
	var out []string
	for _, r := range requests {
		out = append(out, r.ID)
	}
	return strings.Join(out, " ")
}

// TestFiles: what is no record is counted and nothing else is lost: torn lines, lines
// that are too long, and several files, compressed or not.
func TestFiles(t *testing.T) {
	t.Parallel()
	var packed bytes.Buffer
	z := gzip.NewWriter(&packed)
	_, _ = io.WriteString(z, record("E")+"\n"+record("F"))
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	first := record("A") + "\r\n\n" + record("B")[:50] + "\n" + strings.Repeat("x", recorded.MaxRecord+1) + "\n" + record("C") + "\n[1]\n" + record("D")
	n := int64(0)
	r := &recorded.Reader{Progress: func(k int64) { n += k }}
	size := int64(len(first) + packed.Len())
	if got := ids(read(t, r, strings.NewReader(first), &packed, strings.NewReader(""))); got != "A C D E F" {
		t.Errorf("read %s", got)
	}
	if r.Unreadable != 3 || r.Early != 0 || n != size {
		t.Errorf("%d unreadable, %d early, %d of %d bytes", r.Unreadable, r.Early, n, size)
	}
	broken := errors.New("the disk is gone")
	for _, err := range (&recorded.Reader{}).Requests(recorded.File{Name: "f", Reader: io.MultiReader(strings.NewReader(record("A")+"\n"), failing{broken})}) {
		if err != nil && (!errors.Is(err, broken) || !strings.Contains(err.Error(), "f: ")) {
			t.Errorf("error %v", err)
		}
	}
}

type failing struct{ err error }

func (f failing) Read([]byte) (int, error) { return 0, f.err }

// TestRecords: what a record says was decided, and what it does not tell.
func TestRecords(t *testing.T) {
	t.Parallel()
	finding := func(id, action string) func(*engine.Record) {
		return func(r *engine.Record) { r.Findings = append(r.Findings, policy.Finding{ID: id, Action: action}) }
	}
	outcome := func(o engine.Outcome) func(*engine.Record) { return func(r *engine.Record) { r.Outcome = o } }
	bare := func(r *engine.Record) { r.Input = nil }
	for name, c := range map[string]struct {
		record string
		none   bool // there is nothing to replay
		lacks  string
		allow  bool
		fault  string
		pooled bool
		input  bool
	}{
		"allowed":                   {record: record("A"), allow: true, input: true},
		"denied":                    {record: record("A", finding("KEY-001", policy.ActionDeny), outcome(engine.OutcomeDenied)), input: true},
		"warned":                    {record: record("A", finding("KEY-001", policy.ActionWarn)), allow: true, input: true},
		"denied by the gateway":     {record: record("A", finding("ENF-003", policy.ActionDeny), outcome(engine.OutcomeDenied)), allow: true, input: true},
		"a fault":                   {record: record("A", finding("EVL-002", policy.ActionDeny), outcome(engine.OutcomeFault)), fault: "EVL-002", input: true},
		"refused after a decision":  {record: record("A", outcome(engine.OutcomeRefused)), allow: true, input: true},
		"refused before a decision": {record: record("A", outcome(engine.OutcomeRefused), bare), none: true},
		"without an input":          {record: record("A", bare), allow: true},
		"of many keys":              {record: record("A", func(r *engine.Record) { r.Keys = &engine.RecordKeys{Named: 2} }), allow: true, pooled: true, input: true},
		"hashed":                    {record: record("A", func(r *engine.Record) { r.Hashed = []string{"resource.key", "input.resource.key"} }), allow: true, input: true, lacks: "resource.key"},
		"shortened":                 {record: record("A", func(r *engine.Record) { r.Erased = []string{"input.request.headers"} }), allow: true, input: true, lacks: "request.headers"},
		"an input of later":         {record: strings.Replace(record("A"), `"schema"`, `"unheard":1,"schema"`, 1), allow: true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := new(recorded.Reader)
			list := read(t, r, strings.NewReader(c.record))
			if c.none {
				if len(list) != 0 || r.Early != 1 {
					t.Errorf("%d requests, %d early", len(list), r.Early)
				}
				return
			}
			if len(list) != 1 || r.Unreadable != 0 {
				t.Fatalf("%d requests, %d unreadable", len(list), r.Unreadable)
			}
			got := list[0]
			if got.Before.Allow != c.allow || got.Before.Fault != c.fault || got.Before.Pooled != c.pooled || !got.Before.Brief {
				t.Errorf("verdict %+v", got.Before)
			}
			if (got.Input != nil) != c.input || strings.Join(got.Lacks, " ") != c.lacks {
				t.Errorf("input %v, lacks %q", got.Input != nil, got.Lacks)
			}
			if e := got.Before.Encryption; e.Mode != policy.KMS || e.KeyID != "k" || len(e.Context) != 1 {
				t.Errorf("encryption %+v", e)
			}
		})
	}
}

func TestSince(t *testing.T) {
	t.Parallel()
	late := record("B", func(r *engine.Record) { r.Time = at.Add(time.Second) })
	text := record("A") + "\n" + late + "\n"
	for since, want := range map[time.Time]string{{}: "A B", at: "A B", at.Add(time.Second): "B", at.Add(time.Minute): ""} {
		if got := ids(read(t, &recorded.Reader{Since: since}, strings.NewReader(text))); got != want {
			t.Errorf("since %v: %q, want %q", since, got, want)
		}
	}
}

func FuzzRequests(f *testing.F) {
	f.Add([]byte(record("A") + "\n" + record("B")))
	f.Add([]byte("\n\n{}\n[]\n\"\"\n"))
	f.Add([]byte{0x1f, 0x8b, 8, 0})
	f.Add([]byte(`{"id":"A","outcome":"ok","input":null,"keys":{}}`))
	f.Add([]byte(`{"id":"A","outcome":"ok","input":{"schema":"sealgate.input/v1"},"hashed":["input.","input"]}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		r := new(recorded.Reader)
		for request, err := range r.Requests(recorded.File{Name: "f", Reader: bytes.NewReader(data)}) {
			if err == nil && request.ID == "" {
				t.Error("a request without an id")
			}
		}
	})
}
