package records

import (
	"encoding/json"
	"fmt"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"
	"unsafe"

	"github.com/sealgate/sealgate/module/engine"
	"github.com/sealgate/sealgate/policy"
)

// at is when the requests of tests arrived.
var at = time.Date(2026, 1, 2, 3, 4, 5, 600, time.UTC)

// sample is a record as a denied request leaves it.
func sample(id string) *engine.Record {
	return &engine.Record{
		ID: id, Time: at, Revision: "r1", Operation: "PutObject", Outcome: engine.OutcomeDenied,
		Identity: engine.RecordIdentity{AuthMethod: "sigv4-header", AccessKey: "AKIDEXAMPLE", Principal: "alice", Groups: []string{"staff", "apps"}},
		Resource: engine.RecordResource{Bucket: "photos", Key: "secret/plan.pdf", CopySource: "photos/secret/plan.pdf"},
		Decided:  engine.RecordEncryption{Mode: "sse-kms", KeyID: "k1", Context: []string{"tenant"}, BucketKey: new(bool)},
		Answered: engine.RecordAnswer{Status: 403, Code: "AccessDenied"},
		Findings: []policy.Finding{{ID: "KEY-001", Message: `key k2 is not allowed for "secret/plan.pdf"`, Path: "photos/secret/plan.pdf", Action: "deny"}},
		Duration: engine.RecordDurations{Total: 900, Decision: 40, Upstream: 100},
		Client:   engine.RecordClient{IP: "192.0.2.7", Host: "s3.example.com", Method: "PUT", Path: "/photos/secret/plan.pdf", Proto: "HTTP/1.1", UserAgent: "test"},
		Input: &policy.Input{
			Schema:   policy.InputSchema,
			Identity: policy.Identity{Principal: "alice", Groups: policy.List{"staff", "apps"}},
			Resource: policy.Resource{Bucket: "photos", Key: "secret/plan.pdf", Prefixes: policy.List{"secret/"}},
			Request: policy.Request{
				Tags:    policy.Map{"project": "apollo", "a.b": "c"},
				Headers: policy.Map{"x-amz-meta-owner": "alice@example.com", "x-amz-copy-source": "/photos/secret/plan.pdf", "x-amz-acl": "private"},
			},
			Transport: policy.Transport{SourceIP: "192.0.2.7"},
		},
	}
}

// fill sets everything reachable in v to something other than its zero value.
func fill(v reflect.Value, n *int) {
	switch v.Kind() {
	case reflect.String:
		*n++
		v.SetString(fmt.Sprintf("text-%d", *n))
	case reflect.Int, reflect.Int64:
		v.SetInt(7)
	case reflect.Bool:
		v.SetBool(true)
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		fill(v.Elem(), n)
	case reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), 2, 2))
		for i := range v.Len() {
			fill(v.Index(i), n)
		}
	case reflect.Map:
		key, value := reflect.New(v.Type().Key()).Elem(), reflect.New(v.Type().Elem()).Elem()
		fill(key, n)
		fill(value, n)
		v.Set(reflect.MakeMap(v.Type()))
		v.SetMapIndex(key, value)
	case reflect.Struct:
		if v.Type() == reflect.TypeFor[time.Time]() {
			v.Set(reflect.ValueOf(at))
			return
		}
		for i := range v.NumField() {
			if field := v.Field(i); field.CanSet() {
				fill(field, n)
			}
		}
	default:
		panic("a kind of field the test does not know: " + v.Kind().String())
	}
}

// memory visits what a record's memory is held by: texts, slices, maps and pointers.
func memory(v reflect.Value, path string, visit func(path string, p unsafe.Pointer)) {
	switch v.Kind() {
	case reflect.String:
		// A bucket key is one of three constants.
		if s := v.String(); s != "" && v.Type() != reflect.TypeFor[policy.BucketKey]() {
			visit(path, unsafe.Pointer(unsafe.StringData(s)))
		}
	case reflect.Pointer:
		if !v.IsNil() {
			visit(path, v.UnsafePointer())
			memory(v.Elem(), path, visit)
		}
	case reflect.Slice:
		if v.Cap() > 0 {
			visit(path, v.UnsafePointer())
		}
		for i := range v.Len() {
			memory(v.Index(i), path, visit)
		}
	case reflect.Map:
		visit(path, v.UnsafePointer())
	case reflect.Struct:
		for i := range v.NumField() {
			// What the posture says is the generation's, and never written to.
			if name := v.Type().Field(i).Name; v.Type() != inputType || name != "Posture" && name != "Schema" && name != "Gateway" && name != "Time" {
				memory(v.Field(i), path+"."+v.Type().Field(i).Name, visit)
			}
		}
	}
}

