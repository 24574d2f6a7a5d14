// Package records carries decision records from requests to where they are kept:
// a logger, a stream of lines, a rotating file, or a collector that takes OPA's
// decision logs over HTTP.
//
// # The promise
//
// Recording never delays a request and never grows. A request leaves a copy of its
// record in a [Queue], which is bounded in records and in bytes; where the queue is
// full the record is dropped and counted. One goroutine per queue encodes and
// writes. [Queue.Close] gives it a bounded time to write what is left and counts
// the rest as dropped. What is in a queue is lost with its process.
//
// A copy costs a request a third of what encoding would, and there is one however many
// destinations there are. So encoding is left to the queues' goroutines, where every
// destination can also leave out or hash what it is not to see.
//
// # Records
//
// A record that would be larger than [MaxRecord] loses its input, then some of its
// findings, and says so in its member erased. A [Hasher] replaces values by keyed
// hashes and says so in the member hashed.
//
// The package knows nothing of Caddy. All of it is safe for concurrent use unless a
// comment says otherwise.
package records
