package servers

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
)

// MinIO says how to run MinIO.
type MinIO struct {
	// Authority issues its certificate. Nil means plain HTTP.
	Authority *Authority
	// Keys is its key management server. Nil means that it can do neither
	// SSE-S3 nor SSE-KMS.
	Keys *KeyServer
}

// Start runs MinIO until the returned store is closed.
func (m MinIO) Start(ctx context.Context) (*Store, error) {
	binary, err := Binary("minio")
	if err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp("", "sealgate-minio-")
	if err != nil {
		return nil, err
	}
	s, err := m.start(ctx, binary, dir)
	if err != nil {
		_ = os.RemoveAll(dir)
		return nil, fmt.Errorf("minio: %w", err)
	}
	return s, nil
}

func (m MinIO) start(ctx context.Context, binary, dir string) (*Store, error) {
	port, err := freePort()
	if err != nil {
		return nil, err
	}
	address := "127.0.0.1:" + strconv.Itoa(port)
	s := &Store{
		Endpoint:  "http://" + address,
		AccessKey: "minioadmin", SecretKey: "minioadmin123",
		Data: filepath.Join(dir, "data"), dir: dir,
	}
	env := []string{
		"PATH=/usr/bin:/bin", "HOME=" + dir, "CI=on",
		"MINIO_ROOT_USER=" + s.AccessKey, "MINIO_ROOT_PASSWORD=" + s.SecretKey,
		"MINIO_BROWSER=off", "MINIO_UPDATE=off",
		"MINIO_SITE_REGION=" + Region, // without it MinIO accepts any region
	}
	args := []string{"server", "--address", address, "--certs-dir", filepath.Join(dir, "certs")}
	transport := &http.Transport{DisableKeepAlives: true}
	if m.Authority != nil {
		s.Endpoint = "https://" + address
		if err := m.certificates(filepath.Join(dir, "certs")); err != nil {
			return nil, err
		}
		transport = m.Authority.Transport()
	}
	if m.Keys != nil {
		env = append(env, m.Keys.minioEnv()...)
	}
	s.Process, err = start(ctx, command{
		path: binary, args: append(args, s.Data), env: env, dir: dir,
		// Its health URLs answer before it serves requests.
		ready: answers(transport, s.Endpoint+"/", isForbidden),
	})
	transport.CloseIdleConnections()
	return s, err
}

// certificates lays out the folder MinIO wants: public.crt, private.key and
// CAs/*.crt.
func (m MinIO) certificates(dir string) error {
	if err := os.MkdirAll(filepath.Join(dir, "CAs"), 0o700); err != nil {
		return err
	}
	cert, err := m.Authority.Issue("minio")
	if err != nil {
		return err
	}
	for from, to := range map[string]string{
		cert.CertFile: "public.crt", cert.KeyFile: "private.key", m.Authority.File: "CAs/authority.crt",
	} {
		data, err := os.ReadFile(from)
		if err != nil {
			return err
		}
		if err := os.WriteFile(filepath.Join(dir, to), data, 0o600); err != nil {
			return err
		}
	}
	return nil
}
