package series

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/go-batteries/hawkeye/internal/bucket"
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
	pool := []string{"", "a", "b", "route", " route\t", "/x", "0123456", "01234567", "012345678", "0123456789abcdef", "0123456789abcdefg", strings.Repeat("y", 40), strings.Repeat("y", 39) + "z"}
	pick := func() string { return pool[rng.IntN(len(pool))] }
	for range 30_000 {
		name := pool[1+rng.IntN(len(pool)-1)]
		var tags, clean []Tag
		for range rng.IntN(4) {
			tag := Tag{pick(), pick()}
			tags = append(tags, tag)
			if key := strings.TrimSpace(tag.Key); key != "" {
				clean = slices.DeleteFunc(clean, func(c Tag) bool { return c.Key == key })
				clean = append(clean, Tag{key, strings.TrimSpace(tag.Value)})
			}
		}
		name = strings.TrimSpace(name)
		want := Canonical(KindCounter, name, clean)
		got := r.Counter(name, tags...)
		if rng.IntN(2) == 0 {
			var raw []string
			for _, tag := range tags {
				raw = append(raw, tag.Key+":"+tag.Value)
			}
			got = r.CounterBytes([]byte(name+" "), []byte(strings.Repeat("#", rng.IntN(2))+strings.Join(raw, ",")))
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
