// Package rules has the monitors of package engine as alerting rules of
// Prometheus, evaluated by its own rule manager's code over its own database.
// It is a package of its own because Prometheus is a large module.
//
// An evaluation is of one group that holds all rules. Scrapes aren't counted:
// the database has a sample every 15 s, Prometheus' usual interval for small
// installations, written beforehand.
package rules

import (
	"context"
	"fmt"
	"log/slog"
	"net/url"
	"runtime"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/promql"
	"github.com/prometheus/prometheus/promql/parser"
	"github.com/prometheus/prometheus/rules"
	"github.com/prometheus/prometheus/tsdb"
)

const scrape = 15 * time.Second

var start = time.Unix(1_700_000_000, 0)

// database is a TSDB with a rule group.
type database struct {
	*tsdb.DB
	series []labels.Labels
	at     time.Time // of the newest sample
	value  float64   // of all series
	group  *rules.Group
}

func open(b *testing.B, series []labels.Labels) *database {
	b.Helper()
	opts := tsdb.DefaultOptions()
	opts.MinBlockDuration = (30 * 24 * time.Hour).Milliseconds() // all of it in memory
	opts.MaxBlockDuration = opts.MinBlockDuration
	db, err := tsdb.Open(b.TempDir(), slog.New(slog.DiscardHandler), prometheus.NewRegistry(), opts, tsdb.NewDBStats())
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { db.Close() })
	return &database{DB: db, series: series, at: start}
}

// fill writes the samples of a length of time. Each series grows by one of
// steps, in turn, from sample to sample.
func (d *database) fill(b *testing.B, length, interval time.Duration, steps ...float64) {
	b.Helper()
	for end := d.at.Add(length); d.at.Before(end); {
		d.at = d.at.Add(interval)
		d.value++
		app := d.Appender(b.Context())
		for i, s := range d.series {
			if _, err := app.Append(0, s, d.at.UnixMilli(), d.value*steps[i%len(steps)]); err != nil {
				b.Fatal(err)
			}
		}
		if err := app.Commit(); err != nil {
			b.Fatal(err)
		}
	}
}

// load makes a group of expressions.
func (d *database) load(b *testing.B, expressions []string) {
	b.Helper()
	quiet := slog.New(slog.DiscardHandler)
	p := parser.NewParser(parser.Options{})
	engine := promql.NewEngine(promql.EngineOpts{Logger: quiet, MaxSamples: 50_000_000, Timeout: 2 * time.Minute, Parser: p})
	o := &rules.ManagerOptions{
		ExternalURL: &url.URL{}, Context: b.Context(), Logger: quiet, Queryable: d, AppendableV2: d, Registerer: prometheus.NewRegistry(),
		QueryFunc: rules.EngineQueryFunc(engine, d), Parser: p,
		NotifyFunc: func(context.Context, string, ...*rules.Alert) {},
	}
	rules.NewManager(o) // fills in the defaults of o
	var all []rules.Rule
	for i, text := range expressions {
		e, err := p.ParseExpr(text)
		if err != nil {
			b.Fatal(err)
		}
		all = append(all, rules.NewAlertingRule(fmt.Sprint("alert", i), e, 0, 0, labels.EmptyLabels(), labels.EmptyLabels(), labels.EmptyLabels(), "", true, quiet))
	}
	d.group = rules.NewGroup(rules.GroupOptions{Name: "all", File: "rules.yml", Interval: scrape, Rules: all, Opts: o})
}

// firing is how many alerts fire.
func (d *database) firing() (n int) {
	for _, r := range d.group.AlertingRules() {
		n += len(r.ActiveAlerts())
	}
	return n
}

