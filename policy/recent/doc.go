// Package recent remembers the last requests that were decided, for trying a policy on
// before it is put into force.
//
// Nothing is written anywhere. What is kept is bounded in number and in bytes, and what
// was denied, or could not be decided, has its own half: neither a flood of denials nor
// ordinary traffic drives out the other.
package recent
