package recent

import (
	"sync"
	"sync/atomic"
	"time"

	"github.com/sealgate/sealgate/policy"
	"github.com/sealgate/sealgate/policy/replay"
)

// Options say how much is kept.
type Options struct {
	// Entries is the number of requests; 0 means 1000.
	Entries int
	// Bytes bounds what they take together; 0 means 8 MiB. A request that would take
	// more than a sixteenth of it is not kept.
	Bytes int
	// Now is the clock; nil means time.Now.
	Now func() time.Time
}

const (
	defaultEntries = 1000
	defaultBytes   = 8 << 20
)

// Under load allowed requests are sampled: of each second the first ones are kept, then
// one in so many, so that copying costs little and the ring tells of a longer time.
const (
	sampleAfter = 100
	sampleEvery = 32
)

// Ring keeps requests. It is safe for concurrent use.
type Ring struct {
	now func() time.Time

	second  atomic.Int64 // in which allowed requests are counted
	allowed atomic.Int64 // in that second

	mu     sync.Mutex
	passes half // what was allowed
	denies half // what was not
	count  Counts
}

// Counts say what became of the requests.
type Counts struct {
	Kept    int   `json:"kept"`     // there now
	Bytes   int   `json:"bytes"`    // that they take
	Seen    int64 `json:"seen"`     // since the start
	Sampled int64 `json:"sampled"`  // allowed ones that were passed over under load
	TooLong int64 `json:"too_long"` // that would have taken too much room
}

// New makes an empty ring.
func New(o Options) *Ring {
	if o.Entries <= 0 {
		o.Entries = defaultEntries
	}
	if o.Bytes <= 0 {
		o.Bytes = defaultBytes
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	entries := max(1, o.Entries/2)
	return &Ring{now: o.Now, passes: newHalf(entries, o.Bytes/2), denies: newHalf(entries, o.Bytes/2)}
}

// Observe notes a request that was decided; err is the fault there was in place of the
// decision. Neither is kept: what is, is copied. It returns at once, and fits
// policy.Options.Observe.
func (r *Ring) Observe(in *policy.Input, d policy.Decision, err error) {
	allow := err == nil && d.Allow
	if allow && !r.due() {
		r.mu.Lock()
		r.count.Seen++
		r.count.Sampled++
		r.mu.Unlock()
		return
	}
	h := &r.denies
	if allow {
		h = &r.passes
	}
	size := in.Size() + sizeOf(d)
	fits := size <= h.bytes/8
	var e entry
	if fits {
		e = entry{replay.Request{ID: in.Request.ID, Input: in.Clone(), Before: replay.VerdictOf(d.Clone(), err)}, size}
		e.ID = e.Input.Request.ID
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.count.Seen++
	if !fits {
		r.count.TooLong++
		return
	}
	h.add(e)
}

// due picks the allowed requests to keep.
func (r *Ring) due() bool {
	second := r.now().Unix()
	if last := r.second.Load(); last != second && r.second.CompareAndSwap(last, second) {
		r.allowed.Store(0)
	}
	n := r.allowed.Add(1)
	return n <= sampleAfter || n%sampleEvery == 0
}

// sizeOf is about what a decision takes.
func sizeOf(d policy.Decision) int {
	n := 0
	for _, f := range d.Findings {
		n += 80 + len(f.ID) + len(f.Message) + len(f.Path) + len(f.Waiver)
	}
	e := &d.Encryption
	for k, v := range e.Context {
		n += 48 + len(k) + len(v)
	}
	for _, k := range e.AllowedKeys {
		n += 16 + len(k)
	}
	return n + len(e.KeyID) + len(e.Keyring)
}

// Requests are those that are kept: first what was not allowed, then what was, each in
// the order they came. Their inputs are not to be modified.
func (r *Ring) Requests() []replay.Request {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.passes.list(r.denies.list(nil))
}

// Counts says what the ring has seen and what of it there is.
func (r *Ring) Counts() Counts {
	r.mu.Lock()
	defer r.mu.Unlock()
	c := r.count
	c.Kept, c.Bytes = r.passes.n+r.denies.n, r.passes.used+r.denies.used
	return c
}

type entry struct {
	replay.Request
	size int
}

// half is a ring in the narrow sense: the oldest go when a new one needs the room.
type half struct {
	entries []entry
	first   int // the oldest
	n       int
	used    int // bytes
	bytes   int // at most
}

func newHalf(entries, bytes int) half { return half{entries: make([]entry, entries), bytes: bytes} }

func (h *half) add(e entry) {
	for h.n == len(h.entries) || h.n > 0 && h.used+e.size > h.bytes {
		h.used -= h.entries[h.first].size
		h.entries[h.first] = entry{}
		h.first = (h.first + 1) % len(h.entries)
		h.n--
	}
	h.entries[(h.first+h.n)%len(h.entries)] = e
	h.n++
	h.used += e.size
}

func (h *half) list(to []replay.Request) []replay.Request {
	for i := range h.n {
		to = append(to, h.entries[(h.first+i)%len(h.entries)].Request)
	}
	return to
}
