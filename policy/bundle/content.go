package bundle

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"slices"
	"strings"
	"time"

	opaast "github.com/open-policy-agent/opa/v1/ast"
	opabundle "github.com/open-policy-agent/opa/v1/bundle"

	"github.com/sealgate/sealgate/policy"
)

// root is the only part of data that bundles may define.
const root = "site"

// maxRevision bounds what a bundle calls itself, in bytes. It is shown in metrics.
const maxRevision = 256

// parserOptions are those of every policy.
var parserOptions = opaast.ParserOptions{RegoVersion: opaast.RegoV1}

// read verifies a bundle that was screened.
func read(raw []byte, config *opabundle.VerificationConfig) (policy.Site, error) {
	b, err := opabundle.NewCustomReader(opabundle.NewTarballLoaderWithBaseURL(bytes.NewReader(raw), "")).
		WithBundleVerificationConfig(config).
		WithRegoVersion(parserOptions.RegoVersion).
		Read()
	if err != nil {
		return policy.Site{}, &policy.StepError{Step: policy.StepVerify, Err: err}
	}
	return siteOf(&b)
}

// siteOf takes the Rego out of a bundle that was verified.
func siteOf(b *opabundle.Bundle) (policy.Site, error) {
	site, err := filesOf(b)
	if err != nil {
		return policy.Site{}, &policy.StepError{Step: policy.StepVerify, Err: err}
	}
	return site, nil
}

func filesOf(b *opabundle.Bundle) (policy.Site, error) {
	site := policy.Site{Revision: b.Manifest.Revision}
	switch roots := b.Manifest.Roots; {
	case b.Type() == opabundle.DeltaBundleType:
		return site, errDelta
	case roots == nil || !slices.Equal(*roots, []string{root}):
		return site, fmt.Errorf("the roots of the bundle must be [%q] in its %s", root, opabundle.ManifestExt)
	case len(b.Data) > 0:
		return site, errData
	case len(b.Manifest.Revision) > maxRevision:
		return site, fmt.Errorf("the revision in its %s is longer than %d bytes", opabundle.ManifestExt, maxRevision)
	case len(b.WasmModules) > 0 || len(b.PlanModules) > 0 || len(b.Manifest.WasmResolvers) > 0:
		return site, errCode
	}
	for _, m := range b.Modules {
		name := strings.TrimPrefix(path.Clean("/"+m.Path), "/")
		site.Files = append(site.Files, policy.File{Name: name, Data: m.Raw})
	}
	slices.SortFunc(site.Files, func(a, b policy.File) int { return strings.Compare(a.Name, b.Name) })
	for i := 1; i < len(site.Files); i++ {
		if site.Files[i].Name == site.Files[i-1].Name {
			return site, fmt.Errorf("two files with the name %q", site.Files[i].Name)
		}
	}
	return site, nil
}

// File is a bundle in a file, such as a candidate that is not published yet. It is
// read and verified at each Read.
func File(name string, v Verification) policy.SiteSource { return file{name, v} }

type file struct {
	name         string
	verification Verification
}

// Read implements policy.SiteSource.
func (f file) Read(context.Context) (policy.Site, error) {
	config, err := f.verification.config()
	if err != nil {
		return policy.Site{}, err
	}
	site, err := readFile(f.name, DefaultSizeLimit, config)
	site.Origin, site.Fetched = f.name, time.Now()
	return site, err
}

// readFile screens and verifies the bundle in a file.
func readFile(name string, limit int64, config *opabundle.VerificationConfig) (policy.Site, error) {
	f, err := os.Open(name)
	if err != nil {
		return policy.Site{}, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return policy.Site{}, err
	}
	if !info.Mode().IsRegular() {
		return policy.Site{}, errors.New(name + " is not a file")
	}
	raw, err := screen(io.Reader(f), limit)
	if err != nil {
		return policy.Site{}, err
	}
	site, err := read(raw, config)
	site.Raw, site.Fetched = raw, info.ModTime()
	return site, err
}
