package engine

import (
	"bytes"
	"crypto/fips140"
	"crypto/sha1" //nolint:gosec // S3 has it as a checksum
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"hash"
	"hash/crc32"
	"strconv"
	"strings"

	"github.com/sealgate/sealgate/module/s3"
)

// With CompleteMultipartUpload a client may send a checksum of the whole object,
// of its plaintext here. Nothing remembers the plaintext of the parts; but each
// part's checksum was found true when the part came with it, and clients name it
// again in the document. From those and the lengths of the parts follows that of
// the object, so that what is verified is what this call decides: that these are
// the parts, all of them, in this order.

// wholeAlgorithm is how the checksums of parts make that of an object ("Checking
// object integrity", Amazon S3 User Guide).
type wholeAlgorithm struct {
	size int
	crc  crcKind          // to join them, by the full-object method; zero: it has none
	hash func() hash.Hash // to hash them, by the composite method; nil: it has none
}

var wholeAlgorithms = map[string]wholeAlgorithm{
	"CRC32":     {4, crcKind{32, 0xedb88320}, func() hash.Hash { return crc32.NewIEEE() }},
	"CRC32C":    {4, crcKind{32, 0x82f63b78}, func() hash.Hash { return crc32.New(crc32.MakeTable(crc32.Castagnoli)) }},
	"CRC64NVME": {8, crcKind{64, 0x9a6c9329ac4bc9b5}, nil},
	"SHA1":      {sha1.Size, crcKind{}, sha1.New},
	"SHA256":    {sha256.Size, crcKind{}, sha256.New},
}

// verifyWhole holds the checksum of the whole object, if the client sent one,
// against the parts. One that cannot be verified is refused: a client that sends
// it counts on it.
func (c *completion) verifyWhole(parts []part) error {
	for name, values := range c.x.req.Header {
		label, ok := strings.CutPrefix(name, "X-Amz-Checksum-")
		if !ok || label == "Type" || label == "Algorithm" {
			continue
		}
		label = strings.ToUpper(label)
		algorithm, ok := wholeAlgorithms[label]
		if !ok {
			return errWholeUnverifiable.WithCause(errors.New("algorithm " + label))
		}
		sums, err := c.partSums(label, algorithm.size)
		if err != nil {
			return err
		}
		if !algorithm.agrees(wholeChecksum{values[0], c.x.req.Header.Get("X-Amz-Checksum-Type")}, sums, parts) {
			return s3.ErrBadDigest.WithMessage("The " + label + " you specified did not match the calculated checksum.")
		}
	}
	return nil
}

var errWholeUnverifiable = s3.ErrNotImplemented.
	WithMessage("Objects here are sealed. A checksum of the whole object can be verified only where the request names the same kind of checksum for each part.")

// partSums are the checksums that the document names of its parts.
func (c *completion) partSums(label string, size int) ([][]byte, error) {
	out := make([][]byte, 0, len(c.wanted))
	for _, w := range c.wanted {
		var sum []byte
		for _, d := range w.Checksums {
			if d.Name == "Checksum"+label {
				sum, _ = base64.StdEncoding.DecodeString(d.Value)
			}
		}
		if len(sum) != size {
			return nil, errWholeUnverifiable.WithCause(errors.New("part " + strconv.Itoa(w.PartNumber)))
		}
		out = append(out, sum)
	}
	return out, nil
}

// wholeChecksum is what a client says of an object.
type wholeChecksum struct{ value, method string }

// agrees reports whether the checksums of the parts make that of the object. Where
// the client does not say by which method, either will do.
func (a wholeAlgorithm) agrees(said wholeChecksum, sums [][]byte, parts []part) bool {
	value, count, counted := strings.Cut(said.value, "-")
	want, err := base64.StdEncoding.DecodeString(value)
	if err != nil || len(want) != a.size || counted && count != strconv.Itoa(len(parts)) {
		return false
	}
	composite := a.hash != nil && said.method != "FULL_OBJECT" && bytes.Equal(a.composite(sums), want)
	full := a.crc.bits > 0 && said.method != "COMPOSITE" && !counted && bytes.Equal(a.joined(sums, parts), want)
	return composite || full
}

// composite is the checksum of the checksums.
func (a wholeAlgorithm) composite(sums [][]byte) (out []byte) {
	fips140.WithoutEnforcement(func() { // detects damage and protects nothing
		h := a.hash()
		for _, sum := range sums {
			_, _ = h.Write(sum) // never fails
		}
		out = h.Sum(nil)
	})
	return out
}

// joined is the checksum of the parts one after another.
func (a wholeAlgorithm) joined(sums [][]byte, parts []part) []byte {
	var whole uint64 // of no bytes
	for i, sum := range sums {
		var padded [8]byte
		copy(padded[8-len(sum):], sum)
		whole = a.crc.join(whole, binary.BigEndian.Uint64(padded[:]), parts[i].Length)
	}
	return binary.BigEndian.AppendUint64(nil, whole)[8-a.size:]
}

// crcKind is a CRC of bits bits over reflected bytes, whose register begins and
// ends inverted; poly is its polynomial, reflected.
type crcKind struct {
	bits int
	poly uint64
}

// join gives the CRC of two stretches of bytes from those of each; length is that
// of the second. The first one is multiplied by x to the number of bits that come
// after it, modulo the polynomial.
func (k crcKind) join(first, second uint64, length int64) uint64 {
	one := uint64(1) << (k.bits - 1)
	power, factor := one, one>>8 // x^0, x^8
	for n := uint64(length); n > 0; n >>= 1 {
		if n&1 == 1 {
			power = k.multiply(power, factor)
		}
		factor = k.multiply(factor, factor)
	}
	return k.multiply(power, first) ^ second
}

// multiply multiplies two polynomials modulo that of the CRC. The highest bit is
// the coefficient of x^0.
func (k crcKind) multiply(a, b uint64) (product uint64) {
	for bit := uint64(1) << (k.bits - 1); bit > 0; bit >>= 1 {
		if a&bit != 0 {
			product ^= b
		}
		carry := b & 1
		b >>= 1
		if carry == 1 {
			b ^= k.poly
		}
	}
	return product
}
