// Package series holds what this process counts: the cells that the hot path
// writes, the table that finds them by name and tags, and Collect, which
// turns what they gained into a [bucket.Bucket].
//
// A series is a kind, a name and tags. Its handle (a [*Counter], say) points
// to its cell; the cell never shares a cache line with a handle or a key.
// Cells only ever grow: nobody resets them, Collect takes the difference to
// what it saw before, so that no sample is lost or counted twice however the
// two interleave.
//
// What a registry needs at most, for MaxSeries of 10,000 with ordinary names:
// 2 MB of counters (200 bytes each with 4 stripes), or 30 MB of histograms (3
// KB each; 10 KB for one that many cores write at once). The worst names and
// tags there can be (64 tags of 200 + 200 bytes) add 26 KB a series.
package series

import (
	"math/bits"
	"math/rand/v2"
	"runtime"
	"sync"
	"sync/atomic"

	"github.com/go-batteries/hawkeye/internal/exact"
)

// Defaults of [Limits].
const (
	DefaultMaxSeries    = 10_000
	DefaultMaxTags      = 64
	DefaultMaxNameBytes = 200
	DefaultMaxTagBytes  = 200
)

// Limits bound the memory of a [Registry]. A field that is 0 means its
// default, one out of range the nearest value that is in it.
type Limits struct {
	MaxSeries    int // series at a time, 1 to 2^29
	MaxTags      int // of one series, 1 to 64
	MaxNameBytes int // 32 to 255; longer names are cut, see [Sanitize]
	MaxTagBytes  int // of a tag's key and of its value, 32 to 255
}

func (l Limits) normal() Limits {
	clamp := func(n, def, least, most int) int {
		if n == 0 {
			return def
		}
		return min(max(n, least), most)
	}
	return Limits{
		MaxSeries:    clamp(l.MaxSeries, DefaultMaxSeries, 1, 1<<29),
		MaxTags:      clamp(l.MaxTags, DefaultMaxTags, 1, 64),
		MaxNameBytes: clamp(l.MaxNameBytes, DefaultMaxNameBytes, 32, 255),
		MaxTagBytes:  clamp(l.MaxTagBytes, DefaultMaxTagBytes, 32, 255),
	}
}

// Registry holds the series of one process. All methods are safe for
// concurrent use, and those of a nil Registry do nothing and return handles
// that do nothing.
type Registry struct {
	limits  Limits
	seed    uint64
	table   atomic.Pointer[table]
	stripes stripes

	rejectedValues atomic.Uint64
	saturated      atomic.Uint64
	setOverflow    atomic.Uint64

	big      bigSamples
	collects atomic.Uint32 // number of Collects so far; written under mu

	// mu guards everything below. The hot path needs it only for a spelling
	// that the table doesn't have.
	mu      sync.Mutex
	columns [kinds]column
	pages   []counterPage
	counted []int64 // by counter's slot: the sum that Collect saw
	gauges  []*gauge
	// gaugeTTL is after how many Collects relayed gauges are forgotten.
	gaugeTTL uint32
	forgot   bool            // some were; see Forgot
	watched  map[string]bool // names of gauges; see WatchGauges
	hists    []*histogram
	sets     []*set
	index    idIndex // every slot that is not free
	names    nameLog
	salts    map[string]uint32 // by canonical text: how often it was salted
	scratch  scratch

	live          int // series, without overflow series
	overflowing   int // overflow series
	aliases       int // spellings that are not canonical
	overflowed    uint64
	rejectedNames uint64
}

// New returns an empty registry with a stripe of cells for each of the
// processors that Go may use now (GOMAXPROCS), rounded up to a power of two
// and at most 16.
func New(l Limits) *Registry {
	r := &Registry{limits: l.normal(), seed: rand.Uint64()}
	r.stripes.n = uint32(min(1<<bits.Len(uint(runtime.GOMAXPROCS(0)-1)), maxStripes))
	r.table.Store(newTable(0))
	for kind := range r.columns {
		r.columns[kind].init()
	}
	r.big.sums, r.big.spare = make(map[uint32]exact.Int), make(map[uint32]exact.Int)
	r.salts = make(map[string]uint32)
	r.names.base = 1 // so that cursor 0 means all
	return r
}

