package engine

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/sealgate/sealgate/module/seal"
)

// byteRange is what a Range header asks for (RFC 9110, 14.1.2): from first to
// last, last -1 for the end; or the last suffix bytes, first -1.
type byteRange struct{ first, last, suffix int64 }

// parseRange reads a Range header. ok is false where there is none or it means
// nothing: S3 then gives the whole object, also for several ranges.
func parseRange(v string) (r byteRange, ok bool) {
	spec, ok := strings.CutPrefix(v, "bytes=")
	if !ok {
		return r, false
	}
	from, to, ok := strings.Cut(spec, "-")
	if !ok {
		return r, false
	}
	if from == "" {
		n, ok := parsePosition(to)
		return byteRange{first: -1, suffix: n}, ok
	}
	first, ok := parsePosition(from)
	if !ok || to == "" {
		return byteRange{first: first, last: -1}, ok
	}
	last, ok := parsePosition(to)
	return byteRange{first: first, last: last}, ok && first <= last
}

// parsePosition reads a position; a larger one than any object has stands for
// all of them.
func parsePosition(digits string) (int64, bool) {
	if digits == "" {
		return 0, false
	}
	for i := range len(digits) {
		if digits[i] < '0' || digits[i] > '9' {
			return 0, false
		}
	}
	n, err := strconv.ParseInt(digits, 10, 64)
	if err != nil {
		n = 1 << 60
	}
	return n, true
}

// of gives the bytes asked for of an object of size bytes; ok is false where it
// has none of them.
func (r byteRange) of(size int64) (e seal.Extent, ok bool) {
	switch {
	case r.first < 0:
		n := min(r.suffix, size)
		return seal.Extent{Offset: size - n, Length: n}, n > 0
	case r.first >= size:
		return e, false
	case r.last < 0 || r.last >= size:
		return seal.Extent{Offset: r.first, Length: size - r.first}, true
	}
	return seal.Extent{Offset: r.first, Length: r.last - r.first + 1}, true
}

// single is the Range header that fetches what holds these bytes of a single
// sealed object whose size is not known; "" for all of it.
func (r byteRange) single() string {
	if r.first < 0 {
		if n, err := seal.SingleSuffix(r.suffix); err == nil {
			return "bytes=-" + itoa(n)
		}
		return ""
	}
	length := int64(1)
	if r.last >= 0 {
		length = min(r.last, seal.MaxSingle-1) - r.first + 1
	}
	stored, err := seal.SingleExtent(seal.Extent{Offset: r.first, Length: length})
	switch {
	case err != nil:
		return ""
	case r.last < 0:
		return "bytes=" + itoa(stored.Offset) + "-"
	}
	return rangeHeader(stored)
}

func rangeHeader(e seal.Extent) string {
	return "bytes=" + itoa(e.Offset) + "-" + itoa(e.End()-1)
}

func contentRange(e seal.Extent, size int64) string {
	return fmt.Sprintf("bytes %d-%d/%d", e.Offset, e.End()-1, size)
}

// parseContentRange reads the Content-Range of a 206 reply.
func parseContentRange(v string) (e seal.Extent, size int64, ok bool) {
	rest, ok := strings.CutPrefix(v, "bytes ")
	if !ok {
		return e, 0, false
	}
	span, total, ok := strings.Cut(rest, "/")
	if !ok {
		return e, 0, false
	}
	from, to, ok := strings.Cut(span, "-")
	if !ok {
		return e, 0, false
	}
	first, ok1 := parsePosition(from)
	last, ok2 := parsePosition(to)
	size, ok3 := parsePosition(total)
	if !ok1 || !ok2 || !ok3 || first > last || last >= size {
		return e, 0, false
	}
	return seal.Extent{Offset: first, Length: last - first + 1}, size, true
}
