// Package module is Sealgate as a Caddy module: importing it, and nothing else,
// adds the s3_encryption handler and app and the `caddy sealgate` command to a
// Caddy build.
//
//	xcaddy build --with github.com/sealgate/sealgate/module
//
// This page is the map for a newcomer.
//
// # Layout
//
//	s3/        what the client asks for: operation table, addressing, errors; no I/O
//	sigv4/     who signed it and whether the bytes are those that were signed; signing
//	sse/       the server-side encryption modes as values
//	clients/   who may call: access key to secret and identity, from a file
//	seal/      the format of objects that the gateway seals itself
//	keyring/   keyrings, which wrap the data keys of sealed objects; a folder a driver
//	upstream/  the store: endpoint, credentials, connection, signing; knows no policy
//	engine/    the life of one request, an http.Handler; knows no Caddy
//	records/   decision records on their way: queues, files, collectors, hashing
//	recorded/  decision records read back, to be decided again
//	gateway/   the Caddy shell: handler, Caddyfile, metrics, admin API, logs
//	cli/       the command line verbs
//
// Beside this directory are policy/ (the decision, by embedded OPA), rego/ (the
// policy library itself), caddyfiles/ (examples), cmd/ (the binaries) and tests/ (the
// whole system, with real stores and clients). What an operator needs to know is
// with package gateway (Handler: the fields), policy (what a site's rules look like)
// and policy/posture (posture.yaml).
//
// # Arrows
//
// Imports point one way, and a test keeps them so:
//
//	gateway, cli -> everything
//	engine       -> s3, sigv4, sse, seal, keyring, clients, upstream, policy
//	records      -> engine, policy
//	recorded     -> engine, policy
//	upstream     -> s3, sigv4
//	sigv4, sse   -> s3
//	s3, clients  -> nothing of ours
//	seal         -> nothing of ours
//	keyring      -> nothing of ours; its drivers -> keyring
//	policy       -> rego and policy/posture only
//
// Caddy is imported by gateway, cli and the keyring drivers, OPA by policy.
//
// # The life of one request
//
//	gateway  Caddy hands over the request; its entry in the access log becomes ours,
//	         metadata headers that Caddy removes come back
//	engine   1 parse     the raw request line and headers become an s3.Request; what
//	                     is ambiguous or unknown is refused
//	         2 identify  the signature is verified: an identity, or S3's error
//	         3 describe  request, identity and posture become policy.Input
//	         4 decide    policy answers; anything odd is a denial
//	         5 plan      decision against request: what to send, what to expect back
//	         6 act       the call is built from the parsed request, signed and sent
//	                     while the body is verified
//	         7 answer    the reply is checked against the plan and streamed
//	         8 record    one decision record
//
// Up to step 5 no byte of an object's body has been read, so a denial costs the
// store nothing. A body that turns out not to be what was signed never becomes
// an object: its last block is withheld until it is verified. Whatever cannot be
// decided is denied.
package module
