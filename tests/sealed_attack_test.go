package tests

import (
	"bytes"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
)

// The sizes of the format that attacks aim at, see FORMAT.md.
const (
	headerSize   = 64
	storedChunk  = chunk + 28
	partOverhead = 14_416
)

// victim is a sealed object that the store alters.
type victim struct {
	*sealedBucket
	key    string
	body   []byte
	stored storedObject
}

// wrong wants no read of the object to give anything but a beginning of the bytes
// asked for, and at least one to fail.
func (v *victim) wrong(attack string) {
	v.t.Helper()
	failed := false
	spans := map[string][]byte{"": v.body}
	n := len(v.body)
	for span, want := range map[string][2]int{
		"bytes=0-9": {0, 10}, "bytes=70000-70099": {70_000, 70_100}, "bytes=-10": {n - 10, n}, "bytes=65530-196607": {65_530, 3 * chunk},
	} {
		spans[span] = v.body[want[0]:want[1]]
	}
	for span, want := range spans {
		resp, got := v.attempt(span)
		if resp >= 300 {
			failed = true
			if bytes.Contains(got, v.body[:16]) {
				v.t.Errorf("%s, read of %q: an error with plaintext in it", attack, span)
			}
			continue
		}
		if !bytes.HasPrefix(want, got) {
			v.t.Errorf("%s, read of %q: %d bytes that are not those of the object", attack, span, len(got))
		}
		failed = failed || len(got) < len(want)
	}
	if !failed {
		v.t.Errorf("%s: no read failed", attack)
	}
}

// attempt reads as far as it goes.
func (v *victim) attempt(span string) (status int, body []byte) {
	v.t.Helper()
	in := &s3.GetObjectInput{Bucket: &v.bucket, Key: &v.key}
	if span != "" {
		in.Range = &span
	}
	transport := authority(v.t).Transport()
	defer transport.CloseIdleConnections()
	got, err := awsClient(v.place, transport).GetObject(v.ctx, in)
	if err != nil {
		return 500, []byte(err.Error())
	}
	defer got.Body.Close()
	var read bytes.Buffer
	_, err = read.ReadFrom(got.Body)
	if err == nil && int64(read.Len()) != *got.ContentLength {
		v.t.Errorf("read of %q: a clean end after %d of %d bytes", span, read.Len(), *got.ContentLength)
	}
	return 200, read.Bytes()
}

// with plants the object with another body or other metadata.
func (v *victim) with(attack string, change func(o *storedObject)) {
	v.t.Helper()
	o := storedObject{body: bytes.Clone(v.stored.body), metadata: maps.Clone(v.stored.metadata), parts: slices.Clone(v.stored.parts)}
	change(&o)
	v.plant(v.key, o)
	v.wrong(attack)
}

// flip changes one bit.
func flip(at int) func(*storedObject) {
	return func(o *storedObject) { o.body[(at+len(o.body))%len(o.body)] ^= 4 }
}