// run measures evaluations in which nothing fires, and then one after a spike
// of the first series that must fire one alert.
func (d *database) run(b *testing.B, fires int) {
	b.Helper()
	b.ReportAllocs()
	at := d.at
	for b.Loop() {
		at = at.Add(time.Millisecond) // an evaluation at the same time would write the same samples
		d.group.Eval(b.Context(), at)
	}
	if n := d.firing(); n > 0 {
		b.Errorf("%d alerts fire in the calm", n)
	}
	for _, r := range d.group.Rules() {
		if err := r.LastError(); err != nil {
			b.Fatal(err)
		}
	}
	app := d.Appender(b.Context())
	if _, err := app.Append(0, d.series[0], d.at.Add(scrape).UnixMilli(), 1e12); err != nil {
		b.Fatal(err)
	}
	if err := app.Commit(); err != nil {
		b.Fatal(err)
	}
	d.group.Eval(b.Context(), d.at.Add(scrape))
	if got := d.firing(); got != fires {
		b.Errorf("%d alerts fire after the spike, want %d", got, fires)
	}
}

func heap() uint64 {
	var m runtime.MemStats
	runtime.GC()
	runtime.GC()
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

// BenchmarkEvaluate is 10,000 rules, each about a metric and a window of a
// minute of its own.
func BenchmarkEvaluate(b *testing.B) {
	const n = 10_000
	b.Run("Prometheus", func(b *testing.B) {
		before := heap()
		var series []labels.Labels
		var expressions []string
		for i := range n {
			series = append(series, labels.FromStrings(labels.MetricName, fmt.Sprint("metric_", i), "instance", "a"))
			expressions = append(expressions, fmt.Sprintf("sum(increase(metric_%d[1m])) >= 1000000", i))
		}
		d := open(b, series)
		d.fill(b, 5*time.Minute, scrape, 1)
		d.load(b, expressions)
		d.run(b, 1)
		b.ReportMetric(float64(heap()-before)/n, "B/monitor")
		runtime.KeepAlive(d)
	})
}

// BenchmarkEvaluateGroups is one rule by a label with 1,000 values.
func BenchmarkEvaluateGroups(b *testing.B) {
	const n = 1000
	b.Run("Prometheus", func(b *testing.B) {
		before := heap()
		var series []labels.Labels
		for i := range n {
			series = append(series, labels.FromStrings(labels.MetricName, "requests", "instance", "a", "route", fmt.Sprint("metric.", i)))
		}
		d := open(b, series)
		d.fill(b, 5*time.Minute, scrape, 1)
		d.load(b, []string{"sum by (route) (increase(requests[1m])) >= 1000000"})
		d.run(b, 1)
		b.ReportMetric(float64(heap()-before)/n, "B/monitor")
		runtime.KeepAlive(d)
	})
}

// BenchmarkEvaluateSLO is 100 SLOs with eight windows of 5 m to 3 d, over
// samples every 5 min before the last hour, to give the database as little to
// read as there can be.
func BenchmarkEvaluateSLO(b *testing.B) {
	const n = 100
	b.Run("Prometheus", func(b *testing.B) {
		before := heap()
		var series []labels.Labels
		var expressions []string
		for i := range n {
			series = append(series, labels.FromStrings(labels.MetricName, fmt.Sprint("bad_", i)), labels.FromStrings(labels.MetricName, fmt.Sprint("total_", i)))
			burns := func(window string, factor float64) string {
				return fmt.Sprintf("sum(increase(bad_%d[%s])) / sum(increase(total_%d[%s])) > %v * 0.001", i, window, i, window, factor)
			}
			expressions = append(expressions,
				burns("5m", 14.4)+" and "+burns("1h", 14.4), burns("30m", 6)+" and "+burns("6h", 6),
				burns("2h", 3)+" and "+burns("1d", 3), burns("6h", 1)+" and "+burns("3d", 1))
		}
		d := open(b, series)
		d.fill(b, 73*time.Hour, 5*time.Minute, 0, 150)
		d.fill(b, time.Hour, scrape, 0, 150)
		d.load(b, expressions)
		d.run(b, 4)
		b.ReportMetric(float64(heap()-before)/n, "B/monitor")
		runtime.KeepAlive(d)
	})
}
