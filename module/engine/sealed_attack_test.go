package engine

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/sealgate/sealgate/module/seal"
	"github.com/sealgate/sealgate/policy"
)

// Whoever has the store in hand can alter all of it. No client may get a byte
// that was not sealed under the name it asked for: it gets an error, or the right
// bytes up to where its connection is cut.

// reading is one way to read an object, and the bytes that it must give.
type reading struct {
	header string // Range, "" for the whole object
	part   int
	want   []byte
}

func (r reading) String() string { return fmt.Sprintf("%s part %d", r.header, r.part) }

// readings are the ways to read an object of parts of these sizes.
func readings(plain []byte, sizes ...int) []reading {
	n := len(plain)
	out := []reading{{want: plain}}
	for _, span := range [][2]int{{0, 0}, {1, 65536}, {65535, 65536}, {n / 2, n/2 + 10}, {n - 10, n - 1}, {0, n - 1}} {
		out = append(out, reading{header: fmt.Sprintf("bytes=%d-%d", span[0], span[1]), want: plain[span[0] : span[1]+1]})
	}
	out = append(out, reading{header: "bytes=-7", want: plain[n-7:]}, reading{header: fmt.Sprintf("bytes=%d-", n-9), want: plain[n-9:]})
	at := 0
	for i, size := range sizes {
		out = append(out, reading{part: i + 1, want: plain[at : at+size]})
		at += size
	}
	return out
}

// read makes a request whose connection may be cut: cut says that it was.
func (b *bed) read(path string, r reading) (a answer, cut error) {
	b.t.Helper()
	if r.part > 0 {
		path += "?partNumber=" + strconv.Itoa(r.part)
	}
	var header []string
	if r.header != "" {
		header = []string{"Range: " + r.header}
	}
	resp, err := b.client.RoundTrip(b.request(http.MethodGet, path, "", header...))
	if err != nil {
		return answer{}, err
	}
	defer func() { _ = resp.Body.Close() }()
	data, err := io.ReadAll(resp.Body)
	return answer{resp, string(data)}, err
}

// wrong says what is wrong with an answer to a reading; nil for an error, for a
// cut connection, and for an answer that is right.
func (r reading) wrong(a answer, cut error, whole []byte) error {
	switch {
	case a.Response == nil:
		return nil
	case a.StatusCode >= 300:
		if a.StatusCode != http.StatusNotModified && !strings.Contains(a.body, "<Error>") {
			return fmt.Errorf("%d without an error document: %.60q", a.StatusCode, a.body)
		}
		return nil
	}
	want, status := r.want, http.StatusPartialContent
	if r.header == "" && r.part == 0 || r.header != "" && a.StatusCode == http.StatusOK {
		want, status = whole, http.StatusOK // a store may ignore Range
	}
	switch {
	case !bytes.HasPrefix(want, []byte(a.body)):
		return fmt.Errorf("%d with %d bytes that were not sealed there", a.StatusCode, len(a.body))
	case a.StatusCode != status:
		return fmt.Errorf("status %d, want %d", a.StatusCode, status)
	case cut == nil && (len(a.body) != len(want) || a.ContentLength != int64(len(want))):
		return fmt.Errorf("a clean end after %d bytes of %d, %d announced", len(a.body), len(want), a.ContentLength)
	}
	return nil
}

// right reports whether an answer is whole and right.
func (r reading) right(a answer, cut error) bool {
	return cut == nil && a.Response != nil && a.StatusCode < 300 && a.body == string(r.want)
}

// setBody gives an object other stored bytes, and leaves everything else as it was.
func (s *objectStore) setBody(path string, body []byte) {
	s.mu.Lock()
	defer s.mu.Unlock()
	o := *s.objects[path]
	o.body = body
	s.objects[path] = &o
}

func (s *objectStore) setHeader(path string, change func(o *object)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	o := *s.objects[path]
	o.header = o.header.Clone()
	change(&o)
	s.objects[path] = &o
}

// alterations of stored bytes at these borders.
func alterations(stored []byte, borders []int) map[string][]byte {
	out := map[string][]byte{
		"a byte more":      append(slices.Clone(stored), 0),
		"twice":            append(slices.Clone(stored), stored...),
		"nothing":          {},
		"a byte in front":  append([]byte{0}, stored...),
		"a byte less":      stored[:len(stored)-1],
		"the first gone":   stored[1:],
		"all zero":         make([]byte, len(stored)),
		"plaintext":        pattern(len(stored)),
		"the magic, alone": stored[:4],
	}
	for _, at := range borders {
		for _, i := range []int{at - 1, at} {
			if i < 0 || i >= len(stored) {
				continue
			}
			flipped := slices.Clone(stored)
			flipped[i] ^= 1 << (i % 8)
			out[fmt.Sprintf("bit %d of byte %d", i%8, i)] = flipped
		}
		if at > 0 && at < len(stored) {
			out[fmt.Sprintf("cut at %d", at)] = stored[:at]
			out[fmt.Sprintf("begun at %d", at)] = stored[at:]
		}
	}
	return out
}

