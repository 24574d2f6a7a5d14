package seal

import (
	"errors"
	"fmt"
)

// Errors a caller can act on. All are found with errors.Is, and a [*Damage]
// with errors.As.
var (
	// ErrEnvelope: the text is no envelope, or a field of one is not allowed.
	ErrEnvelope = errors.New("seal: malformed envelope")
	// ErrName: a namespace or key name cannot be bound.
	ErrName = errors.New("seal: namespace or key name is empty or too long")
	// ErrDataKey: the bytes have not the length of a data key.
	ErrDataKey = errors.New("seal: a data key is 32 bytes")
	// ErrCommitment: the data key is not the one the envelope was made for.
	ErrCommitment = errors.New("seal: the data key does not belong to the envelope")
	// ErrUploadID: the text is no upload id, or not one of this object.
	ErrUploadID = errors.New("seal: malformed upload id")
	// ErrSize: no plaintext has this stored size.
	ErrSize = errors.New("seal: stored size is not that of a sealed object")
	// ErrTooLarge: the plaintext would not fit a store's limit when sealed.
	ErrTooLarge = errors.New("seal: plaintext is too large to be sealed")
	// ErrPart: a part number or list of parts is not possible.
	ErrPart = errors.New("seal: impossible part")
	// ErrRange: the plaintext extent is empty or not inside the object.
	ErrRange = errors.New("seal: extent is empty or outside the object")
	// ErrPlaintextLength: the plaintext was shorter or longer than announced.
	ErrPlaintextLength = errors.New("seal: plaintext has another length than announced")
	// ErrGap: part numbers have a gap, and the end of the object is not known.
	ErrGap = errors.New("seal: part numbers have a gap")
	// ErrKind: a single object was used as multipart or the other way round.
	ErrKind = errors.New("seal: single and multipart objects differ")
	// ErrReused: a data key was to seal a second single object.
	ErrReused = errors.New("seal: a data key seals one single object; make a new one for another attempt")
	// ErrWiped: the keys of the object have been wiped.
	ErrWiped = errors.New("seal: the keys of this object have been wiped")
	// ErrClosed: a sealer or opener was read after Close.
	ErrClosed = errors.New("seal: read after close")
)

// Damage says that stored bytes are not what was sealed, and where. Whether
// they were altered, cut, moved or are of another object cannot be told apart.
// It holds no plaintext and no key.
type Damage struct {
	// Part is the rank of the part in the object, from 1; 0 where it is not known.
	Part int
	// Chunk is the index of the chunk in the part, from 0; -1 when the damage is
	// not in a chunk.
	Chunk int64
	// Problem says what is wrong, in a few words.
	Problem string
}

func (d *Damage) Error() string {
	switch {
	case d.Part == 0:
		return "seal: damaged part: " + d.Problem
	case d.Chunk < 0:
		return fmt.Sprintf("seal: part %d is damaged: %s", d.Part, d.Problem)
	}
	return fmt.Sprintf("seal: part %d, chunk %d is damaged: %s", d.Part, d.Chunk, d.Problem)
}

// Problems that are found in more than one place.
const (
	problemTruncated = "the stored bytes end too early"
	problemHeader    = "the header is not authentic"
	problemTag       = "authentication failed"
)

// must panics on errors that only a broken invariant can cause.
func must[T any](value T, err error) T {
	if err != nil {
		panic("seal: internal error: " + err.Error())
	}
	return value
}
