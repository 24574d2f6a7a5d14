package sse

import (
	"bytes"
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"
	"testing"
)

func TestCustomerKeyIsNeverPrinted(t *testing.T) {
	t.Parallel()
	k := mustKey(t, testKey)
	c := Choice{Mode: C, Customer: k}
	hidden := struct {
		k CustomerKey
		c Choice
	}{*k, c} // fmt cannot call methods through it
	var out bytes.Buffer
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "%d", "%o", "%b", "%c", "%U", "% x", "%#x"} {
		for _, v := range []any{k, *k, c, &c, hidden, &hidden, []*CustomerKey{k}} {
			fmt.Fprintf(&out, verb+"\n", v)
		}
	}
	js, err := json.Marshal([]any{k, *k, c})
	if err != nil {
		t.Fatal(err)
	}
	out.Write(js)
	for _, h := range []slog.Handler{slog.NewTextHandler(&out, nil), slog.NewJSONHandler(&out, nil)} {
		slog.New(h).Info("m", "key", k, "value", *k, "choice", c)
	}
	for _, leak := range []string{string(testKey), string(testKey[:6]), testKey64[:8], fmt.Sprintf("%x", testKey[:4]), fmt.Sprintf("%X", testKey[:4]), fmt.Sprintf("% x", testKey[:4]), fmt.Sprintf("%d", testKey[:4]), "48, 49, 50"} {
		if strings.Contains(out.String(), strings.Trim(leak, "[]")) {
			t.Errorf("output contains %q", leak)
		}
	}
	if got := fmt.Sprintf("%v %s %x %#v", k, *k, k, k); got != "[redacted] [redacted] [redacted] [redacted]" {
		t.Errorf("printed %q", got)
	}
}

func TestCustomerKey(t *testing.T) {
	t.Parallel()
	source := bytes.Clone(testKey)
	k := mustKey(t, source)
	source[0]++
	if k.MD5() != testKeyMD5 || !k.Equal(mustKey(t, testKey)) {
		t.Error("the key shares memory with its source")
	}
	if k.Equal(mustKey(t, source)) || k.Equal(nil) || (*CustomerKey)(nil).Equal(k) || !(*CustomerKey)(nil).Equal(nil) {
		t.Error("Equal is wrong")
	}
	for _, n := range []int{0, 16, 31, 33} {
		if _, err := NewCustomerKey(make([]byte, n)); err == nil {
			t.Errorf("a key of %d bytes was taken", n)
		}
	}
}
