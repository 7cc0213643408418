package window

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/go-batteries/hawkeye/internal/bucket"
	"github.com/go-batteries/hawkeye/internal/series"
	"github.com/go-batteries/hawkeye/store"
)

// BenchmarkTick is a tick of 10,000 monitors, each on a metric of its own
// with a window of a minute: take what was counted, move on, look at what
// changed. The number is how many of the metrics are counted in each tick.
func BenchmarkTick(b *testing.B) {
	for _, busy := range []int{0, 100, 1000, 10_000} {
		b.Run(fmt.Sprintf("busy=%d", busy), func(b *testing.B) {
			e := New(200*time.Millisecond, testRetention, 15)
			for i := range 10_000 {
				name := fmt.Sprint("metric.", i)
				e.Register(Query{Selector: Selector{Metric: name}, Window: time.Minute})
				e.Learn(uint64(i), series.Canonical(series.KindCounter, name, nil))
			}
			writer := store.NewID()
			data := &bucket.Bucket{}
			for i := range busy {
				data.Counters = append(data.Counters, bucket.Counter{ID: uint64(i * 10_000 / busy), Delta: bucket.Unit})
			}
			tick, sum := int64(1000), 0.0
			var refs []Ref
			step := func() {
				tick++
				e.Advance(tick)
				e.Take(tick, writer, data)
				refs = e.Changed(refs[:0])
				for _, r := range refs {
					sum += e.Value(r.Handle, r.Group).V
				}
			}
			for range 400 { // fill the windows
				step()
			}
			b.ReportAllocs()
			for b.Loop() {
				step()
			}
		})
	}
}

// BenchmarkFleetHistograms is a tick of 100 writers with 100 histograms of ten
// buckets each, the same in all, that eight windows each are made of, as those
// of an SLO are.
func BenchmarkFleetHistograms(b *testing.B) {
	e := New(time.Second, testRetention, 60)
	data := &bucket.Bucket{}
	for i := range 100 {
		name := fmt.Sprint("metric.", i)
		for n := range 8 {
			e.Register(Query{Selector: Selector{Metric: name}, Window: time.Duration(1+n) * 10 * time.Second})
		}
		e.Learn(uint64(i), series.Canonical(series.KindHistogram, name, nil))
		h := bucket.Histogram{ID: uint64(i), Sum: 1}
		for n := range 10 {
			h.Buckets = append(h.Buckets, bucket.HistBucket{Index: int32(10 * n), Count: 1})
		}
		data.Histograms = append(data.Histograms, h)
	}
	writers := make([]store.ID, 100)
	for i := range writers {
		writers[i] = store.NewID()
	}
	tick := int64(1000)
	var refs []Ref
	step := func() {
		tick++
		e.Advance(tick)
		for _, w := range writers {
			e.Take(tick, w, data)
		}
		refs = e.Changed(refs[:0])
	}
	for range 200 { // fill the windows
		step()
	}
	b.ReportAllocs()
	for b.Loop() {
		step()
	}
}

// BenchmarkFleet is a tick of 100 writers with 1,000 series each, the same in
// all, and 1,000 monitors. Writers send their series in the order in which they
// met them: the same order, or each writer its own.
func BenchmarkFleet(b *testing.B) {
	for _, order := range []string{"same", "own"} {
		b.Run("order="+order, func(b *testing.B) {
			e := New(time.Second, testRetention, 60)
			data := &bucket.Bucket{}
			for i := range 1000 {
				name := fmt.Sprint("metric.", i)
				e.Register(Query{Selector: Selector{Metric: name}, Window: time.Minute})
				e.Learn(uint64(i)*0x9e3779b97f4a7c15, series.Canonical(series.KindCounter, name, nil))
				data.Counters = append(data.Counters, bucket.Counter{ID: uint64(i) * 0x9e3779b97f4a7c15, Delta: bucket.Unit})
			}
			writers := make([]store.ID, 100)
			encoded := make([][]byte, len(writers))
			for i := range writers {
				writers[i] = store.NewID()
				encoded[i] = bucket.Append(nil, data)
				if order == "own" {
					rand.Shuffle(len(data.Counters), func(i, j int) {
						data.Counters[i], data.Counters[j] = data.Counters[j], data.Counters[i]
					})
				}
			}
			var decoded bucket.Bucket
			tick, sum := int64(1000), 0.0
			var refs []Ref
			b.ReportAllocs()
			for b.Loop() {
				tick++
				e.Advance(tick)
				for i, w := range writers {
					if err := bucket.Decode(encoded[i], &decoded); err != nil {
						b.Fatal(err)
					}
					e.Take(tick, w, &decoded)
				}
				refs = e.Changed(refs[:0])
				for _, r := range refs {
					sum += e.Value(r.Handle, r.Group).V
				}
			}
		})
	}
}
