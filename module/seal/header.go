package seal

import (
	"crypto/sha256"
	"crypto/subtle"
	"encoding/binary"
	"fmt"
	"hash"
)

const (
	magic = "\x89SGT"

	flagMultipart = 1 << 0
	flagFinal     = 1 << 1
	flagClosing   = 1 << 2

	saltSize    = 32
	checkSize   = 16
	checkedSize = HeaderSize - checkSize // what the check of a header covers
)

// HasMagic reports whether an object begins as a sealed one does. Nothing is
// authenticated: it serves to refuse sealed bytes where an envelope is missing.
// No text in UTF-8 begins so.
func HasMagic(start []byte) bool {
	return len(start) >= len(magic) && string(start[:len(magic)]) == magic
}

// Part is one part of a multipart upload, as sealed or to be sealed.
type Part struct {
	Number int   // 1 to MaxParts, S3's part number
	Length int64 // of plaintext, in bytes
	Final  bool  // nothing may follow; see MustBeFinal
}

// MustBeFinal reports whether a part can only be the last one of its upload, by
// the rules of S3: it is smaller than 5 MiB, or there is no higher number. Such
// a part is sealed with Final; of any other part that cannot be known when it
// arrives, and a closing part ends the object.
func MustBeFinal(number int, length int64) bool { return length < minPart || number == MaxParts }

// Header is the header of a part of a multipart object that
// [Object.ParseHeader] found to be authentic: number, length and flags are what
// was sealed under the keys of that object. It holds no key and may be kept.
type Header struct {
	Part
	Closing bool // an appended part without plaintext that lists the others
	salt    [saltSize]byte
}

// Stored returns the size of the part as stored, in bytes.
func (h Header) Stored() int64 { return h.Length + PartOverhead }

// fields is a header as it is encoded, of single objects too.
type fields struct {
	kind Kind
	Header
}

func singleFields(plain int64) fields {
	return fields{Single, Header{Part: Part{Number: 1, Length: plain, Final: true}}}
}

// encode returns the header with a check of zero.
func (f *fields) encode() (raw [HeaderSize]byte) {
	copy(raw[:], magic)
	raw[4], raw[5] = f.flags(), suite
	binary.BigEndian.PutUint16(raw[6:], uint16(f.Number))
	binary.BigEndian.PutUint64(raw[8:], uint64(f.Length))
	copy(raw[16:checkedSize], f.salt[:])
	return raw
}

func (f *fields) flags() (flags byte) {
	if f.kind == Multipart {
		flags |= flagMultipart
	}
	if f.Final {
		flags |= flagFinal
	}
	if f.Closing {
		flags |= flagClosing
	}
	return flags
}

// decodeHeader reads the fields of a header of a multipart part. Nothing is
// authenticated yet. The error says what is wrong.
func decodeHeader(raw *[HeaderSize]byte) (f fields, problem string) {
	flags := raw[4]
	f.kind = Multipart
	f.Final, f.Closing = flags&flagFinal != 0, flags&flagClosing != 0
	f.Number = int(binary.BigEndian.Uint16(raw[6:]))
	length := binary.BigEndian.Uint64(raw[8:])
	copy(f.salt[:], raw[16:checkedSize])
	switch {
	case !HasMagic(raw[:]):
		return f, "it does not begin with the mark of a sealed part"
	case flags != f.flags():
		return f, fmt.Sprintf("flags %#02x of a part", flags)
	case raw[5] != suite:
		return f, fmt.Sprintf("unknown suite %d", raw[5])
	case f.Number < 1 || f.Number > MaxParts:
		return f, fmt.Sprintf("part number %d", f.Number)
	case length > MaxPart:
		return f, fmt.Sprintf("length %d", length)
	case f.Closing && (length > 0 || !f.Final):
		return f, "a closing part has no plaintext and is final"
	}
	f.Length = int64(length)
	return f, ""
}

// ParseHeader reads the first [HeaderSize] bytes of a part of a multipart
// object and finds out whether they are authentic. The error is a [*Damage]
// with Part 0, [ErrKind] or [ErrWiped]. Whether the part is in its place only
// the list of all headers says: see [NewLayout].
func (o *Object) ParseHeader(raw []byte) (Header, error) {
	if o.envelope.Kind != Multipart {
		return Header{}, ErrKind
	}
	if len(raw) != HeaderSize {
		return Header{}, &Damage{Chunk: -1, Problem: problemTruncated}
	}
	given := [HeaderSize]byte(raw)
	f, problem := decodeHeader(&given)
	if problem != "" {
		return Header{}, &Damage{Chunk: -1, Problem: problem}
	}
	keys, err := o.partKeys(&f)
	if err != nil {
		return Header{}, err
	}
	if subtle.ConstantTimeCompare(keys.header[:], given[:]) != 1 {
		return Header{}, &Damage{Chunk: -1, Problem: problemHeader}
	}
	return f.Header, nil
}

// digest of the numbers and lengths of the parts before a closing part.
type digest struct{ sum hash.Hash }

func newDigest() digest {
	d := digest{sha256.New()}
	d.sum.Write([]byte(labelParts))
	return d
}

func (d digest) add(p Part) {
	var raw [10]byte
	binary.BigEndian.PutUint16(raw[:], uint16(p.Number))
	binary.BigEndian.PutUint64(raw[2:], uint64(p.Length))
	d.sum.Write(raw[:])
}

func (d digest) salt() (salt [saltSize]byte) {
	d.sum.Sum(salt[:0])
	return salt
}