// A copy says what the record says and holds on to none of its memory.
func TestKeepSharesNothing(t *testing.T) {
	t.Parallel()
	full, n := new(engine.Record), 0
	fill(reflect.ValueOf(full).Elem(), &n)
	full.Hashed, full.Erased = nil, nil
	full.Time = at
	whose := make(map[unsafe.Pointer]string)
	memory(reflect.ValueOf(full).Elem(), "", func(path string, p unsafe.Pointer) { whose[p] = path })
	if len(whose) < 50 {
		t.Fatalf("only %d places were looked at", len(whose))
	}
	it := keep(full)
	memory(reflect.ValueOf(&it.rec).Elem(), "", func(path string, p unsafe.Pointer) {
		if from, shared := whose[p]; shared && !strings.HasPrefix(path, ".Time") {
			t.Errorf("%s is still that of %s", path, from)
		}
	})
	full.Input.Resource.Prefixes = it.rec.Input.Resource.Prefixes // a clone's follow from the key
	full.Input.CopySource.Resource.Prefixes = it.rec.Input.CopySource.Resource.Prefixes
	if !reflect.DeepEqual(&it.rec, full) {
		t.Errorf("got %+v\nwant %+v", it.rec, *full)
	}
}

// A text that is shortened is named by its own path.
func TestTextPaths(t *testing.T) {
	t.Parallel()
	r := new(engine.Record)
	for i, s := range texts(r, nil) {
		*s = "here"
		text := string(lineOf(t, r))
		*s = ""
		var v any
		if err := json.Unmarshal([]byte(text), &v); err != nil {
			t.Fatal(err)
		}
		if got := member(v, "/"+strings.ReplaceAll(textPaths[i], ".", "/")); got != "here" {
			t.Errorf("text %d is not at %s: %s", i, textPaths[i], text)
		}
	}
}

// Whatever a record holds, what waits of it and the line it becomes are bounded.
func TestRecordsAreBounded(t *testing.T) {
	t.Parallel()
	many := func(n int, text string) []policy.Finding {
		list := make([]policy.Finding, n)
		for i := range list {
			list[i] = policy.Finding{ID: "KEY-001", Message: text, Path: text, Action: "deny"}
		}
		return list
	}
	for name, tt := range map[string]struct {
		change func(*engine.Record)
		erased []string
	}{
		"as it is":           {func(*engine.Record) {}, nil},
		"many findings":      {func(r *engine.Record) { r.Findings = many(4000, strings.Repeat("m", 128)) }, []string{"findings"}},
		"one large finding":  {func(r *engine.Record) { r.Findings = many(1, strings.Repeat("m", 1<<20)) }, []string{"findings"}},
		"a large input":      {func(r *engine.Record) { r.Input.Request.Tags = policy.Map{"t": strings.Repeat("v", 1<<20)} }, []string{"input"}},
		"a large cause":      {func(r *engine.Record) { r.Cause = strings.Repeat("c", 1<<20) }, []string{"cause"}},
		"a large user agent": {func(r *engine.Record) { r.Client.UserAgent = strings.Repeat("c", 1<<20) }, []string{"client.user_agent"}},
		"control characters": {func(r *engine.Record) {
			r.Input.Request.Tags = policy.Map{"t": strings.Repeat("\x01", 180<<10)}
		}, []string{"input"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := sample("A")
			tt.change(r)
			it := keep(r)
			if it.size > MaxRecord {
				t.Errorf("%d bytes wait", it.size)
			}
			line := lineOf(t, &it.rec)
			if len(line) > maxEncoded {
				t.Errorf("the line has %d bytes", len(line))
			}
			got := decode(t, line)
			if fmt.Sprint(got.Erased) != fmt.Sprint(tt.erased) {
				t.Errorf("erased %q, want %q", got.Erased, tt.erased)
			}
			if got.ID != "A" || got.Outcome != engine.OutcomeDenied {
				t.Errorf("what is left: %s", line)
			}
		})
	}
}

func BenchmarkRecord(b *testing.B) {
	for name, input := range map[string]bool{"plain": false, "with input": true} {
		r := sample("A")
		r.Findings = r.Findings[:0]
		if !input {
			r.Input = nil
		}
		b.Run(name+"/copy", func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				keep(r)
			}
		})
		b.Run(name+"/encode", func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				lineOf(b, r)
			}
		})
	}
}

// BenchmarkRequest is what recording costs a request: written there and then, as
// against left in a queue whose goroutine writes it beside.
func BenchmarkRequest(b *testing.B) {
	r := sample("A")
	r.Findings, r.Input = r.Findings[:0], nil
	path := filepath.Join(b.TempDir(), "records.jsonl")
	b.Run("write", func(b *testing.B) {
		f := &File{Path: path, Open: appending(path)}
		for b.Loop() {
			if _, err := f.Write(lineOf(b, r)); err != nil {
				b.Fatal(err)
			}
		}
		_ = f.Close()
	})
	b.Run("queue", func(b *testing.B) {
		q := Open(Config{Records: 1 << 20, Bytes: 1 << 40}, Lines(&File{Path: path, Open: appending(path)}))
		for b.Loop() {
			q.Record(b.Context(), r)
		}
		q.Close()
	})
	b.Run("full queue", func(b *testing.B) {
		out := newGate()
		q := Open(Config{Records: 1}, Lines(out))
		for b.Loop() {
			q.Record(b.Context(), r)
		}
		close(out.open)
		q.Close()
	})
}
