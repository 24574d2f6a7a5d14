//go:build !race

package policy

// sampled is the one in so many of generated cases that is run.
const sampled = 1
