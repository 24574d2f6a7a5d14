package engine

import (
	"net/http"
	"strings"

	"github.com/sealgate/sealgate/module/sigv4"
	"github.com/sealgate/sealgate/module/upstream"
)

// SealedChecksum says whether the store gets a checksum of the bytes that sealed
// objects are stored as, beside what TLS and the sealing itself detect. Clients
// never see it.
type SealedChecksum string

const (
	// SealedChecksumAuto sends one to AWS over TLS, which takes it; to other
	// stores only with what S3 wants it for, object lock.
	SealedChecksumAuto SealedChecksum = "auto"
	// SealedChecksumCRC64NVME always sends one: in a header for what is small, in
	// a trailer for the rest (STREAMING-UNSIGNED-PAYLOAD-TRAILER), which the store
	// has to know.
	SealedChecksumCRC64NVME SealedChecksum = "crc64nvme"
	// SealedChecksumNone sends none.
	SealedChecksumNone SealedChecksum = "none"
)

// sendsChecksums reports whether sealed bytes go out with a checksum in any case.
func (c *Config) sendsChecksums() bool {
	switch c.SealedChecksum {
	case SealedChecksumAuto:
		return c.Upstream.IsAWS() && c.Upstream.IsTLS()
	case SealedChecksumCRC64NVME:
		return true
	}
	return false
}

// protect finishes a call that carries sealed bytes.
func (x *exchange) protect(call *upstream.Call) {
	call.PayloadHash = sigv4.UnsignedPayload
	if x.e.cfg.sendsChecksums() || x.e.cfg.SealedChecksum == SealedChecksumAuto && locks(call.Header) {
		call.AddChecksum()
	}
}

// locks reports whether a write asks for object lock. S3 wants a checksum then
// (PutObject, "Content-MD5").
func locks(h http.Header) bool {
	for name := range h {
		if strings.HasPrefix(name, "X-Amz-Object-Lock-") {
			return true
		}
	}
	return false
}

// announceChecksum has a new upload expect what its parts will come with.
func (x *exchange) announceChecksum(h http.Header) {
	if x.e.cfg.sendsChecksums() {
		h.Set("X-Amz-Checksum-Algorithm", "CRC64NVME")
		h.Set("X-Amz-Checksum-Type", "FULL_OBJECT")
	}
}

// listUploads serves ListMultipartUploads where uploads may be of sealed objects:
// the checksum that the store expects of those is none that a client could send.
func (x *exchange) listUploads(p plan) error {
	resp, err := x.call(x.r.Context(), x.newCall(x.req, p))
	if err != nil {
		return err
	}
	defer func() { _ = resp.Body.Close() }()
	if err := x.storeError(resp); err != nil {
		return err
	}
	doc, err := readDocumentReply(resp)
	if err != nil {
		return err
	}
	uploads, err := parseEntries(doc, "Upload")
	if err != nil {
		return errUnreadable(err)
	}
	var edits []textAt
	for _, u := range uploads {
		if x.sealedRule(objectName{x.req.Bucket, u.key}) != nil {
			edits = append(edits, u.drop...)
		}
	}
	return x.relayDocument(resp, edited(doc, edits))
}
