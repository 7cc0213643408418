package client

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/go-batteries/hawkeye/internal/bucket"
	"github.com/go-batteries/hawkeye/internal/exact"
	"github.com/go-batteries/hawkeye/internal/series"
	"github.com/go-batteries/hawkeye/internal/statsd"
)

// linesOf collects reg once and returns it as lines, with how many samples
// they stand for.
func linesOf(reg *series.Registry) (lines []string, samples uint64) {
	w := newLineWriter(new(bucket.Bucket), reg.NamesOf, 100)
	reg.Collect(w.bucket, false)
	w.start()
	for {
		line, n := w.next(nil)
		if len(line) == 0 {
			return lines, samples
		}
		lines, samples = append(lines, string(line)), samples+n
	}
}

// contents collects reg once and returns what it held, by canonical name.
func contents(reg *series.Registry) (counters map[string]int64, gauges, sums map[string]float64, buckets map[string][]bucket.HistBucket) {
	units, gauges, sums, buckets := exactContents(reg)
	counters = make(map[string]int64)
	for name, n := range units {
		counters[name], _ = n.Int64()
	}
	return counters, gauges, sums, buckets
}

func exactContents(reg *series.Registry) (counters map[string]exact.Int, gauges, sums map[string]float64, buckets map[string][]bucket.HistBucket) {
	var b bucket.Bucket
	reg.Collect(&b, true)
	names := make(map[uint64]string)
	all, _ := reg.Names(0)
	for _, n := range all {
		names[n.ID] = n.Text
	}
	counters, gauges, sums = make(map[string]exact.Int), make(map[string]float64), make(map[string]float64)
	buckets = make(map[string][]bucket.HistBucket)
	for _, c := range b.Counters {
		counters[names[c.ID]] = exact.New(c.Delta)
	}
	for i := range b.Beyond {
		name := names[b.Beyond[i].ID]
		counters[name] = counters[name].Add(b.Beyond[i].Units())
	}
	for _, g := range b.Gauges {
		gauges[names[g.ID]] = g.Value
	}
	for _, h := range b.Histograms {
		sums[names[h.ID]], buckets[names[h.ID]] = h.Sum, h.Buckets
	}
	return counters, gauges, sums, buckets
}

// sameContents says how what is in got differs from want. Sums of histograms
// may differ by rounding.
func sameContents(got, want *series.Registry) string {
	gotC, gotG, gotS, gotB := exactContents(got)
	wantC, wantG, wantS, wantB := exactContents(want)
	diff := cmp.Diff(wantC, gotC, cmp.Comparer(func(a, b exact.Int) bool { return a == b })) + cmp.Diff(wantG, gotG) + cmp.Diff(wantB, gotB)
	for name, sum := range wantS {
		size := 0.0
		for _, b := range wantB[name] {
			size += float64(b.Count) * math.Abs(series.HistValue(b.Index))
		}
		if math.Abs(gotS[name]-sum) > 1e-13*size {
			diff += fmt.Sprintf("sum of %s is %v, want %v\n", name, gotS[name], sum)
		}
	}
	return diff
}

func TestLines(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name   string
		record func(*series.Registry)
		want   []string
	}{
		{"nothing", func(*series.Registry) {}, nil},
		{"counter", func(r *series.Registry) { r.Count("a", 3, nil) }, []string{"a:3|c"}},
		{"counter that fell", func(r *series.Registry) { r.Count("a", -3, nil) }, []string{"a:-3|c"}},
		{"fraction", func(r *series.Registry) { r.Count("a", -0.00105, nil) }, []string{"a:-0.00105|c"}},
		{"tags", func(r *series.Registry) { r.Count("a", 1, []series.Tag{tag("k", "v"), tag("b", "")}) }, []string{"a:1|c|#b:,k:v"}},
		{"gauge", func(r *series.Registry) { r.SetGauge("g", 1.5, nil) }, []string{"g:1.5|g"}},
		{"gauge below zero", func(r *series.Registry) { r.SetGauge("g", -2, nil) }, []string{"g:0:-2|g"}},
		{"huge counter", func(r *series.Registry) {
			c := r.Counter("a")
			c.Add(4_000_000_000)
			c.AddFloat(0.000008)
		}, []string{"a:4000000000|c", "a:0.000008|c"}},
		{"counter beyond an int64 of millionths", func(r *series.Registry) {
			r.Counter("a").AddFloat(20_000_000_000_000.5)
			r.Counter("b").Add(-20_000_000_000_000_000)
		}, []string{
			"a:2305843009214|c", "a:0.5|c", "b:-2305843009214|c",
			"a:17694156990786|c", "b:-9007199254740992|c", "b:-9007199254740992|c", "b:-1983295647508802|c",
		}},
		{"histogram of one", func(r *series.Registry) { r.Observe("h", 0.625, nil) }, []string{"h:0.625|h"}},
		{"equal values", func(r *series.Registry) { r.Histogram("h").ObserveN(2, 8) }, []string{"h:2|h|@0.125"}},
		{"name", func(r *series.Registry) { r.Count("a:b|c", 1, nil) }, []string{"a_b_c:1|c"}},
		{"name of an event", func(r *series.Registry) { r.Count("_e{1,2}", 1, nil) }, []string{"__{1,2}:1|c"}},
		{"key", func(r *series.Registry) { r.Count("a", 1, []series.Tag{tag("k:,|", "v")}) }, []string{"a:1|c|#k___:v"}},
		{"value", func(r *series.Registry) { r.Count("a", 1, []series.Tag{tag("k", "a:b,c|d")}) }, []string{"a:1|c|#k:a:b_c_d"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			reg := series.New(series.Limits{})
			tt.record(reg)
			if got, _ := linesOf(reg); !cmp.Equal(got, tt.want) {
				t.Errorf("lines are %q, want %q", got, tt.want)
			}
		})
	}
}

