package servers

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
)

// Versity says how to run versitygw over a folder: as strict about signatures
// as AWS, and deaf to every encryption header.
type Versity struct {
	// Authority issues its certificate. Nil means plain HTTP.
	Authority *Authority
}

// Start runs versitygw until the returned store is closed. The temporary
// folder must be on a file system with user extended attributes.
func (v Versity) Start(ctx context.Context) (*Store, error) {
	binary, err := Binary("versitygw")
	if err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp("", "sealgate-versitygw-")
	if err != nil {
		return nil, err
	}
	s, err := v.start(ctx, binary, dir)
	if err != nil {
		_ = os.RemoveAll(dir)
		return nil, fmt.Errorf("versitygw: %w", err)
	}
	return s, nil
}

func (v Versity) start(ctx context.Context, binary, dir string) (*Store, error) {
	port, err := freePort()
	if err != nil {
		return nil, err
	}
	address := "127.0.0.1:" + strconv.Itoa(port)
	s := &Store{
		Endpoint:  "http://" + address,
		AccessKey: "versityowner", SecretKey: "versityowner-secret",
		Data: filepath.Join(dir, "data"), dir: dir,
	}
	versions, iam := filepath.Join(dir, "versions"), filepath.Join(dir, "iam")
	for _, d := range []string{s.Data, versions, iam} {
		if err := os.Mkdir(d, 0o700); err != nil {
			return nil, err
		}
	}
	args := []string{
		"--access", s.AccessKey, "--secret", s.SecretKey, "--region", Region,
		"--port", address, "--iam-dir", iam, "--quiet", "--keep-alive",
	}
	transport := &http.Transport{DisableKeepAlives: true}
	if v.Authority != nil {
		s.Endpoint = "https://" + address
		cert, err := v.Authority.Issue("versitygw")
		if err != nil {
			return nil, err
		}
		args = append(args, "--cert", cert.CertFile, "--key", cert.KeyFile)
		transport = v.Authority.Transport()
	}
	s.Process, err = start(ctx, command{
		path: binary, args: append(args, "posix", "--versioning-dir", versions, s.Data),
		env: []string{"PATH=/usr/bin:/bin", "HOME=" + dir}, dir: dir,
		ready: answers(transport, s.Endpoint+"/", anyReply),
	})
	transport.CloseIdleConnections()
	return s, err
}
