package sigv4

import (
	"bytes"
	"io"
	"strconv"

	"github.com/sealgate/sealgate/module/s3"
)

// ReadDocument reads a whole request document, at most limit bytes, and checks
// it as [Proof.Open] does. It returns nothing that was not verified. Unlike
// object data a document may come without a length. The caller owns the slice;
// errors are [*s3.Error], MaxMessageLengthExceeded for a document over limit.
func (p Proof) ReadDocument(req *s3.Request, body io.Reader, limit int64) ([]byte, error) {
	b, err := p.open(req, body)
	if err != nil {
		return nil, err
	}
	defer b.Close()
	data, err := readUpTo(b, limit)
	if err != nil {
		return nil, err
	}
	b.in.digests.write(data)
	trailer, err := b.src.finish()
	if err != nil {
		return nil, readError(err)
	}
	if err := b.in.trailed(trailer); err != nil {
		return nil, err
	}
	if err := b.in.digests.verify(); err != nil {
		return nil, err
	}
	return data, nil
}

func readUpTo(b *Body, limit int64) ([]byte, error) {
	tooLong := s3.ErrMaxMessageLengthExceeded.With("MaxMessageLengthBytes", strconv.FormatInt(limit, 10))
	if b.length > limit {
		return nil, tooLong
	}
	if b.length >= 0 {
		data := make([]byte, b.length)
		if _, err := io.ReadFull(b.src, data); err != nil {
			return nil, readError(err)
		}
		return data, nil
	}
	var data bytes.Buffer
	n, err := data.ReadFrom(io.LimitReader(b.src, limit+1))
	switch {
	case err != nil:
		return nil, readError(err)
	case n > limit:
		return nil, tooLong
	}
	return data.Bytes(), nil
}
