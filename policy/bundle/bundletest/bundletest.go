// Package bundletest makes bundles for tests.
package bundletest

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/hex"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"

	opabundle "github.com/open-policy-agent/opa/v1/bundle"
)

// Signer makes bundles as "opa build" and "opa sign" do.
type Signer struct {
	Public string // PEM
	ID     string // that signatures have for the key
	Scope  string // that signatures are for, "" none

	private string // PEM
}

// Algorithm is that of every Signer.
const Algorithm = "ES256"

// NewSigner makes a key with the id "k1".
func NewSigner(t testing.TB) *Signer {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	public, err := x509.MarshalPKIXPublicKey(&key.PublicKey)
	if err != nil {
		t.Fatal(err)
	}
	encode := func(kind string, der []byte) string {
		return string(pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}))
	}
	return &Signer{private: encode("PRIVATE KEY", private), Public: encode("PUBLIC KEY", public), ID: "k1"}
}

// File is a file of a bundle.
type File struct {
	Name string
	Data []byte
}

// Manifest is that of every bundle, with the revision r1.
const Manifest = `{"revision": "r1", "roots": ["site"]}`

// Module denies what is below frozen/.
const Module = `package site.rules.freeze

deny contains {"id": "FRZ-001", "msg": "frozen"} if "frozen/" in input.resource.prefixes
`

// Files are those of a good bundle, with the revision and the rules given.
func Files(revision, text string) []File {
	return []File{
		{"/data.json", []byte("{}")},
		{"/rules/freeze.rego", []byte(text)},
		{"/.manifest", []byte(strings.Replace(Manifest, "r1", revision, 1))},
	}
}

// Sign adds the signatures file.
func (s *Signer) Sign(t testing.TB, list []File) []File {
	t.Helper()
	var infos []opabundle.FileInfo
	for _, f := range list {
		var value any = f.Data
		if opabundle.IsStructuredDoc(f.Name) {
			if err := json.Unmarshal(f.Data, &value); err != nil {
				t.Fatal(err)
			}
		}
		hasher, err := opabundle.NewSignatureHasher(opabundle.SHA256)
		if err != nil {
			t.Fatal(err)
		}
		sum, err := hasher.HashFile(value)
		if err != nil {
			t.Fatal(err)
		}
		infos = append(infos, opabundle.NewFile(strings.TrimPrefix(f.Name, "/"), hex.EncodeToString(sum), string(opabundle.SHA256)))
	}
	config := opabundle.NewSigningConfig(s.private, Algorithm, "")
	if s.Scope != "" {
		claims := t.TempDir() + "/claims.json"
		if err := os.WriteFile(claims, fmt.Appendf(nil, `{"scope": %q, "keyid": %q}`, s.Scope, s.ID), 0o600); err != nil {
			t.Fatal(err)
		}
		config = opabundle.NewSigningConfig(s.private, Algorithm, claims)
	}
	token, err := opabundle.GenerateSignedToken(infos, config, s.ID)
	if err != nil {
		t.Fatal(err)
	}
	signatures, err := json.Marshal(map[string]any{"signatures": []string{token}})
	if err != nil {
		t.Fatal(err)
	}
	return append(list, File{"/.signatures.json", signatures})
}

// Pack makes the archive.
func Pack(t testing.TB, list []File) []byte {
	t.Helper()
	var out bytes.Buffer
	zipped := gzip.NewWriter(&out)
	archive := tar.NewWriter(zipped)
	for _, f := range list {
		if err := archive.WriteHeader(&tar.Header{Name: f.Name, Mode: 0o600, Size: int64(len(f.Data)), Typeflag: tar.TypeReg}); err != nil {
			t.Fatal(err)
		}
		if _, err := archive.Write(f.Data); err != nil {
			t.Fatal(err)
		}
	}
	if err := errors.Join(archive.Close(), zipped.Close()); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

// Bundle is a good signed bundle.
func (s *Signer) Bundle(t testing.TB, revision, text string) []byte {
	t.Helper()
	return Pack(t, s.Sign(t, Files(revision, text)))
}
