package series

import (
	"fmt"
	"runtime"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/go-batteries/hawkeye/internal/bucket"
)

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
