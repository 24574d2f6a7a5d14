package sigv4

import (
	"bufio"
	"io"
	"sync"
)

const (
	// blockSize is the most of a payload that is held back until it is
	// verified, and so the memory one body may need.
	blockSize = 64 << 10
	// frameSize is the buffer through which chunk headers and the trailer are
	// read. Payload bytes are read past it, straight to the caller, once it is
	// drained. It bounds the length of a line, and must hold the longest trailer
	// section and one byte more.
	frameSize = 8 << 10
)

type block [blockSize]byte

var blocks = sync.Pool{New: func() any { return new(block) }}

var frameReaders = sync.Pool{New: func() any { return bufio.NewReaderSize(nil, frameSize) }}

func newFrameReader(r io.Reader) *bufio.Reader {
	br := frameReaders.Get().(*bufio.Reader)
	br.Reset(r)
	return br
}

func releaseFrameReader(br *bufio.Reader) {
	br.Reset(nil) // the pool must not keep a connection alive
	frameReaders.Put(br)
}
