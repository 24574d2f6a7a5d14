package keyring

import (
	"bytes"
	"encoding/hex"
	"errors"
	"maps"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

func TestEncodeContext(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		context map[string]string
		want    string
	}{
		"nil":         {nil, ""},
		"empty":       {map[string]string{}, ""},
		"one":         {map[string]string{"a": "b"}, "000161" + "000162"},
		"empty value": {map[string]string{"a": ""}, "000161" + "0000"},
		"sorted": {map[string]string{"b": "2", "a": "1", "B": "0", "aa": "3"},
			"000142" + "000130" + "000161" + "000131" + "00026161" + "000133" + "000162" + "000132"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, err := EncodeContext(tc.context)
			if err != nil || hex.EncodeToString(got) != tc.want {
				t.Errorf("EncodeContext = %x, %v; want %s", got, err, tc.want)
			}
			back, err := DecodeContext(got)
			if err != nil || !maps.Equal(back, tc.context) {
				t.Errorf("DecodeContext = %v, %v", back, err)
			}
		})
	}
}

func TestEncodeContextRefuses(t *testing.T) {
	t.Parallel()
	for name, context := range map[string]map[string]string{
		"empty key":           {"": "secret-value"},
		"key not UTF-8":       {"\xc3": "secret-value"},
		"value not UTF-8":     {"a": "secret-value\xc3"},
		"one byte too long":   {"k": "secret-value" + strings.Repeat("v", MaxContext-4-1-12+1)},
		"length does not fit": {"k": "secret-value" + strings.Repeat("v", 1<<16)},
		"too long together":   {"a": "secret-value", "b": strings.Repeat("v", MaxContext-4-1-4-1-12+1)},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, err := EncodeContext(context)
			if !errors.Is(err, ErrContext) || got != nil {
				t.Errorf("EncodeContext = %d bytes, %v", len(got), err)
			}
			if err != nil && strings.Contains(err.Error(), "secret-value") {
				t.Errorf("error %q shows a value", err)
			}
		})
	}
	t.Run("the longest", func(t *testing.T) {
		t.Parallel()
		got, err := EncodeContext(map[string]string{"k": strings.Repeat("v", MaxContext-5)})
		if err != nil || len(got) != MaxContext {
			t.Fatalf("EncodeContext = %d bytes, %v", len(got), err)
		}
		if _, err := DecodeContext(got); err != nil {
			t.Error(err)
		}
	})
}

func TestDecodeContextRefuses(t *testing.T) {
	t.Parallel()
	for name, encoded := range map[string]string{
		"half a length":       "00",
		"key missing":         "0001",
		"value missing":       "000161",
		"half a value length": "000161" + "00",
		"value cut":           "000161" + "000262",
		"empty key":           "0000" + "000161",
		"key twice":           "000161" + "000162" + "000161" + "000163",
		"not sorted":          "000162" + "000162" + "000161" + "000163",
		"key not UTF-8":       "0001ff" + "000162",
		"value not UTF-8":     "000161" + "0001ff",
		"bytes at the end":    "000161" + "000162" + "00",
		"too long":            "000161" + "03fc" + strings.Repeat("61", MaxContext-4),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b, err := hex.DecodeString(encoded)
			if err != nil {
				t.Fatal(err)
			}
			if got, err := DecodeContext(b); !errors.Is(err, ErrCorrupt) || got != nil {
				t.Errorf("DecodeContext = %v, %v", got, err)
			}
		})
	}
}

func TestContextRoundTrip(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		context := rapid.MapOfN(rapid.StringN(1, 20, 40), rapid.StringN(0, 20, 40), 0, 8).Draw(t, "context")
		encoded, err := EncodeContext(context)
		if err != nil {
			t.Fatal(err)
		}
		back, err := DecodeContext(encoded)
		if err != nil || !maps.Equal(back, context) {
			t.Fatalf("%v came back as %v, %v", context, back, err)
		}
	})
}

// FuzzDecodeContext: what is accepted has one encoding only.
func FuzzDecodeContext(f *testing.F) {
	for _, context := range []map[string]string{nil, {"a": "b"}, {"a": "", "b": "ü"}, {"k": strings.Repeat("v", MaxContext-5)}} {
		encoded, err := EncodeContext(context)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(encoded)
	}
	f.Add([]byte{0, 1, 'b', 0, 0, 0, 1, 'a', 0, 0})
	f.Fuzz(func(t *testing.T, encoded []byte) {
		context, err := DecodeContext(encoded)
		if err != nil {
			if !errors.Is(err, ErrCorrupt) || context != nil {
				t.Errorf("DecodeContext = %v, %v", context, err)
			}
			return
		}
		again, err := EncodeContext(context)
		if err != nil || !bytes.Equal(again, encoded) {
			t.Errorf("%x was accepted, but %v is encoded as %x, %v", encoded, context, again, err)
		}
	})
}
