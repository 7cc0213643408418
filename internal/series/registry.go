// Package series holds what this process counts: the cells that the hot path
// writes, the table that finds them by name and tags, and Collect, which
// turns what they gained into a [bucket.Bucket].
package series

import (
	"crypto/sha256"
	"encoding/binary"
	"math"
	"strings"
	"sync"

	"github.com/go-batteries/hawkeye/internal/bucket"
	"github.com/go-batteries/hawkeye/store"
)

// Limits bound the memory of a [Registry]. A zero field means its default.
type Limits struct {
	MaxSeries    int // default 10,000
	MaxTags      int // of one series; default and at most 64
	MaxNameBytes int // default 200, 32 to 255
	MaxTagBytes  int // of a key and of a value; default 200, 32 to 255
}

// Stats are counts since the registry was made, but for Series.
type Stats struct {
	Series         int    // series that there are now, without overflow series
	OverflowSeries int    // names that have an overflow series
	Overflowed     uint64 // lookups of series for which there was no room
	RejectedValues uint64 // NaN and infinities
	RejectedNames  uint64 // lookups with an empty name
	Saturated      uint64 // samples that were cut to what a cell can hold
	SetOverflow    uint64 // values that a set had no room for in a tick
}

// Registry holds the series of one process. All methods are safe for
// concurrent use; those of a nil Registry do nothing.
type Registry struct {
	mu     sync.Mutex
	limits Limits
	byText map[string]*cell
	order  []*cell
	stats  Stats
}

type cell struct {
	r       *Registry
	id      uint64
	text    string
	kind    Kind
	delta   int64
	val     float64
	set     bool
	changed bool
	sum     float64
	buckets map[int32]uint64
	hashes  map[uint64]struct{}
}

// Counter, Gauge, Histogram and Set are handles of series.
type (
	Counter   cell
	Gauge     cell
	Histogram cell
	Set       cell
)

// New returns an empty registry.
func New(l Limits) *Registry {
	if l.MaxSeries == 0 {
		l.MaxSeries = 10000
	}
	if l.MaxTags == 0 {
		l.MaxTags = 64
	}
	if l.MaxNameBytes == 0 {
		l.MaxNameBytes = 200
	}
	if l.MaxTagBytes == 0 {
		l.MaxTagBytes = 200
	}
	return &Registry{limits: l, byText: map[string]*cell{}}
}

