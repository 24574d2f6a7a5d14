// Package shadow lets a policy judge live traffic beside the one in force.
//
// It never delays a request and never changes its answer: what was decided is copied
// into a queue, where a few workers decide it again under the candidate and count what
// would have been otherwise. When they do not keep up the queue is full, and what does
// not fit is dropped and counted.
package shadow
