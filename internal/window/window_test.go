package window

import (
	"fmt"
	"math"
	"testing"
	"time"

	"github.com/go-batteries/hawkeye/internal/bucket"
	"github.com/go-batteries/hawkeye/internal/matcher"
	"github.com/go-batteries/hawkeye/internal/series"
	"github.com/go-batteries/hawkeye/store"
)

func TestValuesAreThoseOfAllSamplesAddedUp(t *testing.T) {
	t.Parallel()
	for _, width := range []time.Duration{200 * time.Millisecond, time.Second, 7 * time.Second} {
		for seed := range uint64(4) {
			t.Run(fmt.Sprintf("%v/%d", width, seed), func(t *testing.T) {
				t.Parallel()
				compare(t, width, seed)
			})
		}
	}
}

func compare(t *testing.T, width time.Duration, seed uint64) {
	w := newWorld(t, width, seed)
	where := []*matcher.Matcher{{Name: "route", Op: matcher.NotEqual, Value: "/1"}}
	var queries []Query
	for _, window := range []time.Duration{width, 10 * width, 40 * time.Second, 3 * time.Minute, 10 * time.Minute} {
		for _, delay := range []time.Duration{0, 5 * width} {
			queries = append(queries,
				Query{Selector: Selector{Metric: "hits"}, Window: window, Delay: delay, Aggregate: "sum"},
				Query{Selector: Selector{Metric: "hits", By: []string{"route"}, Where: where}, Window: window, Delay: delay},
				Query{Selector: Selector{Metric: "took", By: []string{"route"}}, Window: window, Delay: delay, Aggregate: "p90"},
				Query{Selector: Selector{Metric: "took"}, Window: window, Delay: delay, Aggregate: "sum"},
				Query{Selector: Selector{Metric: "users"}, Window: window, Delay: delay},
			)
		}
		for _, fleet := range []Fleet{FleetSum, FleetAvg, FleetMin, FleetMax} {
			queries = append(queries, Query{Selector: Selector{Metric: "depth", Fleet: fleet, By: []string{"route"}}, Window: window})
		}
	}
	handles := make([]Handle, len(queries))
	for i, q := range queries {
		handles[i] = w.e.Register(q)
	}
	last := make(map[Ref]float64)
	recalled := 0 // values of gauges at older ticks
	for tick := int64(100_000); tick < 100_150; tick++ {
		w.step(tick)
		changed := make(map[Ref]bool)
		for _, ref := range w.e.Changed(nil) {
			changed[ref] = true
		}
		for i := range queries {
			for _, g := range w.e.Groups(handles[i]) {
				v := w.e.Value(handles[i], g)
				if w.rng.IntN(5) == 0 {
					w.check(&queries[i], g, tick, v)
				}
				ref := Ref{handles[i], g}
				if was, ok := last[ref]; ok && was != v.V && !(math.IsNaN(was) && math.IsNaN(v.V)) && !changed[ref] {
					t.Errorf("tick %d: %v of %q went from %v to %v and isn't in Changed", tick, queries[i], g.Key(), was, v.V)
				}
				last[ref] = v.V
				if old := tick - w.rng.Int64N(20); tick-old < 20 && old >= 100_000 && w.rng.IntN(10) == 0 {
					if v, ok := w.e.ValueAt(handles[i], g, old); ok {
						w.check(&queries[i], g, old, v)
						if old < tick && queries[i].Selector.Metric == "depth" {
							recalled++
						}
					}
				}
			}
		}
		if t.Failed() {
			return
		}
	}
	if recalled < 100 {
		t.Errorf("the values of gauges are known at %d older ticks, want at least 100", recalled)
	}
}

