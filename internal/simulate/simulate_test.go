package simulate

import (
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/go-batteries/hawkeye/internal/alert"
	"github.com/go-batteries/hawkeye/internal/monitor"
	"github.com/go-batteries/hawkeye/internal/notify"
	"github.com/go-batteries/hawkeye/internal/series"
)

var start = time.Date(2026, 1, 5, 0, 0, 0, 0, time.UTC)

func mustParse(t testing.TB, text string) *monitor.Set {
	t.Helper()
	set, err := monitor.Parse("monitors.yaml", []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return set
}

// run is a simulation under test, with one counter and one process.
type run struct {
	*Simulation
	process *Process
	counter *Series
	told    []string
}

func newRun(t testing.TB, text string, cfg Config) *run {
	r := &run{}
	cfg.Set, cfg.Start = mustParse(t, text), start
	cfg.OnMessage = func(m *Message) {
		line := fmt.Sprintf("%v %s:", m.At.Sub(start), m.Receiver)
		for _, row := range m.Rows {
			line += fmt.Sprintf(" %s %s", row.Kind, row.Snapshot.Level)
			if row.Escalated {
				line += " escalated"
			}
		}
		r.told = append(r.told, line)
	}
	r.Simulation = New(cfg)
	catalog := NewCatalog()
	r.counter = catalog.Series(series.KindCounter, "errors", nil)
	r.process = r.Process("only", catalog)
	return r
}

// count lets a counter grow by v in each of n ticks.
func (r *run) count(v float64, n int) {
	for range n {
		if v != 0 {
			r.process.Record(r.counter, v)
		}
		r.process.Publish(false)
		r.Step()
	}
}

func (r *run) want(t *testing.T, lines ...string) {
	t.Helper()
	if diff := cmp.Diff(lines, r.told); diff != "" {
		t.Errorf("told (-want +got):\n%s", diff)
	}
}

const levels = `version: 2
receivers: {team: {email: {to: [team@example.com]}}, boss: {email: {to: [boss@example.com]}}}
mute_times: {night: {from: "00:01", to: "00:05"}}
monitors:
  - name: errors
    metric: errors
    window: 5s
    notify: [team]
    triggers:
      - {level: warning, threshold: 10, clear: 5}
      - {level: critical, threshold: 100, for: 3s, repeat: 1m, escalate: [{after: 90s, notify: [boss]}]}
`

func TestTimesOfMessages(t *testing.T) {
	t.Parallel()
	r := newRun(t, levels, Config{})
	r.count(0, 10)
	r.count(5, 3)
	r.want(t, "12s team: firing warning")
	r.count(50, 100)
	r.want(t, "12s team: firing warning", "18s team: rise critical", "1m18s team: repeat critical", "1m48s boss: firing critical escalated")
	r.count(50, 100)
	r.count(0, 60)
	r.want(t,
		"12s team: firing warning",
		"18s team: rise critical",
		"1m18s team: repeat critical",
		"1m48s boss: firing critical escalated",
		"2m18s team: repeat critical",
		"2m48s boss: repeat critical",
		"3m18s team: repeat critical",
		"3m37s boss: fall warning",
		"3m37s team: fall warning",
		"3m39s boss: resolved warning",
		"3m39s team: resolved warning",
	)
}

func TestSilenceAndAck(t *testing.T) {
	t.Parallel()
	r := newRun(t, levels, Config{})
	r.At(start.Add(20*time.Second), func() {
		err := r.Silence(notify.Silence{
			Matchers: []string{`monitor="errors"`}, Start: start.Add(20 * time.Second), End: start.Add(time.Minute), Author: "a",
		}, start.Add(20*time.Second))
		if err != nil {
			t.Error(err)
		}
	})
	r.count(0, 30)
	r.count(40, 60) // fires while silenced
	r.want(t, "1m0s team: firing critical")
	if !r.Ack("errors", "ann", r.Now(), r.Now().Add(time.Hour), false) {
		t.Error("Ack = false, want true for an alert that fires")
	}
	r.count(40, 300)
	r.count(0, 100)
	r.want(t, "1m0s team: firing critical", "1m30s team: acknowledged critical", "6m33s team: fall warning", "6m35s team: resolved warning")
	if r.Ack("errors", "ann", r.Now(), time.Time{}, false) {
		t.Error("Ack = true, want false for an alert that is over")
	}
	if err := r.Silence(notify.Silence{}, r.Now()); err == nil {
		t.Error("Silence without an end = nil, want an error")
	}
}

func TestOutageOfReceiver(t *testing.T) {
	t.Parallel()
	down := start.Add(20 * time.Second)
	r := newRun(t, levels, Config{Send: func(_ *notify.Message, at time.Time) notify.Result {
		if at.Before(down) {
			return notify.Result{Kind: notify.Temporary, Error: "down"}
		}
		return notify.Result{}
	}})
	r.count(10, 60)
	last := r.told[len(r.told)-1]
	if len(r.told) < 3 || r.told[0] != "1s team: firing warning" {
		t.Errorf("attempts = %v, want the first at 1s and more", r.told)
	}
	r.count(10, 60)
	if got := r.told[len(r.told)-1]; got != last {
		t.Errorf("a message after the delivered one: %s", got)
	}
}

// TestUnknownTicks: time of which nobody knows anything ends nothing.
func TestUnknownTicks(t *testing.T) {
	t.Parallel()
	r := newRun(t, levels, Config{})
	r.count(30, 5)
	for range 4 {
		r.Step() // nobody publishes
	}
	if got := r.Alerts()[0].State.Phase; got != alert.Firing {
		t.Errorf("phase after a gap = %v, want firing", got)
	}
	r.count(0, 100)
	if got := r.Alerts()[0].State.Phase; got != alert.Inactive {
		t.Errorf("phase after clear ticks = %v, want inactive", got)
	}
}

func TestKinds(t *testing.T) {
	t.Parallel()
	set := mustParse(t, `version: 2
receivers: {r: {email: {to: [a@example.com]}}}
monitors:
  - {name: g, metric: depth, notify: [r], triggers: [{threshold: 1e9}]}
  - {name: h, metric: took, aggregate: p50, notify: [r], triggers: [{threshold: 1e9}]}
  - {name: s, metric: users, notify: [r], triggers: [{threshold: 1e9}]}
  - {name: none, metric: nothing, notify: [r], triggers: [{threshold: 1e9}]}
`)
	s := New(Config{Set: set, Start: start})
	catalog := NewCatalog()
	gauge := catalog.Series(series.KindGauge, "depth", nil)
	took := catalog.Series(series.KindHistogram, "took", nil)
	users := catalog.Series(series.KindSet, "users", nil)
	one, two := s.Process("one", catalog), s.Process("two", catalog)
	for i := range 20 {
		one.Record(gauge, 3)
		two.Record(gauge, 4)
		for _, v := range []float64{3, 1, 2, 2} {
			one.Record(took, v)
		}
		two.Record(users, 7)
		one.Record(users, float64(i%3))
		one.Record(users, float64(i%3))
		one.Publish(false)
		two.Publish(i == 19)
		s.Step()
	}
	got := map[string]string{}
	for _, a := range s.Alerts() {
		got[a.Key] = fmt.Sprintf("%.1f", a.Value.V)
	}
	want := map[string]string{"g": "7.0", "h": "2.0", "s": "4.0", "none": "NaN"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("values (-want +got):\n%s", diff)
	}
	one.Publish(false)
	s.Step() // the other one has left
	for _, a := range s.Alerts() {
		if a.Key == "g" && a.Value.V != 3 {
			t.Errorf("gauge without the process that left = %v, want 3", a.Value.V)
		}
	}
}

// BenchmarkDay is a day of 100 series that count each second.
func BenchmarkDay(b *testing.B) {
	set := mustParse(b, `version: 2
receivers: {r: {email: {to: [a@example.com]}}}
monitors:
  - {name: all, metric: errors, notify: [r], triggers: [{threshold: 1e9}]}
  - {name: routes, metric: errors, by: [route], notify: [r], triggers: [{threshold: 1e9}]}
`)
	for b.Loop() {
		s := New(Config{Set: set, Start: start})
		catalog := NewCatalog()
		var all []*Series
		for i := range 100 {
			all = append(all, catalog.Series(series.KindCounter, "errors", []series.Tag{{Key: "route", Value: fmt.Sprint(i)}}))
		}
		p := s.Process("p", catalog)
		for range 86_400 {
			for i, x := range all {
				p.Record(x, float64(i))
			}
			p.Publish(false)
			s.Step()
		}
	}
}
