package feed

import (
	"maps"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/go-batteries/hawkeye/store"
)

// of returns the runs of a writer.
func (r *Runs) of(id store.ID) (runs []Run) {
	for _, n := range r.writers[id] {
		runs = append(runs, n.Run)
	}
	return runs
}

func TestRunsOfWhatIsRead(t *testing.T) {
	t.Parallel()
	w := store.ID{1}
	for _, c := range []struct {
		name  string
		ticks []int64
		final int64
		want  []Run
	}{
		{"in order", []int64{5, 6, 7}, 0, []Run{{From: 5, To: 7}}},
		{"in any order", []int64{7, 5, 6}, 0, []Run{{From: 5, To: 7}}},
		{"a break of ten ticks", []int64{5, 16}, 0, []Run{{From: 5, To: 16}}},
		{"a break of eleven", []int64{5, 17}, 0, []Run{{From: 5, To: 5}, {From: 17, To: 17}}},
		{"the one before comes later", []int64{17, 5}, 0, []Run{{From: 5, To: 5}, {From: 17, To: 17}}},
		{"what comes late is added to the run before it", []int64{5, 30, 8}, 0, []Run{{From: 5, To: 8}, {From: 30, To: 30}}},
		{"a goodbye", []int64{5, 6}, 7, []Run{{From: 5, To: 7, Final: true}}},
		{"a goodbye that is read first", []int64{5}, 4, []Run{{From: 4, To: 5}}},
	} {
		r := NewRuns(0, none)
		if c.final != 0 && c.name == "a goodbye that is read first" {
			r.saw(c.final, w, true)
		}
		for _, n := range c.ticks {
			r.saw(n, w, false)
		}
		if c.final != 0 {
			r.saw(c.final, w, true)
		}
		if diff := cmp.Diff(c.want, r.of(w)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", c.name, diff)
		}
	}
}

func TestRunsAreOver(t *testing.T) {
	t.Parallel()
	r := NewRuns(3, 100)
	open, closed, left := store.ID{1}, store.ID{2}, store.ID{3}
	r.AddStored(open, Run{From: 5, Open: true}, 50)
	r.AddStored(closed, Run{From: 1, To: 20}, 50)
	r.AddStored(left, Run{From: 10, To: 30, Final: true}, 50)
	for _, c := range []struct {
		tick int64
		want []store.ID
	}{
		{3, nil}, // nobody is missed at the birth of the ledger
		{4, []store.ID{closed}},
		{5, []store.ID{open, closed}},
		{15, []store.ID{open, closed, left}},
		{30, []store.ID{open, closed, left}}, // closed may have counted for ten ticks more
		{31, []store.ID{open}},
		{60, []store.ID{open}}, // up to the head, and as long as it would be live
		{61, nil},
	} {
		got := slices.SortedFunc(r.over(c.tick), func(a, b store.ID) int { return slices.Compare(a[:], b[:]) })
		if !slices.Equal(got, c.want) {
			t.Errorf("over(%d) = %v, want %v", c.tick, got, c.want)
		}
	}
	if !r.knows(100) || r.knows(101) {
		t.Error("who published is known up to tick 100, and not after")
	}
	if r.allIn(15, []store.ID{open, left}) || !r.allIn(15, []store.ID{left, open, closed}) || r.allIn(101, nil) {
		t.Error("allIn doesn't say whether all are there")
	}
}

// The ledger is told when a run begins and when it ends, and not in between.
func TestRunsAreStoredWhenTheyChange(t *testing.T) {
	t.Parallel()
	stays, leaves, dies := store.ID{1}, store.ID{2}, store.ID{3}
	r := NewRuns(0, none)
	writes := make(map[int64]map[store.ID][]Run)
	for n := int64(1); n <= 60; n++ {
		r.saw(n, stays, false)
		if n <= 20 {
			r.saw(n, leaves, n == 20)
		}
		if n <= 30 || n >= 55 {
			r.saw(n, dies, false)
		}
		if w := maps.Collect(r.Unstored(n)); len(w) > 0 {
			writes[n] = w
		}
		r.Stored(n)
	}
	want := map[int64]map[store.ID][]Run{
		1:  {stays: {{From: 1, Open: true}}, leaves: {{From: 1, Open: true}}, dies: {{From: 1, Open: true}}},
		20: {leaves: {{From: 1, To: 20, Final: true}}},
		41: {dies: {{From: 1, To: 30}}},
		55: {dies: {{From: 1, To: 30}, {From: 55, Open: true}}},
	}
	if diff := cmp.Diff(want, writes); diff != "" {
		t.Errorf("what is written (-want +got):\n%s", diff)
	}
}

// Of a writer that doesn't return the run ends at the head that was found, not
// at what is left in the Store.
func TestOpenRunEndsAtTheHead(t *testing.T) {
	t.Parallel()
	w := store.ID{1}
	r := NewRuns(0, none)
	r.AddStored(w, Run{From: 5, Open: true}, 50)
	r.saw(20, w, false) // all that is left
	if got := maps.Collect(r.Unstored(60)); len(got) > 0 {
		t.Errorf("ten ticks after the head %v is written, want nothing", got)
	}
	want := map[store.ID][]Run{w: {{From: 5, To: 50}}}
	if diff := cmp.Diff(want, maps.Collect(r.Unstored(61))); diff != "" {
		t.Errorf("after that is written (-want +got):\n%s", diff)
	}
}

// A rolled-back ledger gets back what memory knows.
func TestRunsFromMemoryAreStoredAgain(t *testing.T) {
	t.Parallel()
	known, longer, forgotten := store.ID{1}, store.ID{2}, store.ID{3}
	r := NewRuns(0, none)
	r.AddStored(known, Run{From: 5, To: 20, Final: true}, 50)
	r.AddStored(longer, Run{From: 5, Open: true}, 50)
	r.Add(known, Run{From: 5, To: 20, Final: true})
	r.Add(longer, Run{From: 5, To: 58, Final: true})
	r.Add(forgotten, Run{From: 40, To: 57})
	want := map[store.ID][]Run{
		longer:    {{From: 5, To: 58, Final: true}},
		forgotten: {{From: 40, Open: true}},
	}
	if diff := cmp.Diff(want, maps.Collect(r.Unstored(60))); diff != "" {
		t.Errorf("what is written (-want +got):\n%s", diff)
	}
}

func TestRunsAreBounded(t *testing.T) {
	t.Parallel()
	w := store.ID{1}
	r := NewRuns(0, none)
	for n := range int64(3 * maxRuns) {
		r.saw(20*n, w, false)
	}
	got := r.of(w)
	if len(got) != maxRuns || got[0].From != 0 || got[maxRuns-1].To != 20*(3*maxRuns-1) {
		t.Errorf("%d runs from %d to %d are left, want %d over the same time", len(got), got[0].From, got[len(got)-1].To, maxRuns)
	}
	r.Expire(got[maxRuns-1].From)
	if got := r.of(w); len(got) != 1 {
		t.Errorf("%d runs are left after the others expired, want 1", len(got))
	}
	if r.Expire(none); len(r.writers) > 0 {
		t.Errorf("%d writers are left after all runs expired, want none", len(r.writers))
	}
}
