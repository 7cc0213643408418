package simulate

import (
	"fmt"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/go-batteries/hawkeye/internal/series"
)

// gapRun has a process that is gone for a while, so that nothing is known of
// that time.
type gapRun struct {
	*run
	catalog *Catalog
	t       *testing.T
}

func newGapRun(t *testing.T, monitors string) *gapRun {
	t.Helper()
	r := newRun(t, "version: 2\nreceivers: {team: {email: {to: [team@example.com]}, group: {interval: 1s}}}\ndefaults: {notify: [team]}\nmonitors: ["+monitors+"]\n", Config{})
	catalog := NewCatalog()
	r.process = r.Process("first", catalog)
	return &gapRun{run: r, catalog: catalog, t: t}
}

// each lets a process record what each tick asks for.
func (r *gapRun) each(n int, record func(i int)) {
	for i := range n {
		if record != nil {
			record(i)
		}
		r.process.Publish(false)
		r.Step()
	}
}

// gap is a time without any process; then there is another one.
func (r *gapRun) gap(n int) {
	for range n {
		r.Step()
	}
	r.process = r.Process(fmt.Sprint("after ", r.tick), r.catalog)
}

func (r *gapRun) observe(name string, v float64) func(int) {
	s := r.catalog.Series(series.KindHistogram, name, nil)
	return func(int) { r.process.Record(s, v) }
}

func (r *gapRun) set(name string, v float64) func(int) {
	s := r.catalog.Series(series.KindGauge, name, nil)
	return func(int) { r.process.Record(s, v) }
}

func (r *gapRun) add(name string, v float64) func(int) {
	s := r.catalog.Series(series.KindCounter, name, nil)
	return func(int) { r.process.Record(s, v) }
}

// What nothing is known of is neither idle nor missing, ends nothing, and isn't
// counted.
func TestUnknownTimeEndsNothing(t *testing.T) {
	t.Parallel()
	cases := []struct {
		name, monitors string
		run            func(r *gapRun)
		want           []string
	}{
		{
			"an idle percentile", `{name: m, metric: took, type: histogram, aggregate: p99, window: 10s, idle_for: 1m, triggers: [{threshold: 1s}]}`,
			func(r *gapRun) {
				r.each(1, r.observe("took", 2))
				r.each(39, nil) // idle from 11s on
				r.gap(100)      // until 140s
				r.each(100, nil)
			},
			// 30s before the gap; the window is whole again at 150s.
			[]string{"1s team: firing critical", "3m0s team: resolved critical"},
		},
		{
			"a gap longer than all", `{name: m, metric: took, type: histogram, aggregate: p99, window: 10s, idle_for: 0s, triggers: [{threshold: 1s}]}`,
			func(r *gapRun) {
				r.each(5, r.observe("took", 2))
				r.gap(600)
				r.each(20, nil)
			},
			[]string{"1s team: firing critical", "10m15s team: resolved critical"},
		},
		{
			"a gauge that is set again after the start", `{name: m, metric: depth, type: gauge, no_data: ok, no_data_for: 1s, triggers: [{threshold: 10}]}`,
			func(r *gapRun) {
				r.each(5, r.set("depth", 20))
				r.gap(8)
				r.each(20, nil)
				r.each(60, r.set("depth", 20))
			},
			[]string{"1s team: firing critical"},
		},
		{
			"a gauge that isn't, by no_data: ok", `{name: m, metric: depth, type: gauge, window: 5s, no_data: ok, no_data_for: 1s, triggers: [{threshold: 10}]}`,
			func(r *gapRun) {
				r.each(5, r.set("depth", 20))
				r.gap(100)
				r.each(60, nil)
			},
			[]string{"1s team: firing critical", "2m15s team: resolved critical"},
		},
		{
			"by no_data: alert", `{name: m, metric: depth, type: gauge, no_data: alert, no_data_for: 1s, triggers: [{threshold: 10}]}`,
			func(r *gapRun) {
				r.each(5, r.set("depth", 2))
				r.gap(100)
				r.each(60, nil)
			},
			[]string{"2m15s team: firing critical"},
		},
		{
			"by no_data: nodata, back in time", `{name: m, metric: depth, type: gauge, no_data: nodata, no_data_for: 0s, triggers: [{threshold: 10}]}`,
			func(r *gapRun) {
				r.each(5, r.set("depth", 2))
				r.gap(8)
				r.each(25, nil)
				r.each(60, r.set("depth", 2))
			},
			nil,
		},
		{
			"a metric that must exist, at the start", `{name: m, metric: depth, must_exist: true, no_data_for: 0s, triggers: [{threshold: 10}]}`,
			func(r *gapRun) {
				r.each(25, nil)
				r.each(60, r.set("depth", 2))
			},
			nil,
		},
		{
			"a falling threshold", `{name: m, metric: orders, op: "<", window: 1m, triggers: [{threshold: 55}]}`,
			func(r *gapRun) {
				r.each(100, r.add("orders", 1))
				r.gap(30)
				r.each(200, r.add("orders", 1))
			},
			nil,
		},
		{
			"a falling threshold over a window of which little is unknown", `{name: m, metric: orders, op: "<", window: 20m, triggers: [{threshold: 600}]}`,
			func(r *gapRun) {
				r.each(1200, r.add("orders", 1))
				r.gap(10)
				r.each(720, nil)
			},
			[]string{"30m17s team: firing critical"},
		},
	}
	for _, tt := range cases {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			r := newGapRun(t, tt.monitors)
			tt.run(r)
			if diff := cmp.Diff(tt.want, slices.Clone(r.told)); diff != "" {
				t.Errorf("told (-want +got):\n%s", diff)
			}
		})
	}
}
