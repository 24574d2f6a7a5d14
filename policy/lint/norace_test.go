//go:build !race

package lint

// sampled is the one in so many of generated cases that is run.
const sampled = 1