// TestLinesCarryEverything records at random and reads the lines back.
func TestLinesCarryEverything(t *testing.T) {
	t.Parallel()
	for seed := range uint64(200) {
		rnd := rand.New(rand.NewPCG(seed, 1))
		sent, want, got := series.New(series.Limits{}), series.New(series.Limits{}), series.New(series.Limits{})
		for _, reg := range []*series.Registry{sent, want} {
			recordAtRandom(reg, rand.New(rand.NewPCG(seed, 2)))
		}
		lines, samples := linesOf(sent)
		applier := statsd.Applier{Registry: got, GaugeDelta: rnd.IntN(2) == 0}
		if err := applier.Apply([]byte(strings.Join(lines, "\n"))); err != nil {
			t.Fatalf("seed %d: Apply() = %v", seed, err)
		}
		if diff := sameContents(got, want); diff != "" {
			t.Fatalf("seed %d: (-want +got)\n%s", seed, diff)
		}
		if len(lines) > 0 && samples == 0 {
			t.Errorf("seed %d: %d lines stand for no sample", seed, len(lines))
		}
	}
}

func recordAtRandom(reg *series.Registry, rnd *rand.Rand) {
	sign := func() float64 { return float64(rnd.IntN(2)*2 - 1) }
	size := func(most int) float64 { return math.Ldexp(rnd.Float64(), rnd.IntN(most)) }
	for range rnd.IntN(20) {
		tags := []series.Tag{tag("host", fmt.Sprint(rnd.IntN(3)))}
		reg.Count("c", math.Trunc(sign()*size(58)), tags)
		reg.Count("f", math.Trunc(sign()*size(30))/1e6, tags)
		reg.SetGauge("g", sign()*size(200), tags)
		h := reg.Histogram("h", tags...)
		for range rnd.IntN(300) {
			h.Observe(sign() * size(10))
		}
		for range rnd.IntN(4) {
			h.ObserveN(7, rnd.Uint64N(series.MaxWeight)+1)
		}
		h.ObserveN(size(10), rnd.Uint64N(1<<rnd.IntN(20)+1)+1)
		h.ObserveN(math.Ldexp(1, rnd.IntN(20)), 3) // on an edge
		h.ObserveN(-math.Ldexp(1, rnd.IntN(20)), 3)
		h.Observe(0)
	}
}

func TestRates(t *testing.T) {
	t.Parallel()
	for n := uint64(1); n <= series.MaxWeight; n++ {
		whole, fraction := math.Modf(1 / rateOf(n))
		if uint64(whole) != n || fraction > 1e-9 {
			t.Fatalf("1/rateOf(%d) = %v", n, whole+fraction)
		}
	}
}

// TestLinesCarrySums gives sums that come before or after their observations.
func TestLinesCarrySums(t *testing.T) {
	t.Parallel()
	index := series.HistIndex(8)
	reg := series.New(series.Limits{})
	reg.Histogram("h")
	names, _ := reg.Names(0)
	id := names[0].ID
	for _, tt := range []struct {
		name string
		of   []bucket.Histogram
	}{
		{"together", []bucket.Histogram{
			{ID: id, Sum: 16.2, Buckets: []bucket.HistBucket{{Index: index, Count: 2}}},
			{ID: id, Sum: 16.2, Buckets: []bucket.HistBucket{{Index: index, Count: 2}}},
		}},
		{"one is late", []bucket.Histogram{
			{ID: id, Sum: 8.1, Buckets: []bucket.HistBucket{{Index: index, Count: 2}}},
			{ID: id, Sum: 24.3, Buckets: []bucket.HistBucket{{Index: index, Count: 2}}},
		}},
		{"one is early", []bucket.Histogram{
			{ID: id, Sum: 24.3, Buckets: []bucket.HistBucket{{Index: index, Count: 2}}},
			{ID: id, Sum: 8.1, Buckets: []bucket.HistBucket{{Index: index, Count: 2}}},
		}},
		{"alone", []bucket.Histogram{
			{ID: id, Sum: 8.1},
			{ID: id, Sum: 8.1},
			{ID: id, Sum: 16.2, Buckets: []bucket.HistBucket{{Index: index, Count: 4}}},
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			var b bucket.Bucket
			w := newLineWriter(&b, reg.NamesOf, 100)
			got := series.New(series.Limits{})
			applier := statsd.Applier{Registry: got}
			for _, h := range tt.of {
				b.Histograms = []bucket.Histogram{{ID: h.ID, Sum: h.Sum, Buckets: slices.Clone(h.Buckets)}}
				w.start()
				for line, _ := w.next(nil); len(line) > 0; line, _ = w.next(nil) {
					if err := applier.Apply(line); err != nil {
						t.Fatalf("Apply(%q) = %v", line, err)
					}
				}
			}
			_, _, sums, buckets := contents(got)
			if diff := cmp.Diff([]bucket.HistBucket{{Index: index, Count: 4}}, buckets["h|h"]); diff != "" {
				t.Errorf("buckets (-want +got)\n%s", diff)
			}
			if sum := sums["h|h"]; math.Abs(sum-32.4) > 1e-5 {
				t.Errorf("sum is %v, want 32.4", sum)
			}
		})
	}
}