// check compares a value with the reference's.
func (w *world) check(q *Query, g *Group, tick int64, got Value) {
	w.t.Helper()
	want, seen := math.NaN(), false
	switch q.Selector.Metric {
	case "hits":
		var monotone bool
		want, monotone, seen = w.ref.counter(q, g.Key(), tick)
		if seen && got.Monotone && !monotone {
			w.t.Errorf("tick %d: %v of %q is said to be monotone, but has negative increments", tick, q, g.Key())
		}
	case "depth":
		want, _, seen = w.ref.gauge(q, g.Key(), tick)
	case "users":
		var n int
		n, seen = w.ref.distinct(q, g.Key(), tick)
		want = float64(n)
	case "took":
		var buckets map[int32]uint64
		buckets, want, seen = w.ref.histogram(q, g.Key(), tick)
		if q.Aggregate != "sum" {
			want = quantile(0.9, buckets)
		}
	}
	switch {
	case !seen:
		if got.Status != Unseen {
			w.t.Errorf("tick %d: status of %v of %q = %v, want unseen", tick, q, g.Key(), got.Status)
		}
	case math.IsNaN(want):
		if got.Status != Missing || !math.IsNaN(got.V) {
			w.t.Errorf("tick %d: %v of %q = %v (%v), want it missing", tick, q, g.Key(), got.V, got.Status)
		}
	case got.Status != OK || math.Abs(got.V-want) > math.Abs(want)*0x1p-52:
		w.t.Errorf("tick %d: %v of %q = %v (%v), want %v", tick, q, g.Key(), got.V, got.Status, want)
	}
}

func quantile(q float64, buckets map[int32]uint64) float64 {
	var list []bucket.HistBucket
	for i := int32(-100); i < 100; i++ {
		if n := buckets[i]; n > 0 {
			list = append(list, bucket.HistBucket{Index: i, Count: n})
		}
	}
	return series.Quantile(q, list)
}

// lone is an engine with one writer, for tables.
type lone struct {
	*Engine
	writer store.ID
}

func newLone(width time.Duration, texts ...string) *lone {
	l := &lone{New(width, testRetention, 60), store.NewID()}
	for i, text := range texts {
		l.Learn(uint64(i+1), text)
	}
	return l
}

func (l *lone) count(tick, n int64) {
	l.Advance(tick)
	l.Take(tick, l.writer, &bucket.Bucket{Counters: []bucket.Counter{{ID: 1, Delta: n * bucket.Unit}}})
}

func TestAggregatesByKind(t *testing.T) {
	t.Parallel()
	hist := func(values ...float64) *bucket.Bucket {
		h := bucket.Histogram{ID: 1}
		for _, v := range values {
			h.Sum += v
			h.Buckets = append(h.Buckets, bucket.HistBucket{Index: series.HistIndex(v), Count: 1})
		}
		return &bucket.Bucket{Histograms: []bucket.Histogram{h}}
	}
	counts := func(n int64) *bucket.Bucket {
		return &bucket.Bucket{Counters: []bucket.Counter{{ID: 1, Delta: n * bucket.Unit}}}
	}
	level := func(v float64) *bucket.Bucket {
		return &bucket.Bucket{Gauges: []bucket.Gauge{{ID: 1, Value: v}}}
	}
	values := func(h ...uint64) *bucket.Bucket { return &bucket.Bucket{Sets: []bucket.Set{{ID: 1, Hashes: h}}} }
	tests := []struct {
		kind      series.Kind
		aggregate Aggregate
		want      float64
		missing   bool
	}{
		{series.KindCounter, "", 9, false},
		{series.KindCounter, "sum", 9, false},
		{series.KindCounter, "count", 9, false},
		{series.KindCounter, "change", 9, false},
		{series.KindCounter, "rate", 0.9, false},
		{series.KindCounter, "avg", 0.9, false},
		{series.KindCounter, "min", 2, false},
		{series.KindCounter, "max", 4, false},
		{series.KindCounter, "last", 4, false},
		{series.KindCounter, "p99", 0, true},
		{series.KindCounter, "median", 0, true},
		{series.KindGauge, "", 8, false},
		{series.KindGauge, "last", 8, false},
		{series.KindGauge, "sum", 8, false},
		{series.KindGauge, "min", 2, false},
		{series.KindGauge, "max", 8, false},
		{series.KindGauge, "avg", 5, false},
		{series.KindGauge, "change", 6, false},
		{series.KindGauge, "rate", 0.6, false},
		{series.KindGauge, "count", 1, false},
		{series.KindGauge, "p50", 0, true},
		{series.KindHistogram, "", 4.0625, false},
		{series.KindHistogram, "p50", 2.03125, false},
		{series.KindHistogram, "sum", 7, false},
		{series.KindHistogram, "count", 3, false},
		{series.KindHistogram, "rate", 0.3, false},
		{series.KindHistogram, "avg", 7.0 / 3, false},
		{series.KindHistogram, "min", 1, false},
		{series.KindHistogram, "max", 4.125, false},
		{series.KindHistogram, "last", 4, false},
		{series.KindHistogram, "change", 2.5, false},
		{series.KindHistogram, Under(2.5), 2, false},
		{series.KindSet, "", 3, false},
		{series.KindSet, "count", 3, false},
		{series.KindSet, "rate", 0.3, false},
		{series.KindSet, "p99", 0, true},
	}
	for _, test := range tests {
		l := newLone(time.Second, series.Canonical(test.kind, "m", nil))
		h := l.Register(Query{Selector: Selector{Metric: "m"}, Aggregate: test.aggregate, Window: 10 * time.Second})
		buckets := map[series.Kind][]*bucket.Bucket{
			series.KindCounter:   {counts(2), counts(3), counts(4)},
			series.KindGauge:     {level(2), level(5), level(8)},
			series.KindHistogram: {hist(1, 2), {}, hist(4)},
			series.KindSet:       {values(1, 2), values(2), values(3)},
		}[test.kind]
		for i, b := range buckets {
			l.Advance(int64(100 + i))
			l.Take(int64(100+i), l.writer, b)
		}
		v := l.Value(h, l.Group(h, ""))
		switch {
		case test.missing && (v.Status != Missing || !math.IsNaN(v.V)):
			t.Errorf("%q of a %v = %v (status %v), want it missing", test.aggregate, test.kind, v.V, v.Status)
		case !test.missing && (v.Status != OK || math.Abs(v.V-test.want) > 1e-9):
			t.Errorf("%q of a %v = %v (status %v), want %v", test.aggregate, test.kind, v.V, v.Status, test.want)
		}
	}
}

