package simulate

import (
	"crypto/sha256"
	"maps"
	"math"
	"slices"
	"strconv"

	"github.com/go-batteries/hawkeye/internal/bucket"
	"github.com/go-batteries/hawkeye/internal/exact"
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

// Process is one process that counts: a writer of buckets. It counts as the
// cells of a program do, to the last digit.
type Process struct {
	sim     *Simulation
	catalog *Catalog
	id      store.ID
	bucket  bucket.Bucket
	slots   []slot // by series
	learned int
	open    []int // series with samples in this tick
	known   int   // series that ever had some
}

// slot is what a series has in the open tick.
type slot struct {
	tick     int64
	order    int                  // in which the process came to know it, from 1; 0 before
	units    exact.Int            // of a counter
	gauge    float64              // the latest value
	observed *series.Observations // of a histogram; nil before the first
	hashes   map[uint64]struct{}  // of a set; nil before the first
}

// Process returns a process that counts in the series of a catalog.
func (s *Simulation) Process(name string, catalog *Catalog) *Process {
	sum := sha256.Sum256([]byte(name))
	return &Process{sim: s, catalog: catalog, id: store.ID(sum[:16])}
}

// Record counts a value in the open tick: adds it to a counter, sets a gauge,
// is observed by a histogram, or is one of the values of a set. It is finite.
func (p *Process) Record(s *Series, value float64) {
	for s.index >= len(p.slots) {
		p.slots = append(p.slots, slot{tick: math.MinInt64})
	}
	at := &p.slots[s.index]
	if at.tick != p.sim.tick {
		at.tick = p.sim.tick
		p.open = append(p.open, s.index)
		if at.order == 0 {
			p.known++
			at.order = p.known
		}
	}
	switch s.kind {
	case series.KindCounter:
		var cut bool
		if at.units, cut = series.AddUnits(at.units, series.Units(value)); cut {
			p.sim.saturated.Add(1)
		}
	case series.KindGauge:
		at.gauge = value
	case series.KindHistogram:
		if at.observed == nil {
			at.observed = new(series.Observations)
		}
		if cut := at.observed.Observe(value, 1); cut {
			p.sim.saturated.Add(1)
		}
	default:
		if at.hashes == nil {
			at.hashes = make(map[uint64]struct{})
		}
		hash := series.HashValue(strconv.FormatFloat(value, 'g', -1, 64))
		if _, known := at.hashes[hash]; known || len(at.hashes) < series.MaxSetValues {
			at.hashes[hash] = struct{}{}
			return
		}
		p.sim.saturated.Add(1)
	}
}

// Publish hands in what was counted in the open tick, be it nothing. A
// process is there as long as it publishes; the final time is its last.
func (p *Process) Publish(final bool) {
	for ; p.learned < len(p.catalog.texts); p.learned++ {
		p.sim.Learn(uint64(p.learned)+1, p.catalog.texts[p.learned])
	}
	// In the order of a program's buckets, which decides which of the groups
	// of a tick are the first.
	slices.SortFunc(p.open, func(a, b int) int { return p.slots[a].order - p.slots[b].order })
	for _, index := range p.open {
		p.close(uint64(index)+1, &p.slots[index], p.catalog.texts[index][0])
	}
	p.open = p.open[:0]
	p.bucket.Final = final
	p.sim.Take(p.id, &p.bucket)
	p.bucket.Reset()
}

// close puts what a series has into the bucket.
func (p *Process) close(id uint64, at *slot, kind byte) {
	b := &p.bucket
	switch kind {
	case 'c':
		if at.units != (exact.Int{}) { // as a cell that hasn't changed
			b.AddCounter(id, at.units)
		}
		at.units = exact.Int{}
	case 'g':
		b.Gauges = append(b.Gauges, bucket.Gauge{ID: id, Value: at.gauge})
	case 'h':
		h := bucket.Histogram{ID: id}
		at.observed.Take(&h)
		b.Histograms = append(b.Histograms, h)
	default:
		b.Sets = append(b.Sets, bucket.Set{ID: id, Hashes: slices.Sorted(maps.Keys(at.hashes))})
		clear(at.hashes)
	}
}
