package servers

import (
	"context"
	_ "embed"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// ErrMissing is wrapped by errors about a binary that has not been built.
var ErrMissing = errors.New("binary is missing")

//go:embed pins.mk
var pins string

// Version returns the pinned version of a tool: "minio", "versitygw", "opa" or
// "golangci-lint". It panics for any other name.
func Version(tool string) string {
	name := strings.ToUpper(strings.ReplaceAll(tool, "-", "_")) + "_VERSION"
	for line := range strings.Lines(pins) {
		if left, right, ok := strings.Cut(line, ":="); ok && strings.TrimSpace(left) == name {
			return strings.TrimSpace(right)
		}
	}
	panic("internal error: no pinned version of " + tool)
}

// CacheDir returns the folder that holds the built binaries:
// $SEALGATE_CACHE, or sealgate in the user's cache folder.
func CacheDir() (string, error) {
	if dir := os.Getenv("SEALGATE_CACHE"); dir != "" {
		return dir, nil
	}
	dir, err := os.UserCacheDir()
	if err != nil {
		return "", fmt.Errorf("cache folder: %w", err)
	}
	return filepath.Join(dir, "sealgate"), nil
}

// Binary returns the path of a pinned tool in the cache folder.
func Binary(tool string) (string, error) {
	dir, err := CacheDir()
	if err != nil {
		return "", err
	}
	path := filepath.Join(dir, "bin", tool+"-"+Version(tool))
	if _, err := os.Stat(path); err != nil {
		return "", fmt.Errorf("%s %s: %w at %s: run `make servers`", tool, Version(tool), ErrMissing, path)
	}
	return path, nil
}

// BuildGateway compiles cmd/sealgate of this module into dir and returns the
// path of the binary. It needs the go command.
func BuildGateway(ctx context.Context, dir string) (string, error) {
	path := filepath.Join(dir, "sealgate")
	build := exec.CommandContext(ctx, "go", "build", "-o", path, "github.com/sealgate/sealgate/cmd/sealgate")
	if out, err := build.CombinedOutput(); err != nil {
		return "", fmt.Errorf("building the gateway: %w\n%s", err, out)
	}
	return path, nil
}

// NewKeyring has a gateway's binary make a key file in dir, and returns its
// content.
func NewKeyring(ctx context.Context, binary, dir string) (string, error) {
	path := filepath.Join(dir, "main.keyring")
	if out, err := exec.CommandContext(ctx, binary, "keyring", "init", path).CombinedOutput(); err != nil {
		return "", fmt.Errorf("making a keyring: %w\n%s", err, out)
	}
	content, err := os.ReadFile(path)
	return string(content), err
}
