// Package replay decides requests of the past again, under a policy that is not in
// force, and says what would be otherwise.
//
// Of each request it says one of three things: it is decided the same, something of it
// changes, or the record does not tell enough. The last is not taken for the first: a
// policy that reads what a record lacks cannot be judged by it.
package replay