// checkAltered reads an altered object in all ways. The whole object must fail
// in any case; whether anything else does depends on what was altered.
func checkAltered(t *testing.T, b *bed, path, name string, plain []byte, ways []reading) {
	t.Helper()
	for _, way := range ways {
		a, cut := b.read(path, way)
		if err := way.wrong(a, cut, plain); err != nil {
			t.Errorf("%s, read %s: %v", name, way, err)
		}
		if way.header == "" && way.part == 0 && way.right(a, cut) {
			t.Errorf("%s: the whole object was given out", name)
		}
	}
}

func TestSealedAttackOnSingleObject(t *testing.T) {
	t.Parallel()
	b, store := sealedBed(t)
	const path = "/bucket/all/key"
	plain := pattern(150_000)
	earlier := func() []byte {
		b.put(path, pattern(len(plain) + 1)[:len(plain)])
		return store.at(path).body
	}()
	b.put(path, plain)
	stored := store.at(path).body
	const chunk = 65536 + 28
	borders := []int{0, 4, 5, 6, 8, 16, 48, 64, 64 + 12, 64 + chunk - 16, 64 + chunk, 64 + chunk + 12, 64 + 2*chunk, len(stored)}
	changes := alterations(stored, borders)
	splice := func(pieces ...[]byte) []byte { return slices.Concat(pieces...) }
	head, first, second, third := stored[:64], stored[64:64+chunk], stored[64+chunk:64+2*chunk], stored[64+2*chunk:]
	changes["chunks swapped"] = splice(head, second, first, third)
	changes["a chunk twice"] = splice(head, first, first, third)
	changes["first chunk gone"] = splice(head, second, third)
	changes["last chunk gone"] = splice(head, first, second)
	changes["chunk of an earlier object"] = splice(head, earlier[64:64+chunk], second, third)
	changes["an earlier object"] = earlier
	ways := readings(plain, len(plain))
	for name, body := range changes {
		store.setBody(path, body)
		checkAltered(t, b, path, name, plain, ways)
	}
	store.setBody(path, stored)
	for _, way := range ways {
		if a, cut := b.read(path, way); !way.right(a, cut) {
			t.Errorf("unaltered, read %s: %d, %d bytes, %v", way, a.StatusCode, len(a.body), cut)
		}
	}
}

