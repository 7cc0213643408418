package series

import (
	"fmt"
	"math"
	"runtime"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/go-batteries/hawkeye/internal/bucket"
	"github.com/go-batteries/hawkeye/store"
)

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
