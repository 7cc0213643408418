package window

import (
	"fmt"
	"reflect"
	"testing"
	"time"

	"github.com/go-batteries/hawkeye/internal/bucket"
	"github.com/go-batteries/hawkeye/internal/series"
	"github.com/go-batteries/hawkeye/store"
)

// Whatever looks at the windows sees each bucket that was taken, also between
// two buckets of the same tick.
func TestEachLookSeesWhatWasTaken(t *testing.T) {
	t.Parallel()
	looks := []struct {
		name string
		at   func(e *Engine, h Handle) any
		want func(buckets int) any
	}{
		{
			"Value",
			func(e *Engine, h Handle) any { return e.Value(h, e.Group(h, "")).V },
			func(buckets int) any { return float64(buckets) },
		},
		{
			"ValueAt",
			func(e *Engine, h Handle) any { v, _ := e.ValueAt(h, e.Group(h, ""), 1000); return v.V },
			func(buckets int) any { return float64(buckets) },
		},
		{
			"Changed",
			func(e *Engine, _ Handle) any { return len(e.Changed(nil)) },
			func(int) any { return 1 },
		},
		{
			"ChangedLate",
			func(e *Engine, _ Handle) any { n := len(e.ChangedLate(nil)); e.Evaluated(1000); return n },
			func(buckets int) any { return min(buckets-1, 1) },
		},
		{
			"Evaluated, not late before it",
			func(e *Engine, _ Handle) any { e.Evaluated(1000); return len(e.late) },
			func(buckets int) any { return min(buckets-1, 1) },
		},
		{
			"Kinds",
			func(e *Engine, _ Handle) any { return fmt.Sprint(e.Kinds("m")) },
			func(int) any { return fmt.Sprint([]series.Kind{series.KindCounter}) },
		},
		{
			"Register, for which it doesn't count",
			func(e *Engine, h Handle) any {
				n := e.Register(Query{Selector: Selector{Metric: "m"}, Window: time.Duration(1+len(e.handles)) * time.Hour})
				return e.Value(n, e.Group(n, "")).Count
			},
			func(int) any { return 0.0 },
		},
		{
			"Folds",
			func(e *Engine, _ Handle) any {
				sum := int64(0)
				for _, f := range e.Folds() {
					for _, c := range f.Bucket.Counters {
						sum += c.Delta / bucket.Unit
					}
				}
				return sum
			},
			func(int) any { return int64(1) },
		},
	}
	for _, look := range looks {
		t.Run(look.name, func(t *testing.T) {
			t.Parallel()
			l := newLone(time.Second, "c|m")
			h := l.Register(Query{Selector: Selector{Metric: "m"}, Window: time.Hour})
			l.Advance(1060) // so that the cell of tick 1000 has ended
			for i := range 3 {
				b := &bucket.Bucket{Counters: []bucket.Counter{{ID: 1, Delta: bucket.Unit}}}
				if !l.Take(1000, store.NewID(), b) {
					t.Fatal("Take = false")
				}
				if got, want := look.at(l.Engine, h), look.want(i+1); got != want {
					t.Errorf("after %d buckets: %v, want %v", i+1, got, want)
				}
			}
		})
	}
}

// Writers needn't send the same ids in the same order.
func TestWritersWithOtherOrders(t *testing.T) {
	t.Parallel()
	const n = 5
	var texts []string
	for i := range n {
		texts = append(texts, series.Canonical(series.KindCounter, fmt.Sprint("m", i), nil))
	}
	l := newLone(time.Second, texts...)
	handles := make([]Handle, n)
	for i := range handles {
		handles[i] = l.Register(Query{Selector: Selector{Metric: fmt.Sprint("m", i)}, Window: time.Minute})
	}
	l.Advance(1000)
	orders := [][]int{{0, 1, 2, 3, 4}, {0, 1, 2, 3, 4}, {4, 3, 2, 1, 0}, {0, 2, 4}, {2}, {1, 2, 3}, {3, 4, 0, 1}}
	want := make([]float64, n)
	for _, order := range orders {
		b := &bucket.Bucket{}
		for _, i := range order {
			b.Counters = append(b.Counters, bucket.Counter{ID: uint64(i + 1), Delta: int64(i+1) * bucket.Unit})
			want[i] += float64(i + 1)
		}
		// An id without a name among them changes nothing.
		odd := &bucket.Bucket{Counters: append([]bucket.Counter{{ID: 99, Delta: 1}}, b.Counters...)}
		if l.Take(1000, store.NewID(), odd) {
			t.Error("Take of an unknown id = true, want false")
		}
		if ids := l.Unknown(nil, odd); len(ids) != 1 || ids[0] != 99 {
			t.Errorf("Unknown = %v, want 99", ids)
		}
		if !l.Take(1000, store.NewID(), b) {
			t.Error("Take = false, want true")
		}
	}
	for i, h := range handles {
		if v := l.Value(h, l.Group(h, "")); v.V != want[i] {
			t.Errorf("value of m%d = %v, want %v", i, v.V, want[i])
		}
	}
}

