package window

import (
	"slices"

	"github.com/go-batteries/hawkeye/store"
)

// cover is what the folds that a track was filled from say of its metric.
// Folds hold only metrics that some window needed when they were made, so one
// without samples of a metric says nothing of it unless it covers the metric.
type cover struct {
	unknown gaps   // those of lacking of which there are no fine ticks either
	lacking gaps   // ticks of folds that don't cover it
	covered gaps   // ticks of folds that do
	metric  uint64 // its hash
}

// cover tells the windows of a tier of a fold's ticks and, ascending, metrics.
// The fine
// ticks after the present one are still to come.
func (e *Engine) cover(into store.Tier, first, last int64, metrics []uint64) {
	if len(metrics) == 0 { // of an older writer
		return
	}
	for _, t := range e.tracks {
		if t.grid.tier != into {
			continue
		}
		c := &t.cover
		if _, ok := slices.BinarySearch(metrics, c.metric); ok {
			c.covered.mark(first, last, true, false)
			continue
		}
		c.lacking.mark(first, last, true, false)
		if to := min(last, e.now); first <= to {
			c.unknown.mark(first, to, true, true)
		}
	}
}

// lacks says that the folds of a tick don't hold the metric.
func (c *cover) lacks(tick int64) bool { return c.lacking.has(tick) && !c.covered.has(tick) }

// coverNothing is what a fold covers that covers no metric, because an empty
// list is that of an older writer.
var coverNothing = []uint64{0}

// intersect returns what is in both of two ascending lists.
func intersect(a, b []uint64) []uint64 {
	var both []uint64
	for _, x := range a {
		if _, ok := slices.BinarySearch(b, x); ok {
			both = append(both, x)
		}
	}
	return both
}
