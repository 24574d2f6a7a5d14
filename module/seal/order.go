package seal

import "fmt"

// order holds the headers of a whole multipart object, one after the other,
// against the rules for them and against the size and number of parts the store
// told. These come from the store too, and a client is told a length that
// follows from them: that is why a part that cannot fit is refused at its
// header, before its plaintext fills up the length.
type order struct {
	parts int   // still to come
	plain int64 // bytes in them
	last  int   // the highest number so far
	gap   bool  // the numbers are not 1, 2, 3 and so on
	sum   digest
}

// newOrder is for an object of parts parts, in all of plain bytes.
func newOrder(plain int64, parts int) *order {
	return &order{parts: parts, plain: plain, sum: newDigest()}
}

// add takes the next header and returns what is wrong with it, or "".
func (o *order) add(h Header) (problem string) {
	switch {
	case h.Number <= o.last:
		return fmt.Sprintf("number %d after number %d", h.Number, o.last)
	case o.parts == 0 || h.Length > o.plain:
		return "it does not fit the size of the object and the number of parts"
	}
	first := o.last == 0
	o.gap = o.gap || h.Number != o.last+1
	o.last = h.Number
	o.parts--
	o.plain -= h.Length
	switch {
	case !h.Final && o.parts == 0:
		return "the object ends with a part that is not final"
	case h.Final && (o.parts > 0 || o.plain > 0):
		return "the object goes on behind its final part"
	case h.Closing && (first || o.sum.salt() != h.salt):
		return "the parts are not those the closing part lists"
	case h.Final && !h.Closing && o.gap:
		return "a part before it is missing"
	}
	o.sum.add(h.Part)
	return ""
}
