package simulate

import (
	"crypto/sha256"
	"math"
	"slices"

	"github.com/go-batteries/hawkeye/internal/bucket"
	"github.com/go-batteries/hawkeye/internal/series"
	"github.com/go-batteries/hawkeye/store"
)

// Series is one series of a simulation.
type Series struct {
	kind  series.Kind
	index int // also its id, less one
}

// Catalog gives series their ids. It may be made before the simulation that
// it is for, and serve several.
type Catalog struct {
	byText map[string]*Series
	texts  []string
}

// NewCatalog returns an empty catalog.
func NewCatalog() *Catalog { return &Catalog{byText: make(map[string]*Series)} }

// Series returns the series of a kind, name and tags.
func (c *Catalog) Series(kind series.Kind, name string, tags []series.Tag) *Series {
	name, tags = series.Clean(name, tags) // as a program's registry does
	text := series.Canonical(kind, name, tags)
	s := c.byText[text]
	if s == nil {
		s = &Series{kind: kind, index: len(c.texts)}
		c.byText[text] = s
		c.texts = append(c.texts, text)
	}
	return s
}

// Text returns the canonical text of a series.
func (c *Catalog) Text(s *Series) string { return c.texts[s.index] }

// Len returns how many series there are.
func (c *Catalog) Len() int { return len(c.texts) }

// Process is one process that counts: a writer of buckets.
type Process struct {
	sim     *Simulation
	catalog *Catalog
	id      store.ID
	bucket  bucket.Bucket
	slots   []slot // by series
	learned int
	open    []int // histograms and sets with values in this tick, by series
}

// slot is where a series stands in the bucket of a tick.
type slot struct {
	tick   int64
	at     int
	values []float64 // of a histogram
	hashes []uint64  // of a set
}

// Process returns a process that counts in the series of a catalog.
func (s *Simulation) Process(name string, catalog *Catalog) *Process {
	sum := sha256.Sum256([]byte(name))
	return &Process{sim: s, catalog: catalog, id: store.ID(sum[:16])}
}

// Record counts a value in the open tick: adds it to a counter, sets a gauge,
// is observed by a histogram, or is one of the values of a set.
func (p *Process) Record(s *Series, value float64) {
	for s.index >= len(p.slots) {
		p.slots = append(p.slots, slot{tick: math.MinInt64})
	}
	at := &p.slots[s.index]
	fresh := at.tick != p.sim.tick
	at.tick = p.sim.tick
	id := uint64(s.index) + 1
	switch s.kind {
	case series.KindCounter:
		if fresh {
			at.at = len(p.bucket.Counters)
			p.bucket.Counters = append(p.bucket.Counters, bucket.Counter{ID: id})
		}
		p.bucket.Counters[at.at].Delta += fixed(value)
	case series.KindGauge:
		if fresh {
			at.at = len(p.bucket.Gauges)
			p.bucket.Gauges = append(p.bucket.Gauges, bucket.Gauge{ID: id})
		}
		p.bucket.Gauges[at.at].Value = value
	case series.KindHistogram:
		if fresh {
			p.open = append(p.open, s.index)
			at.values = at.values[:0]
		}
		at.values = append(at.values, value)
	default:
		if fresh {
			p.open = append(p.open, s.index)
			at.hashes = at.hashes[:0]
		}
		at.hashes = append(at.hashes, math.Float64bits(value))
	}
}

// fixed is a counter's increment in units, the nearest that there is.
func fixed(v float64) int64 {
	const most = math.MaxInt64 / 1024 // so that thousands of them still add up
	return int64(max(-most, min(most, math.Round(v*bucket.Unit))))
}

// Publish hands in what was counted in the open tick, be it nothing. A
// process is there as long as it publishes; the final time is its last.
func (p *Process) Publish(final bool) {
	for ; p.learned < len(p.catalog.texts); p.learned++ {
		p.sim.Learn(uint64(p.learned)+1, p.catalog.texts[p.learned])
	}
	for _, index := range p.open {
		p.close(index)
	}
	p.open = p.open[:0]
	p.bucket.Final = final
	p.sim.Take(p.id, &p.bucket)
	p.bucket.Reset()
}

// close puts the values of a histogram or set into the bucket.
func (p *Process) close(index int) {
	at := &p.slots[index]
	id := uint64(index) + 1
	if p.catalog.texts[index][0] == 's' {
		slices.Sort(at.hashes)
		p.bucket.Sets = append(p.bucket.Sets, bucket.Set{ID: id, Hashes: slices.Clone(slices.Compact(at.hashes))})
		return
	}
	slices.SortFunc(at.values, func(a, b float64) int { return int(series.HistIndex(a) - series.HistIndex(b)) })
	h := bucket.Histogram{ID: id}
	for _, v := range at.values {
		h.Sum += v
		i := series.HistIndex(v)
		if n := len(h.Buckets); n > 0 && h.Buckets[n-1].Index == i {
			h.Buckets[n-1].Count++
			continue
		}
		h.Buckets = append(h.Buckets, bucket.HistBucket{Index: i, Count: 1})
	}
	p.bucket.Histograms = append(p.bucket.Histograms, h)
}
