package engine

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"math/rand/v2"
	"net/http"
	"strings"
	"testing"

	"github.com/minio/crc64nvme"
)

func b64(sum []byte) string { return base64.StdEncoding.EncodeToString(sum) }

func crc32Of(data []byte) []byte { return binary.BigEndian.AppendUint32(nil, crc32.ChecksumIEEE(data)) }

func crc64Of(data []byte) []byte { return binary.BigEndian.AppendUint64(nil, crc64nvme.Checksum(data)) }

// The CRC of two stretches is that of all their bytes, whatever their lengths.
func TestJoinCRC(t *testing.T) {
	t.Parallel()
	random := rand.New(rand.NewPCG(1, 2))
	for range 300 {
		first, second := make([]byte, random.IntN(300)), make([]byte, random.IntN(300))
		if random.IntN(20) == 0 {
			second = make([]byte, 1<<20+random.IntN(99))
		}
		for _, data := range [][]byte{first, second} {
			for i := range data {
				data[i] = byte(random.Uint32())
			}
		}
		both := append(bytes.Clone(first), second...)
		castagnoli := crc32.MakeTable(crc32.Castagnoli)
		for label, of := range map[string]func([]byte) uint64{
			"CRC32":     func(p []byte) uint64 { return uint64(crc32.ChecksumIEEE(p)) },
			"CRC32C":    func(p []byte) uint64 { return uint64(crc32.Checksum(p, castagnoli)) },
			"CRC64NVME": crc64nvme.Checksum,
		} {
			if got := wholeAlgorithms[label].crc.join(of(first), of(second), int64(len(second))); got != of(both) {
				t.Fatalf("%s of %d and %d bytes: %x, want %x", label, len(first), len(second), got, of(both))
			}
		}
	}
}

// A checksum of the whole object is held against the parts that a completion
// names, in their order.
func TestSealedWholeChecksum(t *testing.T) {
	t.Parallel()
	one, two := bytes.Repeat([]byte("1"), 5*mib+3), bytes.Repeat([]byte("two"), 1000)
	whole := append(bytes.Clone(one), two...)
	sha := func(data []byte) []byte { sum := sha256.Sum256(data); return sum[:] }
	composite32 := crc32Of(append(crc32Of(one), crc32Of(two)...))
	for _, tc := range []struct {
		name   string
		header string
		label  string
		of     func([]byte) []byte // of a part; nil: none is named
		want   string              // error code
	}{
		{"crc32", "X-Amz-Checksum-Crc32: " + b64(crc32Of(whole)), "CRC32", crc32Of, ""},
		{"crc32 of all, as it says", "X-Amz-Checksum-Crc32: " + b64(crc32Of(whole)) + "\nX-Amz-Checksum-Type: FULL_OBJECT", "CRC32", crc32Of, ""},
		{"crc32 of all, as it does not say", "X-Amz-Checksum-Crc32: " + b64(crc32Of(whole)) + "\nX-Amz-Checksum-Type: COMPOSITE", "CRC32", crc32Of, "BadDigest"},
		{"crc64nvme", "X-Amz-Checksum-Crc64nvme: " + b64(crc64Of(whole)), "CRC64NVME", crc64Of, ""},
		{"of checksums", "X-Amz-Checksum-Crc32: " + b64(composite32) + "-2", "CRC32", crc32Of, ""},
		{"of checksums, without their number", "X-Amz-Checksum-Crc32: " + b64(composite32) + "\nX-Amz-Checksum-Type: COMPOSITE", "CRC32", crc32Of, ""},
		{"of another number of checksums", "X-Amz-Checksum-Crc32: " + b64(composite32) + "-3", "CRC32", crc32Of, "BadDigest"},
		{"sha256 of checksums", "X-Amz-Checksum-Sha256: " + b64(sha(append(sha(one), sha(two)...))) + "-2", "SHA256", sha, ""},
		{"sha256 of all", "X-Amz-Checksum-Sha256: " + b64(sha(whole)), "SHA256", sha, "BadDigest"},
		{"another", "X-Amz-Checksum-Crc32: " + b64(crc32Of(two)), "CRC32", crc32Of, "BadDigest"},
		{"no base64", "X-Amz-Checksum-Crc32: ????????", "CRC32", crc32Of, "BadDigest"},
		{"parts without", "X-Amz-Checksum-Crc32: " + b64(crc32Of(whole)), "", nil, "NotImplemented"},
		{"parts with another", "X-Amz-Checksum-Crc64nvme: " + b64(crc64Of(whole)), "CRC32", crc32Of, "NotImplemented"},
		{"only the type", "X-Amz-Checksum-Type: FULL_OBJECT", "", nil, ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			b, store := sealedBed(t)
			u := b.begin("/bucket/all/k")
			u.part(1, one)
			u.part(2, two)
			var doc strings.Builder
			for i, body := range [][]byte{one, two} {
				sum := ""
				if tc.of != nil {
					sum = fmt.Sprintf("<Checksum%s>%s</Checksum%[1]s>", tc.label, b64(tc.of(body)))
				}
				fmt.Fprintf(&doc, "<Part><PartNumber>%d</PartNumber><ETag>%s</ETag>%s</Part>", i+1, strings.ReplaceAll(u.etags[i+1], `"`, "&quot;"), sum)
			}
			a := b.do(b.request(http.MethodPost, u.path+"?"+u.query(), "<CompleteMultipartUpload>"+doc.String()+"</CompleteMultipartUpload>", strings.Split(tc.header, "\n")...))
			store.mu.Lock()
			stored := store.objects["/bucket/all/k"] != nil
			store.mu.Unlock()
			if tc.want == "" && (a.StatusCode != http.StatusOK || !stored) || tc.want != "" && (!strings.Contains(a.body, "<Code>"+tc.want+"<") || stored) {
				t.Errorf("%d %s, stored: %v; want %q", a.StatusCode, a.body, stored, tc.want)
			}
		})
	}
}
