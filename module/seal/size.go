package seal

import "fmt"

// Limits and sizes of the format, in bytes unless said otherwise.
const (
	// HeaderSize is the length of the header every part begins with.
	HeaderSize = 64
	// PartOverhead is what a multipart part is larger stored than in plaintext,
	// whatever its size: header, chunk overhead and fill.
	PartOverhead = 14_416
	// MaxParts is how many parts an upload can have, S3's limit.
	MaxParts = 10_000
	// MaxStored is the most that one PutObject or UploadPart can store:
	// https://docs.aws.amazon.com/AmazonS3/latest/userguide/qfacts.html.
	MaxStored = 5 << 30
	// MaxSingle is the largest plaintext of a single object: MaxStored when sealed.
	MaxSingle = 5_366_416_248
	// MaxPart is the largest plaintext of a multipart part: MaxStored when sealed.
	MaxPart = MaxStored - PartOverhead

	minChunk      = 64 << 10 // plaintext of a chunk, a multiple of this in large parts
	minPart       = 5 << 20  // S3's least size of a part that is not the last
	chunkStep     = 32 << 20 // plaintext of a part per minChunk of chunk size
	maxChunk      = (MaxPart + chunkStep - 1) / chunkStep * minChunk
	nonceSize     = 12
	tagSize       = 16
	chunkOverhead = nonceSize + tagSize
)

// Extent is Length bytes from Offset, of plaintext or of stored bytes.
type Extent struct{ Offset, Length int64 }

// End returns the offset of the first byte behind the extent.
func (e Extent) End() int64 { return e.Offset + e.Length }

// chunkCount returns the number of chunks of plain bytes: one at least.
func chunkCount(plain, chunk int64) int64 { return max(1, (plain+chunk-1)/chunk) }

// partChunk returns the chunk size of a multipart part of plain bytes.
func partChunk(plain int64) int64 { return minChunk * chunkCount(plain, chunkStep) }

// SingleSize returns the stored size of a single object of plain bytes. The
// error is [ErrTooLarge] beyond [MaxSingle].
func SingleSize(plain int64) (int64, error) {
	if plain < 0 || plain > MaxSingle {
		return 0, fmt.Errorf("%w: %d bytes", ErrTooLarge, plain)
	}
	return HeaderSize + plain + chunkOverhead*chunkCount(plain, minChunk), nil
}

// SinglePlain is the inverse of [SingleSize]. The error is [ErrSize] for a size
// that SingleSize never gives.
func SinglePlain(stored int64) (int64, error) {
	if stored >= HeaderSize+chunkOverhead && stored <= MaxStored {
		sealed := stored - HeaderSize
		plain := sealed - chunkOverhead*chunkCount(sealed, minChunk+chunkOverhead)
		if again, err := SingleSize(plain); err == nil && again == stored {
			return plain, nil
		}
	}
	return 0, fmt.Errorf("%w: %d bytes", ErrSize, stored)
}

// PartSize returns the stored size of a multipart part of plain bytes. The
// error is [ErrTooLarge] beyond [MaxPart].
func PartSize(plain int64) (int64, error) {
	if plain < 0 || plain > MaxPart {
		return 0, fmt.Errorf("%w: part of %d bytes", ErrTooLarge, plain)
	}
	return plain + PartOverhead, nil
}

// PartPlain is the inverse of [PartSize]. The error is [ErrSize].
func PartPlain(stored int64) (int64, error) { return MultipartPlain(stored, 1) }

// MultipartPlain returns the plaintext size of a multipart object of stored
// bytes in parts parts, whatever the sizes of the parts. A closing part counts
// as one. The error is [ErrSize] where no such object can be.
func MultipartPlain(stored int64, parts int) (int64, error) {
	plain := stored - PartOverhead*int64(parts)
	if parts < 1 || parts > MaxParts || plain < 0 || plain > MaxPart*int64(parts) {
		return 0, fmt.Errorf("%w: %d bytes in %d parts", ErrSize, stored, parts)
	}
	return plain, nil
}

// SingleExtent returns the stored bytes that hold the extent of plaintext of a
// single object, for a request that is made before the size of the object is
// known. It may end behind the object. The error is [ErrRange].
func SingleExtent(plain Extent) (Extent, error) {
	if plain.Offset < 0 || plain.Length < 1 || plain.Offset > MaxSingle-plain.Length {
		return Extent{}, fmt.Errorf("%w: %d bytes from %d", ErrRange, plain.Length, plain.Offset)
	}
	first, last := plain.Offset/minChunk, (plain.End()-1)/minChunk
	return Extent{
		Offset: HeaderSize + first*(minChunk+chunkOverhead),
		Length: (last - first + 1) * (minChunk + chunkOverhead),
	}, nil
}

// SingleSuffix returns how many bytes at the end of a stored single object are
// enough to open the last plain bytes of it, whatever its size. The error is
// [ErrRange].
func SingleSuffix(plain int64) (int64, error) {
	if plain < 1 || plain > MaxSingle {
		return 0, fmt.Errorf("%w: last %d bytes", ErrRange, plain)
	}
	most := plain + minChunk - 1 // back to the border of a chunk
	return most + chunkOverhead*chunkCount(most, minChunk), nil
}
