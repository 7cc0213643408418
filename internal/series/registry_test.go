package series

import (
	"fmt"
	"math"
	"math/rand/v2"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/go-batteries/hawkeye/internal/bucket"
	"github.com/go-batteries/hawkeye/store"
)

func TestOneSeriesHoweverItIsSpelled(t *testing.T) {
	t.Parallel()
	r := New(Limits{})
	want := r.Counter("n", Tag{"a", "1"}, Tag{"b", "2"}, Tag{"c", ""})
	for _, tt := range []struct {
		what string
		got  *Counter
	}{
		{"another order", r.Counter("n", Tag{"c", ""}, Tag{"a", "1"}, Tag{"b", "2"})},
		{"a tag twice", r.Counter("n", Tag{"b", "2"}, Tag{"a", "1"}, Tag{"c", ""}, Tag{"a", "1"})},
		{"a tag without key", r.Counter("n", Tag{"", "x"}, Tag{"b", "2"}, Tag{"a", "1"}, Tag{"c", ""})},
		{"control characters", r.Counter("\x00n", Tag{"a", "1\n"}, Tag{"b", "2"}, Tag{"c", ""})},
		{"from the wire", r.CounterBytes([]byte("n"), []byte("a:1,b:2,c"))},
		{"from the wire, another order", r.CounterBytes([]byte("n"), []byte("c:,b:2,a:1"))},
		{"from the wire, empty tags", r.CounterBytes([]byte("n"), []byte(",c,,b:2,a:1,"))},
		{"again", r.Counter("n", Tag{"c", ""}, Tag{"a", "1"}, Tag{"b", "2"})},
		{"from the wire again", r.CounterBytes([]byte("n"), []byte("c:,b:2,a:1"))},
	} {
		if tt.got != want {
			t.Errorf("%s: the handle is another one", tt.what)
		}
	}
	if got := r.Stats().Series; got != 1 {
		t.Errorf("Stats().Series = %d, want 1", got)
	}
}

func TestDifferentSeriesStayApart(t *testing.T) {
	t.Parallel()
	r := New(Limits{})
	long := strings.Repeat("x", 300)
	handles := []*Counter{
		r.Counter("n"),
		r.Counter("n", Tag{"a", "1"}),
		r.Counter("n", Tag{"a", ""}),
		r.Counter("n", Tag{"a1", ""}),
		r.Counter("n", Tag{"a", "1"}, Tag{"a", "2"}),
		r.Counter("n|a=1"),
		r.Counter("n", Tag{"a=1", ""}),
		r.Counter("n", Tag{"a", "=1"}),
		r.Counter("n\x01a"),
		r.Counter("na", Tag{"1", ""}),
		r.Counter("a", Tag{"n", "1"}),
		r.Counter(long + "1"),
		r.Counter(long + "2"),
		r.CounterBytes([]byte("n"), []byte("a:1:2")),
		r.CounterBytes([]byte("n"), []byte("a:1|2")),
		r.CounterBytes([]byte("na:1"), nil),
	}
	handles[8] = r.Counter("nb")
	for i, a := range handles {
		for j, b := range handles[:i] {
			if a == b {
				t.Errorf("handles %d and %d are the same", i, j)
			}
		}
	}
	if r.Histogram("n").cell == r.Gauge("n").cell {
		t.Error("two kinds of one name share a cell")
	}
}

// TestLookupMatchesReference looks up random spellings and compares with a map
// from what they mean.
func TestLookupMatchesReference(t *testing.T) {
	t.Parallel()
	rng := rand.New(rand.NewPCG(13, 14))
	r := New(Limits{MaxSeries: 100_000})
	reference := map[string]*Counter{}
	pool := []string{"", "a", "b", "route", "/x", "0123456", "01234567", "012345678", "0123456789abcdef", "0123456789abcdefg", strings.Repeat("y", 40), strings.Repeat("y", 39) + "z"}
	pick := func() string { return pool[rng.IntN(len(pool))] }
	for range 30_000 {
		name := pool[1+rng.IntN(len(pool)-1)]
		var tags, clean []Tag
		for range rng.IntN(4) {
			tag := Tag{pick(), pick()}
			tags = append(tags, tag)
			if tag.Key != "" {
				clean = append(clean, tag)
			}
		}
		want := Canonical(KindCounter, name, clean)
		got := r.Counter(name, tags...)
		if rng.IntN(2) == 0 {
			var raw []string
			for _, tag := range tags {
				raw = append(raw, tag.Key+":"+tag.Value)
			}
			got = r.CounterBytes([]byte(name), []byte(strings.Join(raw, ",")))
		}
		if text := canonicalText(got.series.text); text != want {
			t.Fatalf("Counter(%q, %v) is %q, want %q", name, tags, text, want)
		}
		if old := reference[want]; old != nil && old != got {
			t.Fatalf("Counter(%q, %v) is not the handle of before", name, tags)
		}
		reference[want] = got
	}
	if got := r.Stats().Series; got != len(reference) {
		t.Errorf("Stats().Series = %d, want %d", got, len(reference))
	}
}

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

