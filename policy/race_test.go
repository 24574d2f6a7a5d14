//go:build race

package policy

// sampled: the race detector makes everything ten times slower, and these tests are
// about values, not about goroutines. Without it all of them run.
const sampled = 8
