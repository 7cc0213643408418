package window

import (
	"fmt"
	"math"
	"math/big"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/go-batteries/hawkeye/internal/bucket"
	"github.com/go-batteries/hawkeye/internal/exact"
	"github.com/go-batteries/hawkeye/internal/series"
	"github.com/go-batteries/hawkeye/store"
)

// sample is one entry of a bucket, in the reference.
type sample struct {
	tick   int64
	writer store.ID
	text   string
	of     *parsed
	units  *big.Int // of a counter
	value  float64
	hist   []bucket.HistBucket
	hashes []uint64
}

// parsed is a series' text, taken apart.
type parsed struct {
	kind series.Kind
	name string
	tags []series.Tag
}

// reference keeps every sample and computes each value from all of them.
type reference struct {
	width   time.Duration
	samples []sample
	buckets map[int64]map[store.ID]bool // is it final
}

func (r *reference) live(w store.ID, tick int64) bool {
	seen := false
	for t := tick - LiveTicks; t < tick; t++ {
		if final, ok := r.buckets[t][w]; ok {
			if final {
				return false
			}
			seen = true
		}
	}
	for t := range r.buckets { // a final one ends it for ever
		if final, ok := r.buckets[t][w]; ok && final && t < tick {
			return false
		}
	}
	return seen
}

// window returns the ticks that q's window holds as of tick: from the start
// of the cell that its older edge lies in.
func (r *reference) window(q *Query, tick int64) (from, to int64) {
	g := newGrid(r.width, testRetention, q.Window, q.Delay, 0)
	to = tick - g.delay
	return g.first(g.of(to - g.length + 1)), to
}

func (r *reference) selected(q *Query, key string, from, to int64, kind series.Kind) (out []sample, seen bool) {
	for _, s := range r.samples {
		if s.of.name != q.Selector.Metric || s.of.kind != kind || seen && (s.tick < from || s.tick > to) {
			continue
		}
		if len(q.Selector.By) > 0 && tagValue(s.of.tags, "route") != key || !q.Selector.matches(s.of.tags) {
			continue
		}
		seen = true
		if from <= s.tick && s.tick <= to {
			out = append(out, s)
		}
	}
	return out, seen
}

func (r *reference) counter(q *Query, key string, tick int64) (v float64, monotone, seen bool) {
	from, to := r.window(q, tick)
	// A coarse cell is in the window as a whole.
	g := newGrid(r.width, testRetention, q.Window, q.Delay, 0)
	samples, seen := r.selected(q, key, from, g.last(g.of(to)), series.KindCounter)
	sum, monotone := new(big.Int), true
	for _, s := range samples {
		sum.Add(sum, s.units)
		monotone = monotone && s.units.Sign() >= 0
	}
	v, _ = new(big.Rat).SetFrac(sum, big.NewInt(bucket.Unit)).Float64()
	return min(max(v, -MaxSum), MaxSum), monotone, seen
}

func (r *reference) histogram(q *Query, key string, tick int64) (buckets map[int32]uint64, sum float64, seen bool) {
	from, to := r.window(q, tick)
	g := newGrid(r.width, testRetention, q.Window, q.Delay, 0)
	samples, seen := r.selected(q, key, from, g.last(g.of(to)), series.KindHistogram)
	buckets = make(map[int32]uint64)
	all := new(big.Rat)
	for _, s := range samples {
		for _, b := range s.hist {
			buckets[b.Index] += b.Count
		}
		all.Add(all, new(big.Rat).SetFloat64(s.value))
	}
	sum, _ = all.Float64()
	return buckets, min(max(sum, -MaxSum), MaxSum), seen
}

// gauge returns the combination of the latest values of live writers.
func (r *reference) gauge(q *Query, key string, tick int64) (v float64, n int, seen bool) {
	samples, seen := r.selected(q, key, math.MinInt64, tick, series.KindGauge)
	type member struct {
		writer store.ID
		text   string
	}
	latest := make(map[member]sample)
	for _, s := range samples {
		if old, ok := latest[member{s.writer, s.text}]; !ok || old.tick <= s.tick {
			latest[member{s.writer, s.text}] = s
		}
	}
	c := combiner{fleet: q.Selector.Fleet}
	for m, s := range latest {
		if _, has := r.buckets[tick][m.writer]; has || r.live(m.writer, tick) {
			c.add(s.value)
		}
	}
	return c.result(), c.n, seen
}

func (r *reference) distinct(q *Query, key string, tick int64) (n int, seen bool) {
	from, to := r.window(q, tick)
	g := newGrid(r.width, testRetention, q.Window, q.Delay, 0)
	samples, seen := r.selected(q, key, from, g.last(g.of(to)), series.KindSet)
	all := make(map[uint64]bool)
	for _, s := range samples {
		for _, h := range s.hashes {
			all[h] = true
		}
	}
	return len(all), seen
}

const testRetention = 5 * time.Minute

// world drives an engine and a reference with the same random buckets.
type world struct {
	t       testing.TB
	rng     *rand.Rand
	e       *Engine
	ref     *reference
	texts   map[uint64]string
	series  []string
	parsed  []*parsed // of series
	writers []store.ID
	gone    map[store.ID]bool
	late    []func() // buckets under way
	digits  int      // counters and values of histograms have at most so many
}

