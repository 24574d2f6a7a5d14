package s3

import (
	"encoding/xml"
	"strings"
	"unicode/utf8"
)

// CheckKey checks a key that came in a form field, where nothing is encoded:
// the rules are those of a key on the request line. Errors are InvalidURI,
// KeyTooLongError and InvalidArgument for an empty key.
func CheckKey(key string) error {
	switch {
	case key == "":
		return ErrInvalidArgument.WithMessage("The key must not be empty.").With("ArgumentName", "key")
	case !utf8.ValidString(key) || strings.IndexByte(key, 0) >= 0:
		return ErrInvalidURI
	}
	return checkKeyLength(key)
}

// maxTags is S3's limit of tags on an object (API_PutObjectTagging).
const maxTags = 10

// ParseTagging reads the Tagging document of a form's tagging field and
// returns it as the value of x-amz-tagging that means the same.
func ParseTagging(data []byte) (string, error) {
	var doc struct {
		XMLName xml.Name `xml:"Tagging"`
		TagSet  struct {
			Tags []struct {
				Key     []string         `xml:"Key"`
				Value   []string         `xml:"Value"`
				Unknown []unknownElement `xml:",any"`
			} `xml:"Tag"`
			Unknown []unknownElement `xml:",any"`
		} `xml:"TagSet"`
		Unknown []unknownElement `xml:",any"`
	}
	if err := DecodeXML(data, &doc); err != nil {
		return "", err
	}
	if err := refuseUnknown(append(doc.Unknown, doc.TagSet.Unknown...)); err != nil {
		return "", err
	}
	if len(doc.TagSet.Tags) > maxTags {
		return "", ErrInvalidTag.WithMessage("Object tags cannot be greater than 10")
	}
	pairs := make([]string, 0, len(doc.TagSet.Tags))
	for _, tag := range doc.TagSet.Tags {
		if err := refuseUnknown(tag.Unknown); err != nil {
			return "", err
		}
		key, ok := one(tag.Key)
		value, okValue := one(tag.Value)
		if !ok || !okValue || key == "" {
			return "", malformed("Tag")
		}
		pairs = append(pairs, EscapeQuery(key)+"="+EscapeQuery(value))
	}
	return strings.Join(pairs, "&"), nil
}

// Document renders the <Error> document of e, for a reply whose status is
// already out.
func (e *Error) Document(r Reply) []byte { return e.document(r) }
