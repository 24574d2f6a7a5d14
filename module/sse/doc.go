// Package sse holds the server-side encryption modes of S3 as values: what a
// request asks for ([Asked]), what a request to the store carries
// ([Choice.Apply]), what a reply shows ([FromReply]), and the choices hidden in
// XML documents ([ParseDocument]). It decides nothing and does no I/O.
//
// Headers are read and written under their canonical names
// ([http.CanonicalHeaderKey]). The fields of a browser form have the names of
// the headers; a caller passes them as a header too.
package sse