func newWorld(t testing.TB, width time.Duration, seed uint64) *world {
	w := &world{
		t:     t,
		rng:   rand.New(rand.NewPCG(seed, 1)),
		e:     New(width, testRetention, 60),
		ref:   &reference{width: width, buckets: make(map[int64]map[store.ID]bool)},
		texts: make(map[uint64]string),
		gone:  make(map[store.ID]bool),
		// Some worlds are small, in others no int64 of millionths holds a sum,
		// and in some a sum is beyond what is counted.
		digits: [...]int{3, 6, 14, 18}[seed%4],
	}
	for i := range 4 {
		tags := []series.Tag{{Key: "route", Value: fmt.Sprint("/", i%3)}, {Key: "n", Value: fmt.Sprint(i)}}
		w.series = append(w.series,
			series.Canonical(series.KindCounter, "hits", tags),
			series.Canonical(series.KindGauge, "depth", tags),
			series.Canonical(series.KindHistogram, "took", tags),
			series.Canonical(series.KindSet, "users", tags))
	}
	for i, text := range w.series {
		w.texts[uint64(1000+i)] = text
		kind, name, tags, err := series.ParseCanonical(text)
		if err != nil {
			t.Fatal(err)
		}
		w.parsed = append(w.parsed, &parsed{kind, name, tags})
	}
	for range 3 {
		w.writers = append(w.writers, store.NewID())
	}
	return w
}

// bucket makes a random bucket and tells the reference of it.
func (w *world) bucket(tick int64, writer store.ID, final bool) (*bucket.Bucket, []sample) {
	b := &bucket.Bucket{Final: final}
	var samples []sample
	for i, text := range w.series {
		if w.rng.IntN(3) > 0 {
			continue
		}
		id := uint64(1000 + i)
		s := sample{tick: tick, writer: writer, text: text, of: w.parsed[i]}
		switch text[0] {
		case 'c':
			whole := w.rng.Int64N(int64(math.Pow10(w.rng.IntN(w.digits) + 1)))
			units := exact.Mul(whole, bucket.Unit).AddInt64(w.rng.Int64N(bucket.Unit))
			if w.rng.IntN(20) == 0 {
				units = exact.Int{}.Sub(units)
			}
			b.AddCounter(id, units)
			s.units = big.NewInt(b.Counters[len(b.Counters)-1].Delta)
			if n := len(b.Beyond); n > 0 && b.Beyond[n-1].ID == id {
				beyond := new(big.Int).Mul(big.NewInt(b.Beyond[n-1].Whole), big.NewInt(bucket.Unit))
				s.units.Add(s.units, beyond)
			}
		case 'g':
			s.value = float64(w.rng.IntN(100))
			b.Gauges = append(b.Gauges, bucket.Gauge{ID: id, Value: s.value})
		case 'h':
			s.value = math.Pow(10, w.rng.Float64()*float64(w.digits))
			first := int32(w.rng.IntN(40)) - 10
			s.hist = []bucket.HistBucket{{Index: first, Count: uint64(1 + w.rng.IntN(4))}, {Index: first + 7, Count: 1}}
			b.Histograms = append(b.Histograms, bucket.Histogram{ID: id, Sum: s.value, Buckets: s.hist})
		case 's':
			s.hashes = []uint64{uint64(w.rng.IntN(10)), uint64(w.rng.IntN(10))}
			b.Sets = append(b.Sets, bucket.Set{ID: id, Hashes: s.hashes})
		}
		samples = append(samples, s)
	}
	return b, samples
}

// step takes the buckets of a tick, some of them later than others.
func (w *world) step(tick int64) {
	w.e.Evaluated(tick - 1)
	for i := 0; i < len(w.late); {
		if w.rng.IntN(4) == 0 {
			w.late[i]()
			w.late = slices.Delete(w.late, i, i+1)
			continue
		}
		i++
	}
	w.e.Advance(tick)
	partial := false
	for _, writer := range w.writers {
		if w.gone[writer] || w.rng.IntN(10) == 0 {
			continue
		}
		final := w.rng.IntN(60) == 0
		if final {
			w.gone[writer] = true
		}
		b, samples := w.bucket(tick, writer, final)
		deliver := func() {
			if ids := w.e.Unknown(nil, b); len(ids) > 0 {
				if w.e.Take(tick, writer, b) {
					w.t.Errorf("Take(%d) of a bucket with unknown ids %v = true, want false", tick, ids)
				}
				for _, id := range ids {
					w.e.Learn(id, w.texts[id])
				}
			}
			if !w.e.Take(tick, writer, b) {
				w.t.Errorf("Take(%d) = false with all names known", tick)
			}
			w.ref.samples = append(w.ref.samples, samples...)
			if w.ref.buckets[tick] == nil {
				w.ref.buckets[tick] = make(map[store.ID]bool)
			}
			w.ref.buckets[tick][writer] = final
		}
		if w.rng.IntN(8) == 0 && !final {
			partial = true
			w.late = append(w.late, deliver)
			continue
		}
		deliver()
	}
	if partial {
		w.e.MarkPartial(tick)
	}
	if w.rng.IntN(30) == 0 {
		w.writers = append(w.writers, store.NewID())
	}
}
