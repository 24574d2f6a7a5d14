package sigv4

import (
	"errors"
	"net/http"
	"testing"
	"time"

	"github.com/sealgate/sealgate/module/s3"
)

// A plain body has one length: policy must not be shown another.
func TestPlainBodyHasOneLength(t *testing.T) {
	t.Parallel()
	put, _ := s3.Lookup("PutObject")
	tests := []struct {
		name, payload, decoded string
		length                 int64
		refused                bool
	}{
		{"none", UnsignedPayload, "", 5, false},
		{"the same", UnsignedPayload, "5", 5, false},
		{"a smaller one", UnsignedPayload, "1", 5, true},
		{"a larger one", EmptySHA256, "6", 5, true},
		{"of a body of unknown length", UnsignedPayload, "5", -1, true},
		{"no number", UnsignedPayload, "05", 5, true},
		{"of chunks", StreamingUnsignedTrailer, "1", 50, false},
		{"anonymous", "", "1", 5, true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			h := make(http.Header)
			if tt.payload != "" {
				h.Set(headerContentSHA256, tt.payload)
			}
			if tt.decoded != "" {
				h.Set(headerDecodedLength, tt.decoded)
			}
			_, err := ParseClaim(&s3.Request{Op: put, Method: http.MethodPut, Wire: h, Header: h, ContentLength: tt.length})
			if refused := errors.Is(err, s3.ErrInvalidArgument); refused != tt.refused {
				t.Errorf("got %v", err)
			}
		})
	}
}

// The policy of a form may name any year; its signing key is good for a week.
func TestFormOutlivesNoSigningKey(t *testing.T) {
	t.Parallel()
	c, err := ParseFormClaim(exampleForm())
	if err != nil {
		t.Fatal(err)
	}
	const week = 7 * 24 * time.Hour
	if _, err := verifierAt(exampleFormTime.Add(week)).VerifyForm(c, exampleSecret); err != nil {
		t.Errorf("after a week: %v", err)
	}
	_, err = verifierAt(exampleFormTime.Add(week+time.Second)).VerifyForm(c, exampleSecret)
	wantRefusal(t, err, "AccessDenied", "Request has expired")
}
