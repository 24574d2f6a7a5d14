package seal

import (
	"crypto/cipher"
	"encoding/binary"
)

// partCipher seals and opens the chunks of one part, for one stream at a time.
type partCipher struct {
	fields
	header [HeaderSize]byte // as stored
	aead   cipher.AEAD
	chunk  int64 // plaintext bytes in every chunk but the last
	count  int64 // chunks; 0 in a closing part
	aad    [5]byte
}

func (o *Object) partCipher(f *fields) (*partCipher, error) {
	keys, err := o.partKeys(f)
	if err != nil {
		return nil, err
	}
	defer clear(keys.key)
	c := &partCipher{fields: *f, header: keys.header, aead: newAEAD(keys.key), chunk: minChunk}
	if f.kind == Multipart {
		c.chunk = partChunk(f.Length)
	}
	if !f.Closing {
		c.count = chunkCount(f.Length, c.chunk)
	}
	return c, nil
}

// plain returns the plaintext bytes of chunk i.
func (c *partCipher) plain(i int64) int { return int(min(c.chunk, c.Length-i*c.chunk)) }

// buffer returns how large a buffer for any chunk must be.
func (c *partCipher) buffer() int { return int(min(c.chunk, c.Length)) + chunkOverhead }

// fill returns the zero bytes behind the last chunk.
func (c *partCipher) fill() int64 {
	if c.kind == Single {
		return 0
	}
	return PartOverhead - HeaderSize - chunkOverhead*c.count
}

// seal appends the sealed chunk i to dst, which may be plain[:0].
func (c *partCipher) seal(dst, plain []byte, i int64) []byte {
	return c.aead.Seal(dst, nil, plain, c.place(i)) //nolint:gosec // G407: the AEAD draws a nonce for each call
}

// open appends the plaintext of chunk i to dst, which may be sealed[:0], and
// reports whether it is authentic. If not, nothing readable is left in dst.
func (c *partCipher) open(dst, sealed []byte, i int64) ([]byte, bool) {
	plain, err := c.aead.Open(dst, nil, sealed, c.place(i))
	return plain, err == nil
}

// place returns what binds a chunk to its place in the part. The result is
// valid until the next call.
func (c *partCipher) place(i int64) []byte {
	binary.BigEndian.PutUint32(c.aad[:], uint32(i))
	c.aad[4] = 0
	if i == c.count-1 {
		c.aad[4] = 1
	}
	return c.aad[:]
}