func TestEmptyWindows(t *testing.T) {
	t.Parallel()
	tests := []struct {
		kind      series.Kind
		aggregate Aggregate
		want      float64
		missing   bool
	}{
		{series.KindCounter, "", 0, false},
		{series.KindCounter, "rate", 0, false},
		{series.KindCounter, "max", 0, false},
		{series.KindHistogram, "count", 0, false},
		{series.KindHistogram, "p99", 0, true},
		{series.KindHistogram, "avg", 0, true},
		{series.KindHistogram, "last", 0, true},
		{series.KindSet, "", 0, false},
		{series.KindGauge, "", 0, true},
		{series.KindGauge, "max", 0, true},
	}
	for _, test := range tests {
		l := newLone(time.Second, series.Canonical(test.kind, "m", nil))
		h := l.Register(Query{Selector: Selector{Metric: "m"}, Aggregate: test.aggregate, Window: 5 * time.Second})
		g := l.Group(h, "")
		if v := l.Value(h, g); v.Status != Unseen {
			t.Errorf("%q of a %v before the first sample: status %v, want unseen", test.aggregate, test.kind, v.Status)
		}
		l.Advance(100)
		l.Take(100, l.writer, &bucket.Bucket{
			Counters:   only(test.kind, series.KindCounter, bucket.Counter{ID: 1, Delta: 5}),
			Gauges:     only(test.kind, series.KindGauge, bucket.Gauge{ID: 1, Value: 5}),
			Histograms: only(test.kind, series.KindHistogram, bucket.Histogram{ID: 1, Sum: 5, Buckets: []bucket.HistBucket{{Index: 7, Count: 1}}}),
			Sets:       only(test.kind, series.KindSet, bucket.Set{ID: 1, Hashes: []uint64{7}}),
		})
		for tick := int64(101); tick < 130; tick++ {
			l.Advance(tick)
		}
		v := l.Value(h, g)
		if wantStatus := map[bool]Status{true: Missing, false: OK}[test.missing]; v.Status != wantStatus {
			t.Errorf("%q of a %v after the window: status %v, want %v", test.aggregate, test.kind, v.Status, wantStatus)
		} else if !test.missing && v.V != test.want {
			t.Errorf("%q of a %v after the window = %v, want %v", test.aggregate, test.kind, v.V, test.want)
		}
	}
}

func only[T any](kind, is series.Kind, v T) []T {
	if kind == is {
		return []T{v}
	}
	return nil
}