func TestOverflowFindsRoomAfterIdleDrop(t *testing.T) {
	t.Parallel()
	r := New(Limits{MaxSeries: 10})
	for i := range 11 {
		r.Count("n", 1, []Tag{{"i", fmt.Sprint(i)}})
	}
	collected(t, r)
	r.DropIdle(0)
	r.Count("n", 1, []Tag{{"i", "10"}})
	if got := collected(t, r); got["c|n|i=10"] != bucket.Unit {
		t.Errorf("Collect = %v, want n|i=10 as a series of its own", got)
	}
}

func TestAliasesAreBounded(t *testing.T) {
	t.Parallel()
	r := New(Limits{MaxSeries: 10})
	c := r.Counter("n", Tag{"a", "1"})
	for i := range 1000 {
		if got := r.CounterBytes([]byte("n"), []byte("a:1"+strings.Repeat(",", i))); got != c {
			t.Fatalf("spelling %d is another series", i)
		}
	}
	if r.aliases > 20 {
		t.Errorf("%d aliases, want at most 20", r.aliases)
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

func TestNamesSinceACursor(t *testing.T) {
	t.Parallel()
	r := New(Limits{})
	texts := func(names []store.Name) (texts []string) {
		for _, n := range names {
			texts = append(texts, n.Text)
		}
		slices.Sort(texts)
		return texts
	}
	r.Counter("a")
	names, first := r.Names(0)
	if diff := cmp.Diff([]string{"c|a"}, texts(names)); diff != "" {
		t.Errorf("Names(0) (-want +got):\n%s", diff)
	}
	r.Gauge("b", Tag{"k", "v"})
	for range 2 { // the same cursor again, because the names did not arrive
		if names, _ = r.Names(first); !slices.Equal(texts(names), []string{"g|b|k=v"}) {
			t.Errorf("Names(%d) = %v, want b", first, names)
		}
	}
	_, second := r.Names(first)
	if names, _ = r.Names(second); names != nil {
		t.Errorf("Names(%d) = %v, want nothing", second, names)
	}
	if names, _ = r.Names(0); !slices.Equal(texts(names), []string{"c|a", "g|b|k=v"}) {
		t.Errorf("Names(0) = %v, want all", names)
	}
	if names, _ = r.Names(math.MaxInt); len(names) != 2 {
		t.Errorf("Names of a cursor that never was = %v, want all", names)
	}
}

func TestNamesForgetsWhenNobodyAsks(t *testing.T) {
	t.Parallel()
	r := New(Limits{MaxSeries: 1000})
	var handles []*Counter
	for i := range 1000 {
		handles = append(handles, r.Counter("n", Tag{"i", fmt.Sprint(i)}))
	}
	for range 5 { // each series appears again and again
		r.DropIdle(0)
		for i := range handles {
			r.Counter("n", Tag{"i", fmt.Sprint(i)})
		}
	}
	if got, most := len(r.names.refs), 2*r.index.used+minTableSlots; got > most {
		t.Errorf("the log has %d names, want at most %d", got, most)
	}
	if names, _ := r.Names(1); len(names) != 1000 {
		t.Errorf("Names of a forgotten cursor has %d names, want all 1000", len(names))
	}
	runtime.KeepAlive(handles)
}

func TestSaltGivesAnotherIDForGood(t *testing.T) {
	t.Parallel()
	r := New(Limits{})
	r.Counter("other")
	r.Count("n", 1, nil)
	var b bucket.Bucket
	r.Collect(&b, false)
	old := b.Counters[0].ID
	_, cursor := r.Names(0)
	salted, ok := r.Salt(old)
	if !ok || salted == old {
		t.Fatalf("Salt(%#x) = %#x, %v, want another id", old, salted, ok)
	}
	if _, ok := r.Salt(old); ok {
		t.Error("Salt of an id that is gone: true, want false")
	}
	want := []store.Name{{ID: salted, Text: "c|n"}}
	if names, _ := r.Names(cursor); !slices.Equal(names, want) || !slices.Equal(r.NamesOf([]uint64{old, salted}), want) {
		t.Errorf("Names = %v, NamesOf = %v, want %v", names, r.NamesOf([]uint64{old, salted}), want)
	}
	r.DropIdle(0)
	r.Count("n", 1, nil)
	if r.Collect(&b, false); len(b.Counters) != 1 || b.Counters[0].ID != salted {
		t.Errorf("Collect after the drop = %v, want id %#x", b.Counters, salted)
	}
}

func TestIDIsTheSameInEveryProcess(t *testing.T) {
	t.Parallel()
	// The first 8 bytes of SHA-256("c|n"), little-endian.
	const want = 0xfbc795519881186b
	for range 2 {
		r := New(Limits{})
		r.Counter("n")
		if names, _ := r.Names(0); names[0].ID != want {
			t.Errorf("id of c|n = %#x, want %#x", names[0].ID, uint64(want))
		}
	}
}

func TestIdleSeriesAreDroppedAndComeBack(t *testing.T) {
	t.Parallel()
	r := New(Limits{})
	c, h, s, g := r.Counter("c"), r.Histogram("h"), r.Set("s"), r.Gauge("g")
	record := func() {
		c.Inc()
		h.Observe(1)
		s.AddString("x")
		g.Set(1)
	}
	record()
	if got := r.DropIdle(0); got != 0 {
		t.Errorf("DropIdle before Collect dropped %d, want 0: nothing was collected yet", got)
	}
	var first, again bucket.Bucket
	r.Collect(&first, false)
	if got := r.DropIdle(1); got != 0 {
		t.Errorf("DropIdle(1) dropped %d of what grew in the last Collect, want 0", got)
	}
	r.Collect(&again, false)
	if got := r.DropIdle(2); got != 0 {
		t.Errorf("DropIdle(2) dropped %d, want 0", got)
	}
	if got := r.DropIdle(1); got != 3 {
		t.Errorf("DropIdle(1) dropped %d, want 3", got)
	}
	if got := r.Stats().Series; got != 1 {
		t.Errorf("Series = %d, want the gauge alone", got)
	}
	_, cursor := r.Names(0)
	record()
	r.Collect(&again, true)
	if diff := cmp.Diff(first.Counters, again.Counters); diff != "" {
		t.Errorf("counters by a handle that was dropped (-first +again):\n%s", diff)
	}
	if diff := cmp.Diff(first.Histograms, again.Histograms); diff != "" {
		t.Errorf("histograms by a handle that was dropped (-first +again):\n%s", diff)
	}
	if diff := cmp.Diff(first.Sets, again.Sets); diff != "" {
		t.Errorf("sets by a handle that was dropped (-first +again):\n%s", diff)
	}
	if got := r.Stats().Series; got != 4 {
		t.Errorf("Series = %d, want 4 again", got)
	}
	if names, _ := r.Names(cursor); len(names) != 3 {
		t.Errorf("Names = %v, want the 3 that came back", names)
	}
	if r.Counter("c") != c {
		t.Error("the name of a series that came back has another handle")
	}
}

func TestDroppedSeriesComeBackByNameWithTheSameHandle(t *testing.T) {
	t.Parallel()
	r := New(Limits{})
	c := r.Counter("c")
	r.DropIdle(0)
	if got := r.Counter("c"); got != c {
		t.Error("the handle is another one, while the first is still held")
	}
	runtime.KeepAlive(c)
}

func TestSlotsOfUnreachableSeriesAreUsedAgain(t *testing.T) {
	t.Parallel()
	r := New(Limits{MaxSeries: 1000})
	kept := r.Counter("kept")
	for round := range 20 {
		for i := range 500 {
			r.Count("n", 1, []Tag{{"i", fmt.Sprint(round, i)}})
			r.Observe("h", 1, []Tag{{"i", fmt.Sprint(round, i%50)}})
		}
		kept.Inc()
		if got := collected(t, r); len(got) != 501 {
			t.Fatalf("round %d: %d counters, want 501", round, len(got))
		}
		r.DropIdle(0)
		runtime.GC()
		r.DropIdle(0)
	}
	if got := len(r.columns[KindCounter].ids); got > 1500 {
		t.Errorf("%d slots for 501 series at a time, want them to be used again", got)
	}
	if got := len(r.hists); got > 150 {
		t.Errorf("%d histograms for 50 at a time, want them to be used again", got)
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

func TestConcurrentLookupsMakeOneSeries(t *testing.T) {
	t.Parallel()
	r := New(Limits{MaxSeries: 5000})
	var workers sync.WaitGroup
	for range 8 {
		workers.Go(func() {
			for i := range 2000 {
				r.Count("n", 1, []Tag{{"b", "x"}, {"a", fmt.Sprint(i)}})
				r.CounterBytes([]byte("n"), fmt.Appendf(nil, "a:%d,b:x", i)).Inc()
			}
		})
	}
	workers.Wait()
	deltas := collected(t, r)
	for text, delta := range deltas {
		if delta != 16*bucket.Unit {
			t.Fatalf("Collect(%q) = %d, want 16", text, delta)
		}
	}
	if len(deltas) != 2000 || r.Stats().Series != 2000 {
		t.Errorf("%d deltas, %d series, want 2000", len(deltas), r.Stats().Series)
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
