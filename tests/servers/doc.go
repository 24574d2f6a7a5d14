// Package servers runs what a whole-system test talks to: MinIO with a key
// management server, versitygw, a recording upstream, and the gateway itself.
//
// Every server that is not Go code of this package is a child process with its
// own folder, its own environment (nothing is inherited), its own process
// group, and a log file. Starting one returns only when it answers; closing one
// ends it by its own process group and removes its folder. A server belongs to
// whoever started it: nothing here is global, and nothing ends by itself.
//
// The binaries come from the cache folder that `make servers` fills. One that
// is missing is an error that names that command; no test is ever skipped.
package servers
