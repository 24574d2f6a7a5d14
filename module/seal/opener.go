package seal

import (
	"bytes"
	"crypto/subtle"
	"errors"
	"io"
)

// Opener reads stored bytes and returns the plaintext. No byte of a chunk comes
// out before the chunk is authenticated. Of a whole object the last plaintext
// comes out only when everything stored has been read and found right: a
// receiver that was promised [Opener.Size] bytes never has all of them of an
// object that was damaged, cut or extended.
//
// One goroutine reads; Close may be called from another at any time.
type Opener struct {
	object *Object
	src    io.Reader
	size   int64
	whole  bool
	layout *Layout // nil for a whole multipart object: headers are new then

	use   usage
	order *order      // the rules for headers, without a layout
	exact bool        // a gap in the part numbers is an ErrGap
	part  *partCipher // being opened, nil before the first header
	index int         // of that part in the object
	next  int64       // the chunk to open
	skip  int         // bytes of it that are not wanted
	left  int64       // plaintext bytes still to be opened
	done  bool        // everything was read and found right
	buf   *buffer     // nil unless needed
	ready []byte      // authenticated plaintext still to come out, of buf
	err   error       // what Read returns from now on
}

// OpenSingle opens a whole single object from all its stored bytes. The stored
// size may be what the store told: a wrong one is found out. The error is
// [ErrKind] or [ErrSize].
func (o *Object) OpenSingle(src io.Reader, stored int64) (*Opener, error) {
	if o.envelope.Kind != Single {
		return nil, ErrKind
	}
	l, err := SingleLayout(stored)
	if err != nil {
		return nil, err
	}
	return newOpener(&Opener{object: o, src: src, size: l.Plain(), whole: true, layout: l, index: -1}), nil
}

// OpenMultipart opens a whole multipart object from all its stored bytes, of
// which the store told the size and the number of parts: wrong ones are found
// out. The error is [ErrKind] or [ErrSize].
func (o *Object) OpenMultipart(src io.Reader, stored int64, parts int) (*Opener, error) {
	if o.envelope.Kind != Multipart {
		return nil, ErrKind
	}
	plain, err := MultipartPlain(stored, parts)
	if err != nil {
		return nil, err
	}
	return newOpener(&Opener{object: o, src: src, size: plain, whole: true, order: newOrder(plain, parts), index: -1}), nil
}

// OpenUnbroken is [Object.OpenMultipart] for a receiver that uses bytes as they
// come. Where part numbers have a gap, only the closing part at the end says
// that no part was left out or moved: so before the first part whose number is
// not its rank, Read returns [ErrGap]. The rest is read with the headers of all
// parts: see [NewLayout].
func (o *Object) OpenUnbroken(src io.Reader, stored int64, parts int) (*Opener, error) {
	opener, err := o.OpenMultipart(src, stored, parts)
	if err == nil {
		opener.exact = true
	}
	return opener, err
}

// OpenRange opens an extent of the plaintext from the stored bytes that
// [Layout.Stored] names for it. Bytes that follow are not read. The error is
// [ErrKind], [ErrRange] or [ErrWiped].
func (o *Object) OpenRange(src io.Reader, l *Layout, plain Extent) (*Opener, error) {
	if o.envelope.Kind != l.kind {
		return nil, ErrKind
	}
	if _, err := l.Stored(plain); err != nil {
		return nil, err
	}
	at := must(l.locate(plain.Offset))
	part, err := o.partCipher(&fields{l.kind, l.headers[at.index]})
	if err != nil {
		return nil, err
	}
	return newOpener(&Opener{object: o, src: src, size: plain.Length, layout: l,
		part: part, index: at.index, next: at.chunk, skip: at.skip}), nil
}

func newOpener(o *Opener) *Opener {
	o.left = o.size
	o.use.release = o.release
	return o
}

// Size returns the number of bytes Read returns in all.
func (o *Opener) Size() int64 { return o.size }

// Read returns the next bytes of the plaintext. The error is a [*Damage] where
// the stored bytes are not authentic, [ErrClosed] after Close, [ErrWiped], or
// that of the stored bytes' reader as it is.
func (o *Opener) Read(p []byte) (int, error) {
	if !o.use.begin() {
		return 0, ErrClosed
	}
	defer o.use.end()
	if len(p) == 0 {
		return 0, nil
	}
	for o.err == nil {
		if len(o.ready) > 0 {
			n := copy(p, o.ready)
			o.ready = o.ready[n:]
			return n, nil
		}
		n, err := o.open(p)
		if err != nil {
			o.err = err
			o.release()
		} else if n > 0 {
			return n, nil
		}
	}
	return 0, o.err
}

// open opens the next chunk that has plaintext, into p if it can take all of it
// and else into ready.
func (o *Opener) open(p []byte) (int, error) {
	if o.part == nil {
		if err := o.enter(); err != nil {
			return 0, err
		}
	}
	if o.done {
		return 0, io.EOF
	}
	plain, err := o.openChunk(p)
	if err != nil {
		return 0, err
	}
	direct := len(plain) > 0 && &plain[0] == &p[0]
	plain = plain[o.skip:]
	plain = plain[:min(int64(len(plain)), o.left)]
	o.skip = 0
	o.left -= int64(len(plain))
	if err := o.proceed(); err != nil {
		return 0, err
	}
	if direct {
		return len(plain), nil
	}
	o.ready = plain
	return 0, nil
}

