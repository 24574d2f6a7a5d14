// Package s3 turns an HTTP request into what the client asks of S3: the
// operation, the bucket and key, the query and the headers that count. It also
// owns the S3 error vocabulary and the few XML documents the gateway reads
// before it decides.
//
// # Promises
//
//   - Pure: no network, no files, no clock. [Parser.Parse] never writes to the
//     request it is given and never reads its body.
//   - Nothing unknown passes. The operation table comes from the published SDK
//     model; an operation, sub-resource, query key or x-amz-* header that is
//     not in it is refused, and so is anything two readers could understand in
//     two ways (two sub-resources, a repeated header, a raw "+" in a query).
//   - One reading. The bucket and key are percent-decoded exactly once and no
//     path is ever cleaned: "//", "." and ".." are part of the key.
//   - Every error is an [*Error] and has S3's own code where S3 has one.
//
// All functions and methods are safe for concurrent use. Tables returned by
// [Operations] and [Lookup] are shared and must not be modified.
package s3

//go:generate go run ./internal/modelgen -o model_gen.go