func TestSealedAttackOnParts(t *testing.T) {
	t.Parallel()
	b, store := sealedBed(t)
	const path = "/bucket/all/key"
	sizes := []int{5 * mib, 5 * mib, 10}
	var plain []byte
	for i, size := range sizes {
		plain = append(plain, pattern(size + i)[:size]...)
	}
	upload := func(stale bool) (parts [][]byte, all []byte) {
		u := b.begin(path)
		if stale { // an attempt at part 2 with other bytes
			u.part(2, pattern(5*mib + 9)[:5*mib])
			store.mu.Lock()
			for _, up := range store.uploads {
				parts = append(parts, up.parts[2])
			}
			store.mu.Unlock()
		}
		at := 0
		for i, size := range sizes {
			u.part(i+1, plain[at:at+size])
			at += size
		}
		if a := u.complete(1, 2, 3); a.StatusCode != http.StatusOK {
			t.Fatalf("complete: %d %s", a.StatusCode, a.body)
		}
		all = store.at(path).body
		at = 0
		for _, size := range sizes {
			parts = append(parts, all[at:at+size+seal.PartOverhead])
			at += size + seal.PartOverhead
		}
		return parts, all
	}
	other, _ := upload(false)
	parts, stored := upload(true)
	stale, parts := parts[0], parts[1:]
	// The second attempt at a part may be replaced by the first, as a whole and
	// everywhere; not by pieces of it.
	const chunk = 65536 + 28
	begin2 := len(parts[0])
	changes := alterations(stored, []int{0, 16, 64 + chunk, begin2, begin2 + 16, begin2 + 64, begin2 + len(parts[1]), len(stored)})
	for name, order := range map[string][][]byte{
		"first part gone":         {parts[1], parts[2]},
		"middle part gone":        {parts[0], parts[2]},
		"last part gone":          {parts[0], parts[1]},
		"equal parts swapped":     {parts[1], parts[0], parts[2]},
		"parts swapped":           {parts[0], parts[2], parts[1]},
		"a part twice":            {parts[0], parts[0], parts[2]},
		"a part too many":         {parts[0], parts[1], parts[1], parts[2]},
		"last part alone":         {parts[2]},
		"part of another upload":  {parts[0], other[1], parts[2]},
		"last of another upload":  {parts[0], parts[1], other[2]},
		"parts of another upload": other,
		"header of an attempt":    {parts[0], slices.Concat(stale[:64], parts[1][64:]), parts[2]},
		"chunk of an attempt":     {parts[0], slices.Concat(parts[1][:64], stale[64:64+chunk], parts[1][64+chunk:]), parts[2]},
	} {
		changes[name] = slices.Concat(order...)
	}
	etag := store.at(path).etag
	ways := []reading{
		{want: plain},
		{header: "bytes=0-0", want: plain[:1]},
		{header: "bytes=5242879-5242881", want: plain[5242879:5242882]},
		{header: "bytes=-12", want: plain[len(plain)-12:]},
		{part: 2, want: plain[5*mib : 10*mib]},
		{part: 3, want: plain[10*mib:]},
	}
	for name, body := range changes {
		for _, count := range []int{len(sizes), 2, 4, 0} {
			if count != len(sizes) && !strings.Contains(name, "part") {
				continue // a lie about the number of parts helps to move them
			}
			b.engine.memory = newMemory()
			store.setBody(path, body)
			store.setHeader(path, func(o *object) { o.etag = strings.Replace(etag, "-3", "-"+strconv.Itoa(count), 1) })
			checkAltered(t, b, path, fmt.Sprintf("%s, %d parts", name, count), plain, ways)
		}
	}
	store.setBody(path, stored)
	for _, count := range []int{1, 2, 4, 10_000} {
		store.setHeader(path, func(o *object) { o.etag = strings.Replace(etag, "-3", "-"+strconv.Itoa(count), 1) })
		checkAltered(t, b, path, fmt.Sprintf("%d parts", count), plain, ways)
	}
	store.setHeader(path, func(o *object) { o.etag = etag })
	for _, way := range ways {
		if a, cut := b.read(path, way); !way.right(a, cut) {
			t.Errorf("unaltered, read %s: %d bytes, %v", way, len(a.body), cut)
		}
	}
}

// An envelope that is gone, of another object, or of another name.
func TestSealedAttackOnEnvelope(t *testing.T) {
	t.Parallel()
	b, store := sealedBed(t)
	plain := pattern(70_000)
	for _, prefix := range []string{"all/", "mixed/"} {
		path := "/bucket/" + prefix + "key"
		b.put(path, pattern(len(plain) + 1)[:len(plain)])
		earlier := store.at(path).header.Get(envelopeHeader)
		b.put("/bucket/"+prefix+"neighbour", plain)
		b.put("/bucket2/"+prefix+"key", plain)
		b.put(path, plain)
		own := store.at(path).header.Get(envelopeHeader)
		u := b.begin("/bucket/" + prefix + "parts")
		u.part(1, plain)
		u.complete(1)
		moved := func(from string) func(o *object) {
			stored := store.at(from)
			return func(o *object) { o.body, o.header, o.etag = stored.body, stored.header, stored.etag }
		}
		set := func(envelope string) func(o *object) {
			return func(o *object) { o.header.Set(envelopeHeader, envelope) }
		}
		original := *store.at(path)
		for name, change := range map[string]func(o *object){
			"stripped":                  func(o *object) { o.header.Del(envelopeHeader) },
			"stripped and short":        func(o *object) { o.header.Del(envelopeHeader); o.body = o.body[:50] },
			"empty":                     set(""),
			"garbage":                   set("no envelope"),
			"of an earlier object":      set(earlier),
			"of a neighbour":            set(store.at("/bucket/" + prefix + "neighbour").header.Get(envelopeHeader)),
			"of a multipart object":     set(store.at("/bucket/" + prefix + "parts").header.Get(envelopeHeader)),
			"of the future":             set("Ag" + own[2:]),
			"altered":                   set(altered(own)),
			"with a space":              set(own + "="),
			"neighbour":                 moved("/bucket/" + prefix + "neighbour"),
			"same key, other bucket":    moved("/bucket2/" + prefix + "key"),
			"multipart neighbour":       moved("/bucket/" + prefix + "parts"),
			"bit of the wrapped key":    set(flip(own, 110)),
			"bit of the commitment":     set(flip(own, 90)),
			"bit of the object's id":    set(flip(own, 30)),
			"bit of the key's id":       set(flip(own, 8)),
			"another kind of the wrap":  set(own[:5] + "C" + own[6:]),
			"flag of a multipart":       set(own[:2] + "EB" + own[4:]),
			"two headers, first is bad": func(o *object) { o.header[envelopeHeader] = []string{altered(own), own} },
		} {
			store.setHeader(path, change)
			checkAltered(t, b, path, prefix+name, plain, readings(plain, len(plain)))
			store.setHeader(path, func(o *object) { *o = original })
		}
		if a := b.get(path); a.body != string(plain) {
			t.Errorf("%s unaltered: %d %s", prefix, a.StatusCode, a.body)
		}
	}
}

