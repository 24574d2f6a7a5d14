package sse

// Mode is a way in which a store encrypts an object.
type Mode string

// The modes. The empty Mode means that nothing is said.
const (
	None    Mode = "none"
	S3      Mode = "sse-s3"   // keys of the store, x-amz-server-side-encryption: AES256
	KMS     Mode = "sse-kms"  // a key in KMS, aws:kms
	DSSE    Mode = "dsse-kms" // two layers under a key in KMS, aws:kms:dsse
	C       Mode = "sse-c"    // a key the customer sends
	Unknown Mode = "unknown"  // only in [Observed]: a reply that cannot be understood
)

// The names of the headers. Names that end in the same words in requests and
// replies are the same header.
const (
	headerPrefix       = "X-Amz-Server-Side-Encryption"
	copySourcePrefix   = "X-Amz-Copy-Source-Server-Side-Encryption"
	headerMode         = headerPrefix
	headerKeyID        = headerPrefix + "-Aws-Kms-Key-Id"
	headerContext      = headerPrefix + "-Context"
	headerBucketKey    = headerPrefix + "-Bucket-Key-Enabled"
	suffixAlgorithm    = "-Customer-Algorithm"
	suffixKey          = "-Customer-Key"
	suffixKeyMD5       = "-Customer-Key-Md5"
	customerAlgorithm  = "AES256" // the only algorithm of SSE-C
	argumentEncryption = "x-amz-server-side-encryption"
)

// value is the word S3 uses for a mode, "" for a mode without one.
func (m Mode) value() string {
	switch m {
	case S3:
		return "AES256"
	case KMS:
		return "aws:kms"
	case DSSE:
		return "aws:kms:dsse"
	}
	return ""
}

// usesKMS reports whether a key in KMS protects the object.
func (m Mode) usesKMS() bool { return m == KMS || m == DSSE }

// modeOf reads S3's word for a mode. Words are compared exactly, as S3 does.
func modeOf(value string) (Mode, bool) {
	for _, m := range []Mode{S3, KMS, DSSE} {
		if value == m.value() {
			return m, true
		}
	}
	return "", false
}

// foreign reports whether value is a word of S3 for an encryption that belongs
// to another service and that no client of ours can ask for: aws:fsx (FSx
// access points) and aws:backup (recovery points, read only).
func foreign(value string) bool { return value == "aws:fsx" || value == "aws:backup" }
