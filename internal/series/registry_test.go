package series

import (
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/go-batteries/hawkeye/internal/bucket"
)

func TestOverflow(t *testing.T) {
	t.Parallel()
	r := New(Limits{MaxSeries: 20})
	for i := range 20 {
		r.Count("in", 1, []Tag{{"i", fmt.Sprint(i)}})
	}
	for i := range 5 {
		r.Count("in", 1, []Tag{{"i", fmt.Sprint(100 + i)}})
		r.CounterBytes([]byte("wire"), fmt.Appendf(nil, "i:%d", i)).Inc()
		r.Count(fmt.Sprintf("late%d", i), 1, nil)
	}
	r.Count("in", 1, []Tag{{"i", "7"}}) // is in it
	deltas := collected(t, r)
	want := map[string]int64{
		"c|in|i=7":                         2 * bucket.Unit,
		"c|in|__overflow__=true":           5 * bucket.Unit,
		"c|wire|__overflow__=true":         5 * bucket.Unit,
		"c|__overflow__|__overflow__=true": 5 * bucket.Unit,
		"c|in|i=0":                         bucket.Unit,
	}
	for text, delta := range want {
		if deltas[text] != delta {
			t.Errorf("Collect(%q) = %d, want %d", text, deltas[text], delta)
		}
	}
	stats := r.Stats()
	if stats.Series != 20 || stats.OverflowSeries != 3 || stats.Overflowed != 15 {
		t.Errorf("Stats = %+v, want 20 series, 3 overflow series, 15 overflowed", stats)
	}
}

func TestTooManyTagsOverflow(t *testing.T) {
	t.Parallel()
	r := New(Limits{})
	var tags []Tag
	for i := range 65 {
		tags = append(tags, Tag{fmt.Sprintf("k%02d", i), "v"})
	}
	r.Count("n", 1, tags)
	r.Count("n", 1, append(tags[:64:64], tags[0])) // 64 different ones
	want := map[string]int64{"c|n|__overflow__=true": bucket.Unit, Canonical(KindCounter, "n", tags[:64]): bucket.Unit}
	if diff := cmp.Diff(want, collected(t, r)); diff != "" {
		t.Errorf("Collect (-want +got):\n%s", diff)
	}
}

func TestOverflowTagAmongOthersIsATagLikeAnother(t *testing.T) {
	t.Parallel()
	r := New(Limits{})
	r.Count("n", 1, []Tag{{"A", "1"}, overflowTag})
	if got := r.Stats(); got.Series != 1 || got.OverflowSeries != 0 {
		t.Errorf("Stats = %+v, want 1 series, no overflow series", got)
	}
	collected(t, r)
	r.DropIdle(0)
	if got := r.Stats(); got.Series != 0 || got.OverflowSeries != 0 {
		t.Errorf("Stats after the drop = %+v, want none", got)
	}
}

func TestOverflowTagGivenByCallersIsBoundedToo(t *testing.T) {
	t.Parallel()
	r := New(Limits{MaxSeries: 20})
	for i := range 100 {
		r.Count(fmt.Sprintf("n%d", i), 1, []Tag{overflowTag})
	}
	if got := r.Stats().OverflowSeries; got > 3 {
		t.Errorf("OverflowSeries = %d, want at most 3", got)
	}
}

func TestEmptyNamesAreRejected(t *testing.T) {
	t.Parallel()
	r := New(Limits{})
	if c := r.Counter("", Tag{"a", "1"}); c != nil {
		t.Errorf("Counter(\"\") = %v, want nil", c)
	}
	r.Count("\x01", 1, nil)
	r.GaugeBytes(nil, []byte("a:1")).Set(1)
	if got := r.Stats(); got.RejectedNames != 3 || got.Series != 0 {
		t.Errorf("Stats = %+v, want 3 rejected names, no series", got)
	}
}

func TestNilRegistryAndHandlesDoNothing(t *testing.T) {
	t.Parallel()
	var r *Registry
	r.Counter("n").Inc()
	r.Counter("n").Add(1)
	r.CounterBytes(nil, nil).AddFloat(1)
	r.Gauge("n").Set(1)
	r.GaugeBytes(nil, nil).Add(1)
	r.Histogram("n").Observe(1)
	r.HistogramBytes(nil, nil).ObserveN(1, 2)
	r.Set("n").AddString("x")
	r.SetBytes(nil, nil).AddBytes([]byte("x"))
	r.Count("n", 1, nil)
	r.Observe("n", 1, nil)
	names, next := r.Names(0)
	_, salted := r.Salt(1)
	b := bucket.Bucket{Counters: []bucket.Counter{{ID: 1}}}
	r.Collect(&b, true)
	if len(b.Counters) != 0 || names != nil || next != 0 || salted || r.NamesOf([]uint64{1}) != nil ||
		r.DropIdle(0) != 0 || r.Pending() != 0 || r.Stats() != (Stats{}) {
		t.Error("a nil Registry has something")
	}
}

func TestPending(t *testing.T) {
	t.Parallel()
	r := New(Limits{})
	r.Counter("idle")
	r.Count("c", 5, nil)
	r.Count("down", -3, nil)
	r.Count("fraction", 0.25, nil)
	r.SetGauge("g", 7, nil)
	r.Histogram("h").ObserveN(1, 4)
	r.Histogram("h").Observe(-1)
	r.AddToSet("s", "x", nil)
	for range 2 {
		if got := r.Pending(); got != 5+3+1+1+5+1 {
			t.Errorf("Pending = %d, want 16", got)
		}
	}
	var b bucket.Bucket
	r.Collect(&b, false)
	if got := r.Pending(); got != 0 {
		t.Errorf("Pending after Collect = %d, want 0", got)
	}
}

func TestHotPathDoesNotAllocate(t *testing.T) {
	r := New(Limits{})
	tags := []Tag{{"route", "/api/orders/:id"}, {"method", "GET"}, {"status", "2xx"}}
	name, raw, value := []byte("n"), []byte("method:GET,route:/api/orders/:id,status:2xx"), []byte("alice")
	c, g, h, s := r.Counter("n", tags...), r.Gauge("n", tags...), r.Histogram("n", tags...), r.Set("n", tags...)
	var b bucket.Bucket
	for what, do := range map[string]func(){
		"Counter.Inc":                  func() { c.Inc() },
		"Counter.Add":                  func() { c.Add(1 << 20) },
		"Counter.AddFloat":             func() { c.AddFloat(0.5) },
		"Gauge.Set":                    func() { g.Set(1) },
		"Gauge.Add":                    func() { g.Add(1) },
		"Histogram.Observe":            func() { h.Observe(0.25) },
		"Set.AddString":                func() { s.AddString("alice") },
		"Set.AddBytes":                 func() { s.AddBytes(value) },
		"Count by name":                func() { r.Count("n", 1, tags) },
		"Observe by name":              func() { r.Observe("n", 0.25, tags) },
		"Counter, tags in the call":    func() { r.Counter("n", Tag{"status", "2xx"}, Tag{"method", "GET"}).Inc() },
		"CounterBytes":                 func() { r.CounterBytes(name, raw).Inc() },
		"HistogramBytes":               func() { r.HistogramBytes(name, raw).ObserveN(0.25, 2) },
		"record all kinds and Collect": func() { c.Inc(); g.Add(1); h.Observe(0.25); s.AddString("a"); r.Collect(&b, false) },
	} {
		do()
		if got := testing.AllocsPerRun(100, do); got != 0 {
			t.Errorf("%s: %g allocations, want 0", what, got)
		}
	}
}
