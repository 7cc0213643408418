package recording

import (
	"cmp"
	"fmt"
	"slices"
	"time"
)

// extreme is the first or the last sample, and the line that it is from.
type extreme struct {
	at   int64 // Unix nanoseconds
	line int
}

// extremes follows the first and the last sample of what is read.
type extremes struct {
	first, last extreme
	any         bool
}

func (e *extremes) add(line int, first, last int64) {
	if !e.any || first < e.first.at {
		e.first = extreme{first, line}
	}
	if !e.any || last > e.last.at {
		e.last = extreme{last, line}
	}
	e.any = true
}

// stretch is a time with samples.
type stretch struct {
	first, last int64
	samples     int
}

// Gap returns an error, a [*LineError], if no sample is recorded for longer
// than most: as a rule the time of a sample is wrong then. It names the line
// of the first or the last sample, whichever side of the gap holds fewer.
func (r *Recording) Gap(most time.Duration) error {
	all := r.stretches()
	until, before := all[0].last, 0
	for _, s := range all {
		if s.first-until > int64(most) {
			return r.gapError(until, s.first, before)
		}
		until, before = max(until, s.last), before+s.samples
	}
	return nil
}

func (r *Recording) gapError(from, to int64, before int) error {
	line := r.extremes.first.line
	if before > r.Values-before {
		line = r.extremes.last.line
	}
	at := func(nanos int64) string { return time.Unix(0, nanos).UTC().Format(time.RFC3339) }
	return &LineError{r.name, line, fmt.Sprintf(
		"there is no sample for %.0f days, from %s to %s; is a time wrong? --gaps plays on over it",
		time.Duration(to-from).Hours()/24, at(from), at(to))}
}

// stretches lists the times with samples by their beginning.
func (r *Recording) stretches() []stretch {
	var all []stretch
	for i := range r.columns {
		c := &r.columns[i]
		all = append(all, stretch{c.at, c.at + int64(len(c.values)-1)*c.step, len(c.values)})
	}
	const joined = int64(time.Hour)
	for i := range r.points.n { // in the order of their times
		at := r.points.get(i).at
		if i > 0 && at-all[len(all)-1].last <= joined {
			all[len(all)-1].last = at
			all[len(all)-1].samples++
			continue
		}
		all = append(all, stretch{at, at, 1})
	}
	slices.SortFunc(all, func(a, b stretch) int { return cmp.Compare(a.first, b.first) })
	return all
}
