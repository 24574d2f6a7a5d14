package engine

import (
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/sealgate/sealgate/module/sigv4"
	"github.com/sealgate/sealgate/module/upstream"
	"github.com/sealgate/sealgate/policy"
)

// Which sealed bytes go out with a checksum: to AWS over TLS all, to other stores
// those that are locked, unless the operator says otherwise.
func TestSealedChecksumChosen(t *testing.T) {
	t.Parallel()
	const aws, own, local = "https://s3.eu-central-1.amazonaws.com", "https://store.example.com", "http://127.0.0.1:9000"
	plain, locked := http.Header{"X-Amz-Meta-A": {"b"}}, http.Header{"X-Amz-Object-Lock-Legal-Hold": {"ON"}}
	for _, tc := range []struct {
		how      SealedChecksum
		endpoint string
		header   http.Header
		want     bool
		uploads  bool // announces one for the parts of uploads
	}{
		{"", aws, plain, true, true},
		{SealedChecksumAuto, aws, plain, true, true},
		{SealedChecksumAuto, own, plain, false, false},
		{SealedChecksumAuto, local, plain, false, false},
		{SealedChecksumAuto, local, locked, true, false},
		{SealedChecksumCRC64NVME, own, plain, true, true},
		{SealedChecksumCRC64NVME, local, plain, true, true},
		{SealedChecksumNone, aws, plain, false, false},
		{SealedChecksumNone, aws, locked, false, false},
	} {
		endpoint, err := url.Parse(tc.endpoint)
		if err != nil {
			t.Fatal(err)
		}
		client, err := upstream.New(upstream.Config{Endpoint: endpoint, Region: testRegion})
		if err != nil {
			t.Fatal(err)
		}
		b := newBed(t, sealedPosture, func(c *Config, _ *policy.Options) { c.Upstream, c.SealedChecksum = client, tc.how })
		x := &exchange{e: b.engine}
		for _, body := range []bool{false, true} {
			call := upstream.Call{Header: tc.header.Clone(), Data: []byte("x")}
			if body {
				call = upstream.Call{Header: tc.header.Clone(), Body: strings.NewReader("x"), Length: 1}
			}
			x.protect(&call)
			sent := call.Header.Get("X-Amz-Checksum-Crc64nvme") != "" && call.PayloadHash == sigv4.UnsignedPayload
			if body {
				sent = call.Header.Get("X-Amz-Trailer") == "x-amz-checksum-crc64nvme" && call.PayloadHash == sigv4.StreamingUnsignedTrailer
			}
			if sent != tc.want || !tc.want && (call.PayloadHash != sigv4.UnsignedPayload || len(call.Header) != 1) {
				t.Errorf("%q to %s with %v: %v, hash %s", tc.how, tc.endpoint, tc.header, call.Header, call.PayloadHash)
			}
		}
		h := make(http.Header)
		x.announceChecksum(h)
		if (h.Get("X-Amz-Checksum-Algorithm") == "CRC64NVME" && h.Get("X-Amz-Checksum-Type") == "FULL_OBJECT") != tc.uploads || !tc.uploads && len(h) > 0 {
			t.Errorf("%q to %s: an upload is begun with %v", tc.how, tc.endpoint, h)
		}
	}
}

// What a store expects of an upload's parts is not shown where those are sealed.
func TestSealedUploadsListed(t *testing.T) {
	t.Parallel()
	const more = "<ChecksumAlgorithm>CRC64NVME</ChecksumAlgorithm><ChecksumType>FULL_OBJECT</ChecksumType>"
	const doc = "<ListMultipartUploadsResult><EncodingType>url</EncodingType>" +
		"<Upload><Key>all%2Fa+b</Key><UploadId>1</UploadId>" + more + "</Upload>" +
		"<Upload><Key>plain</Key><UploadId>2</UploadId>" + more + "</Upload></ListMultipartUploadsResult>"
	b, store := sealedBed(t)
	store.mu.Lock()
	store.listing = doc
	store.mu.Unlock()
	a := b.get("/bucket?uploads")
	want := strings.Replace(doc, more, "", 1)
	if a.StatusCode != http.StatusOK || a.body != want {
		t.Errorf("%d %s, want %s", a.StatusCode, a.body, want)
	}
}
