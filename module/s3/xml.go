package s3

import (
	"bytes"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"strconv"
	"unicode/utf8"
)

// MaxDocument is the largest request document, in bytes, that is read before
// deciding.
const MaxDocument = 2 << 20

const (
	maxDepth = 32 // elements inside one another; S3's deepest schema has 8
	// maxElements bounds what a document can cost beyond its length: empty
	// elements take a hundred times their text in memory. A completion of 10,000
	// parts, the largest of S3, has 40,001.
	maxElements   = 1 << 16
	maxAttributes = 16 // of one element; S3's have a namespace and a type
)

// DecodeXML decodes a whole request document into v with encoding/xml's rules,
// after checking what that package lets pass: one root element and nothing
// after it, UTF-8 only, at most [MaxDocument] bytes, 32 levels, 65,536 elements
// and 16 attributes each, no DOCTYPE, no entities beyond the five of XML, no
// processing instructions, no repeated attributes. Anything else is an
// [ErrMalformedXML].
func DecodeXML(data []byte, v any) error { return decodeXML(data, v, maxElements) }

// decodeXML is DecodeXML for a document of at most so many elements.
func decodeXML(data []byte, v any, elements int) error {
	data, err := checkXML(data, elements)
	if err != nil {
		return err
	}
	if err := xml.Unmarshal(data, v); err != nil {
		return ErrMalformedXML.WithCause(err)
	}
	return nil
}

// checkXML returns data without a byte order mark if it keeps the rules of
// [DecodeXML].
func checkXML(data []byte, elements int) ([]byte, error) {
	if len(data) > MaxDocument {
		return nil, ErrMaxMessageLengthExceeded.With("MaxMessageLengthBytes", strconv.Itoa(MaxDocument))
	}
	data = bytes.TrimPrefix(data, []byte("\xef\xbb\xbf"))
	if !utf8.Valid(data) {
		return nil, malformed("not UTF-8")
	}
	d := xml.NewDecoder(bytes.NewReader(data))
	depth, roots := 0, 0
	for first := true; ; first = false {
		start := d.InputOffset()
		token, err := d.RawToken()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, ErrMalformedXML.WithCause(err)
		}
		switch t := token.(type) {
		case xml.StartElement:
			if depth == 0 {
				roots++
			}
			depth++
			if depth > maxDepth {
				return nil, malformed("nested too deeply")
			}
			if elements--; elements < 0 {
				return nil, malformed("too many elements")
			}
			if len(t.Attr) > maxAttributes {
				return nil, malformed("too many attributes")
			}
			if repeatsAttribute(t.Attr) {
				return nil, malformed("repeated attribute")
			}
		case xml.EndElement:
			if depth--; depth < 0 {
				return nil, malformed("end tag without a start")
			}
		case xml.CharData:
			// RawToken gives CDATA as text: outside the root even an empty one is wrong.
			if depth == 0 && (len(bytes.TrimSpace(t)) > 0 || bytes.HasPrefix(data[start:], []byte("<!["))) {
				return nil, malformed("text outside the root element")
			}
		case xml.ProcInst:
			if !first || start != 0 || t.Target != "xml" {
				return nil, malformed("processing instruction")
			}
		case xml.Directive:
			return nil, malformed("DOCTYPE or other declaration")
		}
	}
	if roots != 1 || depth != 0 {
		return nil, malformed("not exactly one root element")
	}
	return data, nil
}

func repeatsAttribute(attrs []xml.Attr) bool {
	for i := range attrs {
		for j := range i {
			if attrs[i].Name == attrs[j].Name {
				return true
			}
		}
	}
	return false
}

func malformed(why string) *Error { return ErrMalformedXML.WithCause(errors.New(why)) }

// unknownElement collects what a strict document does not define.
type unknownElement struct {
	XMLName xml.Name
}

func refuseUnknown(elements []unknownElement) error {
	if len(elements) == 0 {
		return nil
	}
	return ErrMalformedXML.WithCause(fmt.Errorf("unknown element %q", elements[0].XMLName.Local))
}

// one returns the text of an element that must be there exactly once.
func one(values []string) (string, bool) {
	if len(values) != 1 {
		return "", false
	}
	return values[0], true
}

// atMostOne returns the text of an optional element; present and empty is not
// allowed.
func atMostOne(values []string) (string, bool) {
	if len(values) == 0 {
		return "", true
	}
	return values[0], len(values) == 1 && values[0] != ""
}
