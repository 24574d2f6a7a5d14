package seal

import (
	"encoding/base64"
	"errors"
	"strings"
	"testing"
)

// openUpload does what a gateway does with an upload id.
func openUpload(o *Object, text string) (string, error) {
	id, err := ParseUploadID(text)
	if err != nil {
		return "", err
	}
	return o.OpenUploadID(id)
}

func TestUploadID(t *testing.T) {
	t.Parallel()
	o := newObject(t, Multipart)
	for _, upstream := range []string{"x", "2~abc.def", strings.Repeat("y", MaxUploadID)} {
		text, err := o.SealUploadID(upstream)
		if err != nil {
			t.Fatal(err)
		}
		id, err := ParseUploadID(text)
		if err != nil {
			t.Fatal(err)
		}
		if encode(t, id.Envelope()) != encode(t, o.Envelope()) {
			t.Error("another envelope")
		}
		if got, err := again(t, o).OpenUploadID(id); err != nil || got != upstream {
			t.Errorf("got %q, %v", got, err)
		}
		if strings.Contains(text, upstream) && len(upstream) > 4 {
			t.Error("the store's id is readable")
		}
		if _, err := newObject(t, Multipart).OpenUploadID(id); !errors.Is(err, ErrUploadID) {
			t.Errorf("opened by another object: %v", err)
		}
	}
	for _, upstream := range []string{"", strings.Repeat("y", MaxUploadID+1)} {
		if _, err := o.SealUploadID(upstream); !errors.Is(err, ErrUploadID) {
			t.Errorf("%d bytes: %v", len(upstream), err)
		}
	}
}

func TestEveryBitOfAnUploadID(t *testing.T) {
	t.Parallel()
	o := newObject(t, Multipart)
	text, err := o.SealUploadID("upstream id")
	if err != nil {
		t.Fatal(err)
	}
	raw, err := base64.RawURLEncoding.DecodeString(text)
	if err != nil {
		t.Fatal(err)
	}
	flip(raw, func(bit int, changed []byte) {
		if _, err := openUpload(o, base64.RawURLEncoding.EncodeToString(changed)); !errors.Is(err, ErrUploadID) {
			t.Errorf("bit %d: %v", bit, err)
		}
	})
	// The same upload under another wrap of its data key is another envelope.
	id, err := ParseUploadID(text)
	if err != nil {
		t.Fatal(err)
	}
	id.envelope.Wrapped = []byte("another wrap")
	if _, err := o.OpenUploadID(id); !errors.Is(err, ErrUploadID) {
		t.Errorf("another envelope: %v", err)
	}
	single := newObject(t, Single)
	one := encode(t, single.Envelope())
	two := encode(t, o.Envelope())
	for name, text := range map[string]string{
		"empty":       "",
		"envelope":    two,
		"single":      one + text[len(one):],
		"no id":       base64.RawURLEncoding.EncodeToString(raw[:len(raw)-11]),
		"cut":         text[:len(text)-4],
		"spare":       text + "AAAA",
		"padding":     text + "=",
		"line break":  text + "\n",
		"not base64":  "!" + text[1:],
		"store's own": "VXBsb2FkIElEIGZvciBlbHZpbmcncyBtZWdhdXBsb2Fk",
		"too long":    text + strings.Repeat("A", 4096),
	} {
		if _, err := ParseUploadID(text); !errors.Is(err, ErrUploadID) && name != "spare" && name != "cut" {
			t.Errorf("%s: parsed, %v", name, err)
		}
		if got, err := openUpload(o, text); !errors.Is(err, ErrUploadID) {
			t.Errorf("%s: got %q, %v", name, got, err)
		}
	}
}