// A decrement shows, though another writer's increment in the same tick is
// greater.
func TestDecrementAmongIncrements(t *testing.T) {
	t.Parallel()
	l := newLone(time.Second, "c|m")
	h := l.Register(Query{Selector: Selector{Metric: "m"}, Window: time.Minute})
	l.Advance(1000)
	for _, delta := range []int64{5, -2, 4} {
		l.Take(1000, store.NewID(), &bucket.Bucket{Counters: []bucket.Counter{{ID: 1, Delta: delta * bucket.Unit}}})
	}
	if v := l.Value(h, l.Group(h, "")); v.V != 7 || v.Monotone {
		t.Errorf("value = %v, monotone %v, want 7, false", v.V, v.Monotone)
	}
	l.count(1060, 1)
	if v := l.Value(h, l.Group(h, "")); v.V != 1 || !v.Monotone {
		t.Errorf("a window later: value = %v, monotone %v, want 1, true", v.V, v.Monotone)
	}
}

// Only what nobody counted in for an hour is forgotten, and that has to be
// learned again.
func TestForgottenSeriesIsLearnedAgain(t *testing.T) {
	t.Parallel()
	l := newLone(time.Second, "c|m", "c|n")
	h := l.Register(Query{Selector: Selector{Metric: "m"}, Window: time.Minute})
	both := &bucket.Bucket{Counters: []bucket.Counter{{ID: 1, Delta: bucket.Unit}, {ID: 2, Delta: bucket.Unit}}}
	l.Advance(1000)
	l.Take(1000, l.writer, both)
	l.count(1000+2*3600, 3)
	l.forgetSeries()
	if l.Take(1000+2*3600, store.NewID(), both) {
		t.Error("Take = true, want false: one of the series was forgotten")
	}
	if ids := l.Unknown(nil, both); len(ids) != 1 || ids[0] != 2 {
		t.Errorf("Unknown = %v, want 2", ids)
	}
	l.Learn(2, "c|n")
	l.Take(1000+2*3600, store.NewID(), both)
	if v := l.Value(h, l.Group(h, "")); v.V != 4 {
		t.Errorf("value = %v, want 4", v.V)
	}
}

// Histograms of all writers are added up, also with such as observed nothing,
// and are in each window and in the fold once.
func TestHistogramsOfManyWriters(t *testing.T) {
	t.Parallel()
	l := newLone(time.Second, "h|m")
	var handles []Handle
	for _, length := range []time.Duration{time.Minute, 2 * time.Minute, time.Hour} {
		handles = append(handles, l.Register(Query{Selector: Selector{Metric: "m"}, Aggregate: "sum", Window: length}))
	}
	l.Advance(1000)
	for _, n := range []uint64{0, 2, 3, 0, 1} {
		h := bucket.Histogram{ID: 1, Sum: float64(10 * n)}
		if n > 0 {
			h.Buckets = []bucket.HistBucket{{Index: 3, Count: 1}, {Index: 5, Count: n}}
		}
		l.Take(1000, store.NewID(), &bucket.Bucket{Histograms: []bucket.Histogram{h}})
	}
	for _, h := range handles {
		if v := l.Value(h, l.Group(h, "")); v.V != 60 || v.Count != 9 {
			t.Errorf("sum and count = %v, %v, want 60, 9", v.V, v.Count)
		}
	}
	l.Take(1000, store.NewID(), &bucket.Bucket{Histograms: []bucket.Histogram{{
		ID: 1, Sum: 5, Buckets: []bucket.HistBucket{{Index: 4, Count: 1}},
	}}})
	if got := series.HistIndex(l.Quantile(l.Group(handles[0], ""), 0.35)); got != 4 {
		t.Errorf("the quantile is in bucket %d, want that of the latest bucket, 4", got)
	}
	l.Advance(1060)
	var folded []bucket.Histogram
	for _, f := range l.Folds() {
		folded = append(folded, f.Bucket.Histograms...)
	}
	want := []bucket.Histogram{{ID: 1, Sum: 65, Buckets: []bucket.HistBucket{{Index: 3, Count: 3}, {Index: 4, Count: 1}, {Index: 5, Count: 6}}}}
	if !reflect.DeepEqual(folded, want) {
		t.Errorf("folded = %v, want %v", folded, want)
	}
}
