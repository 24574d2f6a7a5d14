package policy

import (
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"
	"unsafe"

	"pgregory.net/rapid"
)

// textsIn visits every text in a value, wherever it is.
func textsIn(v reflect.Value, path string, visit func(path, s string)) {
	switch v.Kind() {
	case reflect.String:
		visit(path, v.String())
	case reflect.Struct:
		for i := range v.NumField() {
			textsIn(v.Field(i), path+"."+v.Type().Field(i).Name, visit)
		}
	case reflect.Slice:
		for i := range v.Len() {
			textsIn(v.Index(i), path, visit)
		}
	case reflect.Map:
		for _, k := range v.MapKeys() {
			textsIn(k, path, visit)
			textsIn(v.MapIndex(k), path, visit)
		}
	}
}

// TestClone: a clone is the same document, decides the same, and shares neither text
// nor lists with what it was made of, but for what the posture says.
func TestClone(t *testing.T) {
	t.Parallel()
	g := newEngine(t, nil).Current()
	rapid.Check(t, func(t *rapid.T) {
		in := drawInput(t)
		_, _ = g.Decide(t.Context(), in)
		out := in.Clone()
		if !reflect.DeepEqual(in, out) {
			t.Fatalf("the clone differs:\n%+v\n%+v", in, out)
		}
		whose := map[*byte]string{}
		textsIn(reflect.ValueOf(in).Elem(), "", func(path, s string) {
			if s != "" {
				whose[unsafe.StringData(s)] = path
			}
		})
		textsIn(reflect.ValueOf(out).Elem(), "", func(path, s string) {
			if s == "" || shareable(path) {
				return
			}
			if from, shared := whose[unsafe.StringData(s)]; shared {
				t.Errorf("%s shares text with %s", path, from)
			}
		})
		for i, l := range in.lists() {
			if o := out.lists()[i]; len(*l) > 0 && &(*l)[0] == &(*o)[0] {
				t.Errorf("list %d is shared", i)
			}
		}
		if out.Size() < len(out.Resource.Key) || in.Size() != out.Size() {
			t.Errorf("sizes %d and %d", in.Size(), out.Size())
		}
	})
}

// shareable are texts that belong to the program or to a generation.
func shareable(path string) bool {
	return strings.HasPrefix(path, ".Posture") || strings.HasSuffix(path, ".BucketKey") ||
		path == ".Schema" || path == ".Gateway.Revision" || path == ".Time.Weekday"
}

func BenchmarkClone(b *testing.B) {
	g := newEngine(b, nil).Current()
	in := put("data", "kms/2026/11/report.csv")
	in.Identity.Attributes = Map{"tenant": "blue"}
	for _, name := range []string{"x-amz-acl", "x-amz-checksum-crc32", "x-amz-sdk-checksum-algorithm", "x-amz-meta-a", "x-amz-meta-b"} {
		in.Request.Headers[name] = "0123456789abcdef"
	}
	if _, err := g.Decide(b.Context(), in); err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	var took []time.Duration
	for b.Loop() {
		begin := time.Now()
		out := in.Clone()
		took = append(took, time.Since(begin))
		if out.Schema == "" {
			b.Fatal("empty")
		}
	}
	slices.Sort(took)
	b.ReportMetric(float64(took[len(took)/2].Nanoseconds()), "p50-ns")
}
