package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"

	"github.com/versity/versitygw/backend/meta"
	"github.com/versity/versitygw/backend/posix"
	"github.com/versity/versitygw/embedgw"
	"github.com/versity/versitygw/s3api"
)

// The environment of the store's process. The secret is not on its command line,
// which every user of the machine can read.
const (
	envStoreListen    = "QUICKSTART_STORE_LISTEN"
	envStoreDir       = "QUICKSTART_STORE_DIR"
	envStoreAccessKey = "QUICKSTART_STORE_ACCESS_KEY"
	envStoreSecretKey = "QUICKSTART_STORE_SECRET_KEY"
)

// maxCopy is the size of the largest object one CopyObject request copies, in bytes
// (https://docs.aws.amazon.com/AmazonS3/latest/API/API_CopyObject.html).
const maxCopy = 5 << 30

// serveStore runs versitygw over the folder in the environment. It has a process of
// its own because the backend changes the working directory and only one instance
// can run in a process.
func serveStore(ctx context.Context, ready func()) error {
	objects, attributes, err := storage(os.Getenv(envStoreDir))
	if err != nil {
		return fmt.Errorf("store: %w", err)
	}
	backend, err := posix.New(objects, attributes, posix.PosixOpts{CopyObjectThreshold: maxCopy})
	if err != nil {
		return fmt.Errorf("store: %w", err)
	}
	err = embedgw.RunVersityGW(ctx, backend, &embedgw.Config{
		RootUserAccess: os.Getenv(envStoreAccessKey),
		RootUserSecret: os.Getenv(envStoreSecretKey),
		Region:         defaultRegion,
		Ports:          []string{os.Getenv(envStoreListen)},
		MaxConnections: 1000, MaxRequests: 1000, MultipartMaxParts: 10000,
		Quiet: true, KeepAlive: true,
		S3Options: []s3api.Option{s3api.WithOnListen(ready)},
	})
	if err != nil {
		return fmt.Errorf("store: %w", err)
	}
	return nil
}

// storage makes the folders of the store: objects are files, what is known about
// them is kept in extended attributes where the file system has them, otherwise in
// a folder beside.
func storage(dir string) (objects string, attributes meta.MetadataStorer, err error) {
	objects, beside := filepath.Join(dir, "objects"), filepath.Join(dir, "attributes")
	for _, d := range []string{objects, beside} {
		if err := os.MkdirAll(d, 0o700); err != nil {
			return "", nil, err
		}
	}
	if (meta.XattrMeta{}).Test(objects) == nil {
		return objects, meta.XattrMeta{}, nil
	}
	sidecar, err := meta.NewSideCar(beside)
	return objects, sidecar, err
}