// flip changes a bit of the character at i so that it stays one of the alphabet.
func flip(text string, i int) string {
	c := byte('A')
	if text[i] == c {
		c = 'B'
	}
	return text[:i] + string(c) + text[i+1:]
}

// An object that was sealed under this very name, but by a keyring whose objects
// readers here do not accept.
func TestSealedAttackWithAnotherKeyring(t *testing.T) {
	t.Parallel()
	b, store := sealedBed(t)
	rings := b.engine.cfg.Keyrings
	elsewhere := newBed(t, strings.Replace(sealedPosture, "all/: {mode: cse, sealed: all}", "all/: {mode: cse, keyring: other}", 1),
		func(c *Config, _ *policy.Options) { c.Upstream, c.Keyrings = upstreamOf(t, store.URL), rings })
	elsewhere.put("/bucket/all/key", []byte("planted"))
	a := b.get("/bucket/all/key")
	if a.err(t).Code != "BadGateway" || b.recordOf(a).Outcome != OutcomeDamaged {
		t.Errorf("%d %s, outcome %s", a.StatusCode, a.body, b.recordOf(a).Outcome)
	}
	// mixed/ accepts both keyrings, and main seals there.
	elsewhere.put("/bucket/other/key", []byte("of the other keyring"))
	if a := b.get("/bucket/other/key"); a.body != "of the other keyring" {
		t.Errorf("%d %s", a.StatusCode, a.body)
	}
}

// Objects that come to where all are sealed without the gateway.
func TestSealedAttackByPlanting(t *testing.T) {
	t.Parallel()
	b, store := sealedBed(t)
	plain := pattern(70_000)
	store.mu.Lock()
	for _, prefix := range []string{"all/", "mixed/"} {
		store.store("/bucket/"+prefix+"key", plain, http.Header{}, "planted")
		store.store("/bucket/"+prefix+"parts", plain, http.Header{}, "planted-2")
		store.store("/bucket/"+prefix+"empty", nil, http.Header{}, "planted")
	}
	store.mu.Unlock()
	for _, name := range []string{"key", "parts", "empty"} {
		for _, way := range []reading{{}, {header: "bytes=0-0"}, {header: "bytes=-5"}, {header: "bytes=5000000000-"}, {header: "bytes=99999999999-"}, {part: 1}} {
			a, cut := b.read("/bucket/all/"+name, way)
			if cut != nil || a.err(t).Code != "BadGateway" {
				t.Errorf("all/%s, read %s: %d %.100s, %v", name, way, a.StatusCode, a.body, cut)
			}
			if rec := b.recordOf(a); name != "empty" && (rec.Outcome != OutcomeDamaged || !strings.Contains(rec.Cause, "not sealed")) {
				t.Errorf("all/%s, read %s: record %s %q", name, way, rec.Outcome, rec.Cause)
			}
		}
		if a := b.do(b.request(http.MethodHead, "/bucket/all/"+name, "")); a.StatusCode != http.StatusBadGateway {
			t.Errorf("HEAD all/%s: %d", name, a.StatusCode)
		}
		if a := b.get("/bucket/all/"+name+"?attributes", "X-Amz-Object-Attributes: ObjectSize"); a.StatusCode != http.StatusBadGateway {
			t.Errorf("attributes of all/%s: %d", name, a.StatusCode)
		}
		if a := b.do(b.request(http.MethodPut, "/bucket/mixed/copy", "", "X-Amz-Copy-Source: /bucket/all/"+name)); a.StatusCode == http.StatusOK {
			t.Errorf("copy of all/%s: %d %s", name, a.StatusCode, a.body)
		}
	}
	// Where others may be, they are given as they are.
	if a := b.get("/bucket/mixed/key"); a.body != string(plain) || a.Header.Get("ETag") != `"planted"` {
		t.Errorf("mixed/: %d, %d bytes, %s", a.StatusCode, len(a.body), a.Header.Get("ETag"))
	}
	for _, r := range ranges(len(plain)) {
		b.checkRange("/bucket/mixed/key", plain, r)
	}
}
