package bundle

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"path"
	"strings"

	opabundle "github.com/open-policy-agent/opa/v1/bundle"

	"github.com/sealgate/sealgate/policy"
)

// DefaultSizeLimit bounds a bundle: its bytes as they are sent, and those of its files.
const DefaultSizeLimit = 32 << 20

// maxDocument bounds the manifest, the signatures, and the empty data document that
// "opa build" adds to every bundle.
const maxDocument = 1 << 20

// screen reads a bundle to its end and returns it as it was, if it has a form that is
// allowed. OPA reads every file of an archive into memory before it looks at any; this
// looks at names and sizes first and holds no more than limit bytes.
func screen(r io.Reader, limit int64) ([]byte, error) {
	var raw bytes.Buffer
	archive, err := gzip.NewReader(io.TeeReader(&bounded{r: r, left: limit, limit: limit}, &raw))
	if err != nil {
		return nil, broken(err)
	}
	content := &bounded{r: archive, left: limit, limit: limit}
	modules := 0
	for files := tar.NewReader(content); ; {
		header, err := files.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, broken(err)
		}
		if err := allowed(header); err != nil {
			return nil, &policy.StepError{Step: policy.StepVerify, Err: fmt.Errorf("%.200q: %w", header.Name, err)}
		}
		if strings.HasSuffix(header.Name, opabundle.RegoExt) {
			modules++
		}
		if modules > policy.MaxModules {
			return nil, &policy.StepError{Step: policy.StepVerify, Err: fmt.Errorf("more than %d Rego files", policy.MaxModules)}
		}
	}
	// What follows the last file belongs to the bundle, and so does the check sum.
	if _, err := io.Copy(io.Discard, content); err != nil {
		return nil, broken(err)
	}
	return raw.Bytes(), nil
}

// broken is the error of a bundle that could not be read to its end.
func broken(err error) error {
	return &policy.StepError{Step: policy.StepDownload, Err: fmt.Errorf("reading the bundle: %w", err)}
}

var (
	errData  = errors.New("data is not allowed in a bundle: what is data belongs into the posture")
	errDelta = errors.New("a delta bundle, which cannot be signed, is not accepted")
	errCode  = errors.New("only Rego is evaluated: WebAssembly and plans are not allowed in a bundle")
)

// allowed looks at a file before it is read.
func allowed(h *tar.Header) error {
	switch h.Typeflag {
	case tar.TypeDir, tar.TypeXGlobalHeader:
		return nil
	case tar.TypeReg:
	default:
		return errors.New("neither a file nor a directory")
	}
	base, most := path.Base(h.Name), int64(maxDocument)
	switch ext := path.Ext(base); {
	case ext == opabundle.RegoExt:
		most = policy.MaxModule
	case base == "patch.json":
		return errDelta
	case opabundle.IsSignaturesFile(h.Name), base == opabundle.ManifestExt:
	case base == "data.json": // "opa build" writes an empty one
	case ext == ".json", ext == ".yaml", ext == ".yml":
		return errData
	case ext == ".wasm", ext == ".pb":
		return errCode
	default:
		return nil // not looked at, and bounded with the rest
	}
	if h.Size <= most {
		return nil
	}
	if base == "data.json" {
		return errData
	}
	return fmt.Errorf("larger than %d bytes", most)
}

// bounded fails when there is more than limit bytes to read.
type bounded struct {
	r           io.Reader
	left, limit int64
}

// Read implements io.Reader.
func (b *bounded) Read(p []byte) (int, error) {
	if int64(len(p)) > b.left+1 {
		p = p[:b.left+1]
	}
	n, err := b.r.Read(p)
	if b.left -= int64(n); b.left < 0 {
		return 0, fmt.Errorf("larger than %d bytes", b.limit)
	}
	return n, err
}
