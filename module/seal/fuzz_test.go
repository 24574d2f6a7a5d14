package seal

import (
	"bytes"
	"encoding/base64"
	"io"
	"testing"
)

// fixed returns an object that is the same in every process, so that a corpus
// keeps its meaning.
func fixed(f testing.TB, kind Kind) *Object {
	f.Helper()
	key, err := NewDataKey(pattern(KeySize, 1))
	if err != nil {
		f.Fatal(err)
	}
	e := Envelope{Kind: kind, Wrap: WrapLocal, OID: [32]byte(pattern(32, 2)), Wrapped: pattern(60, 3)}
	e.Commit = [32]byte(expand(extract(&e, key), labelCommit, 32))
	o, err := Unlock(e, key)
	if err != nil {
		f.Fatal(err)
	}
	return o
}

func FuzzEnvelope(f *testing.F) {
	o := fixed(f, Single)
	text := encode(f, o.envelope)
	f.Add(text)
	f.Add(encode(f, fixed(f, Multipart).envelope))
	f.Add("")
	f.Add(text + "=")
	f.Add(text[:100])
	f.Add(text + "\n")
	f.Fuzz(func(t *testing.T, text string) {
		e, err := ParseEnvelope(text)
		if err != nil {
			return
		}
		if again := encode(t, e); again != text {
			t.Errorf("%q is read and written as %q", text, again)
		}
		if _, err := e.Binding("bucket", "key"); err != nil {
			t.Errorf("what was read cannot be bound: %v", err)
		}
	})
}

func FuzzUploadID(f *testing.F) {
	o := fixed(f, Multipart)
	known := map[string]bool{}
	for _, upstream := range []string{"x", "a longer upload id"} {
		text, err := o.SealUploadID(upstream)
		if err != nil {
			f.Fatal(err)
		}
		known[text] = true
		f.Add(text)
		f.Add(text[:len(text)-1])
	}
	f.Fuzz(func(t *testing.T, text string) {
		id, err := ParseUploadID(text)
		if err != nil {
			return
		}
		raw, err := id.envelope.bytes()
		if err != nil {
			t.Fatal(err)
		}
		if again := base64.RawURLEncoding.EncodeToString(append(raw, id.sealed...)); again != text {
			t.Errorf("%q is read and would be written as %q", text, again)
		}
		// Seeds of other processes are authentic too, under the same key, so only
		// what cannot be authentic is told.
		if got, err := o.OpenUploadID(id); err == nil && !known[text] && got != "x" && got != "a longer upload id" {
			t.Errorf("%q was opened as %q", text, got)
		}
	})
}

func FuzzHeader(f *testing.F) {
	o := fixed(f, Multipart)
	f.Add(sealPart(f, o, Part{Number: 7}, []byte("seed"))[:HeaderSize])
	f.Add(sealPart(f, o, Part{Number: 10000, Final: true}, nil)[:HeaderSize])
	closing, err := o.ClosingPart(2, []Part{{Number: 1, Length: 5 << 20}})
	if err != nil {
		f.Fatal(err)
	}
	f.Add(closing[:HeaderSize])
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, raw []byte) {
		if len(raw) == HeaderSize {
			// Whatever is decoded is encoded to the same bytes, but for the check.
			if got, problem := decodeHeader((*[HeaderSize]byte)(raw)); problem == "" {
				again := got.encode()
				if !bytes.Equal(again[:checkedSize], raw[:checkedSize]) {
					t.Errorf("%x is read and written as %x", raw, again)
				}
			}
		}
		h, err := o.ParseHeader(raw)
		if err != nil {
			return
		}
		keys, err := o.partKeys(&fields{Multipart, h})
		if err != nil || !bytes.Equal(keys.header[:], raw) {
			t.Errorf("%x was accepted, %v", raw, err)
		}
	})
}

// FuzzOpen changes an authentic object: at is where, change is what is put over
// it, cut is how much of the end is missing. Only the object itself opens.
func FuzzOpen(f *testing.F) {
	single, multi := fixed(f, Single), fixed(f, Multipart)
	plain := pattern(300, 4)
	whole := sealSingle(f, single, plain)
	closing, err := multi.ClosingPart(2, []Part{{Number: 1, Length: 300}})
	if err != nil {
		f.Fatal(err)
	}
	parts := append(sealPart(f, multi, Part{Number: 1}, plain), closing...)
	f.Add(uint16(0), []byte{}, uint16(0))
	f.Add(uint16(70), []byte{1}, uint16(0))
	f.Add(uint16(0), []byte{}, uint16(1))
	f.Add(uint16(400), []byte("more"), uint16(0))
	f.Add(uint16(PartOverhead+300), closing[:HeaderSize], uint16(0))
	f.Fuzz(func(t *testing.T, at uint16, change []byte, cut uint16) {
		for _, of := range []struct {
			stored []byte
			open   func([]byte) (*Opener, error)
		}{
			{whole, func(b []byte) (*Opener, error) { return single.OpenSingle(bytes.NewReader(b), int64(len(b))) }},
			{parts, func(b []byte) (*Opener, error) { return multi.OpenMultipart(bytes.NewReader(b), int64(len(b)), 2) }},
			{parts, func(b []byte) (*Opener, error) {
				return multi.OpenMultipart(bytes.NewReader(b), int64(len(parts)), 2)
			}},
		} {
			changed := bytes.Clone(of.stored)
			start := min(int(at), len(changed))
			changed = append(changed[:start], append(bytes.Clone(change), changed[min(len(changed), start+len(change)):]...)...)
			changed = changed[:max(0, len(changed)-int(cut))]
			got, err := openAll(of.open(changed))
			same := bytes.Equal(changed, of.stored)
			if same != (err == nil) || err == nil && !bytes.Equal(got, plain) {
				t.Errorf("same %v, opened %d bytes, %v", same, len(got), err)
			}
			if err != nil && len(got) > 0 {
				t.Errorf("%d bytes of a changed object came out", len(got))
			}
		}
	})
}

// FuzzForeign gives the openers bytes that nobody sealed.
func FuzzForeign(f *testing.F) {
	single, multi := fixed(f, Single), fixed(f, Multipart)
	f.Add([]byte(magic), int64(100), 1)
	f.Add(make([]byte, PartOverhead), int64(PartOverhead), 1)
	f.Fuzz(func(t *testing.T, stored []byte, size int64, parts int) {
		for _, o := range []func() (*Opener, error){
			func() (*Opener, error) { return single.OpenSingle(bytes.NewReader(stored), size) },
			func() (*Opener, error) { return multi.OpenMultipart(bytes.NewReader(stored), size, parts) },
		} {
			opener, err := o()
			if err != nil {
				continue
			}
			if got, err := io.ReadAll(opener); err == nil || len(got) > 0 {
				t.Errorf("opened %d bytes, %v", len(got), err)
			}
			opener.Close()
		}
	})
}
