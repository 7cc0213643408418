package window

import (
	"math"
	"sync/atomic"

	"github.com/go-batteries/hawkeye/internal/bucket"
	"github.com/go-batteries/hawkeye/internal/exact"
)

// never is a tick that doesn't come.
const never = int64(math.MaxInt64)

// counter is a group's counters, in fixed point. They are held in 64 bits a
// cell until those might not do, and then in 128.
type counter struct {
	span     span[int64]
	sum      int64        // of the window
	negative int64        // the newest cell with a negative increment
	wide     *wideCounter // if not nil, what takes the place of span and sum
}

// wideCounter are counters of which an int64 can't hold the sum.
type wideCounter struct {
	span span[exact.Int]
	sum  exact.Int
}

// narrow bounds cells and sums in 64 bits, and twice over what is added to
// them at once, so that nothing wraps around before it is looked at.
const narrow = 1 << 61

func isNarrow(n int64) bool { return -narrow <= n && n <= narrow }

func (c *counter) take(g *grid, at, now int64, n *count, total exact.Int) {
	if n.negative {
		c.negative = max(c.negative, at)
	}
	if c.wide == nil && (n.over || !isNarrow(n.delta)) {
		c.widen()
	}
	if c.wide != nil {
		v, in := c.wide.span.at(g, at, now)
		*v = v.Add(total)
		if in {
			c.wide.sum = c.wide.sum.Add(total)
		}
		return
	}
	v, in := c.span.at(g, at, now)
	*v += n.delta
	sum := *v
	if in {
		c.sum += n.delta
	}
	if !isNarrow(sum) || !isNarrow(c.sum) {
		c.widen()
	}
}

// widen goes on with 128 bits.
func (c *counter) widen() {
	w := &wideCounter{span: span[exact.Int]{
		cells: make([]cell[exact.Int], len(c.span.cells)), head: c.span.head, tail: c.span.tail,
	}}
	for i, old := range c.span.cells {
		w.span.cells[i] = cell[exact.Int]{old.at, exact.New(old.v)}
	}
	for _, in := range w.span.window() {
		w.sum = w.sum.Add(in.v)
	}
	c.wide, c.span, c.sum = w, span[int64]{}, 0
}

func (c *counter) slide(g *grid, now int64) {
	if w := c.wide; w != nil {
		w.span.slide(g, now,
			func(v *exact.Int) { w.sum = w.sum.Add(*v) },
			func(v *exact.Int) { w.sum = w.sum.Sub(*v) })
		return
	}
	fits := true
	c.span.slide(g, now,
		func(v *int64) {
			c.sum += *v
			fits = fits && isNarrow(c.sum)
		},
		func(v *int64) { c.sum -= *v })
	if !fits { // the sum may have wrapped around, the cells haven't
		c.widen()
	}
}

// next returns the tick at which a cell passes an edge next.
func (c *counter) next(g *grid) int64 {
	if c.wide != nil {
		return c.wide.span.next(g)
	}
	return c.span.next(g)
}

// value is that of the window at the present tick.
func (c *counter) value(o op, t *track, now int64) Value {
	if w := c.wide; w != nil {
		cells := w.span.window()
		return c.valueOf(o, t, now, w.sum, len(cells), func(i int) exact.Int { return cells[i].v })
	}
	cells := c.span.window()
	return c.valueOf(o, t, now, exact.New(c.sum), len(cells), func(i int) exact.Int { return exact.New(cells[i].v) })
}

// valueAt is that of the window at an older tick.
func (c *counter) valueAt(o op, t *track, tick int64) Value {
	var sum exact.Int
	var cells []exact.Int
	if c.wide != nil {
		for _, in := range c.wide.span.windowAt(&t.grid, tick) {
			cells, sum = append(cells, in.v), sum.Add(in.v)
		}
	} else {
		for _, in := range c.span.windowAt(&t.grid, tick) {
			cells, sum = append(cells, exact.New(in.v)), sum.AddInt64(in.v)
		}
	}
	return c.valueOf(o, t, tick, sum, len(cells), func(i int) exact.Int { return cells[i] })
}

// valueOf makes a value of a window's sum and of its n cells.
func (c *counter) valueOf(o op, t *track, now int64, sum exact.Int, n int, cell func(int) exact.Int) Value {
	total := units(sum)
	within := t.engine.saturate(total)
	v := Value{V: within, Status: OK, Count: within, Sum: within}
	v.Monotone = t.grid.leaves(c.negative) <= now
	switch o {
	case opRate, opAvg:
		v.V = total / t.seconds
	case opMin, opMax, opLast:
		v.Monotone = v.Monotone && o == opMax
		v.V = cellRate(o, &t.grid, n, cell)
	case opQuantile, opUnder, opNone:
		v.miss()
	}
	return v
}

// MaxSum is the greatest sum over a window, and -MaxSum the least. What is
// beyond is cut to it, and counted.
const MaxSum = 1e18

func (e *Engine) saturate(sum float64) float64 {
	if -MaxSum <= sum && sum <= MaxSum {
		return sum
	}
	e.saturated.Add(1)
	return math.Copysign(MaxSum, sum)
}

// CountSaturated has it counted how often a sum is looked at that is beyond
// [MaxSum].
func (e *Engine) CountSaturated(in *atomic.Uint64) { e.saturated = in }

// cellRate returns increments a second of one cell: the least, the greatest
// or the newest. A window without increments has 0.
func cellRate(o op, g *grid, n int, cell func(int) exact.Int) float64 {
	if n == 0 {
		return 0
	}
	best := cell(n - 1)
	if o != opLast {
		for i := range n {
			if v := cell(i); (o == opMin) == (v.Cmp(best) < 0) {
				best = v
			}
		}
	}
	return units(best) / g.cell.Seconds()
}

// units converts from fixed point. Whole numbers below 2^53 stay exact, others
// are rounded to the nearest, or nearly so.
func units(n exact.Int) float64 {
	if n, ok := n.Int64(); ok && -1<<53 <= n && n <= 1<<53 {
		return float64(n) / bucket.Unit
	}
	whole, rest := n.QuoRem(bucket.Unit)
	return whole.Float64() + float64(rest)/bucket.Unit
}

func (v *Value) miss() { v.V, v.Status, v.Monotone = math.NaN(), Missing, false }