func TestNameInSeveralKindsIsAmbiguous(t *testing.T) {
	t.Parallel()
	l := newLone(time.Second, "c|m", "g|m")
	any := l.Register(Query{Selector: Selector{Metric: "m"}, Window: time.Minute})
	gauge := l.Register(Query{Selector: Selector{Metric: "m", HasKind: true, Kind: series.KindGauge}, Window: time.Minute})
	l.Advance(10)
	l.Take(10, l.writer, &bucket.Bucket{
		Counters: []bucket.Counter{{ID: 1, Delta: bucket.Unit}},
		Gauges:   []bucket.Gauge{{ID: 2, Value: 7}},
	})
	if v := l.Value(any, l.Group(any, "")); v.Status != Ambiguous {
		t.Errorf("status without a kind = %v, want ambiguous", v.Status)
	}
	if v := l.Value(gauge, l.Group(gauge, "")); v.Status != OK || v.V != 7 {
		t.Errorf("value with a kind = %v (%v), want 7", v.V, v.Status)
	}
	if kinds := l.Kinds("m"); len(kinds) != 2 {
		t.Errorf("Kinds(m) = %v, want counter and gauge", kinds)
	}
	if kinds := l.Kinds("typo"); kinds != nil {
		t.Errorf("Kinds(typo) = %v, want none", kinds)
	}
}

func TestEqualQueriesShareAHandle(t *testing.T) {
	t.Parallel()
	l := newLone(time.Second, "c|m")
	q := Query{Selector: Selector{Metric: "m", By: []string{"a"}}, Window: time.Minute, Aggregate: "sum"}
	first, second := l.Register(q), l.Register(q)
	if first != second {
		t.Errorf("Register twice = %d, %d, want the same", first, second)
	}
	q.Aggregate = "rate"
	if other := l.Register(q); other == first {
		t.Errorf("Register with another aggregate = %d, want another handle", other)
	}
	if n := len(l.tracks); n != 1 {
		t.Errorf("two aggregates of one window have %d tracks, want 1", n)
	}
	l.Release(first)
	l.count(10, 3)
	if v := l.Value(second, l.Groups(second)[0]); v.V != 3 {
		t.Errorf("value after one of two releases = %v, want 3", v.V)
	}
	l.Release(second)
	if refs := l.Changed(nil); len(refs) != 1 {
		t.Errorf("after the release %d handles changed, want the other aggregate's alone", len(refs))
	}
}

func TestGapsAreCountedInTheWindow(t *testing.T) {
	t.Parallel()
	l := newLone(time.Second, "c|m")
	h := l.Register(Query{Selector: Selector{Metric: "m"}, Window: 10 * time.Second})
	l.count(100, 1)
	l.MarkUnknown(80, 95)
	l.MarkPartial(99)
	l.MarkPartial(94)
	check := func(partial, unknown, last int64) {
		t.Helper()
		v := l.Value(h, l.Group(h, ""))
		if v.Partial != partial || v.Unknown != unknown || v.LastUnknown != last {
			t.Errorf("tick %d: partial %d, unknown %d, last unknown %d, want %d, %d, %d",
				l.Now(), v.Partial, v.Unknown, v.LastUnknown, partial, unknown, last)
		}
	}
	check(2, 4, 95) // 91..100: unknown 91 92 93 95, partial 94 99
	l.MarkComplete(94)
	check(1, 4, 95)
	l.Advance(104)
	check(1, 1, 95)
	l.MarkComplete(99)
	l.Advance(105)
	check(0, 0, 0)
}

func TestForgottenGroupComesBackEmpty(t *testing.T) {
	t.Parallel()
	l := newLone(time.Second, "c|m|a=x")
	h := l.Register(Query{Selector: Selector{Metric: "m", By: []string{"a"}}, Window: time.Minute})
	l.count(10, 3)
	old := l.Groups(h)[0]
	l.Forget(h, old)
	if n := len(l.Groups(h)); n != 0 {
		t.Errorf("after Forget there are %d groups, want 0", n)
	}
	b := &bucket.Bucket{Counters: []bucket.Counter{{ID: 1, Delta: bucket.Unit}}}
	if l.Take(10, l.writer, b) {
		t.Error("Take after Forget = true, want the series to be learned again")
	}
	l.Learn(1, "c|m|a=x")
	l.Take(10, l.writer, b)
	if v := l.Value(h, l.Groups(h)[0]); v.V != 1 {
		t.Errorf("the group that came back has %v, want 1", v.V)
	}
}

