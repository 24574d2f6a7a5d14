// Package policy decides. It evaluates the Rego of the library (package rego) and of
// a site, and the site's posture (package posture), embedded in the process, and
// answers one question for each request: may it be done, and how must what it writes
// be encrypted.
//
//	engine, err := policy.New(policy.Options{PostureFile: "posture.yaml", SiteDir: "policy"})
//	...
//	decision, err := engine.Current().Decide(ctx, &policy.Input{...})
//
// # Promises
//
// Nothing odd is an allow. A policy that is undefined, contradicts itself, has a
// failing built-in function, takes too long, panics, answers in another form, or is
// not there gives a *Fault and no decision. On top of what Rego says some floors are
// held in Go (floor.go): a write has a mode, no weaker than its posture, every action
// has a grant, and every finding the action the posture gives it. No rule can lift them.
//
// A decision is a function of its Input and the Generation: policies have no network,
// no clock and no chance, and the input carries its own time and the revision. So the
// answer to a request is given again, without an evaluation, to requests that differ
// from it only in what no rule reads (cache.go). A rule that reads what differs in
// every request, such as input.request.id or input as a whole, ends that for all;
// Status tells. Fields written out, input.request.class, are what to read.
//
// A new policy is loaded beside the one in force, compiled with the input schema, so
// that a misspelt field is an error, and asked about empty requests, which it must
// deny. Then it has to pass the gate (Options.Gate): what else its user asks of a
// policy, such as its own tests and a comparison on recent requests. Then it replaces
// the old one in one step. If any of it fails, the old one stays, and Status says at
// which step and why. The one before is kept to be rolled back to.
//
// Where a site's Rego comes from is a SiteSource: a directory, or a bundle on a server
// (package bundle). When the newest policy has not been known to be in force for longer
// than Options.MaxStaleness, requests that write are not decided any more.
//
// # What a site writes
//
// A site directory holds Rego in package site and below. Two kinds of rules are
// asked, and their form is checked when they are loaded:
//
//	package site.rules.freeze
//
//	deny contains {"id": "FRZ-001", "msg": "frozen until the audit ends"} if {
//		input.request.class == "write"
//		"reports/" in input.resource.prefixes
//	}
//
//	package site.encryption.tenants
//
//	require contains {"mode": "sse-kms", "key_id": "alias/blue"} if {
//		input.identity.attributes.tenant == "blue"
//	}
//
// A finding has an id of the form AAA-000, a msg, and may have a path into the input.
// What comes of it, whether it denies, warns or is only recorded, the posture says, not
// the rule.
// A requirement has a mode and may have key_id, keyring, context, bucket_key ("yes",
// "no"), on_conflict, allowed_keys and on_read. Requirements are joined by strength
// with that of the posture, so that a site can ask for more and never for less; see
// rego/join. Files ending in _test.rego are for "opa test" and not loaded.
//
// Where the library exempts a connection from this machine from TLS, it goes by
// Input.Transport.Loopback, a fact of the connection.
package policy
