package gateway

import (
	"encoding/json"
	"reflect"
	"testing"
	"time"

	"go.uber.org/zap/zapcore"

	"github.com/sealgate/sealgate/module/engine"
	"github.com/sealgate/sealgate/policy"
)

// fill sets everything reachable in v to something other than its zero value.
func fill(v reflect.Value) {
	switch v.Kind() {
	case reflect.String:
		v.SetString("x")
	case reflect.Int, reflect.Int64:
		v.SetInt(7)
	case reflect.Bool:
		v.SetBool(true)
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		fill(v.Elem())
	case reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), 2, 2))
		for i := range v.Len() {
			fill(v.Index(i))
		}
	case reflect.Map:
		v.Set(reflect.MakeMap(v.Type()))
		value := reflect.New(v.Type().Elem()).Elem()
		fill(value)
		v.SetMapIndex(reflect.ValueOf("x"), value)
	case reflect.Struct:
		if v.Type() == reflect.TypeFor[time.Time]() {
			v.Set(reflect.ValueOf(time.Date(2026, 1, 2, 3, 4, 5, 600, time.UTC)))
			return
		}
		for i := range v.NumField() {
			if field := v.Field(i); field.CanSet() {
				fill(field)
			}
		}
	default:
		panic("a kind of field the test does not know: " + v.Kind().String())
	}
}

// The log entry of a record says what its JSON form says, and so fits the schema.
func TestRecordFieldsEqualJSON(t *testing.T) {
	t.Parallel()
	var full engine.Record
	fill(reflect.ValueOf(&full).Elem())
	empty := engine.Record{Identity: engine.RecordIdentity{Groups: []string{}}, Findings: []policy.Finding{}}
	for name, r := range map[string]*engine.Record{"full": &full, "empty": &empty} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			entry, err := zapcore.NewJSONEncoder(zapcore.EncoderConfig{}).EncodeEntry(zapcore.Entry{}, []zapcore.Field{{Type: zapcore.InlineMarshalerType, Interface: recordFields{r}}})
			if err != nil {
				t.Fatal(err)
			}
			text, err := json.Marshal(r)
			if err != nil {
				t.Fatal(err)
			}
			var logged, marshalled map[string]any
			if err := json.Unmarshal(entry.Bytes(), &logged); err != nil {
				t.Fatalf("%v: %s", err, entry.Bytes())
			}
			if err := json.Unmarshal(text, &marshalled); err != nil {
				t.Fatal(err)
			}
			if !reflect.DeepEqual(logged, marshalled) {
				t.Errorf("logged\n%s\nJSON\n%s", entry.Bytes(), text)
			}
		})
	}
}
