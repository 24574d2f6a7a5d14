package cli

import (
	"fmt"
	"io"
	"time"
)

// progressEvery is how long nothing is said, in the beginning and in between.
const progressEvery = time.Second

// progress says how far a long task is, in lines of whole percents, at most one
// a second. A task that is done within a second says nothing.
type progress struct {
	w     io.Writer
	doing string
	total int64
	now   func() time.Time

	done    int64
	percent int64 // as last said
	next    time.Time
}

func newProgress(w io.Writer, doing string, total int64) *progress {
	return &progress{w: w, doing: doing, total: total, now: time.Now, next: time.Now().Add(progressEvery)}
}

// add counts n more of the total.
func (p *progress) add(n int64) {
	p.done += n
	if p.total == 0 {
		return
	}
	percent := p.done * 100 / p.total
	if percent == p.percent || percent >= 100 {
		return
	}
	now := p.now()
	if now.Before(p.next) {
		return
	}
	p.percent, p.next = percent, now.Add(progressEvery)
	fmt.Fprintf(p.w, "%s: %d%%\n", p.doing, percent)
}
