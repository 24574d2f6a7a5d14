package engine

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"mime"
	"mime/multipart"
	"net/textproto"
	"strings"

	"github.com/sealgate/sealgate/module/s3"
)

// maxFormFields bounds everything in a form before the file's first byte.
const maxFormFields = 64 << 10

// formField is one field before the file; names keep the case they came in.
type formField struct{ name, value string }

// form is an upload form read up to the first byte of its file.
type form struct {
	fields   []formField
	filename string
	file     *formFile
}

// get gives the value of the field with that name in any case.
func (f *form) get(name string) string {
	for _, field := range f.fields {
		if strings.EqualFold(field.name, name) {
			return field.value
		}
	}
	return ""
}

// readForm reads a multipart/form-data body up to the file (RFC 7578; AWS:
// RESTObjectPOST). total is the length of the whole body.
func readForm(body io.Reader, contentType string, total int64) (*form, error) {
	kind, params, err := mime.ParseMediaType(contentType)
	if err != nil || kind != "multipart/form-data" || params["boundary"] == "" {
		return nil, s3.ErrPreconditionFailed.WithMessage("Bucket POST must be of the enclosure-type multipart/form-data")
	}
	r := &formReader{r: bufio.NewReaderSize(body, 64<<10), boundary: params["boundary"]}
	out := new(form)
	for {
		header, err := r.next()
		if err != nil {
			return nil, malformedForm(err)
		}
		disposition, attrs, err := mime.ParseMediaType(header.Get("Content-Disposition"))
		if err != nil || disposition != "form-data" || attrs["name"] == "" {
			return nil, malformedForm(errors.New("a part without a name"))
		}
		if strings.EqualFold(attrs["name"], "file") {
			out.filename = attrs["filename"]
			out.file = r.rest(total)
			return out, nil
		}
		value, err := r.value()
		if err != nil {
			return nil, malformedForm(err)
		}
		if out.has(attrs["name"]) {
			return nil, s3.ErrInvalidArgument.WithMessage("POST requires exactly one value for each field.").With("ArgumentName", attrs["name"])
		}
		out.fields = append(out.fields, formField{attrs["name"], value})
	}
}

func (f *form) has(name string) bool {
	for _, field := range f.fields {
		if strings.EqualFold(field.name, name) {
			return true
		}
	}
	return false
}

func malformedForm(cause error) error {
	var own *s3.Error
	if errors.As(cause, &own) {
		return own
	}
	return s3.ErrMalformedPOSTRequest.WithCause(cause)
}

var errFormTooLarge = errors.New("the fields before the file are larger than 64 KiB")

// formReader reads parts one by one and counts what it has taken, which is how
// the length of the file is known before its end.
type formReader struct {
	r        *bufio.Reader
	boundary string
	taken    int64
	begun    bool
}

// line reads one line without its CRLF.
func (f *formReader) line() (string, error) {
	b, err := f.r.ReadSlice('\n')
	f.taken += int64(len(b))
	if f.taken > maxFormFields {
		return "", errFormTooLarge
	}
	if err != nil {
		return "", err
	}
	return strings.TrimSuffix(strings.TrimSuffix(string(b), "\n"), "\r"), nil
}

// next reads to the headers of the next part.
func (f *formReader) next() (textproto.MIMEHeader, error) {
	if !f.begun {
		first, err := f.line()
		if err != nil {
			return nil, err
		}
		if first != "--"+f.boundary {
			return nil, errors.New("the body does not begin with the boundary")
		}
		f.begun = true
	}
	h := make(textproto.MIMEHeader)
	for {
		l, err := f.line()
		if err != nil {
			return nil, err
		}
		if l == "" {
			return h, nil
		}
		name, value, ok := strings.Cut(l, ":")
		if !ok {
			return nil, errors.New("a part header without a colon")
		}
		h.Add(strings.TrimSpace(name), strings.TrimSpace(value))
	}
}

