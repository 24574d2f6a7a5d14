package main

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"io"
	"slices"
	"strconv"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"github.com/sealgate/sealgate/module/keyring"
	"github.com/sealgate/sealgate/module/keyring/local"
	"github.com/sealgate/sealgate/module/seal"
)

// envelopeMetadata is the user metadata in which the gateway keeps an envelope.
const envelopeMetadata = "sealgate"

// uploadSealed stores an object without a word about encryption.
func (t *tour) uploadSealed(ctx context.Context) (section, error) {
	r, err := t.put(ctx, sealedKey)
	if err != nil {
		return section{}, err
	}
	return section{
		title:   "An upload that says nothing about encryption",
		request: fmt.Sprintf("%s, %d bytes, no encryption header", t.request("PUT", sealedKey), len(content)),
		facts: []fact{
			seen("client asked", under(r.Asked.Mode, r.Asked.KeyID), "nothing"),
			seen("policy decided", under(r.Decided.Mode, r.Decided.Keyring), "cse, main").because("posture.yaml"),
			seen("client got", strconv.Itoa(r.Answered.Status), "200"),
		},
		note: "The gateway seals the object on its way, with a key of its own that the keyring \"main\" wraps.",
	}, nil
}

// seenByStore reads the object that uploadSealed stored from the store itself.
func (t *tour) seenByStore(ctx context.Context) (section, error) {
	key := sealedKey
	out, err := t.store.GetObject(ctx, &s3.GetObjectInput{Bucket: &t.bucket, Key: &key})
	if err != nil {
		return section{}, fmt.Errorf("reading %s from the store: %w", key, err)
	}
	defer out.Body.Close()
	raw, err := io.ReadAll(out.Body)
	if err != nil {
		return section{}, fmt.Errorf("reading %s from the store: %w", key, err)
	}
	sealed, err := seal.SingleSize(int64(len(content)))
	if err != nil {
		return section{}, err
	}
	current, err := t.currentKey()
	if err != nil {
		return section{}, err
	}
	const shown = 16
	return section{
		title:   "The object as the store sees it",
		request: t.request("GET", key) + ", sent to the store and not to the gateway",
		facts: []fact{
			seen("size", size(int64(len(raw))), size(sealed)).because("a header and one sealed chunk"),
			{label: "first bytes", value: fmt.Sprintf("% x", raw[:min(len(raw), shown)])},
			{label: "last bytes", value: fmt.Sprintf("% x", raw[max(0, len(raw)-shown):])},
			seen("plaintext in it", yesNo(leaks(raw)), "no"),
			seen("data key", wrappedBy(out.Metadata[envelopeMetadata]), "wrapped by "+current).because("x-amz-meta-" + envelopeMetadata),
		},
	}, nil
}

// seenByClient reads it through the gateway.
func (t *tour) seenByClient(ctx context.Context) (section, error) {
	key := sealedKey
	out, err := t.client.GetObject(ctx, &s3.GetObjectInput{Bucket: &t.bucket, Key: &key})
	if err != nil {
		return section{}, t.failed(ctx, "reading "+key, err)
	}
	defer out.Body.Close()
	got, err := io.ReadAll(out.Body)
	if err != nil {
		return section{}, t.failed(ctx, "reading "+key, err)
	}
	same := "the bytes that were sent"
	if !bytes.Equal(got, content) {
		same = fmt.Sprintf("%d other bytes", len(got))
	}
	listed, err := t.client.ListObjectsV2(ctx, &s3.ListObjectsV2Input{Bucket: &t.bucket, Prefix: &key})
	if err != nil {
		return section{}, t.failed(ctx, "listing "+key, err)
	}
	inListing := "not listed"
	for _, o := range listed.Contents {
		if aws.ToString(o.Key) == key {
			inListing = size(aws.ToInt64(o.Size))
		}
	}
	want := size(int64(len(content)))
	return section{
		title:   "The object as the application sees it",
		request: t.request("GET", key) + ", then a listing",
		facts: []fact{
			seen("client got", same, "the bytes that were sent"),
			seen("size", size(aws.ToInt64(out.ContentLength)), want),
			seen("size in listing", inListing, want),
			seen("envelope shown", yesNo(out.Metadata[envelopeMetadata] != ""), "no"),
		},
	}, nil
}

// currentKey names the key that wraps new data keys.
func (t *tour) currentKey() (string, error) {
	keys, err := local.List(t.keyring)
	if err != nil {
		return "", err
	}
	i := slices.IndexFunc(keys, func(k local.Key) bool { return k.State == local.Current })
	return keys[i].KEK.String(), nil
}

// wrappedBy says which key an envelope names.
func wrappedBy(envelope string) string {
	e, err := seal.ParseEnvelope(envelope)
	if err != nil {
		return cmp.Or(envelope, "no envelope")
	}
	return "wrapped by " + keyring.KEK{Kind: keyring.Kind(e.Wrap), ID: e.KEK}.String()
}

// leaks reports whether anything of the content, in pieces of 4 bytes, is in raw.
func leaks(raw []byte) bool {
	const piece = 4
	for i := range len(content) - piece + 1 {
		if bytes.Contains(raw, content[i:i+piece]) {
			return true
		}
	}
	return false
}

func size(n int64) string { return strconv.FormatInt(n, 10) + " bytes" }
