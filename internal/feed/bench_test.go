package feed

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/go-batteries/hawkeye/internal/bucket"
	"github.com/go-batteries/hawkeye/internal/samples/clock"
	"github.com/go-batteries/hawkeye/internal/series"
	"github.com/go-batteries/hawkeye/internal/window"
	"github.com/go-batteries/hawkeye/store"
	"github.com/go-batteries/hawkeye/store/memstore"
)

// ended is a store of which every tick has the same buckets.
type ended struct {
	store.Store
	buckets []store.Bucket
}

func (e *ended) Traits() store.Traits {
	t := e.Store.Traits()
	t.Shared = true
	return t
}

func (e *ended) Read(_ context.Context, q []store.TickQuery) ([]store.TickBuckets, error) {
	answers := make([]store.TickBuckets, len(q))
	for i := range q {
		answers[i] = store.TickBuckets{Tick: q[i].Tick, Count: len(e.buckets)}
		if q[i].Known < len(e.buckets) {
			answers[i].Buckets = e.buckets
		}
	}
	return answers, nil
}

// BenchmarkRound is a tick of 100 writers with 1,000 series each, from the
// answer of the store to 1,000 values. (The windows of the benchmark lie in
// the past, so that no tick is waited for.)
func BenchmarkRound(b *testing.B) {
	inner, err := memstore.New(memstore.WithTick(10*time.Millisecond), memstore.WithRetention(1000*time.Hour))
	if err != nil {
		b.Fatal(err)
	}
	data := &bucket.Bucket{}
	var queries []window.Query
	for i := range 1000 {
		name := fmt.Sprint("metric.", i)
		queries = append(queries, window.Query{Selector: window.Selector{Metric: name}, Window: 600 * time.Millisecond})
		id := uint64(i) * 0x9e3779b97f4a7c15
		if _, err := inner.Publish(b.Context(), store.Publication{
			Names: []store.Name{{ID: id, Text: series.Canonical(series.KindCounter, name, nil)}},
		}); err != nil {
			b.Fatal(err)
		}
		data.Counters = append(data.Counters, bucket.Counter{ID: id, Delta: bucket.Unit})
	}
	s := &ended{Store: inner}
	for range 100 {
		s.buckets = append(s.buckets, store.Bucket{Writer: store.NewID(), Data: bucket.Append(nil, data)})
	}
	clock := clock.New(10 * time.Millisecond)
	f := New(Config{Store: s, Clock: clock, Queries: queries, Logger: quiet()})
	if err := f.SeekTo(b.Context(), clock.NowTick()-1_000_000); err != nil {
		b.Fatal(err)
	}
	for range 200 { // learn the names, fill the windows
		if _, err := f.Next(b.Context()); err != nil {
			b.Fatal(err)
		}
	}
	var refs []window.Ref
	sum := 0.0
	b.ReportAllocs()
	for b.Loop() {
		if t, err := f.Next(b.Context()); err != nil || t.Status != Complete {
			b.Fatal(t, err)
		}
		refs = f.Engine().Changed(refs[:0])
		for _, r := range refs {
			sum += f.Engine().Value(r.Handle, r.Group).V
		}
	}
}
