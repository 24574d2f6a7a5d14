package sigv4

import (
	"bytes"
	"errors"
	"fmt"
	"testing"
	"testing/iotest"
)

func TestBodyReadSmall(t *testing.T) {
	t.Parallel()
	for _, form := range []Payload{PayloadNone, PayloadUnsigned, PayloadHash} {
		for _, size := range []int{0, 1, 5000, blockSize} {
			t.Run(fmt.Sprintf("%v/%d", form, size), func(t *testing.T) {
				t.Parallel()
				payload := randomBytes(size)
				req, proof := plain(form, payload)
				b := mustOpen(t, proof, req, iotest.OneByteReader(bytes.NewReader(payload)))
				if !b.Small() {
					t.Fatal("not small")
				}
				for range 2 {
					got, err := b.ReadSmall()
					if err != nil || !bytes.Equal(got, payload) {
						t.Fatalf("got %d bytes, %v", len(got), err)
					}
				}
				wantPayload(t, b, payload)
				if got, err := b.ReadSmall(); err != nil || !bytes.Equal(got, payload) {
					t.Fatalf("after reading: got %d bytes, %v", len(got), err)
				}
			})
		}
	}
}

// A transport may go on sending the payload after the reply came, when its
// request is over and others are served.
func TestBodyReadSmallOutlivesClose(t *testing.T) {
	t.Parallel()
	read := func(payload []byte) []byte {
		req, proof := plain(PayloadHash, payload)
		b := mustOpen(t, proof, req, bytes.NewReader(payload))
		defer b.Close()
		got, err := b.ReadSmall()
		if err != nil {
			t.Fatal(err)
		}
		return got
	}
	first := randomBytes(1000)
	kept := read(first)
	for range 100 {
		other := bytes.Repeat([]byte("x"), blockSize)
		read(other)
		req, proof := plain(PayloadHash, other)
		b := mustOpen(t, proof, req, bytes.NewReader(other))
		wantPayload(t, b, other)
		b.Close()
	}
	if !bytes.Equal(kept, first) {
		t.Fatal("another request wrote over the payload")
	}
}

func TestBodyReadSmallErrors(t *testing.T) {
	t.Parallel()
	payload := randomBytes(1000)
	t.Run("large", func(t *testing.T) {
		req, proof := plain(PayloadUnsigned, randomBytes(blockSize+1))
		b := mustOpen(t, proof, req, nil)
		_, err := b.ReadSmall()
		wantCode(t, err, "InternalError")
		if b.Small() {
			t.Fatal("small")
		}
	})
	t.Run("after Read", func(t *testing.T) {
		req, proof := plain(PayloadUnsigned, payload)
		b := mustOpen(t, proof, req, bytes.NewReader(payload))
		if _, err := b.Read(make([]byte, 10)); err != nil {
			t.Fatal(err)
		}
		_, err := b.ReadSmall()
		wantCode(t, err, "InternalError")
	})
	t.Run("after Read of a verified payload", func(t *testing.T) {
		req, proof := plain(PayloadHash, payload)
		b := mustOpen(t, proof, req, bytes.NewReader(payload))
		wantPayload(t, b, payload)
		_, err := b.ReadSmall() // its block goes back to the pool
		wantCode(t, err, "InternalError")
	})
	t.Run("wrong hash", func(t *testing.T) {
		req, proof := plain(PayloadHash, payload)
		proof.PayloadHash = hexSHA256(nil)
		b := mustOpen(t, proof, req, bytes.NewReader(payload))
		for range 2 {
			got, err := b.ReadSmall()
			wantCode(t, err, "XAmzContentSHA256Mismatch")
			if got != nil {
				t.Fatal("bytes of an unverified payload")
			}
		}
		wantRejected(t, b, payload, "XAmzContentSHA256Mismatch")
	})
	t.Run("short", func(t *testing.T) {
		req, proof := plain(PayloadUnsigned, payload)
		_, err := mustOpen(t, proof, req, bytes.NewReader(payload[:999])).ReadSmall()
		wantCode(t, err, "IncompleteBody")
	})
	t.Run("closed", func(t *testing.T) {
		req, proof := plain(PayloadUnsigned, payload)
		b := mustOpen(t, proof, req, bytes.NewReader(payload))
		b.Close()
		if _, err := b.ReadSmall(); !errors.Is(err, errClosed) {
			t.Fatalf("got %v", err)
		}
		if _, err := b.Read(make([]byte, 1)); !errors.Is(err, errClosed) {
			t.Fatalf("got %v", err)
		}
	})
}
