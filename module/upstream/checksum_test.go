package upstream

import (
	"bytes"
	"errors"
	"io"
	"maps"
	"net/http"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/sealgate/sealgate/module/sigv4"
)

// digits is the message whose CRC-64/NVME is in the catalogue of CRCs: ae8b14860a799888.
const digits, digitsSum = "123456789", "rosUhgp5mIg="

func TestAddChecksum(t *testing.T) {
	t.Parallel()
	framed := "9\r\n" + digits + "\r\n0\r\nx-amz-checksum-crc64nvme:" + digitsSum + "\r\n\r\n"
	for _, tc := range []struct {
		name   string
		call   Call
		header http.Header
		body   string // "" for one as it was
		hash   string
	}{
		{"data", Call{Data: []byte(digits), PayloadHash: sigv4.UnsignedPayload},
			http.Header{"X-Amz-Checksum-Crc64nvme": {digitsSum}}, "", sigv4.UnsignedPayload},
		{"no data", Call{Data: []byte{}, PayloadHash: sigv4.UnsignedPayload},
			http.Header{"X-Amz-Checksum-Crc64nvme": {"AAAAAAAAAAA="}}, "", sigv4.UnsignedPayload},
		{"body", Call{Body: strings.NewReader(digits), Length: 9, PayloadHash: sigv4.UnsignedPayload},
			http.Header{
				"Content-Encoding": {"aws-chunked"}, "X-Amz-Trailer": {"x-amz-checksum-crc64nvme"}, "X-Amz-Decoded-Content-Length": {"9"},
			}, framed, sigv4.StreamingUnsignedTrailer},
		{"compressed body", Call{Body: strings.NewReader(digits), Length: 9, PayloadHash: sigv4.UnsignedPayload, Header: http.Header{"Content-Encoding": {"gzip"}}},
			http.Header{
				"Content-Encoding": {"gzip,aws-chunked"}, "X-Amz-Trailer": {"x-amz-checksum-crc64nvme"}, "X-Amz-Decoded-Content-Length": {"9"},
			}, framed, sigv4.StreamingUnsignedTrailer},
		{"nothing", Call{PayloadHash: sigv4.EmptySHA256}, nil, "", sigv4.EmptySHA256},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			tc.call.AddChecksum()
			if !maps.EqualFunc(tc.call.Header, tc.header, func(a, b []string) bool { return strings.Join(a, "|") == strings.Join(b, "|") }) {
				t.Errorf("header %v, want %v", tc.call.Header, tc.header)
			}
			if tc.call.PayloadHash != tc.hash {
				t.Errorf("payload hash %q", tc.call.PayloadHash)
			}
			if tc.body == "" {
				return
			}
			got, err := io.ReadAll(tc.call.Body)
			if err != nil || string(got) != tc.body || tc.call.Length != int64(len(got)) {
				t.Errorf("%q of length %d announced, %v; want %q", got, tc.call.Length, err, tc.body)
			}
		})
	}
}

// TestAddChecksumFails: a body that fails, or has another length, does not end well.
func TestAddChecksumFails(t *testing.T) {
	t.Parallel()
	broken := errors.New("broken")
	for name, body := range map[string]io.Reader{
		"fails": io.MultiReader(strings.NewReader(digits[:5]), iotest.ErrReader(broken)),
		"short": strings.NewReader(digits[:8]),
		"long":  strings.NewReader(digits + "0"),
	} {
		call := Call{Body: body, Length: 9}
		call.AddChecksum()
		got, err := io.ReadAll(call.Body)
		if err == nil || bytes.Contains(got, []byte("checksum")) || name == "fails" && !errors.Is(err, broken) {
			t.Errorf("%s: %q, %v", name, got, err)
		}
	}
}