// Stats are counts since the registry was made; those of series are of now.
type Stats struct {
	Series         int    // series, without overflow series
	OverflowSeries int    // names (and kinds) that have an overflow series
	Overflowed     uint64 // series for which there was no room, each at least once
	RejectedValues uint64 // samples that were NaN or infinite
	RejectedNames  uint64 // look-ups with a name that is empty
	Saturated      uint64 // samples that were cut to what a cell can hold
	SetOverflow    uint64 // values for which a set had no room in their tick
}

// Stats returns the counts for a status page.
func (r *Registry) Stats() Stats {
	if r == nil {
		return Stats{}
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	return Stats{
		Series:         r.live,
		OverflowSeries: r.overflowing,
		Overflowed:     r.overflowed,
		RejectedValues: r.rejectedValues.Load(),
		RejectedNames:  r.rejectedNames,
		Saturated:      r.saturated.Load(),
		SetOverflow:    r.setOverflow.Load(),
	}
}

// Counter returns the counter of this name and these tags, and makes it if
// there is none. The order of tags with different keys doesn't matter; of those
// with the same key the last one counts, and one with an empty key is ignored.
// Blanks around names, keys and values don't belong to them. See [Sanitize] for
// names and tags that are not clean, and [OverflowTag] for what happens beyond
// the registry's limits. For a name that is empty it returns nil, which is a
// handle that does nothing.
//
// It doesn't allocate or lock if it was called with the same tags in the same
// order before; the registry remembers MaxSeries orders of sorted tags and
// twice as many others. It keeps no reference to tags. The handle is valid for
// ever.
func (r *Registry) Counter(name string, tags ...Tag) *Counter {
	return (*Counter)(r.find(KindCounter, name, tags))
}

// Gauge is [Registry.Counter] for a gauge.
func (r *Registry) Gauge(name string, tags ...Tag) *Gauge {
	return (*Gauge)(r.find(KindGauge, name, tags))
}

// Histogram is [Registry.Counter] for a histogram.
func (r *Registry) Histogram(name string, tags ...Tag) *Histogram {
	return (*Histogram)(r.find(KindHistogram, name, tags))
}

// Set is [Registry.Counter] for a set.
func (r *Registry) Set(name string, tags ...Tag) *Set {
	return (*Set)(r.find(KindSet, name, tags))
}

// CounterBytes is [Registry.Counter] with the tags as DogStatsD writes them:
// "key:value,key:value", a tag without a colon being a key with an empty
// value, and "#" before the first being ignored. A name with the tags of
// another dialect in it is refused like an empty one, see [ForeignTags]. It
// keeps neither slice.
func (r *Registry) CounterBytes(name, tags []byte) *Counter {
	return (*Counter)(r.findBytes(KindCounter, name, tags))
}

// GaugeBytes is [Registry.CounterBytes] for a gauge.
func (r *Registry) GaugeBytes(name, tags []byte) *Gauge {
	return (*Gauge)(r.findBytes(KindGauge, name, tags))
}

// HistogramBytes is [Registry.CounterBytes] for a histogram.
func (r *Registry) HistogramBytes(name, tags []byte) *Histogram {
	return (*Histogram)(r.findBytes(KindHistogram, name, tags))
}

// SetBytes is [Registry.CounterBytes] for a set.
func (r *Registry) SetBytes(name, tags []byte) *Set {
	return (*Set)(r.findBytes(KindSet, name, tags))
}

// Count adds v to the counter of this name and these tags.
func (r *Registry) Count(name string, v float64, tags []Tag) {
	r.Counter(name, tags...).AddFloat(v)
}

// SetGauge sets the gauge of this name and these tags to v.
func (r *Registry) SetGauge(name string, v float64, tags []Tag) {
	r.Gauge(name, tags...).Set(v)
}

// AddGauge adds d to the gauge of this name and these tags.
func (r *Registry) AddGauge(name string, d float64, tags []Tag) {
	r.Gauge(name, tags...).Add(d)
}

// Observe counts v in the histogram of this name and these tags.
func (r *Registry) Observe(name string, v float64, tags []Tag) {
	r.Histogram(name, tags...).Observe(v)
}

// AddToSet adds value to the set of this name and these tags.
func (r *Registry) AddToSet(name, value string, tags []Tag) {
	r.Set(name, tags...).AddString(value)
}