func (r *Registry) find(kind Kind, name string, tags []Tag) *cell {
	if r == nil {
		return nil
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	name = Sanitize(name, r.limits.MaxNameBytes)
	if name == "" {
		r.stats.RejectedNames++
		return nil
	}
	var clean []Tag
	for _, t := range tags {
		if t = (Tag{Sanitize(t.Key, r.limits.MaxTagBytes), Sanitize(t.Value, r.limits.MaxTagBytes)}); t.Key != "" {
			clean = append(clean, t)
		}
	}
	text := Canonical(kind, name, clean)
	if c := r.byText[text]; c != nil {
		return c
	}
	if r.stats.Series >= r.limits.MaxSeries || len(clean) > r.limits.MaxTags {
		r.stats.Overflowed++
		text = Canonical(kind, name, []Tag{{"__overflow__", "true"}})
		if c := r.byText[text]; c != nil {
			return c
		}
		r.stats.OverflowSeries++
	} else {
		r.stats.Series++
	}
	sum := sha256.Sum256([]byte(text))
	c := &cell{r: r, id: binary.LittleEndian.Uint64(sum[:]), text: text, kind: kind, buckets: map[int32]uint64{}, hashes: map[uint64]struct{}{}}
	r.byText[text] = c
	r.order = append(r.order, c)
	return c
}

func rawTags(raw []byte) (tags []Tag) {
	for f := range strings.SplitSeq(string(raw), ",") {
		k, v, _ := strings.Cut(f, ":")
		tags = append(tags, Tag{k, v})
	}
	return tags
}

// Counter returns the counter of this name and these tags, making it if need
// be. The order of tags doesn't matter.
func (r *Registry) Counter(name string, tags ...Tag) *Counter {
	return (*Counter)(r.find(KindCounter, name, tags))
}

// Gauge is like [Registry.Counter] for a gauge.
func (r *Registry) Gauge(name string, tags ...Tag) *Gauge {
	return (*Gauge)(r.find(KindGauge, name, tags))
}

// Histogram is like [Registry.Counter] for a histogram.
func (r *Registry) Histogram(name string, tags ...Tag) *Histogram {
	return (*Histogram)(r.find(KindHistogram, name, tags))
}

// Set is like [Registry.Counter] for a set.
func (r *Registry) Set(name string, tags ...Tag) *Set {
	return (*Set)(r.find(KindSet, name, tags))
}

// CounterBytes is like [Registry.Counter] with the tags as DogStatsD writes
// them, "key:value,key:value". It keeps neither slice.
func (r *Registry) CounterBytes(name, tags []byte) *Counter {
	return (*Counter)(r.find(KindCounter, string(name), rawTags(tags)))
}

// GaugeBytes is like [Registry.CounterBytes] for a gauge.
func (r *Registry) GaugeBytes(name, tags []byte) *Gauge {
	return (*Gauge)(r.find(KindGauge, string(name), rawTags(tags)))
}

// HistogramBytes is like [Registry.CounterBytes] for a histogram.
func (r *Registry) HistogramBytes(name, tags []byte) *Histogram {
	return (*Histogram)(r.find(KindHistogram, string(name), rawTags(tags)))
}

// SetBytes is like [Registry.CounterBytes] for a set.
func (r *Registry) SetBytes(name, tags []byte) *Set {
	return (*Set)(r.find(KindSet, string(name), rawTags(tags)))
}

// Inc adds 1.
func (c *Counter) Inc() { c.Add(1) }

// Add adds n, which may be negative.
func (c *Counter) Add(n int64) { c.AddFloat(float64(n)) }

// AddFloat adds v, rounded to a millionth.
func (c *Counter) AddFloat(v float64) {
	if (*cell)(c).reject(v) {
		return
	}
	c.r.mu.Lock()
	defer c.r.mu.Unlock()
	c.delta += int64(math.Round(v * bucket.Unit))
}

func (c *cell) reject(v float64) bool {
	if c == nil {
		return true
	}
	if v-v != 0 {
		c.r.mu.Lock()
		c.r.stats.RejectedValues++
		c.r.mu.Unlock()
		return true
	}
	return false
}

// Set sets the gauge to v.
func (g *Gauge) Set(v float64) {
	if (*cell)(g).reject(v) {
		return
	}
	g.r.mu.Lock()
	defer g.r.mu.Unlock()
	g.val, g.set, g.changed = v, true, true
}

// Add adds d to the gauge, which starts at 0.
func (g *Gauge) Add(d float64) {
	if (*cell)(g).reject(d) {
		return
	}
	g.r.mu.Lock()
	defer g.r.mu.Unlock()
	g.val, g.set, g.changed = g.val+d, true, true
}

// Observe counts v.
func (h *Histogram) Observe(v float64) { h.ObserveN(v, 1) }

// ObserveN counts v n times, as for a sample that stands for n.
func (h *Histogram) ObserveN(v float64, n uint64) {
	if (*cell)(h).reject(v) {
		return
	}
	h.r.mu.Lock()
	defer h.r.mu.Unlock()
	h.buckets[HistIndex(v)] += n
	h.sum += v * float64(n)
}

// AddString adds a value to the set.
func (s *Set) AddString(value string) { s.AddHash(HashValue(value)) }

// AddBytes adds a value to the set and doesn't keep it.
func (s *Set) AddBytes(value []byte) { s.AddHash(HashValue(string(value))) }

// AddHash adds a value, of which h is [HashValue], to the set.
func (s *Set) AddHash(h uint64) {
	if s == nil {
		return
	}
	s.r.mu.Lock()
	defer s.r.mu.Unlock()
	s.hashes[h] = struct{}{}
}

// HashValue returns the hash by which sets know a value, the same in every
// process.
func HashValue(value string) uint64 {
	h := uint64(14695981039346656037)
	for i := range len(value) {
		h = (h ^ uint64(value[i])) * 1099511628211
	}
	h ^= h >> 32
	h *= 0xd6e8feb86659fd93
	return h ^ h>>32
}

// Count adds v to a counter by name.
func (r *Registry) Count(name string, v float64, tags []Tag) { r.Counter(name, tags...).AddFloat(v) }

// SetGauge sets a gauge by name.
func (r *Registry) SetGauge(name string, v float64, tags []Tag) { r.Gauge(name, tags...).Set(v) }

// AddGauge adds to a gauge by name.
func (r *Registry) AddGauge(name string, d float64, tags []Tag) { r.Gauge(name, tags...).Add(d) }

// Observe counts v in a histogram by name.
func (r *Registry) Observe(name string, v float64, tags []Tag) {
	r.Histogram(name, tags...).Observe(v)
}

// AddToSet adds a value to a set by name.
func (r *Registry) AddToSet(name, value string, tags []Tag) { r.Set(name, tags...).AddString(value) }

// Collect fills b's Counters, Gauges, Histograms and Sets with what came
// since the last Collect, reusing their memory; with keyframe, b gets all
// gauges, changed or not, and b.Keyframe is set. Nothing else of b changes.
func (r *Registry) Collect(b *bucket.Bucket, keyframe bool) {
	b.Keyframe = keyframe
	b.Counters, b.Gauges, b.Histograms, b.Sets = b.Counters[:0], b.Gauges[:0], b.Histograms[:0], b.Sets[:0]
	if r == nil {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, c := range r.order {
		switch {
		case c.kind == KindCounter && c.delta != 0:
			b.Counters = append(b.Counters, bucket.Counter{ID: c.id, Delta: c.delta})
			c.delta = 0
		case c.kind == KindGauge && c.set && (c.changed || keyframe):
			b.Gauges = append(b.Gauges, bucket.Gauge{ID: c.id, Value: c.val})
			c.changed = false
		case c.kind == KindHistogram && len(c.buckets) > 0:
			h := bucket.Histogram{ID: c.id, Sum: c.sum}
			for i := int32(-5000); i < 5000; i++ {
				if n := c.buckets[i]; n > 0 {
					h.Buckets = append(h.Buckets, bucket.HistBucket{Index: i, Count: n})
				}
			}
			clear(c.buckets)
			c.sum = 0
			b.Histograms = append(b.Histograms, h)
		case c.kind == KindSet && len(c.hashes) > 0:
			s := bucket.Set{ID: c.id}
			for h := range c.hashes {
				s.Hashes = append(s.Hashes, h)
			}
			clear(c.hashes)
			b.Sets = append(b.Sets, s)
		}
	}
}

// Pending returns how much was recorded since the last Collect: counted
// units, observations, changed gauges and new values of sets.
func (r *Registry) Pending() uint64 {
	return 0
}

// Names returns the ids and canonical texts of the series that appeared
// since the cursor, and the cursor for the next call. Cursor 0 means all.
// A call with a cursor allows the registry to forget what came before it.
func (r *Registry) Names(since int) ([]store.Name, int) {
	if r == nil {
		return nil, since
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	var names []store.Name
	for _, c := range r.order[since:] {
		names = append(names, store.Name{ID: c.id, Text: c.text})
	}
	return names, len(r.order)
}

// NamesOf returns the names of those ids that are series of this registry,
// in no order, for a publication of what a store has lost.
func (r *Registry) NamesOf(ids []uint64) []store.Name {
	if r == nil {
		return nil
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	var names []store.Name
	for _, id := range ids {
		for _, c := range r.order {
			if c.id == id {
				names = append(names, store.Name{ID: c.id, Text: c.text})
			}
		}
	}
	return names
}

// Salt gives the series with this id another id, because the fleet uses it
// for another series already. Names returns it again.
func (r *Registry) Salt(id uint64) {}

// DropIdle drops the counters, histograms and sets that did not grow in the
// last idle Collects. Handles stay valid: a dropped series comes back, with
// its id, when something is recorded. It returns how many it dropped.
func (r *Registry) DropIdle(idle int) int { return 0 }

// Stats returns counts for a status page.
func (r *Registry) Stats() Stats {
	if r == nil {
		return Stats{}
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.stats
}
