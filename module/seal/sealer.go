package seal

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io"
)

// Sealer reads plaintext and returns it sealed: the stored bytes of a single
// object or of one part. One goroutine reads; Close may be called from another
// at any time.
//
// The last chunk is sealed only after the plaintext ended, without an error and
// with the announced length. A receiver that was promised [Sealer.Size] bytes
// therefore never has all of them of a plaintext that failed.
type Sealer struct {
	src  io.Reader
	size int64

	use   usage
	part  *partCipher
	next  int64   // the chunk to seal
	fill  int64   // zero bytes still to come behind the chunks
	buf   *buffer // nil unless needed
	ready []byte  // sealed bytes still to come out, of buf or the header
	err   error   // what Read returns from now on
}

// SealSingle seals plain, of exactly length bytes, as a whole object. It can be
// called once: another attempt needs another data key, so that chunks of two
// attempts cannot be mixed. The error is [ErrKind], [ErrTooLarge], [ErrReused]
// or [ErrWiped].
func (o *Object) SealSingle(plain io.Reader, length int64) (*Sealer, error) {
	size, err := SingleSize(length)
	switch {
	case err != nil:
		return nil, err
	case o.envelope.Kind != Single:
		return nil, ErrKind
	case !o.sealed.CompareAndSwap(false, true):
		return nil, ErrReused
	}
	return o.newSealer(plain, singleFields(length), size)
}

// SealPart seals plain, of exactly p.Length bytes, as a part. The same number
// may be sealed again, with the same bytes or others: every call has keys of
// its own. Parts may be sealed in parallel. The error is [ErrKind], [ErrPart],
// [ErrTooLarge] or [ErrWiped].
func (o *Object) SealPart(plain io.Reader, p Part) (*Sealer, error) {
	size, err := PartSize(p.Length)
	switch {
	case err != nil:
		return nil, err
	case o.envelope.Kind != Multipart:
		return nil, ErrKind
	case p.Number < 1 || p.Number > MaxParts:
		return nil, fmt.Errorf("%w: number %d", ErrPart, p.Number)
	}
	f := fields{Multipart, Header{Part: p}}
	must(rand.Read(f.salt[:]))
	return o.newSealer(plain, f, size)
}

// ClosingPart returns the stored bytes of the closing part with this number,
// which is higher than those of the earlier parts; they are in their order, and
// none is final. The same list gives the same bytes, so that it does not matter
// which of two attempts to complete an upload is stored. The caller owns them.
// The error is [ErrKind], [ErrPart] or [ErrWiped].
func (o *Object) ClosingPart(number int, earlier []Part) ([]byte, error) {
	if o.envelope.Kind != Multipart {
		return nil, ErrKind
	}
	f := fields{Multipart, Header{Part: Part{Number: number, Final: true}, Closing: true}}
	last, sum := 0, newDigest()
	for _, p := range earlier {
		if p.Number <= last || p.Length < 0 || p.Length > MaxPart || p.Final {
			return nil, fmt.Errorf("%w: number %d of %d bytes after number %d, before a closing part", ErrPart, p.Number, p.Length, last)
		}
		last = p.Number
		sum.add(p)
	}
	if last == 0 || number <= last || number > MaxParts {
		return nil, fmt.Errorf("%w: closing part %d after number %d", ErrPart, number, last)
	}
	f.salt = sum.salt()
	keys, err := o.partKeys(&f)
	if err != nil {
		return nil, err
	}
	clear(keys.key)
	stored := make([]byte, PartOverhead)
	copy(stored, keys.header[:])
	return stored, nil
}

func (o *Object) newSealer(plain io.Reader, f fields, size int64) (*Sealer, error) {
	part, err := o.partCipher(&f)
	if err != nil {
		return nil, err
	}
	s := &Sealer{src: plain, size: size, part: part, fill: part.fill(), ready: part.header[:]}
	s.use.release = s.release
	return s, nil
}

// Size returns the number of bytes Read returns in all.
func (s *Sealer) Size() int64 { return s.size }

// Read returns the next sealed bytes, as many as p can take unless something
// failed. Errors of the plaintext's reader are returned as they are; others are
// [ErrPlaintextLength] and, after Close, [ErrClosed].
func (s *Sealer) Read(p []byte) (int, error) {
	if !s.use.begin() {
		return 0, ErrClosed
	}
	defer s.use.end()
	done := 0
	for done < len(p) && s.err == nil {
		done += s.step(p[done:])
	}
	if done > 0 || len(p) == 0 {
		return done, nil
	}
	return 0, s.err
}

// step puts some bytes into p and returns how many, or sets err.
func (s *Sealer) step(p []byte) int {
	switch {
	case len(s.ready) > 0:
		n := copy(p, s.ready)
		s.ready = s.ready[n:]
		return n
	case s.next < s.part.count:
		n, err := s.seal(p)
		s.fail(err)
		return n
	case s.fill > 0:
		n := int(min(s.fill, int64(len(p))))
		clear(p[:n])
		s.fill -= int64(n)
		return n
	}
	s.fail(io.EOF)
	return 0
}

// seal reads and seals the next chunk, into p if it can take all of it.
func (s *Sealer) seal(p []byte) (int, error) {
	if s.buf == nil {
		s.buf = newBuffer(s.part.buffer())
	}
	i := s.next
	plain := s.buf.bytes[:s.part.plain(i)]
	if err := readFull(s.src, plain); err != nil {
		if errors.Is(err, io.EOF) {
			err = fmt.Errorf("%w: it is shorter than %d bytes", ErrPlaintextLength, s.part.Length)
		}
		return 0, err
	}
	if i == s.part.count-1 {
		if ended, err := atEnd(s.src); err != nil {
			return 0, err
		} else if !ended {
			return 0, fmt.Errorf("%w: it is longer than %d bytes", ErrPlaintextLength, s.part.Length)
		}
	}
	s.next++
	if len(p) >= len(plain)+chunkOverhead {
		return len(s.part.seal(p[:0], plain, i)), nil
	}
	s.ready = s.part.seal(s.buf.result(), plain, i)
	return 0, nil
}

// fail ends the stream where err is not nil.
func (s *Sealer) fail(err error) {
	if err != nil {
		s.err = err
		s.release()
	}
}

func (s *Sealer) release() {
	s.buf.free()
	s.buf, s.ready = nil, nil
}

// Close gives buffers back. It neither closes nor drains the plaintext's
// reader, and does not wait for a Read in progress, which cleans up itself when
// it returns. It always returns nil and may be called again.
func (s *Sealer) Close() error {
	s.use.close()
	return nil
}
