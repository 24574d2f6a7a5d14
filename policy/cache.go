package policy

import (
	"errors"
	"fmt"
	"hash/maphash"
	"math/rand/v2"
	"reflect"
	"sync/atomic"
)

// A generation remembers its decisions. A request that differs from an earlier one
// only in what no rule reads gets the earlier answer, without an evaluation.
//
// That is sound because an evaluation is a function of the generation and of what the
// policy reads of the input: policies have no clock, no chance and no network
// (capabilities), and no data but the posture. The cache belongs to one generation,
// its keys hold every part of the input any rule mentions (projection), they are
// compared byte by byte, and a policy for which that cannot be said is not cached. So
// an entry cannot become wrong with time, and none has a time to live: what depends on
// the hour has the hour in its key, what a date of the posture changes has the span
// between two dates, a change of policy, posture or grants begins with
// an empty cache. Only decisions are kept, never faults, and only what Rego answered:
// grants are judged and the floors applied for each request anew.
//
// What would be left to go wrong is a read the projection does not know of. Entries are
// made by evaluating the whole input, not the part in the key: the request that makes
// one gets its own right answer whatever the projection misses, while a missed field,
// left out of the evaluation, would disarm the rules that read it for everybody. And a
// few answers, chosen by chance, are not given from memory but evaluated and compared.
// A single difference ends the use of the cache for the life of the generation, and
// Status says so. This finds a mistake here; soundness does not rest on it.
type cache struct {
	parts projection
	seed  maphash.Seed
	every uint32                 // one in so many hits is evaluated nevertheless; 0 = none
	off   atomic.Pointer[string] // why nothing is remembered, nil while it is
	slots [cacheSets * cacheWays]atomic.Pointer[entry]
}

// The cache is a fixed table: a key has its place in one of the sets and may take any
// of the ways there. That bounds it without a list to keep, and nobody waits for a lock.
const (
	cacheSets = 512
	cacheWays = 8
)

// cacheChecks is how many hits go by for each that is evaluated and compared: at a
// hundred microseconds for an evaluation it adds a fifth of one to a hit.
const cacheChecks = 512

// entry is a remembered decision. It does not change but for its mark.
type entry struct {
	hash     uint64
	key      string
	decision Decision // before the floors; never handed out, see Decision.clone
	used     atomic.Bool
}

// newCache returns an empty cache, which stays empty if there is a reason against it.
func newCache(parts projection, reason error) *cache {
	c := &cache{parts: parts, seed: maphash.MakeSeed(), every: cacheChecks}
	if reason != nil {
		c.stop(reason.Error())
	}
	return c
}

// stop ends the use of the cache for good.
func (c *cache) stop(reason string) { c.off.CompareAndSwap(nil, &reason) }

// stopped returns why nothing is remembered, "" while it is.
func (c *cache) stopped() string {
	if c == nil {
		return "there is no cache"
	}
	if reason := c.off.Load(); reason != nil {
		return *reason
	}
	return ""
}

// key is what the decision on a complete input is remembered under; nil when it is not
// to be remembered.
func (c *cache) key(in *Input) key {
	if c == nil || c.off.Load() != nil {
		return nil
	}
	k := make(key, 0, 256)
	for _, write := range c.parts {
		k = write(k, in)
	}
	if len(k) > keyLimit {
		return nil
	}
	return k
}

func (c *cache) set(hash uint64) []atomic.Pointer[entry] {
	first := hash % cacheSets * cacheWays
	return c.slots[first : first+cacheWays]
}

// get returns the entry of a key, nil when there is none.
func (c *cache) get(k key) *entry {
	hash := maphash.Bytes(c.seed, k)
	set := c.set(hash)
	for i := range set {
		e := set[i].Load()
		if e != nil && e.hash == hash && e.key == string(k) {
			if !e.used.Load() { // writing each time would make processors wait for each other
				e.used.Store(true)
			}
			return e
		}
	}
	return nil
}

// put remembers a decision. Of two that are put at once one may be lost.
func (c *cache) put(k key, d Decision) {
	kept, ok := d.detached()
	if !ok {
		return
	}
	hash := maphash.Bytes(c.seed, k)
	fresh := &entry{hash: hash, key: string(k), decision: kept}
	set := c.set(hash)
	for i := range set {
		if e := set[i].Load(); e == nil || e.hash == hash && e.key == fresh.key {
			set[i].Store(fresh)
			return
		}
	}
	set[victim(set)].Store(fresh)
}

// victim picks the place to use anew in a full set: that of an entry nobody asked for
// since a place was last looked for, so that requests which never repeat do not drive
// out those that do.
func victim(set []atomic.Pointer[entry]) int {
	start := rand.IntN(len(set)) //nolint:gosec // any place will do
	for n := range set {
		i := (start + n) % len(set)
		if !set[i].Load().used.Swap(false) {
			return i
		}
	}
	return start
}

// due picks the hits that are evaluated nevertheless.
func (c *cache) due() bool {
	return c.every > 0 && rand.Uint32N(c.every) == 0 //nolint:gosec // a sample, not a secret
}

// compare holds a remembered decision against what evaluating the same request gave.
// Running out of time says nothing about the decision.
func (c *cache) compare(in *Input, remembered, d Decision, err error) {
	var f *Fault
	if errors.As(err, &f) && f.ID == FaultTimeout {
		return
	}
	if err != nil || !reflect.DeepEqual(remembered, d) {
		c.stop(fmt.Sprintf("request %q was not decided as remembered: the policy reads more than was found", in.Request.ID))
	}
}
