package posture

// Mode names how an object is encrypted at rest. Modes are ordered by Rank.
type Mode string

// The modes a posture or a policy may ask for, weakest first.
const (
	ModeNone Mode = "none"     // no encryption; must be said, never implied
	ModeS3   Mode = "sse-s3"   // the store's own keys (AES256)
	ModeC    Mode = "sse-c"    // a key the client sends with every request
	ModeKMS  Mode = "sse-kms"  // a KMS key (aws:kms)
	ModeDSSE Mode = "dsse-kms" // two layers under a KMS key (aws:kms:dsse)
	ModeCSE  Mode = "cse"      // sealed by the gateway before the store sees it
)

// Rank returns the strength of a mode: none 0, sse-s3 10, sse-c 15, sse-kms 20,
// dsse-kms 30, cse 40. Every other value, the empty one included, has rank -1,
// below all of them. rego/lib/modes.rego holds the same table; a test compares
// the two.
func (m Mode) Rank() int {
	switch m {
	case ModeNone:
		return 0
	case ModeS3:
		return 10
	case ModeC:
		return 15
	case ModeKMS:
		return 20
	case ModeDSSE:
		return 30
	case ModeCSE:
		return 40
	}
	return -1
}

// KMS reports whether the mode encrypts under a KMS key, so that a key id, an
// encryption context and a list of allowed keys have a meaning.
func (m Mode) KMS() bool { return m == ModeKMS || m == ModeDSSE }

// What happens when a client asks for another encryption than the policy requires.
const (
	OnConflictReject        = "reject"           // refuse the request
	OnConflictReplace       = "replace"          // apply the requirement instead
	OnConflictKeepStronger  = "keep-if-stronger" // keep what ranks higher, refuse the rest
	OnConflictKeepIfAllowed = "keep-if-allowed"  // keep a key the requirement allows, refuse the rest
)

// What a reader of a sealed object is given.
const (
	OnReadDecrypt     = "decrypt"
	OnReadPassThrough = "pass-through"
	OnReadReject      = "reject"
)
