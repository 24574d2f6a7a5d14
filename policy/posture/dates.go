package posture

import (
	"fmt"
	"slices"
	"time"
)

// Dates of the file are those of years a typing error is unlikely to give.
const (
	firstYear = 2020
	lastYear  = 2199
)

// day reads a date; the day begins at midnight UTC.
func day(text string) (time.Time, error) {
	t, err := time.Parse(time.DateOnly, text)
	if err != nil {
		return t, fmt.Errorf("%.100q is not a date such as 2027-01-31", text)
	}
	return t, plausible(t)
}

// moment reads a point in time, with its offset from UTC.
func moment(text string) (time.Time, error) {
	t, err := time.Parse(time.RFC3339, text)
	if err != nil {
		return t, fmt.Errorf("%.100q is not a time such as 2026-11-23T10:00:00Z", text)
	}
	return t.UTC(), plausible(t)
}

func plausible(t time.Time) error {
	if y := t.UTC().Year(); y < firstYear || y > lastYear {
		return fmt.Errorf("the year is not between %d and %d", firstYear, lastYear)
	}
	return nil
}

// epochs are the spans between the dates of the file. Within one, no action and no
// waiver begins or ends.
type epochs struct {
	dates []time.Time // sorted, each once; epoch i ends where dates[i] begins
}

func newEpochs(dates []time.Time) epochs {
	slices.SortFunc(dates, time.Time.Compare)
	return epochs{slices.CompactFunc(dates, time.Time.Equal)}
}

// Epoch numbers the span between two dates of the file a moment is in, from 0. What
// Actions says is a function of it. A date belongs to the span it begins.
func (p *Posture) Epoch(t time.Time) int {
	if len(p.epochs.dates) == 0 {
		return 0
	}
	i, found := slices.BinarySearchFunc(p.epochs.dates, t, time.Time.Compare)
	if found {
		i++
	}
	return i
}
