// Package sigv4 finds out who sent an S3 request and whether its body is the
// one that was signed, and signs requests for the store.
//
// # Who sent it
//
// [ParseClaim] decides the mechanism of a request once, from the request line
// and headers as received: an Authorization header, X-Amz-* query parameters
// (a presigned URL), or nothing (anonymous). The credentials of a browser form
// are fields of its body: [ParseFormClaim]. Two mechanisms in one request are
// refused, and so are Signature Version 2 and SigV4A, with a message that says
// what to change. [Verifier.Verify] and [Verifier.VerifyForm] then check the
// claim against the secret of the access key it names and give a [Proof].
//
// There is one path from a claim to a proof. No header, and in particular no
// value of x-amz-content-sha256, selects another one or skips it; the payload
// form only says how [Proof.Open] reads the body after the proof is made.
//
// # What is enforced beyond the signature
//
//   - the credential scope: date equal to the request's, our region, service s3;
//   - the clock: 15 minutes either way, or the validity a presigned URL names;
//   - coverage: host and every x-amz-* header received must be signed;
//   - a signed header that did not arrive is named instead of being hidden
//     behind SignatureDoesNotMatch, where an intermediary may have removed it.
//
// # Canonical form
//
// The path is used as it was sent; if that does not verify, decoded once and
// encoded again by the rule of AWS. Both decode to the same key, which is the
// one the rest of the gateway acts on, so neither can authorise another
// object. Query parameters are always decoded once and encoded again; a raw
// "+" is a plus sign. The rules are those of
// https://docs.aws.amazon.com/AmazonS3/latest/API/sig-v4-header-based-auth.html.
//
// # Regions
//
// A client's credential must name the configured region or us-east-1, the
// value clients fall back to when nobody told them a region. Any other region
// is answered with the error and <Region> element on which SDKs sign again.
// The alias widens nothing: the signature still has to match under a key
// derived from the client's own secret for our host.
//
// # Concurrency and secrets
//
// Everything here is safe for concurrent use unless its comment says
// otherwise. Nothing prints a secret or a derived key; derived keys are kept
// in a bounded [KeyCache]. Errors towards clients are *s3.Error. HMAC keys are
// at least 14 bytes long when secrets have the 16 characters the gateway asks
// for, which FIPS 140-3 mode requires.
package sigv4
