package seal

import (
	"math/bits"
	"sync"
)

// buffer is room for one chunk, from a pool of buffers of its size class.
type buffer struct {
	bytes []byte // what is read from the source
	// other is as much again for what is made of it. Without it sealing and
	// opening work in place, which costs moving the bytes by a nonce. Large
	// chunks are worth that.
	other []byte
	class int
}

// result returns an empty slice to append the sealed or opened chunk to, which
// was read to the start of the buffer.
func (b *buffer) result() []byte {
	if b.other != nil {
		return b.other[:0]
	}
	return b.bytes[:0]
}

// bufferClasses is the number of size classes: 64 KiB, 128 KiB and so on, and
// at last the chunk of the largest part, 10 MiB.
const bufferClasses = 9

// doubleClasses is the number of size classes whose buffers have room for two
// chunks: up to 256 KiB, the chunk of a part of 128 MiB.
const doubleClasses = 3

var pools [bufferClasses]sync.Pool

func classSize(class int) int { return min(minChunk<<class, maxChunk) + chunkOverhead }

// newBuffer returns a buffer of at least size bytes. What it holds is of an
// earlier stream and must be overwritten before it is used.
func newBuffer(size int) *buffer {
	class := bits.Len(uint((size - chunkOverhead - 1) / minChunk))
	if b, ok := pools[class].Get().(*buffer); ok {
		return b
	}
	b := &buffer{bytes: make([]byte, classSize(class)), class: class}
	if class < doubleClasses {
		b.other = make([]byte, classSize(class))
	}
	return b
}

// free gives the buffer back. It may be nil.
func (b *buffer) free() {
	if b != nil {
		pools[b.class].Put(b)
	}
}
