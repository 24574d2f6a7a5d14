package clients

import (
	"bytes"
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"
)

const plainSecret = "correct-horse-battery-staple"

func TestSecretIsNeverPrinted(t *testing.T) {
	t.Parallel()
	c := Client{AccessKey: "SGTEST", Secret: NewSecret(plainSecret), Principal: "p"}
	hidden := struct{ c Client }{c} // fmt cannot call methods through it
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "%d", "%o", "%b", "%t", "%c", "%U", "%e", "% x", "%#x", "%10s"} {
		for _, v := range []any{c.Secret, &c.Secret, c, &c, hidden, &hidden, []Client{c}, map[string]Client{"a": c}} {
			assertHidden(t, verb, fmt.Sprintf(verb, v))
		}
	}
	js, err := json.Marshal(c)
	if err != nil {
		t.Fatal(err)
	}
	assertHidden(t, "json", string(js))
	if !strings.Contains(string(js), `"[redacted]"`) {
		t.Errorf("json = %s, want [redacted] in it", js)
	}
	y, err := yaml.Marshal(c)
	if err != nil {
		t.Fatal(err)
	}
	assertHidden(t, "yaml", string(y))
	var b bytes.Buffer
	for _, h := range []slog.Handler{slog.NewTextHandler(&b, nil), slog.NewJSONHandler(&b, nil)} {
		slog.New(h).Info("m", "secret", c.Secret, "client", c, "pointer", &c)
	}
	assertHidden(t, "slog", b.String())
	if c.Secret.Reveal() != plainSecret {
		t.Errorf("Reveal() = %q", c.Secret.Reveal())
	}
	if (Secret{}).Reveal() != "" {
		t.Error("zero Secret reveals something")
	}
}

// assertHidden looks for the secret and for its bytes in hexadecimal.
func assertHidden(t *testing.T, how, out string) {
	t.Helper()
	for _, leak := range []string{plainSecret, plainSecret[:8], fmt.Sprintf("%x", plainSecret[:4]), fmt.Sprintf("%X", plainSecret[:4]), fmt.Sprintf("% x", plainSecret[:4])} {
		if strings.Contains(out, leak) {
			t.Errorf("%s: %q contains %q", how, out, leak)
		}
	}
}
