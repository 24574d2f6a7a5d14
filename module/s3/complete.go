package s3

import (
	"encoding/xml"
	"strings"
)

// CompletedPart is one part of a CompleteMultipartUpload document.
type CompletedPart struct {
	PartNumber int      // 1 to 10000
	ETag       string   // as sent, with or without quotes
	Checksums  []Detail // Checksum* elements in document order, values as sent
}

const maxParts = 10000 // User Guide, "Multipart upload limits"

// ParseCompleteMultipart reads a CompleteMultipartUpload document. Parts must
// be in ascending order ([ErrInvalidPartOrder]); unknown or repeated elements
// are an [ErrMalformedXML].
func ParseCompleteMultipart(data []byte) ([]CompletedPart, error) {
	var doc struct {
		XMLName xml.Name `xml:"CompleteMultipartUpload"`
		Parts   []struct {
			PartNumber []string `xml:"PartNumber"`
			ETag       []string `xml:"ETag"`
			Others     []struct {
				XMLName  xml.Name
				Text     string           `xml:",chardata"`
				Children []unknownElement `xml:",any"`
			} `xml:",any"`
		} `xml:"Part"`
		Unknown []unknownElement `xml:",any"`
	}
	if err := DecodeXML(data, &doc); err != nil {
		return nil, err
	}
	if err := refuseUnknown(doc.Unknown); err != nil {
		return nil, err
	}
	if len(doc.Parts) == 0 || len(doc.Parts) > maxParts {
		return nil, malformed("number of parts")
	}
	parts := make([]CompletedPart, len(doc.Parts))
	for i := range doc.Parts {
		in, out := &doc.Parts[i], &parts[i]
		number, ok1 := one(in.PartNumber)
		etag, ok2 := one(in.ETag)
		n, ok3 := partNumber(strings.TrimSpace(number))
		if !ok1 || !ok2 || !ok3 || strings.TrimSpace(etag) == "" {
			return nil, malformed("Part")
		}
		out.PartNumber, out.ETag = n, strings.TrimSpace(etag)
		for _, o := range in.Others {
			name := o.XMLName.Local
			if !strings.HasPrefix(name, "Checksum") || len(o.Children) > 0 || hasDetail(out.Checksums, name) {
				return nil, malformed("element in Part")
			}
			out.Checksums = append(out.Checksums, Detail{name, strings.TrimSpace(o.Text)})
		}
		if i > 0 && parts[i-1].PartNumber >= n {
			return nil, ErrInvalidPartOrder
		}
	}
	return parts, nil
}

func hasDetail(details []Detail, name string) bool {
	for _, d := range details {
		if d.Name == name {
			return true
		}
	}
	return false
}
