package policy

import "github.com/sealgate/sealgate/policy/posture"

// Mode names how an object is encrypted at rest; Mode.Rank orders modes by strength.
type Mode = posture.Mode

// The modes. Unchanged and Unknown have rank -1.
const (
	None  = posture.ModeNone
	SSES3 = posture.ModeS3
	SSEC  = posture.ModeC
	KMS   = posture.ModeKMS
	DSSE  = posture.ModeDSSE
	CSE   = posture.ModeCSE

	// Unchanged is the decision's mode for operations that write nothing.
	Unchanged Mode = "unchanged"
	// Unknown is a fact about stored data, never a requirement or a decision.
	Unknown Mode = "unknown"
)

// BucketKey is the three-valued S3 bucket key setting of the input document.
type BucketKey string

// The values of BucketKey. The empty string counts as BucketKeyUnset.
const (
	BucketKeyYes   BucketKey = "yes"
	BucketKeyNo    BucketKey = "no"
	BucketKeyUnset BucketKey = "unset"
)

// BucketKeyOf converts the pointer form used for requests: nil is unset.
func BucketKeyOf(b *bool) BucketKey {
	switch {
	case b == nil:
		return BucketKeyUnset
	case *b:
		return BucketKeyYes
	default:
		return BucketKeyNo
	}
}

// Pointer is the inverse of BucketKeyOf.
func (k BucketKey) Pointer() *bool {
	switch k {
	case BucketKeyYes:
		v := true
		return &v
	case BucketKeyNo:
		v := false
		return &v
	}
	return nil
}

// The operation classes of Request.Class.
const (
	ClassRead         = "read"
	ClassWrite        = "write"
	ClassDelete       = "delete"
	ClassList         = "list"
	ClassObjectConfig = "object-config"
	ClassBucketConfig = "bucket-config"
	ClassAdmin        = "admin"
)

// The values of Identity.AuthMethod.
const (
	AuthAnonymous = "anonymous"
	AuthHeader    = "sigv4-header"
	AuthPresigned = "sigv4-presigned"
	AuthPost      = "sigv4-post"
)

// The values of Request.Payload: how the body is bound to the signature.
const (
	PayloadNone                = "none"
	PayloadHash                = "hash"
	PayloadUnsigned            = "unsigned"
	PayloadSignedChunks        = "signed-chunks"
	PayloadSignedChunksTrailer = "signed-chunks-trailer"
	PayloadUnsignedTrailer     = "unsigned-trailer"
)
