package s3

import (
	"bytes"
	"encoding/xml"
)

// Delete is the document of DeleteObjects.
type Delete struct {
	Quiet   bool
	Objects []ObjectIdentifier // 1 to 1000
}

// ObjectIdentifier names one object to delete. Empty fields are absent. ETag,
// LastModifiedTime and Size are conditions, kept as the text that was sent.
type ObjectIdentifier struct {
	Key, VersionID               string
	ETag, LastModifiedTime, Size string
}

const (
	maxDeletes        = 1000               // API reference, DeleteObjects
	maxDeleteElements = 2 + 6*(maxDeletes) // Delete, Quiet, and each Object with its five
)

// Action returns the IAM action for deleting this object.
func (o ObjectIdentifier) Action() string {
	if o.VersionID != "" {
		return "s3:DeleteObjectVersion"
	}
	return "s3:DeleteObject"
}

// ParseDelete reads a DeleteObjects document. It is stricter than S3 where a
// store could read another list of keys than the gateway: unknown elements,
// repeated fields and empty conditions are an [ErrMalformedXML]. Keys are not
// percent-decoded.
func ParseDelete(data []byte) (Delete, error) {
	var doc struct {
		XMLName xml.Name `xml:"Delete"`
		Quiet   []string `xml:"Quiet"`
		Objects []struct {
			Key              []string         `xml:"Key"`
			VersionID        []string         `xml:"VersionId"`
			ETag             []string         `xml:"ETag"`
			LastModifiedTime []string         `xml:"LastModifiedTime"`
			Size             []string         `xml:"Size"`
			Unknown          []unknownElement `xml:",any"`
		} `xml:"Object"`
		Unknown []unknownElement `xml:",any"`
	}
	if err := decodeXML(data, &doc, maxDeleteElements); err != nil {
		return Delete{}, err
	}
	if err := refuseUnknown(doc.Unknown); err != nil {
		return Delete{}, err
	}
	var d Delete
	switch quiet, ok := atMostOne(doc.Quiet); {
	case !ok || quiet != "" && quiet != "true" && quiet != "false":
		return Delete{}, malformed("Quiet")
	default:
		d.Quiet = quiet == "true"
	}
	if len(doc.Objects) == 0 || len(doc.Objects) > maxDeletes {
		return Delete{}, malformed("number of objects")
	}
	d.Objects = make([]ObjectIdentifier, len(doc.Objects))
	for i := range doc.Objects {
		in, out := &doc.Objects[i], &d.Objects[i]
		if err := refuseUnknown(in.Unknown); err != nil {
			return Delete{}, err
		}
		var ok [5]bool
		out.Key, ok[0] = one(in.Key)
		// Some clients send an empty VersionId for "none".
		out.VersionID, ok[1] = "", len(in.VersionID) <= 1
		if len(in.VersionID) == 1 {
			out.VersionID = in.VersionID[0]
		}
		out.ETag, ok[2] = atMostOne(in.ETag)
		out.LastModifiedTime, ok[3] = atMostOne(in.LastModifiedTime)
		out.Size, ok[4] = atMostOne(in.Size)
		if ok != [5]bool{true, true, true, true, true} || out.Key == "" {
			return Delete{}, malformed("Object")
		}
		if err := checkKeyLength(out.Key); err != nil {
			return Delete{}, err
		}
	}
	return d, nil
}

// XML renders the document for a store. [ParseDelete] reads it back unchanged.
func (d Delete) XML() []byte {
	var b bytes.Buffer
	b.WriteString(xml.Header)
	b.WriteString(`<Delete xmlns="http://s3.amazonaws.com/doc/2006-03-01/">`)
	for _, o := range d.Objects {
		b.WriteString("<Object>")
		element(&b, "Key", o.Key)
		for _, f := range []Detail{
			{"VersionId", o.VersionID}, {"ETag", o.ETag}, {"LastModifiedTime", o.LastModifiedTime}, {"Size", o.Size},
		} {
			if f.Value != "" {
				element(&b, f.Name, f.Value)
			}
		}
		b.WriteString("</Object>")
	}
	if d.Quiet {
		element(&b, "Quiet", "true")
	}
	b.WriteString("</Delete>")
	return b.Bytes()
}
