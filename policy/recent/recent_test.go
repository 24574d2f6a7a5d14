package recent_test

import (
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/sealgate/sealgate/policy"
	"github.com/sealgate/sealgate/policy/recent"
)

// clock is a clock that is set by hand.
type clock struct {
	mu sync.Mutex
	at time.Time
}

func (c *clock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.at
}

func (c *clock) add(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.at = c.at.Add(d)
}

func request(id string) *policy.Input {
	return &policy.Input{
		Request:  policy.Request{ID: id, Operation: "PutObject", Headers: policy.Map{"x-amz-acl": "private"}},
		Resource: policy.Resource{Bucket: "b", Key: "k/" + id}, Identity: policy.Identity{Groups: policy.List{"g"}},
	}
}

var (
	allowed = policy.Decision{Allow: true, Encryption: policy.Encryption{Mode: policy.SSES3, Context: map[string]string{}}}
	denied  = policy.Decision{Findings: []policy.Finding{{ID: "KEY-001", Action: policy.ActionDeny}}}
)

func ids(r *recent.Ring) []string {
	var out []string
	for _, e := range r.Requests() {
		out = append(out, e.ID)
	}
	return out
}

// TestLast: the last ones of each half are there, in their order, and they are copies.
func TestLast(t *testing.T) {
	t.Parallel()
	r := recent.New(recent.Options{Entries: 6, Now: (&clock{}).now})
	for i := range 10 {
		in := request(fmt.Sprint("a", i))
		r.Observe(in, allowed, nil)
		in.Resource.Key, in.Identity.Groups[0], in.Request.Headers["x-amz-acl"] = "changed", "changed", "changed"
		if i%2 == 0 {
			r.Observe(request(fmt.Sprint("d", i)), denied, nil)
		}
	}
	r.Observe(request("f"), policy.Decision{}, errors.New("a fault"))
	if got, want := fmt.Sprint(ids(r)), "[d6 d8 f a7 a8 a9]"; got != want {
		t.Errorf("kept %s, want %s", got, want)
	}
	list := r.Requests()
	if in := list[3].Input; in.Resource.Key != "k/a7" || in.Identity.Groups[0] != "g" || in.Request.Headers["x-amz-acl"] != "private" {
		t.Errorf("not a copy: %+v", in)
	}
	if list[0].Before.Allow || list[0].Before.Findings[0].ID != "KEY-001" || !list[3].Before.Allow || list[2].Before.Fault == "" {
		t.Errorf("verdicts: %s, %s, %s", list[0].Before, list[2].Before, list[3].Before)
	}
	if c := r.Counts(); c.Kept != 6 || c.Seen != 16 || c.Bytes <= 0 {
		t.Errorf("counts %+v", c)
	}
}

// TestDenialsAreKept: under load allowed requests are sampled, others never, and the
// next second begins anew.
func TestDenialsAreKept(t *testing.T) {
	t.Parallel()
	c := &clock{at: time.Unix(1000, 0)}
	r := recent.New(recent.Options{Entries: 10000, Now: c.now})
	for i := range 1000 {
		r.Observe(request(fmt.Sprint("a", i)), allowed, nil)
		r.Observe(request(fmt.Sprint("d", i)), denied, nil)
	}
	count := r.Counts()
	passes := count.Kept - 1000
	if passes < 100 || passes > 150 || count.Sampled != int64(1000-passes) {
		t.Errorf("%+v: want all the denials and a sample of what passed", count)
	}
	c.add(time.Second)
	r.Observe(request("next"), allowed, nil)
	if r.Counts().Kept != count.Kept+1 {
		t.Error("the next second is sampled, too")
	}
}

// TestBytes: whatever comes, the ring takes no more than it may.
func TestBytes(t *testing.T) {
	t.Parallel()
	const limit = 256 << 10
	r := recent.New(recent.Options{Entries: 1 << 20, Bytes: limit, Now: time.Now})
	for i := range 2000 {
		in := request(fmt.Sprint(i))
		in.Request.Headers["x-amz-meta-a"] = strings.Repeat("x", 20*i)
		r.Observe(in, denied, nil)
		if c := r.Counts(); c.Bytes > limit/2 {
			t.Fatalf("%d bytes after %d requests", c.Bytes, i)
		}
	}
	c := r.Counts()
	if c.TooLong == 0 || c.Kept == 0 {
		t.Errorf("%+v", c)
	}
	if last := ids(r)[c.Kept-1]; last == "1999" {
		t.Error("a request of a sixth of the room was kept")
	}
}

// TestObserveWhileRead: what is observed while others read is neither lost nor torn.
func TestObserveWhileRead(t *testing.T) {
	t.Parallel()
	r := recent.New(recent.Options{Entries: 64})
	var all sync.WaitGroup
	for w := range 4 {
		all.Go(func() {
			for i := range 500 {
				r.Observe(request(fmt.Sprint(w, "-", i)), denied, nil)
			}
		})
	}
	for range 50 {
		for _, e := range r.Requests() {
			if e.Input.Resource.Key != "k/"+e.ID {
				t.Errorf("torn: %s %s", e.ID, e.Input.Resource.Key)
			}
		}
	}
	all.Wait()
	if c := r.Counts(); c.Seen != 2000 || c.Kept != 32 {
		t.Errorf("%+v", c)
	}
}

func BenchmarkObserve(b *testing.B) {
	for name, d := range map[string]policy.Decision{"denied": denied, "allowed": allowed} {
		b.Run(name, func(b *testing.B) {
			r := recent.New(recent.Options{})
			in := request("id")
			b.ReportAllocs()
			for b.Loop() {
				r.Observe(in, d, nil)
			}
		})
	}
}
