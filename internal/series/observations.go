package series

import (
	"math"

	"github.com/go-batteries/hawkeye/internal/bucket"
	"github.com/go-batteries/hawkeye/internal/exact"
)

// Observations are what a histogram counts between two Collects, without the
// registry: the same values give the same buckets and the same sum, to the
// last digit. The zero Observations has none. It is not safe for concurrent
// use.
type Observations struct {
	pages [histPages]*observedPage // nil where there was never anything
}

// observedPage is a page of them.
type observedPage struct {
	used   bool
	rest   exact.Int // see locate
	counts [pageBuckets]uint64
}

// Observe counts a v that is finite n times, as [Histogram.ObserveN] does, but
// for an n that is too great. It returns whether v had to be cut.
func (o *Observations) Observe(v float64, n uint64) (cut bool) {
	page, offset, rest, ok := locate(v)
	if !ok {
		page, offset, rest, _ = locate(math.Copysign(greatest(), v))
	}
	o.add(page, offset, rest, n)
	return !ok
}

// greatest is the greatest value on the scale.
func greatest() float64 {
	_, hi := HistBounds(maxIndex)
	return math.Nextafter(hi, 0)
}

func (o *Observations) add(page, offset uint32, rest, n uint64) {
	p := o.pages[page]
	if p == nil {
		p = new(observedPage)
		o.pages[page] = p
	}
	p.used = true
	p.counts[offset] += n
	p.rest = p.rest.Add(exact.MulUint(rest, n))
}

// page returns a page, nil if there is nothing on it.
func (o *Observations) page(page uint32) *observedPage {
	if o == nil || o.pages[page] == nil || !o.pages[page].used {
		return nil
	}
	return o.pages[page]
}

// Take adds the observations to dst, whose buckets are empty, and forgets
// them.
func (o *Observations) Take(dst *bucket.Histogram) {
	var sum exact.Sum
	for page := range uint32(histPages) {
		p := o.page(page)
		if p == nil {
			continue
		}
		units := p.rest
		for offset := range uint32(pageBuckets) {
			if count := p.counts[offset]; count != 0 {
				units = units.Add(appendCount(dst, page, offset, count))
			}
		}
		addPage(&sum, page, units)
	}
	dst.Sum = sum.Float64()
	o.reset()
}

func (o *Observations) reset() {
	for _, p := range o.pages {
		if p != nil && p.used {
			*p = observedPage{}
		}
	}
}
