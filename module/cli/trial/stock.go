package trial

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/sealgate/sealgate/module/s3"
	"github.com/sealgate/sealgate/policy"
)

// stockSize is the length of the objects that are there to be read, in bytes.
const stockSize = 11

// stock puts what a request reads into the store, encrypted as its posture says: a
// trial is about who may read what, not about what is there.
func (g *Gateway) stock(ctx context.Context, r Request) {
	if source := r.Header.Get("X-Amz-Copy-Source"); source != "" {
		if path, err := url.PathUnescape("/" + strings.TrimPrefix(source, "/")); err == nil {
			path, _, _ = strings.Cut(path, "?versionId=")
			g.provide(ctx, path)
		}
	}
	if r.Method == http.MethodGet || r.Method == http.MethodHead {
		if path, err := url.PathUnescape(r.Path); err == nil {
			g.provide(ctx, path)
		}
	}
}

// provide makes an object, unless it is there.
func (g *Gateway) provide(ctx context.Context, path string) {
	bucket, key, ok := strings.Cut(strings.TrimPrefix(path, "/"), "/")
	if !ok || key == "" || g.store.objects[path] != nil {
		return
	}
	header := make(http.Header)
	rule := g.Policy().Rule(bucket, key)
	switch {
	case rule == nil:
	case rule.Mode == policy.CSE:
		if g.seal(ctx, path, rule.Keyring) == nil {
			return
		}
	case rule.Mode == policy.SSES3:
		header.Set("X-Amz-Server-Side-Encryption", "AES256")
	case rule.Mode.KMS():
		mode := map[policy.Mode]string{policy.KMS: "aws:kms", policy.DSSE: "aws:kms:dsse"}[rule.Mode]
		header.Set("X-Amz-Server-Side-Encryption", mode)
		header.Set("X-Amz-Server-Side-Encryption-Aws-Kms-Key-Id", rule.KeyID)
	}
	g.store.put(path, make([]byte, stockSize), header)
}

// seal has an object sealed by a gateway in front of the same store, whose only rule
// is to seal.
func (g *Gateway) seal(ctx context.Context, path, keyring string) error {
	dir, err := os.MkdirTemp("", "sealgate-try")
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(dir) }()
	file := filepath.Join(dir, "posture.yaml")
	text := "version: 1\nbuckets: {\"*\": {\"\": {mode: cse"
	if keyring != "" {
		text += ", keyring: " + strconv.Quote(keyring)
	}
	text += "}}}\ngrants: [{id: trial, principals: [trial], actions: [\"s3:*\"], resources: [\"*\"]}]\n"
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		return err
	}
	p, err := policy.New(policy.Options{PostureFile: file, Now: g.now})
	if err != nil {
		return err
	}
	own := *g
	own.caller = newCaller()
	own.caller.client.Principal = "trial"
	if own.engine, err = own.build(p, &url.URL{Scheme: "https", Host: "s3." + g.region + ".amazonaws.com"}); err != nil {
		return err
	}
	size := int64(stockSize)
	bucket, key, _ := strings.Cut(strings.TrimPrefix(path, "/"), "/")
	wire := Request{Method: http.MethodPut, Path: "/" + bucket + "/" + s3.EscapePath(key), Object: &size}
	result, err := own.send(ctx, Caller{Principal: "trial"}, Connection{IP: "127.0.0.1"}, wire)
	if err == nil && result.Status != http.StatusOK {
		err = fmt.Errorf("%s: %s", result.Code, result.Message)
	}
	return err
}

// Interface guard
var _ http.RoundTripper = (*store)(nil)
