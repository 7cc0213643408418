package window

import (
	"math"
	"slices"

	"github.com/go-batteries/hawkeye/internal/bucket"
	"github.com/go-batteries/hawkeye/internal/series"
)

// observed is what histograms have observed. Counts may be zero.
type observed struct {
	count   uint64
	sum     float64
	buckets []bucket.HistBucket // ascending
}

// add adds buckets to o, or, with sign -1, takes them away again.
func (o *observed) add(buckets []bucket.HistBucket, sum float64, sign int) {
	o.sum += float64(sign) * sum
	i := 0
	for _, b := range buckets {
		for i < len(o.buckets) && o.buckets[i].Index < b.Index {
			i++
		}
		if i == len(o.buckets) || o.buckets[i].Index != b.Index {
			o.buckets = slices.Insert(o.buckets, i, bucket.HistBucket{Index: b.Index})
		}
		// Unsigned arithmetic wraps, so a subtraction is exact too.
		n := b.Count
		if sign < 0 {
			n = -n
		}
		o.buckets[i].Count += n
		o.count += n
	}
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
}

func (h *histogram) take(g *grid, at, now int64, buckets []bucket.HistBucket, sum float64) {
	v, in := h.span.at(g, at, now)
	v.add(buckets, sum, 1)
	if in {
		h.total.add(buckets, sum, 1)
	}
}

func (h *histogram) slide(g *grid, now int64) {
	h.span.slide(g, now,
		func(v *observed) { h.total.add(v.buckets, v.sum, 1) },
		func(v *observed) {
			h.total.add(v.buckets, v.sum, -1)
			h.removed++
		})
	// Subtraction leaves rounding errors in the sum. Adding it up once a
	// window's length keeps them from growing, at a constant price a cell.
	if h.removed > h.span.tail-h.span.head {
		h.removed, h.total.sum = 0, 0
		for _, c := range h.span.window() {
			h.total.sum += c.v.sum
		}
	}
}

func mergeCells(cells []cell[observed]) (total observed) {
	for i := range cells {
		total.add(cells[i].v.buckets, cells[i].v.sum, 1)
	}
	return total
}

func (t *track) observed(o op, q float64, total *observed, cells []cell[observed]) Value {
	n := float64(total.count)
	v := Value{V: n, Status: OK, Count: n, Sum: total.sum}
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
		v.V = total.sum
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

func (o *observed) mean() float64 { return o.sum / float64(o.count) }

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
