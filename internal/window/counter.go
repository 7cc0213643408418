package window

import (
	"math"

	"github.com/go-batteries/hawkeye/internal/bucket"
)

// never is a tick that doesn't come.
const never = int64(math.MaxInt64)

// counter is a group's counters, in fixed point.
type counter struct {
	span     span[int64]
	sum      int64 // of the window
	negative int64 // the newest cell with a negative increment
}

func (c *counter) take(g *grid, at, now int64, n count) {
	v, in := c.span.at(g, at, now)
	*v += n.delta
	if in {
		c.sum += n.delta
	}
	if n.negative {
		c.negative = max(c.negative, at)
	}
}

func (c *counter) slide(g *grid, now int64) {
	c.span.slide(g, now,
		func(v *int64) { c.sum += *v },
		func(v *int64) { c.sum -= *v })
}

func (c *counter) value(o op, t *track, now int64, sum int64, cells []cell[int64]) Value {
	total := units(sum)
	v := Value{V: total, Status: OK, Count: total, Sum: total}
	v.Monotone = t.grid.leaves(c.negative) <= now
	switch o {
	case opRate, opAvg:
		v.V = total / t.seconds
	case opMin, opMax, opLast:
		v.Monotone = v.Monotone && o == opMax
		v.V = cellRate(o, &t.grid, cells)
	case opQuantile, opUnder, opNone:
		v.miss()
	}
	return v
}

// cellRate returns increments a second of one cell: the least, the greatest
// or the newest. A window without increments has 0.
func cellRate(o op, g *grid, cells []cell[int64]) float64 {
	if len(cells) == 0 {
		return 0
	}
	best := cells[len(cells)-1].v
	if o != opLast {
		for i := range cells {
			if v := cells[i].v; (o == opMin) == (v < best) {
				best = v
			}
		}
	}
	return units(best) / g.cell.Seconds()
}

// units converts from fixed point; whole numbers stay exact.
func units(n int64) float64 {
	if n%bucket.Unit == 0 {
		return float64(n / bucket.Unit)
	}
	return float64(n) / bucket.Unit
}

func sumCells(cells []cell[int64]) (sum int64) {
	for i := range cells {
		sum += cells[i].v
	}
	return sum
}

func (v *Value) miss() { v.V, v.Status, v.Monotone = math.NaN(), Missing, false }