// TestSealedTamperedSingle: the store changes a single object in every way it can.
func TestSealedTamperedSingle(t *testing.T) {
	eachSealed(t, []string{"sealed", "mixed"}, func(t *testing.T, b *sealedBucket) {
		body, other := content(3*chunk+1000, 121), content(3*chunk+1000, 122)
		b.put(t, "k", body)
		b.put(t, "other", other)
		v, twin := &victim{b, "k", body, b.stored("k")}, b.stored("other")
		b.plant("k", v.stored)
		b.holds(t, "k", body) // what is put back unchanged is the object
		whole := v.stored
		whole.parts = []int{len(whole.body)}
		b.plant("k", whole) // also by parts, as tools do that restore
		b.holds(t, "k", body)
		b.ranges("k", body, [][2]int{{0, 9}, {chunk - 1, 2 * chunk}, {3 * chunk, 3*chunk + 999}})
		for name, at := range map[string]int{
			"magic": 0, "flags": 4, "length": 15, "check": 63, "first nonce": headerSize, "first chunk": headerSize + 100, "first tag": headerSize + storedChunk - 1,
			"middle chunk": headerSize + storedChunk + 5000, "last chunk": -500, "last tag": -1,
		} {
			v.with("a bit of the "+name, flip(at))
		}
		for name, change := range map[string]func(o *storedObject){
			"one byte less":        func(o *storedObject) { o.body = o.body[:len(o.body)-1] },
			"the last chunk gone":  func(o *storedObject) { o.body = o.body[:headerSize+3*storedChunk] },
			"all but the header":   func(o *storedObject) { o.body = o.body[:headerSize] },
			"nothing left":         func(o *storedObject) { o.body = nil },
			"one byte more":        func(o *storedObject) { o.body = append(o.body, 0) },
			"the last chunk twice": func(o *storedObject) { o.body = append(o.body, o.body[headerSize+3*storedChunk:]...) },
			"another whole chunk":  func(o *storedObject) { o.body = append(o.body, o.body[headerSize:headerSize+storedChunk]...) },
			"two chunks swapped": func(o *storedObject) {
				first := bytes.Clone(o.body[headerSize : headerSize+storedChunk])
				copy(o.body[headerSize:], o.body[headerSize+storedChunk:headerSize+2*storedChunk])
				copy(o.body[headerSize+storedChunk:], first)
			},
			"a chunk of another object":    func(o *storedObject) { copy(o.body[headerSize:headerSize+storedChunk], twin.body[headerSize:]) },
			"the envelope of another":      func(o *storedObject) { o.metadata = twin.metadata },
			"another object and envelope":  func(o *storedObject) { *o = twin },
			"the bytes of another":         func(o *storedObject) { o.body = twin.body },
			"no envelope":                  func(o *storedObject) { o.metadata = nil },
			"an empty envelope":            func(o *storedObject) { o.metadata[envelope] = "" },
			"an envelope that is none":     func(o *storedObject) { o.metadata[envelope] = "AQEBAQ" },
			"a changed envelope":           func(o *storedObject) { o.metadata[envelope] = changed(o.metadata[envelope], 100) },
			"a multipart envelope":         func(o *storedObject) { o.metadata[envelope] = changed(o.metadata[envelope], 3) },
			"another key's id":             func(o *storedObject) { o.metadata[envelope] = changed(o.metadata[envelope], 8) },
			"plaintext with the envelope":  func(o *storedObject) { o.body = bytes.Repeat([]byte("planted "), len(o.body)/8) },
			"stored by parts, changed":     func(o *storedObject) { o.parts = []int{len(o.body)}; o.body[len(o.body)-30] ^= 1 },
			"a header of another's length": func(o *storedObject) { copy(o.body[:headerSize], twin.body[:headerSize]) },
		} {
			v.with(name, change)
		}
		if strings.HasPrefix(b.bucket, "sealed") { // elsewhere it may be there
			v.with("plaintext planted", func(o *storedObject) { *o = storedObject{body: bytes.Repeat([]byte("planted "), 30_000)} })
			v.with("plaintext by parts", func(o *storedObject) {
				*o = storedObject{body: bytes.Repeat([]byte("planted "), 30_000), parts: []int{240_000}}
			})
		}
		elsewhere := &sealedBucket{session: newSession(t, b.place, "sealed", nil), t: t, store: b.store, raw: b.raw}
		elsewhere.create(t)
		elsewhere.plant("k", v.stored)
		(&victim{elsewhere, "k", body, v.stored}).wrong("the same key of another bucket")
		// A documented limit: an older version of the same object is authentic.
		b.put(t, "k", other)
		b.holds(t, "k", other)
		b.plant("k", v.stored)
		b.holds(t, "k", body)
	})
}

// changed is an envelope with another character in it.
func changed(envelope string, at int) string {
	to := byte('A')
	if envelope[at] == to {
		to = 'B'
	}
	return envelope[:at] + string(to) + envelope[at+1:]
}

