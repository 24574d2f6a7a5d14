package policy

import (
	"encoding/json"
	"reflect"
	"strings"
	"testing"

	"github.com/open-policy-agent/opa/v1/topdown"
)

// What was decided once is decided again from its document.
func TestReplay(t *testing.T) {
	t.Parallel()
	g := newEngine(t, nil).Current()
	for name, in := range map[string]*Input{
		"put":              put("data", "kms/a"),
		"get":              get("data", "kms/a"),
		"uncovered":        put("elsewhere", "a"),
		"a key of 2 names": put("data", "x//kms/../a"),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			want, err := g.Decide(t.Context(), in)
			if err != nil {
				t.Fatal(err)
			}
			document, err := json.Marshal(in)
			if err != nil {
				t.Fatal(err)
			}
			again, err := ReadInput(document)
			if err != nil {
				t.Fatal(err)
			}
			traced := 0
			for _, trial := range []Trial{{}, {Trace: func(*Input) topdown.QueryTracer {
				traced++
				return topdown.NewBufferTracer()
			}}} {
				got, err := g.Replay(t.Context(), again, trial)
				if err != nil || !reflect.DeepEqual(got, want) {
					t.Errorf("got %+v, %v\nwant %+v", got, err, want)
				}
			}
			if traced == 0 {
				t.Error("no tracer was asked for")
			}
		})
	}
}

// A posture that is tried changes the decision as the real one would, floors too.
func TestReplayAdjusts(t *testing.T) {
	t.Parallel()
	g := newEngine(t, nil).Current()
	d, err := g.Replay(t.Context(), put("elsewhere", "a"), Trial{Adjust: func(in *Input) {
		in.Posture.ID, in.Posture.Mode, in.Posture.Rank = "x/", SSES3, SSES3.Rank()
		in.Grants.Missing = nil
	}})
	if err != nil || !d.Allow || d.Encryption.Mode != SSES3 {
		t.Errorf("%+v, %v", d, err)
	}
	var none *Generation
	if _, err := none.Replay(t.Context(), put("a", "b"), Trial{}); faultID(t, err) != FaultNotLoaded {
		t.Errorf("error %v", err)
	}
}

func TestReadInputRefuses(t *testing.T) {
	t.Parallel()
	for name, document := range map[string]string{
		"no document":     "",
		"another schema":  `{"schema": "sealgate.input/v2"}`,
		"no schema":       `{}`,
		"unknown field":   `{"schema": "sealgate.input/v1", "requests": {}}`,
		"wrong type":      `{"schema": "sealgate.input/v1", "request": {"read_only": "yes"}}`,
		"something after": `{"schema": "sealgate.input/v1"} {}`,
		"no object":       `[]`,
	} {
		if in, err := ReadInput([]byte(document)); err == nil {
			t.Errorf("%s: read as %+v", name, in)
		}
	}
}

func FuzzReadInput(f *testing.F) {
	for _, in := range []*Input{put("data", "a"), get("data", "b/c")} {
		in.Schema = InputSchema
		document, err := json.Marshal(in)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(string(document))
	}
	f.Add(`{"schema": "sealgate.input/v1", "request": {"tags": {"a": "b"}}}`)
	f.Fuzz(func(t *testing.T, document string) {
		in, err := ReadInput([]byte(document))
		if err != nil {
			return
		}
		text, err := json.Marshal(in)
		if err != nil {
			t.Fatal(err)
		}
		again, err := ReadInput(text)
		if err != nil {
			t.Fatalf("%v: %s", err, text)
		}
		second, err := json.Marshal(again)
		if err != nil || !strings.EqualFold(string(second), string(text)) {
			t.Errorf("read again as %s, %v\nfirst %s", second, err, text)
		}
	})
}