// value reads a field's value and the boundary line after it.
func (f *formReader) value() (string, error) {
	var out bytes.Buffer
	for {
		b, err := f.r.ReadSlice('\n')
		f.taken += int64(len(b))
		if f.taken > maxFormFields {
			return "", errFormTooLarge
		}
		if err != nil {
			return "", err
		}
		switch strings.TrimRight(string(b), " \t\r\n") {
		case "--" + f.boundary:
			return strings.TrimSuffix(strings.TrimSuffix(out.String(), "\n"), "\r"), nil
		case "--" + f.boundary + "--":
			return "", s3.ErrInvalidArgument.WithMessage("POST requires exactly one file upload per request.").With("ArgumentName", "file").With("ArgumentValue", "0")
		}
		out.Write(b)
	}
}

// rest gives the file. Its length is what is left of the body without the
// closing boundary; formFile checks that it really ends there.
func (f *formReader) rest(total int64) *formFile {
	opening := "--" + f.boundary + "\r\n\r\n"
	closing := "\r\n--" + f.boundary + "--\r\n"
	return &formFile{
		parts:  multipart.NewReader(io.MultiReader(strings.NewReader(opening), f.r), f.boundary),
		length: total - f.taken - int64(len(closing)),
	}
}

// formFile is the file of a form. Its last byte is given only after the form
// was seen to end right behind it, so a form that goes on cannot pass as a
// whole file.
type formFile struct {
	parts  *multipart.Reader
	part   *multipart.Part
	length int64 // what must come; negative: the body is too short for any file
	given  int64
	err    error
}

var errFormGoesOn = s3.ErrMalformedPOSTRequest.WithMessage("The file must be the last field of the form, and the form must end in its closing boundary.")

// open positions at the file's first byte.
func (f *formFile) open() error {
	if f.part == nil && f.err == nil {
		f.part, f.err = f.parts.NextRawPart()
	}
	return f.err
}

// whole reads a file of about limit bytes at most with whatever follows it; ok
// is false, with the bytes read so far, if it is longer: Read goes on behind
// them.
func (f *formFile) whole(limit int) (data []byte, ok bool, err error) {
	if err := f.open(); err != nil {
		return nil, false, malformedForm(err)
	}
	buf := bytes.NewBuffer(make([]byte, 0, min(int64(limit)+1, max(f.length, 0)+1)))
	if _, err := io.CopyN(buf, f.part, int64(limit)+1); err == nil {
		f.given = int64(buf.Len())
		switch {
		case f.given > f.length:
			return nil, false, errFormGoesOn
		case f.given == f.length:
			return buf.Bytes(), true, f.ends()
		}
		return buf.Bytes(), false, nil
	} else if !errors.Is(err, io.EOF) {
		return nil, false, malformedForm(err)
	}
	return buf.Bytes(), true, nil
}

// Read gives the file's bytes from where whole left off.
func (f *formFile) Read(p []byte) (int, error) {
	if f.err != nil {
		return 0, f.err
	}
	left := f.length - f.given
	if left <= 0 {
		f.err = io.EOF
		return 0, f.err
	}
	if len(p) == 0 {
		return 0, nil
	}
	if left == 1 {
		n, err := io.ReadFull(f.part, p[:1])
		if err == nil {
			err = f.ends()
		}
		if err != nil {
			f.err = malformedForm(errOr(err, errFormGoesOn))
			return 0, f.err
		}
		f.given++
		return n, nil
	}
	n, err := f.part.Read(p[:min(int64(len(p)), left-1)])
	f.given += int64(n)
	if err != nil {
		f.err = malformedForm(errOr(err, errFormGoesOn))
	}
	return n, f.errUnless(n)
}

func (f *formFile) errUnless(n int) error {
	if n > 0 {
		return nil
	}
	return f.err
}

// ends checks that nothing follows the file.
func (f *formFile) ends() error {
	var one [1]byte
	if n, err := f.part.Read(one[:]); n != 0 || !errors.Is(err, io.EOF) {
		return errFormGoesOn
	}
	if _, err := f.parts.NextRawPart(); !errors.Is(err, io.EOF) {
		return errFormGoesOn
	}
	return nil
}

// errOr gives other where err only says that the input ended.
func errOr(err, other error) error {
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return other
	}
	return err
}
