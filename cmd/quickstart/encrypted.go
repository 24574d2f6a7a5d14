package main

import (
	"context"
	"fmt"
	"strconv"
)

// uploadEncrypted stores an object where the store is to encrypt. It must confirm
// that.
func (t *tour) uploadEncrypted(ctx context.Context) (section, error) {
	r, err := t.put(ctx, logKey)
	if err != nil {
		return section{}, err
	}
	const want = "sse-s3"
	return section{
		title:   "The same under logs/, where the store is to encrypt",
		request: fmt.Sprintf("%s, %d bytes, no encryption header", t.request("PUT", logKey), len(content)),
		facts: []fact{
			seen("client asked", under(r.Asked.Mode, r.Asked.KeyID), "nothing"),
			seen("policy decided", under(r.Decided.Mode, r.Decided.KeyID), want).because("posture.yaml"),
			seen("store was sent", under(r.Sent.Mode, r.Sent.KeyID), want).because("x-amz-server-side-encryption: AES256"),
			seen("store confirmed", under(r.Answered.Mode, r.Answered.KeyID), want),
			seen("client got", strconv.Itoa(r.Answered.Status), "200"),
		},
	}, nil
}

// under names a mode and the key or keyring it uses.
func under(mode, key string) string {
	switch {
	case mode == "":
		return "nothing"
	case key == "":
		return mode
	default:
		return mode + ", " + key
	}
}
