// Package bundle is a site's Rego that comes as an OPA bundle over HTTP(S).
//
// Downloading, signatures and the form of bundles are OPA's own: what "opa build"
// makes and signs, or an archive of files and the signatures that "opa sign" made of
// them, served by anything that serves files, is what this package takes. Names in the
// archive are those that were signed, without "./" before them. Of what OPA takes it
// refuses
//
//   - what is not signed by one of the keys, unless Verification.Unsigned says so;
//   - delta bundles, which cannot be signed;
//   - data documents, WebAssembly and plans: what is data belongs into the posture;
//   - roots other than "site";
//   - more than Options.SizeLimit bytes, compressed or not: nothing larger is ever in
//     memory, and a file that is not allowed is refused by its name before it is read.
//
// A Source polls with jitter and ETag, and keeps what was put into force in a
// directory, from which a gateway starts when the server is not there. What is kept is
// verified again when it is read.
//
//	verification.go  keys
//	screen.go        what is refused before OPA reads it
//	content.go       a bundle as a policy.Site
//	source.go        a bundle on a server, polled
//	transport.go     the HTTP client
//	keep.go          the directory with the last good bundle
package bundle
