package records

import (
	"io"
	"testing"
)

// A body can be read again for a new try, and by nobody once its bytes are used for
// something else.
func TestBody(t *testing.T) {
	t.Parallel()
	b := newBody([]byte("events"))
	again, err := b.again()
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range []io.Reader{b, again} {
		var three [3]byte
		if _, err := io.ReadFull(r, three[:]); err != nil || string(three[:]) != "eve" {
			t.Errorf("read %q, %v", three, err)
		}
	}
	b.end()
	for _, r := range []io.Reader{b, again} {
		if text, err := io.ReadAll(r); len(text) != 0 || err == nil {
			t.Errorf("after the end: %q, %v", text, err)
		}
	}
}
