package upstream

import (
	"encoding/base64"
	"encoding/binary"
	"hash"
	"io"
	"net/http"
	"strconv"

	"github.com/minio/crc64nvme"

	"github.com/sealgate/sealgate/module/sigv4"
)

// checksumName is the header, or the name of the trailer, with the checksum that
// S3 itself prefers: fast, and of one value for an object however it was uploaded
// ("Checking object integrity", Amazon S3 User Guide).
const checksumName = "x-amz-checksum-crc64nvme"

// AddChecksum has the store check a CRC-64/NVME of the bytes that the call carries:
// of Data in a header, of a Body in a trailer, for which it is framed as
// aws-chunked. It is for calls that write an object or a part of one, after all
// else of them is set; Header must be the call's own. A call without a body stays
// as it is.
func (c *Call) AddChecksum() {
	switch {
	case c.Data != nil:
		if c.Header == nil {
			c.Header = make(http.Header)
		}
		c.Header.Set(checksumName, checksumValue(crc64nvme.Checksum(c.Data)))
	case c.Body != nil:
		if c.Header == nil {
			c.Header = make(http.Header)
		}
		body := &summed{body: c.Body, sum: crc64nvme.New()}
		c.Header.Set("X-Amz-Trailer", checksumName)
		c.Header.Set("X-Amz-Decoded-Content-Length", strconv.FormatInt(c.Length, 10))
		encoding := "aws-chunked"
		if own := sigv4.ContentEncoding(c.Header.Values("Content-Encoding")); own != "" {
			encoding = own + "," + encoding
		}
		c.Header.Set("Content-Encoding", encoding)
		c.Body, c.Length = sigv4.EncodeTrailer(body, sigv4.Trailer{
			Length: c.Length, Name: checksumName,
			Value: func() (string, error) { return checksumValue(body.sum.Sum64()), nil },
		})
		c.PayloadHash = sigv4.StreamingUnsignedTrailer
	}
}

// summed sums what is read through it.
type summed struct {
	body io.Reader
	sum  hash.Hash64
}

// Read implements io.Reader.
func (s *summed) Read(p []byte) (int, error) {
	n, err := s.body.Read(p)
	_, _ = s.sum.Write(p[:n]) // never fails
	return n, err
}

// checksumValue is how S3 writes a CRC-64: its bytes, the highest first, in base64.
func checksumValue(sum uint64) string {
	return base64.StdEncoding.EncodeToString(binary.BigEndian.AppendUint64(nil, sum))
}
