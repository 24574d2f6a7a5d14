// Package keyring wraps the data keys of sealed objects, and unwraps them. It
// holds what every driver shares: the [Keyring] interface, the [Cache] in front
// of a driver and the [Set] of a configuration's keyrings. The drivers are in
// the folders below; keyringtest is what each of them has to pass.
//
// # Three kinds of key
//
// Every object is sealed with a data key of its own, which is drawn for it and
// stored beside it, wrapped. What wraps it is a key-encryption key (KEK), which
// stays in the keyring: in a file of the gateway's, or in a key service.
//
//	keyring                       object in the store
//	┌────────────────────┐        ┌─────────────────────────────────────────┐
//	│ KEK 3f… (current)  │─wraps─▶│ envelope: kind, KEK id, OID, commitment │
//	│ KEK a1… (old)      │        │           wrapped data key              │
//	│ KEK 07… (old)      │        ├─────────────────────────────────────────┤
//	└────────────────────┘        │ chunks, sealed with the data key        │
//	                              └─────────────────────────────────────────┘
//
// To read an object, the gateway takes the KEK's name from the envelope, has
// [Set.Find] give the keyring that has it, provided that policy lets this
// object be read with that keyring, and unwraps. Rotating adds a KEK for new
// objects; nothing in the store changes, and the old ones stay for reading.
//
// # What a wrapped key is bound to
//
// A wrapped data key opens only for the object it was made for. [Binding] says
// what that is: envelope, namespace and key name, so that an envelope which is
// moved to another object is of no use there. The encryption context that
// policy may ask for is stored with the wrapped key, in one encoding for all
// drivers ([EncodeContext]), and is authenticated too.
//
// # When it fails
//
// Whatever the error is, nothing is read or written: the client gets a 503, or
// the object counts as damaged for [ErrCorrupt]. A key service that is down
// does not stop the reading of what was read or written a moment ago, as
// [Cache] remembers data keys within bounds ([Limits]).
//
// Keys are types that print as "[redacted]", and are wiped when a Cache forgets
// them. Wiping is as good as Go allows: the copies that callers get are theirs
// to wipe.
package keyring
