package diff

import (
	"context"
	"errors"
	"time"

	"github.com/sealgate/sealgate/policy"
	"github.com/sealgate/sealgate/policy/replay"
)

// Operation is a kind of request there is.
type Operation struct {
	Name, Action, Class, Method string
	ReadOnly                    bool
	Bucket, Object              bool // it names a bucket, and an object in it
	Document                    bool // it has an XML document
	Encrypts                    bool // it can name an encryption
	Copies                      bool // it reads another object
}

// Options say what to compare.
type Options struct {
	A, B *policy.Generation
	// Operations are the kinds of requests. Required.
	Operations []Operation
	// Limit bounds how many requests are made; 0 means DefaultLimit.
	Limit int
	// Examples bounds how many groups of differences are shown of each kind; 0 means 20.
	Examples int
	// Enforce gives what denies a request that policy allowed: the gateway's own
	// finding. Nil stands for none.
	Enforce func(*policy.Input, policy.Decision) *policy.Finding
	// Progress, if set, is told how many more requests were asked about, of a total
	// that can grow.
	Progress func(done, total int)
	// Now is the moment of ordinary requests; zero means the present.
	Now time.Time
}

// DefaultLimit is how many requests are made if nothing else is said.
const DefaultLimit = 200_000

const defaultExamples = 20

// Difference is a group of requests of which the same changes: the smallest one, and
// how many there are.
type Difference struct {
	Kind     replay.Kind `json:"kind"`
	Gained   []string    `json:"gained"` // rules whose findings only B has
	Lost     []string    `json:"lost"`   // rules whose findings only A has
	Requests int         `json:"requests"`
	// Example is an ordinary request but for what Differs lists.
	Example replay.Outcome `json:"example"`
	Differs []string       `json:"differs"`
}

// Coverage says what was tried.
type Coverage struct {
	Requests int `json:"requests"` // asked about, under both policies
	Bases    int `json:"bases"`    // operations, resources and identities that were told apart
	Skipped  int `json:"skipped"`  // those of them no grant of either policy covers: both deny
	// Combined fields were given all their values in every combination; Paired ones in
	// every pair of values; Single ones each value by itself; Kept ones stayed as usual.
	Combined []Field `json:"combined"`
	Paired   []Field `json:"paired"`
	Single   []Field `json:"single"`
	Kept     []Field `json:"kept"`
	// Cut says that the limit came before the end: some requests were not made.
	Cut   bool `json:"cut"`
	Limit int  `json:"limit"`
}

// Field is a part of a request and how many values it was given.
type Field struct {
	Name   string `json:"name"`
	Values int    `json:"values"`
}

// Report is what differs between two policies.
type Report struct {
	A           string              `json:"a"` // revisions
	B           string              `json:"b"`
	Kinds       map[replay.Kind]int `json:"kinds"` // requests
	Differences []Difference        `json:"differences"`
	// Unshown counts groups of differences beyond those listed.
	Unshown  int      `json:"unshown"`
	Coverage Coverage `json:"coverage"`
}

// Passes reports whether something newly passes, or passes with less encryption.
func (r *Report) Passes() bool { return r.Kinds[replay.DenyToAllow]+r.Kinds[replay.Weaker] > 0 }

// Any reports whether anything differs.
func (r *Report) Any() bool { return len(r.Kinds) > 0 }

var errNoOperations = errors.New("there are no operations to make requests of")

// Run compares two policies. Its error is that of ctx, or of options that say nothing.
func Run(ctx context.Context, o Options) (*Report, error) {
	if len(o.Operations) == 0 {
		return nil, errNoOperations
	}
	if o.Limit <= 0 {
		o.Limit = DefaultLimit
	}
	if o.Examples <= 0 {
		o.Examples = defaultExamples
	}
	if o.Now.IsZero() {
		o.Now = time.Now().UTC().Truncate(time.Second)
	}
	x := newRules(o.A, o.B)
	bases, skipped, cut := basesOf(o, x)
	s := newSearch(ctx, o, x, bases)
	c := &s.report.Coverage
	c.Bases, c.Skipped, c.Cut = len(bases), skipped, c.Cut || cut
	if err := s.run(); err != nil {
		return nil, err
	}
	return s.finish(), nil
}
