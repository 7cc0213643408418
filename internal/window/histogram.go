package window

import (
	"math"
	"slices"

	"github.com/go-batteries/hawkeye/internal/bucket"
	"github.com/go-batteries/hawkeye/internal/exact"
	"github.com/go-batteries/hawkeye/internal/series"
)

// observed is what histograms have observed. Counts may be zero.
type observed struct {
	count   uint64
	sum     exact.Sum
	buckets []bucket.HistBucket // ascending
}

// add adds observations to o.
func (o *observed) add(buckets []bucket.HistBucket, sum exact.Sum) {
	o.sum.AddSum(sum)
	i := 0
	for _, b := range buckets {
		i = o.place(i, b.Index)
		o.buckets[i].Count += b.Count
		o.count += b.Count
	}
	o.rest()
}

// take takes observations away again.
func (o *observed) take(from *observed) {
	o.sum.SubSum(from.sum)
	i := 0
	for _, b := range from.buckets {
		i = o.place(i, b.Index)
		o.buckets[i].Count -= b.Count
		o.count -= b.Count
	}
	o.rest()
}

// place returns where a bucket is that isn't before the i-th.
func (o *observed) place(i int, index int32) int {
	for i < len(o.buckets) && o.buckets[i].Index < index {
		i++
	}
	if i == len(o.buckets) || o.buckets[i].Index != index {
		o.buckets = slices.Insert(o.buckets, i, bucket.HistBucket{Index: index})
	}
	return i
}

// rest empties o if it holds no observation.
func (o *observed) rest() {
	if o.count == 0 {
		o.reset()
	}
}

// reset empties o and keeps its memory.
func (o *observed) reset() { *o = observed{buckets: o.buckets[:0]} }

// histogram is a group's histograms.
type histogram struct {
	span    span[observed]
	total   observed // of the window
	removed int      // cells since the sum was last added up afresh
	shrunk  bool     // one of them held most of it
}

func (h *histogram) take(g *grid, at, now int64, o *observed) {
	v, in := h.span.at(g, at, now)
	v.add(o.buckets, o.sum)
	if in {
		h.total.add(o.buckets, o.sum)
	}
}

func (h *histogram) slide(g *grid, now int64) {
	h.span.slide(g, now,
		func(v *observed) { h.total.add(v.buckets, v.sum) },
		func(v *observed) {
			h.total.take(v)
			h.removed++
			h.shrunk = h.shrunk || math.Abs(v.sum.Float64()) > shrunk*math.Abs(h.total.sum.Float64())
		})
	// Subtraction leaves rounding errors in the sum. Adding it up once a
	// window's length, and after most of it has gone, keeps them from growing,
	// at a constant price a cell.
	if h.shrunk || h.removed > h.span.tail-h.span.head {
		h.removed, h.shrunk, h.total.sum = 0, false, exact.Sum{}
		for i := range h.span.window() {
			h.total.sum.AddSum(h.span.window()[i].v.sum)
		}
	}
}

// shrunk is by how many times a cell must have been greater than what is left
// of the sum for errors in it to matter.
const shrunk = 1 << 20

func mergeCells(cells []cell[observed]) (total observed) {
	for i := range cells {
		total.add(cells[i].v.buckets, cells[i].v.sum)
	}
	return total
}

func (t *track) observed(o op, q float64, total *observed, cells []cell[observed]) Value {
	n := float64(total.count)
	v := Value{V: n, Status: OK, Count: n, Sum: t.engine.saturate(total.sum.Float64())}
	if o == opDefault {
		o, q = opQuantile, 0.99
	}
	switch o {
	case opCount:
		v.Monotone = true
	case opRate:
		v.V, v.Monotone = n/t.seconds, true
	case opUnder:
		v.V, v.Monotone = float64(under(q, total.buckets)), true
	case opSum:
		v.V = v.Sum
	case opNone:
		v.miss()
	default:
		if total.count == 0 {
			v.miss()
			break
		}
		v.V = total.statistic(o, q, cells)
	}
	return v
}

// statistic returns a value that there is only if something was observed.
func (o *observed) statistic(kind op, q float64, cells []cell[observed]) float64 {
	switch kind {
	case opQuantile:
		return series.Quantile(q, o.buckets)
	case opMin:
		lo, _ := series.HistBounds(o.edge(1))
		return lo
	case opMax:
		_, hi := series.HistBounds(o.edge(-1))
		return hi
	case opLast:
		return cells[len(cells)-1].v.mean()
	case opChange:
		return cells[len(cells)-1].v.mean() - cells[0].v.mean()
	default:
		return o.mean()
	}
}

func (o *observed) mean() float64 { return o.sum.Float64() / float64(o.count) }

// edge returns the least bucket that holds something or, with sign -1, the
// greatest.
func (o *observed) edge(sign int) int32 {
	edge := int32(math.MaxInt32) * int32(sign)
	for _, b := range o.buckets {
		if b.Count > 0 && (sign > 0) == (b.Index < edge) {
			edge = b.Index
		}
	}
	return edge
}

// under counts the values that are at most bound, to the width of a bucket.
func under(bound float64, buckets []bucket.HistBucket) (n uint64) {
	for _, b := range buckets {
		if series.HistValue(b.Index) <= bound {
			n += b.Count
		}
	}
	return n
}
