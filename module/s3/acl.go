package s3

import (
	"bytes"
	"encoding/xml"
	"errors"
	"io"
	"strings"
)

// ParseACL reads an AccessControlPolicy document and reports whether it grants
// anything to everyone (AllUsers) or to every AWS account
// (AuthenticatedUsers). It looks at every URI element wherever it stands, in any
// case and namespace, and refuses one that holds elements, whose text readers
// put together in different ways: a document that a store reads more generously
// cannot hide a grantee.
func ParseACL(data []byte) (public bool, err error) {
	var doc struct {
		XMLName xml.Name `xml:"AccessControlPolicy"`
	}
	if err := DecodeXML(data, &doc); err != nil {
		return false, err
	}
	d := xml.NewDecoder(bytes.NewReader(data))
	var uri *strings.Builder
	for {
		token, err := d.Token()
		if errors.Is(err, io.EOF) {
			return public, nil
		}
		if err != nil {
			return false, malformed(err.Error())
		}
		switch t := token.(type) {
		case xml.StartElement:
			if uri != nil {
				return false, malformed("element in a URI")
			}
			if strings.EqualFold(t.Name.Local, "URI") {
				uri = new(strings.Builder)
			}
		case xml.CharData:
			if uri != nil {
				uri.Write(t)
			}
		case xml.EndElement:
			if uri != nil { // nothing can have been opened in it
				public = public || publicGroup(uri.String())
				uri = nil
			}
		}
	}
}

// publicGroup recognises the two predefined groups that mean "anyone".
func publicGroup(uri string) bool {
	uri = strings.ToLower(strings.TrimSpace(uri))
	return strings.HasSuffix(uri, "/allusers") || strings.HasSuffix(uri, "/authenticatedusers")
}
