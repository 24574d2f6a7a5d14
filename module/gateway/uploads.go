package gateway

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"regexp"
	"strings"
	"unicode/utf8"

	"github.com/caddyserver/certmagic"

	"github.com/sealgate/sealgate/module/engine"
)

// uploadsPrefix is where open uploads of sealed objects are in Caddy's storage.
const uploadsPrefix = "s3_encryption/uploads"

// Bounds of what is kept of one upload, in bytes.
const (
	maxUploadID       = 2 << 10
	maxUploadKey      = 1 << 10 // S3's limit of a key name
	maxUploadEnvelope = 4 << 10
	maxUploadValue    = 64 << 10 // all of it as JSON, where a byte takes up to 6
)

// errNoUpload is that of an upload which is not known: fs.ErrNotExist.
var errNoUpload = fmt.Errorf("no such upload: %w", fs.ErrNotExist)

// uploads remembers the open uploads of sealed objects in Caddy's storage, one
// value each, so that gateways which share a storage share them. It holds nothing
// secret.
//
//	s3_encryption/uploads/<store>/<bucket>/<SHA-256 of the upload id>
type uploads struct {
	storage certmagic.Storage
	prefix  string // ends with the store
}

// upload is one value. The id is in it because a name in storage cannot hold it:
// ids are as long as the store likes and differ in case.
type upload struct {
	ID       string `json:"id"`
	Key      string `json:"key"`
	Envelope string `json:"envelope"`
}

// newUploads keeps the uploads of the store at host in storage.
func newUploads(storage certmagic.Storage, host string) *uploads {
	return &uploads{storage: storage, prefix: path.Join(uploadsPrefix, segment(strings.ToLower(host)))}
}

// Put remembers an upload.
func (u *uploads) Put(ctx context.Context, bucket, upstreamID, key, envelope string) error {
	name, err := u.name(ctx, bucket, upstreamID)
	if err != nil {
		return err
	}
	if len(key) > maxUploadKey || len(envelope) > maxUploadEnvelope {
		return fmt.Errorf("upload with a key of %d and an envelope of %d bytes, at most %d and %d can be kept",
			len(key), len(envelope), maxUploadKey, maxUploadEnvelope)
	}
	if !utf8.ValidString(upstreamID + key + envelope) {
		return errors.New("upload whose id, key or envelope is not UTF-8") // JSON would change it
	}
	value, err := json.Marshal(upload{ID: upstreamID, Key: key, Envelope: envelope})
	if err != nil {
		return err
	}
	return u.storage.Store(ctx, name, value)
}

// Get gives what was put. Its error is fs.ErrNotExist where the upload is not known.
func (u *uploads) Get(ctx context.Context, bucket, upstreamID string) (key, envelope string, err error) {
	name, err := u.name(ctx, bucket, upstreamID)
	if err != nil {
		return "", "", err
	}
	found, err := u.load(ctx, name)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return "", "", errNoUpload
	case err != nil:
		return "", "", err
	case found.ID != upstreamID:
		return "", "", fmt.Errorf("%s is of another upload", name)
	}
	return found.Key, found.Envelope, nil
}

// Delete forgets an upload; one that is not known is no error.
func (u *uploads) Delete(ctx context.Context, bucket, upstreamID string) error {
	name, err := u.name(ctx, bucket, upstreamID)
	if err != nil {
		return err
	}
	if err := u.storage.Delete(ctx, name); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

// uploadName is the last part of an upload's name. Storage may have other names
// beside them, of files that are being written.
var uploadName = regexp.MustCompile(`^[0-9a-f]{64}$`)

// List gives the ids of the uploads known in a bucket, in no particular order. An
// upload that comes or goes meanwhile may be in the list or not.
func (u *uploads) List(ctx context.Context, bucket string) ([]string, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	// A value that goes while its folder is read is an error to some storages;
	// what was found so far is given with it.
	names, err := u.storage.List(ctx, path.Join(u.prefix, segment(bucket)), false)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	var ids []string
	for _, name := range names {
		if !uploadName.MatchString(path.Base(name)) {
			continue
		}
		found, err := u.load(ctx, name)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return nil, err
		}
		ids = append(ids, found.ID)
	}
	return ids, nil
}

// load reads one value.
func (u *uploads) load(ctx context.Context, name string) (upload, error) {
	var found upload
	if err := ctx.Err(); err != nil {
		return found, err
	}
	value, err := u.storage.Load(ctx, name)
	if err != nil {
		return found, err
	}
	if len(value) > maxUploadValue {
		return found, fmt.Errorf("%s has %d bytes, at most %d are expected", name, len(value), maxUploadValue)
	}
	if err := json.Unmarshal(value, &found); err != nil {
		return found, fmt.Errorf("%s: %w", name, err)
	}
	if hashed(found.ID) != path.Base(name) {
		return found, fmt.Errorf("%s is of another upload", name)
	}
	return found, nil
}

// name is where an upload is in storage.
func (u *uploads) name(ctx context.Context, bucket, upstreamID string) (string, error) {
	switch {
	case ctx.Err() != nil:
		return "", ctx.Err()
	case bucket == "" || upstreamID == "":
		return "", errors.New("upload without a bucket or an id")
	case len(upstreamID) > maxUploadID:
		return "", fmt.Errorf("upload id of %d bytes, at most %d can be kept", len(upstreamID), maxUploadID)
	}
	return path.Join(u.prefix, segment(bucket), hashed(upstreamID)), nil
}

func hashed(id string) string {
	sum := sha256.Sum256([]byte(id))
	return hex.EncodeToString(sum[:])
}

// segment writes a host or bucket as one part of a name in storage, another one for
// each: lower-case letters, digits, "-" and "_" stand for themselves, as does "."
// unless it begins or ends the name; any other byte becomes "%" and two digits.
func segment(s string) string {
	var out strings.Builder
	for i := range len(s) {
		switch c := s[i]; {
		case 'a' <= c && c <= 'z', '0' <= c && c <= '9', c == '-', c == '_', c == '.' && 0 < i && i < len(s)-1:
			out.WriteByte(c)
		default:
			fmt.Fprintf(&out, "%%%02x", c)
		}
	}
	return out.String()
}

// Interface guards
var _ engine.UploadStore = (*uploads)(nil)
