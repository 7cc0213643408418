package window

import (
	"bytes"
	"slices"

	"github.com/go-batteries/hawkeye/store"
)

const (
	// LiveTicks is how many ticks a writer is live after a bucket.
	LiveTicks = 10
	// seenTicks is how far back a writer's buckets are remembered.
	seenTicks = 64
)

// writer is one process start, as far as its buckets tell.
type writer struct {
	index  uint32
	last   int64  // the newest tick with a bucket
	ticks  uint64 // bit i: there is one at last-i
	final  int64  // the tick of the final one, never without
	groups map[*Group]struct{}
	held   int  // readings of its gauges in groups
	left   bool // its gauges are dropped
}

func (e *Engine) writer(id store.ID) *writer {
	w := e.writers[id]
	if w == nil {
		w = &writer{index: e.nextWriter, final: never, last: never, groups: make(map[*Group]struct{})}
		e.nextWriter++
		e.writers[id] = w
	}
	return w
}

func (w *writer) saw(tick int64, final bool) {
	w.left = false
	switch {
	case w.last == never:
		w.last, w.ticks = tick, 1
	case tick > w.last:
		w.ticks = w.ticks<<min(uint64(tick-w.last), seenTicks) | 1
		w.last = tick
	case w.last-tick < seenTicks:
		w.ticks |= 1 << uint64(w.last-tick)
	}
	if final {
		w.final = tick
	}
}

// live says whether the writer is live at a tick: it has a bucket in at least
// one of the ten before, and none of them is final.
func (w *writer) live(tick int64) bool {
	if w.final < tick {
		return false
	}
	for t := tick - 1; t >= tick-LiveTicks; t-- {
		if w.has(t) {
			return true
		}
	}
	return false
}

// has says whether there is a bucket of the writer at a tick.
func (w *writer) has(tick int64) bool {
	back := w.last - tick
	return back >= 0 && back < seenTicks && w.ticks>>uint64(back)&1 == 1
}

// gone says that at tick the writer neither is live nor has a bucket.
func (w *writer) gone(tick int64) bool { return w.last < tick && !w.live(tick) }

// Live returns the writers that are live at a tick, in the order of their
// ids: with a bucket in at least one of the ten ticks before it, none of them
// final. It knows of the last 64 ticks.
func (e *Engine) Live(tick int64) []store.ID {
	var ids []store.ID
	for id, w := range e.writers {
		if w.live(tick) {
			ids = append(ids, id)
		}
	}
	slices.SortFunc(ids, func(a, b store.ID) int { return bytes.Compare(a[:], b[:]) })
	return ids
}