func TestLateSamplesAreToldApart(t *testing.T) {
	t.Parallel()
	l := newLone(time.Second, "c|m")
	h := l.Register(Query{Selector: Selector{Metric: "m"}, Window: 10 * time.Second})
	l.count(100, 1)
	l.Evaluated(100)
	l.Changed(nil)
	if refs := l.ChangedLate(nil); len(refs) != 0 {
		t.Errorf("ChangedLate = %v before anything was late", refs)
	}
	l.Take(100, store.NewID(), &bucket.Bucket{Counters: []bucket.Counter{{ID: 1, Delta: 4 * bucket.Unit}}})
	if refs := l.ChangedLate(nil); len(refs) != 1 || refs[0].Handle != h {
		t.Errorf("ChangedLate = %v, want the query", refs)
	}
	l.Advance(115)
	if v := l.Value(h, l.Group(h, "")); v.V != 0 {
		t.Errorf("value at 115 = %v, want 0", v.V)
	}
	if v, ok := l.ValueAt(h, l.Group(h, ""), 105); !ok || v.V != 5 {
		t.Errorf("ValueAt(105) = %v, %v, want 5", v.V, ok)
	}
	if _, ok := l.ValueAt(h, l.Group(h, ""), 40); ok {
		t.Error("ValueAt(40) is said to be known, behind the margin")
	}
}

// What gauges were is known from the first tick on of which something is
// missing, until that is long over.
func TestLateGaugeIsKnownWhereItWasTheLatest(t *testing.T) {
	t.Parallel()
	l := newLone(time.Second, "g|depth")
	h := l.Register(Query{Selector: Selector{Metric: "depth"}, Window: time.Minute})
	over := l.Register(Query{Selector: Selector{Metric: "depth"}, Window: time.Minute, Aggregate: "max"})
	g := l.Group(h, "")
	set := func(tick int64, writer byte, v float64) {
		l.Advance(tick)
		if !l.Take(tick, store.ID{writer}, &bucket.Bucket{Gauges: []bucket.Gauge{{ID: 1, Value: v}}}) {
			t.Fatalf("Take(%d) = false", tick)
		}
	}
	for tick := int64(100); tick < 110; tick++ {
		set(tick, 1, float64(tick))
		set(tick, 2, 1000)
		l.Evaluated(tick)
	}
	for tick := int64(110); tick < 115; tick++ { // the second writer's are missing
		set(tick, 1, float64(tick))
		l.MarkPartial(tick)
		l.Evaluated(tick)
	}
	set(115, 1, 115)
	set(115, 2, 1)
	l.ChangedLate(nil)
	set(112, 2, 5000)
	if v := l.Value(h, g); v.V != 116 {
		t.Errorf("Value = %v after a late sample, want 116", v.V)
	}
	if refs := l.ChangedLate(nil); len(refs) != 2 {
		t.Errorf("ChangedLate = %v, want both queries", refs)
	}
	for tick, want := range map[int64]float64{110: 1110, 111: 1111, 112: 5112, 114: 5114, 115: 116} {
		if v, ok := l.ValueAt(h, g, tick); !ok || v.V != want {
			t.Errorf("ValueAt(%d) = %v, %v, want %v", tick, v.V, ok, want)
		}
	}
	for _, tick := range []int64{100, 108} {
		if v, ok := l.ValueAt(h, g, tick); ok {
			t.Errorf("ValueAt(%d) = %v, want it not known: nothing was missing then", tick, v.V)
		}
	}
	if v, ok := l.ValueAt(over, g, 112); ok {
		t.Errorf("ValueAt(112) of the greatest value = %v, want it not known", v.V)
	}
	for tick := int64(116); tick < 300; tick++ {
		set(tick, 1, 1)
	}
	if l.recall.kept != 0 || len(g.gauge.older) != 0 {
		t.Errorf("%d older readings are kept though nothing is missing, want none", l.recall.kept)
	}
}

func TestParseAggregate(t *testing.T) {
	t.Parallel()
	tests := []struct {
		in Aggregate
		op op
		q  float64
	}{
		{"p99.9", opQuantile, 0.999}, {"p50", opQuantile, 0.5}, {"", opDefault, 0}, {Under(0.3), opUnder, 0.3},
		{"p0", opNone, 0}, {"p100", opNone, 0}, {"p", opNone, 0}, {"pNaN", opNone, 0}, {"Sum", opNone, 0}, {"underx", opNone, 0},
	}
	for _, test := range tests {
		if op, q := test.in.parse(); op != test.op || q != test.q {
			t.Errorf("parse(%q) = %v, %v, want %v, %v", test.in, op, q, test.op, test.q)
		}
	}
}
