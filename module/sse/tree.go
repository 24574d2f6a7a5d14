package sse

import (
	"bytes"
	"encoding/xml"
	"errors"
	"io"
	"strconv"
	"strings"

	"github.com/sealgate/sealgate/module/s3"
)

// namespace is that of S3's documents; they also come without one.
const namespace = "http://s3.amazonaws.com/doc/2006-03-01/"

// maxRepeats bounds repeated elements: S3 takes 1000 replication rules and
// fewer of everything else.
const maxRepeats = 1000

// place is what may stand at a path.
type place uint8

const (
	unknown place = iota
	branch        // an element with elements, once in its parent
	many          // the same, repeated
	leaf          // an element with text, once in its parent
	leaves        // the same, repeated
)

// schema has the elements of a document that matter, by path below the root.
// Everything else in a document is skipped.
type schema map[string]place

// encryptionNames are the names of elements, in lower case, that choose an
// encryption somewhere in S3's documents, and of the elements around them.
var encryptionNames = map[string]bool{
	"ssealgorithm": true, "kmsmasterkeyid": true, "applyserversideencryptionbydefault": true,
	"bucketkeyenabled": true, "blockedencryptiontypes": true, "encryptiontype": true,
	"objectencryption": true, "sse-kms": true, "sse-s3": true, "sse-c": true, "kmskeyarn": true, "keyid": true,
	"encryptionconfiguration": true, "replicakmskeyid": true, "ssekmsencryptedobjects": true,
	"encryption": true, "kmskeyid": true, "kmscontext": true,
	"serversideencryptionconfiguration": true, "serversideencryption": true, "outputlocation": true,
}

// element is a known element of a document.
type element struct {
	name     string
	path     string // below the root, for Setting.Path
	text     string
	children []*element
}

// child returns the only child of that name, nil if there is none.
func (e *element) child(name string) *element {
	if e == nil {
		return nil
	}
	for _, c := range e.children {
		if c.name == name {
			return c
		}
	}
	return nil
}

// at walks down from e; nil if a step is missing.
func (e *element) at(names ...string) *element {
	for _, n := range names {
		e = e.child(n)
	}
	return e
}

// value is the text of a leaf, "" if e is nil.
func (e *element) value() string {
	if e == nil {
		return ""
	}
	return e.text
}

// parseTree reads the known elements of a document. s3.DecodeXML has the say
// over what is XML fit to be read; this adds the reading of every element, so
// that nothing about encryption is passed over.
func parseTree(body []byte, r reader) (*element, error) {
	if err := s3.DecodeXML(body, new(struct{})); err != nil {
		return nil, err
	}
	w := walker{schema: r.schema, dec: xml.NewDecoder(bytes.NewReader(body))}
	for {
		t, err := w.dec.Token()
		if err != nil {
			return nil, malformed(err)
		}
		start, ok := t.(xml.StartElement)
		if !ok {
			continue
		}
		if start.Name.Local != r.root || !ownNamespace(start) {
			return nil, s3.ErrMalformedXML
		}
		root := &element{name: r.root}
		if err := w.branch(root, ""); err != nil {
			return nil, err
		}
		return root, nil
	}
}

// walker reads a document that s3.DecodeXML found good, which bounds its depth.
type walker struct {
	schema schema
	dec    *xml.Decoder
}

// branch reads the children of parent up to its end. path is where parent
// stands in the schema.
func (w *walker) branch(parent *element, path string) error {
	count := make(map[string]int)
	for {
		t, err := w.dec.Token()
		if err != nil {
			return malformed(err)
		}
		switch t := t.(type) {
		case xml.EndElement:
			return nil
		case xml.StartElement:
			if err := w.child(parent, path, t, count); err != nil {
				return err
			}
		}
	}
}

func (w *walker) child(parent *element, path string, start xml.StartElement, count map[string]int) error {
	name := start.Name.Local
	at := join(path, name)
	kind := w.schema[at]
	if kind == unknown {
		return w.skip(start)
	}
	if !ownNamespace(start) {
		return s3.ErrMalformedXML
	}
	count[name]++
	n := count[name]
	if repeated := kind == many || kind == leaves; n > maxRepeats || (n > 1 && !repeated) {
		return s3.ErrMalformedXML
	}
	e := &element{name: name, path: join(parent.path, name)}
	if kind == many || kind == leaves {
		e.path += "[" + strconv.Itoa(n) + "]"
	}
	parent.children = append(parent.children, e)
	if kind == leaf || kind == leaves {
		var err error
		e.text, err = w.text()
		return err
	}
	return w.branch(e, at)
}

// text reads an element that holds one run of text and nothing else: comments
// and CDATA split text, and readers differ in how they join it.
func (w *walker) text() (string, error) {
	var s string
	runs := 0
	for {
		t, err := w.dec.Token()
		if err != nil {
			return "", malformed(err)
		}
		switch t := t.(type) {
		case xml.EndElement:
			return s, nil
		case xml.CharData:
			if runs++; runs > 1 {
				return "", s3.ErrMalformedXML
			}
			s = string(t)
			if strings.TrimSpace(s) != s {
				return "", s3.ErrMalformedXML
			}
		default:
			return "", s3.ErrMalformedXML
		}
	}
}

// skip passes over an element that is not in the schema, and refuses one that
// names an encryption, at any depth.
func (w *walker) skip(start xml.StartElement) error {
	for depth := 0; ; {
		if encryptionNames[strings.ToLower(start.Name.Local)] {
			return s3.ErrMalformedXML
		}
		depth++
		for opened := false; !opened; {
			t, err := w.dec.Token()
			if err != nil {
				return malformed(err)
			}
			switch t := t.(type) {
			case xml.StartElement:
				start, opened = t, true
			case xml.EndElement:
				if depth--; depth == 0 {
					return nil
				}
			}
		}
	}
}

func ownNamespace(e xml.StartElement) bool {
	return e.Name.Space == "" || e.Name.Space == namespace
}

func join(path, name string) string {
	if path == "" {
		return name
	}
	return path + "/" + name
}

// malformed is for errors of the decoder, which s3.DecodeXML should have found.
func malformed(err error) error {
	if errors.Is(err, io.EOF) {
		err = io.ErrUnexpectedEOF
	}
	return s3.ErrMalformedXML.WithCause(err)
}
