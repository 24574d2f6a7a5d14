// Package seal is the sealed object format: what the gateway stores in place of
// a plaintext, and how that is opened again. FORMAT.md beside this file
// specifies every byte.
//
// The package owns bytes only. It knows no HTTP, no store and no keyring, reads
// from the readers it is given, starts no goroutine and logs nothing.
//
// # Sealing
//
//	envelope, key := seal.New(seal.Single)
//	envelope.Wrap, envelope.KEK = seal.WrapLocal, id    // who will wrap the data key
//	binding, err := envelope.Binding(namespace, name)   // what the wrap authenticates
//	envelope.Wrapped = ...                              // key.Reveal(), wrapped elsewhere
//	object, err := seal.Unlock(envelope, key)
//	body, err := object.SealSingle(plaintext, length)   // an io.Reader of body.Size() bytes
//
// The text of [Envelope.Encode] is stored as user metadata. A multipart upload
// has one envelope; its parts come from [Object.SealPart] in any order, from any
// process that could unlock it, and [Object.ClosingPart] ends it where the last
// part did not. What clients hold as their upload id carries the envelope: see
// [UploadID].
//
// # Opening
//
//	envelope, err := seal.ParseEnvelope(text)
//	key, err := ...                                     // unwrapped, under envelope.Binding
//	object, err := seal.Unlock(envelope, key)
//	body, err := object.OpenSingle(stored, size)
//
// A whole multipart object is opened as one stream by [Object.OpenMultipart].
// For a range, a [Layout] says which stored bytes to fetch and
// [Object.OpenRange] opens them: [SingleLayout] follows from the size,
// [NewLayout] from the authentic headers of all parts.
//
// # Promises
//
//   - No byte of plaintext comes out before its chunk was authenticated, and the
//     last ones of a whole object only when all of it was.
//   - The last bytes of a sealed stream only come out when the plaintext ended
//     as announced: a body that failed cannot become an object.
//   - Sizes are exact and follow from the stored size and the number of parts:
//     [SinglePlain], [MultipartPlain].
//   - A stream holds one chunk, or two of small ones, in pooled memory. A chunk
//     is 64 KiB in parts up to 32 MiB and 10 MiB in the largest.
//   - What earlier versions of the format sealed can be opened for ever. An
//     unknown version, suite, flag or wrap kind is refused.
//
// # Errors and secrets
//
// Stored bytes that are not authentic give a [*Damage], which says where; other
// errors are the Err values of this package, or those of a caller's reader,
// unchanged. Keys print as "[redacted]" whatever prints them.
package seal