// TestSealedTamperedParts: the store changes a multipart object.
func TestSealedTamperedParts(t *testing.T) {
	eachSealed(t, []string{"sealed"}, func(t *testing.T, b *sealedBucket) {
		parts := pieces(content(3*partSize+2000, 123), partSize, 2*partSize, 3*partSize)
		body := bytes.Join(parts, nil)
		sizes := []int{partSize + partOverhead, partSize + partOverhead, partSize + partOverhead, 2000 + partOverhead}
		store := func(key string) storedObject {
			u := b.begin(t, &s3.CreateMultipartUploadInput{Key: &key})
			for i, p := range parts {
				u.part(int32(i+1), p, "")
			}
			b.ok(t, u.complete(1, 2, 3, 4))
			o := b.stored(key)
			o.parts = sizes
			return o
		}
		v := &victim{b, "k", body, store("k")}
		twin := store("twin")
		b.plant("k", v.stored)
		b.holds(t, "k", body)
		size := sizes[0]
		part := func(o *storedObject, i int) []byte { return o.body[i*size : min(len(o.body), (i+1)*size)] }
		arrange := func(order ...int) func(o *storedObject) {
			return func(o *storedObject) {
				var out []byte
				var kept []int
				for _, i := range order {
					out, kept = append(out, part(o, i)...), append(kept, sizes[i])
				}
				o.body, o.parts = out, kept
			}
		}
		for name, change := range map[string]func(o *storedObject){
			"a bit of the first header":  flip(48),
			"a bit of the second header": flip(size + 10),
			"a bit of the first chunk":   flip(100),
			"a bit of a middle part":     flip(size + partSize/2),
			"a bit of the last part":     flip(3*size + 200),
			"a bit of the fill":          flip(size - 1),
			"a bit of the last fill":     flip(-1),
			"first part dropped":         arrange(1, 2, 3),
			"middle part dropped":        arrange(0, 2, 3),
			"two parts swapped":          arrange(1, 0, 2, 3),
			"the first part only":        arrange(0),
			"last part dropped":          arrange(0, 1, 2),
			"a part twice":               arrange(0, 1, 1, 2, 3),
			"something after the end": func(o *storedObject) {
				o.body, o.parts = append(o.body, part(o, 3)...), []int{size, size, size + sizes[3], sizes[3]}
			},
			"a part of the twin":  func(o *storedObject) { copy(part(o, 1), part(&twin, 1)) },
			"the twin's envelope": func(o *storedObject) { o.metadata = twin.metadata },
			"the twin itself":     func(o *storedObject) { *o = twin },
			"no envelope":         func(o *storedObject) { o.metadata = nil },
			"one byte less": func(o *storedObject) {
				o.body, o.parts = o.body[:len(o.body)-1], append(slices.Clone(sizes[:3]), sizes[3]-1)
			},
			"one byte more": func(o *storedObject) {
				o.body, o.parts = append(o.body, 0), append(slices.Clone(sizes[:3]), sizes[3]+1)
			},
			"one byte moved to another part": func(o *storedObject) {
				o.parts = []int{sizes[0] + 1, sizes[1] - 1, sizes[2], sizes[3]}
				o.body[0] ^= 1 // the borders alone change nothing that is authentic
			},
		} {
			v.with(name, change)
		}
		// Copied past the gateway, into one piece: still the same object.
		one := v.stored
		one.parts = nil
		b.plant("k", one)
		b.holds(t, "k", body)
		b.ranges("k", body, [][2]int{{0, 10}, {partSize - 5, partSize + 5}, {len(body) - 1, len(body)}})
		head, err := b.aws.HeadObject(b.ctx, &s3.HeadObjectInput{Bucket: &b.bucket, Key: aws.String("k")})
		if err != nil || *head.ContentLength != int64(len(body)) {
			t.Errorf("HEAD of an object that lost its parts: %v, %+v", err, head)
		}
	})
}
