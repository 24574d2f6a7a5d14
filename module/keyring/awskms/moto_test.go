//go:build moto

// Run with
//
//	go test -tags moto -run TestMoto ./module/keyring/awskms
//
// against a second implementation of KMS: moto, whose program moto_server has
// to be found in PATH (pip install 'moto[server]'). Without it the test fails.

package awskms

import (
	"bytes"
	"context"
	"errors"
	"net"
	"os"
	"os/exec"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/kms"

	"github.com/sealgate/sealgate/module/keyring"
)

func TestMoto(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := listener.Addr().(*net.TCPAddr)
	listener.Close()
	server := exec.CommandContext(t.Context(), "moto_server", "-H", "127.0.0.1", "-p", address.AddrPort().String()[len("127.0.0.1:"):])
	server.Env = append(os.Environ(), "AWS_CA_BUNDLE=")
	if err := server.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		server.Process.Kill()
		server.Wait()
	})
	endpoint := "http://" + address.String()
	client := kms.New(kms.Options{
		Region:           "eu-central-1",
		BaseEndpoint:     &endpoint,
		Credentials:      credentials.NewStaticCredentialsProvider("AKIDTEST", "x", ""),
		RetryMaxAttempts: 1,
	})
	key := func() string {
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		for {
			out, err := client.CreateKey(ctx, &kms.CreateKeyInput{})
			if err == nil {
				return *out.KeyMetadata.Arn
			}
			if ctx.Err() != nil {
				t.Fatalf("moto_server does not answer: %v", err)
			}
			select {
			case <-ctx.Done():
			case <-time.After(100 * time.Millisecond):
			}
		}
	}
	current, old := key(), key()
	for name, reuse := range map[string]*Reuse{"kms": nil, "kms-intermediate": {}} {
		t.Run(name, func(t *testing.T) {
			config := Config{Key: current, Old: []string{old}, Endpoint: endpoint, Reuse: reuse}
			k, before := open(t, config), open(t, Config{Key: old, Endpoint: endpoint, Reuse: reuse})
			for _, writer := range []*Keyring{k, before} {
				key, b := dataKey(), object("bucket", "name")
				kek := writer.KEKs()[0]
				wrapped, err := writer.Wrap(t.Context(), kek, key, b)
				if err != nil {
					t.Fatal(err)
				}
				if got, err := k.Unwrap(t.Context(), kek, wrapped, b); err != nil || got != key {
					t.Errorf("got another key, or error %v", err)
				}
				for what, change := range map[string]func(b *keyring.Binding, wrapped []byte){
					"namespace": func(b *keyring.Binding, _ []byte) { b.Namespace = "elsewhere" },
					"AAD":       func(b *keyring.Binding, _ []byte) { b.AAD = []byte("other") },
					"context":   func(_ *keyring.Binding, wrapped []byte) { wrapped[4] ^= 1 },
					"last byte": func(_ *keyring.Binding, wrapped []byte) { wrapped[len(wrapped)-1] ^= 1 },
				} {
					b, wrapped := b, bytes.Clone(wrapped)
					change(&b, wrapped)
					if _, err := k.Unwrap(t.Context(), kek, wrapped, b); !errors.Is(err, keyring.ErrCorrupt) {
						t.Errorf("%s changed: got error %v, want %v", what, err, keyring.ErrCorrupt)
					}
				}
			}
		})
	}
	t.Run("no such key", func(t *testing.T) {
		k := open(t, Config{Key: arnA, Endpoint: endpoint})
		_, err := k.Wrap(t.Context(), k.KEKs()[0], dataKey(), object("bucket", "name"))
		if !errors.Is(err, keyring.ErrDenied) {
			t.Errorf("got error %v, want %v", err, keyring.ErrDenied)
		}
	})
}