// openChunk reads and authenticates the next chunk. The plaintext is in p if p
// can take it and it is wanted from its start.
func (o *Opener) openChunk(p []byte) ([]byte, error) {
	n := o.part.plain(o.next)
	o.reserve()
	sealed := o.buf.bytes[:n+chunkOverhead]
	if err := o.read(sealed, o.next); err != nil {
		return nil, err
	}
	dst := o.buf.result()
	if n <= len(p) && o.skip == 0 {
		dst = p[:0]
	}
	plain, ok := o.part.open(dst, sealed, o.next)
	if !ok {
		return nil, o.damage(o.next, problemTag)
	}
	o.next++
	return plain, nil
}

// proceed looks at what follows a chunk before its plaintext comes out.
func (o *Opener) proceed() error {
	switch {
	case o.left == 0 && !o.whole:
		o.done = true
		return nil
	case o.next < o.part.count:
		return nil
	}
	if err := o.leave(); err != nil || o.done {
		return err
	}
	return o.enter()
}

// enter goes on to the next part that has plaintext, or to the end.
func (o *Opener) enter() error {
	for {
		if err := o.readHeader(); err != nil {
			return err
		}
		if o.part.Length > 0 {
			return nil
		}
		if err := o.openEmpty(); err != nil {
			return err
		}
		if err := o.leave(); err != nil || o.done {
			return err
		}
	}
}

// readHeader reads the header of the next part.
func (o *Opener) readHeader() error {
	o.index++
	var raw [HeaderSize]byte
	if err := o.read(raw[:], -1); err != nil {
		return err
	}
	var f fields
	if o.layout != nil {
		f = fields{o.layout.kind, o.layout.headers[o.index]}
	} else {
		var problem string
		if f, problem = decodeHeader(&raw); problem != "" {
			return o.damage(-1, problem)
		}
	}
	part, err := o.object.partCipher(&f)
	if err != nil {
		return err
	}
	if subtle.ConstantTimeCompare(part.header[:], raw[:]) != 1 {
		return o.damage(-1, problemHeader)
	}
	if o.order != nil {
		if problem := o.order.add(f.Header); problem != "" {
			return o.damage(-1, problem)
		}
		if o.exact && o.order.gap && !f.Closing {
			return ErrGap
		}
	}
	o.part, o.next = part, 0
	return nil
}

// openEmpty authenticates the chunk of a part without plaintext. A closing part
// has none.
func (o *Opener) openEmpty() error {
	if o.part.count == 0 {
		return nil
	}
	var sealed [chunkOverhead]byte
	if err := o.read(sealed[:], 0); err != nil {
		return err
	}
	if _, ok := o.part.open(nil, sealed[:], 0); !ok {
		return o.damage(0, problemTag)
	}
	return nil
}

// leave reads what follows the last chunk of a part, and of a whole object that
// nothing follows the last part. It uses no buffer: that may hold plaintext
// which is to come out afterwards.
func (o *Opener) leave() error {
	var block, zero [1024]byte
	for left := o.part.fill(); left > 0; {
		fill := block[:min(left, int64(len(block)))]
		if err := o.read(fill, -1); err != nil {
			return err
		}
		if !bytes.Equal(fill, zero[:len(fill)]) {
			return o.damage(-1, "the fill is not zero")
		}
		left -= int64(len(fill))
	}
	if !o.whole || !o.part.Final {
		return nil
	}
	ended, err := atEnd(o.src)
	if err != nil {
		return err
	}
	if !ended {
		return o.damage(-1, "bytes follow the end of the object")
	}
	o.done = true
	return nil
}

// read fills p with stored bytes. chunk says where the damage is if there are
// not enough.
func (o *Opener) read(p []byte, chunk int64) error {
	err := readFull(o.src, p)
	if errors.Is(err, io.EOF) {
		return o.damage(chunk, problemTruncated)
	}
	return err
}

func (o *Opener) damage(chunk int64, problem string) error {
	return &Damage{Part: o.index + 1, Chunk: chunk, Problem: problem}
}

// reserve makes sure that buf can hold any chunk of the part.
func (o *Opener) reserve() {
	size := o.part.buffer()
	if o.buf != nil && len(o.buf.bytes) < size {
		o.buf.free()
		o.buf = nil
	}
	if o.buf == nil {
		o.buf = newBuffer(size)
	}
}

func (o *Opener) release() {
	o.buf.free()
	o.buf, o.ready = nil, nil
}

// Close gives buffers back. It neither closes nor drains the stored bytes'
// reader, and does not wait for a Read in progress, which cleans up itself when
// it returns. It always returns nil and may be called again.
func (o *Opener) Close() error {
	o.use.close()
	return nil
}
