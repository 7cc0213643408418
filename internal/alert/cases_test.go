package alert_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/go-batteries/hawkeye/internal/alert"
)

func testHysteresis(t *testing.T, c conformance) {
	var rows []struct {
		WasFiring bool `yaml:"was_firing"`
		Table     map[string]bool
	}
	if err := c.Expect.Decode(&rows); err != nil {
		t.Fatal(err)
	}
	for _, row := range rows {
		for text, want := range row.Table {
			var value float64
			if _, err := fmt.Sscan(text, &value); err != nil {
				t.Fatal(err)
			}
			tr := track{rule: c.Rule.rule(t)}
			if row.WasFiring {
				tr.step(0, alert.Input{Value: 1000})
			}
			if got := tr.step(time.Minute, alert.Input{Value: value}) == "firing"; got != want {
				t.Errorf("was firing %v, value %s: fires %v, want %v", row.WasFiring, text, got, want)
			}
		}
	}
}

// testHysteresisOps sees that what ends an alert is the exact complement of
// what starts it, at the clear threshold itself.
func testHysteresisOps(t *testing.T, c conformance) {
	var rows []struct{ Alert, Recover string }
	if err := c.Expect.Decode(&rows); err != nil {
		t.Fatal(err)
	}
	complement := map[string]string{">": "<=", ">=": "<", "<": ">=", "<=": ">"}
	for _, row := range rows {
		op, recover := strings.Fields(row.Alert)[0], strings.Fields(row.Recover)[0]
		if complement[op] != recover {
			t.Fatalf("the case says that %s ends by %s", op, recover)
		}
		for _, value := range []float64{49, 50, 51} {
			clear := 50.0
			tr := track{rule: inFile(t, []string{fmt.Sprintf("op: %q", op)}, "{threshold: 50, clear: 50}")}
			breach := map[string]float64{">": 99, ">=": 99, "<": 1, "<=": 1}[op]
			tr.step(0, alert.Input{Value: breach})
			got := tr.step(time.Minute, alert.Input{Value: value}) == "resolved"
			if want := alert.Op(recover).Holds(value, clear); got != want {
				t.Errorf("%s at %v: ended %v, want %v", op, value, got, want)
			}
		}
	}
}

// testConsecutive says failures and successes in times: n failures are n-1
// intervals of for, n successes n-1 of keep_firing_for.
func testConsecutive(t *testing.T, c conformance) {
	var want []string
	if err := c.Expect.Decode(&want); err != nil {
		t.Fatal(err)
	}
	tr := track{rule: inFile(t, []string{`op: ">"`, fmt.Sprintf("keep_firing_for: %dm", c.Rule.Successes-1)},
		fmt.Sprintf("{threshold: 0, for: %dm}", c.Rule.Failures-1))}
	var got []string
	names := map[string]string{"inactive": "ok", "pending": "ok", "firing": "triggered", "recovering": "triggered", "resolved": "resolved"}
	for i, v := range c.Values {
		value := 0.0
		if v == "F" {
			value = 1
		}
		got = append(got, names[tr.step(time.Duration(i)*time.Minute, alert.Input{Value: value})])
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("states (-want +got):\n%s", diff)
	}
}

// testFlapping turns runs into times: as many of them as the case looks back on
// are as long as an alert's own look-back.
func testFlapping(t *testing.T, c conformance) {
	var rows []struct {
		History             string
		Currently, Flapping bool
	}
	if err := c.Expect.Decode(&rows); err != nil {
		t.Fatal(err)
	}
	runs := map[string]string{
		"4 changes + 16 stable": "xxxx" + strings.Repeat(".", 16), "2 changes + 20 stable": "xx" + strings.Repeat(".", 20),
		"5 changes (not full)": "xxxxx", "16 stable + 4 changes": strings.Repeat(".", 16) + "xxxx",
		"16 stable": strings.Repeat(".", 16), "20 stable": strings.Repeat(".", 20),
	}
	for _, row := range rows {
		tr := track{rule: inFile(t, []string{`op: ">"`}, "{threshold: 0}")}
		if tr.rule.Flap.Changes != c.Rule.ChangeThreshold {
			t.Fatalf("%d changes are flapping, want %d", tr.rule.Flap.Changes, c.Rule.ChangeThreshold)
		}
		every := tr.rule.Flap.LookBack / time.Duration(c.Rule.LookBack)
		if row.Currently {
			tr.state.Flap = &alert.FlapState{On: true, Incident: "inc", Changes: []time.Time{epoch.Add(-every)}}
		}
		value := 0.0
		history, ok := runs[row.History]
		if !ok {
			t.Fatalf("unknown history %q", row.History)
		}
		for i, run := range history {
			if run == 'x' {
				value = 1 - value
			}
			tr.step(time.Duration(i)*every, alert.Input{Value: value})
		}
		if got := tr.state.Flapping(); got != row.Flapping {
			t.Errorf("%s, flapping before %v: flapping %v, want %v", row.History, row.Currently, got, row.Flapping)
		}
	}
}

// testRestore plays a case at another speed: how long an outage a pending alert
// outlives is no setting.
func testRestore(t *testing.T, c conformance) {
	slower := func(d *duration) {
		*d = duration(float64(*d) * float64(alert.DefaultOutageTolerance) / float64(c.Config.Tolerance))
	}
	var before map[string]duration
	if err := c.Before.ActiveSince.Decode(&before); err != nil {
		t.Fatal(err)
	}
	var want struct {
		ActiveSince map[string]duration `yaml:"active_since"`
		FiresAt     map[string]duration `yaml:"fires_at"`
	}
	if err := c.Expect.Decode(&want); err != nil {
		t.Fatal(err)
	}
	for _, d := range []*duration{&c.Rule.For, &c.Before.Persisted, &c.RestartAt} {
		slower(d)
	}
	for _, times := range []map[string]duration{before, want.ActiveSince, want.FiresAt} {
		for name, d := range times {
			slower(&d)
			times[name] = d
		}
	}
	for name, since := range before {
		tr := track{rule: c.Rule.rule(t)}
		tr.step(time.Duration(since), alert.Input{Value: 1})
		tr.step(time.Duration(c.Before.Persisted), alert.Input{Value: 1})
		gap := time.Duration(c.RestartAt - c.Before.Persisted)
		tr.step(time.Duration(c.RestartAt), alert.Input{Value: 1, Unknown: gap})
		if got := tr.state.Since.Sub(epoch); got != time.Duration(want.ActiveSince[name]) {
			t.Errorf("%s: active since %v, want %v", name, got, time.Duration(want.ActiveSince[name]))
		}
		fires, ok := want.FiresAt[name]
		if !ok {
			continue
		}
		if got := tr.step(time.Duration(fires)-time.Second, alert.Input{Value: 1}); got != "pending" {
			t.Errorf("%s: %s a second before %v, want pending", name, got, time.Duration(fires))
		}
		if got := tr.step(time.Duration(fires), alert.Input{Value: 1}); got != "firing" {
			t.Errorf("%s: %s at %v, want firing", name, got, time.Duration(fires))
		}
	}
}

// testNotRestored also covers the want: what fired and was told has its end
// told after the restart.
func testNotRestored(t *testing.T, c conformance) {
	c.Rule.Op = ">"
	tr := track{rule: c.Rule.rule(t)}
	tr.step(0, alert.Input{Value: 1})
	if got := tr.step(time.Duration(c.RestartAt), alert.Input{Value: -1, Unknown: 45 * time.Minute}); got != "inactive" {
		t.Errorf("pending before, clear after: %s, want inactive", got)
	}
	c.Rule.For = 0
	tr = track{rule: c.Rule.rule(t)}
	tr.step(0, alert.Input{Value: 1})
	got := tr.step(time.Duration(c.RestartAt), alert.Input{Value: -1, Unknown: 45 * time.Minute})
	if got != "resolved" || tr.events[0].Incident != "inc-1" {
		t.Errorf("firing before, clear after: %s of %s, want resolved of inc-1", got, tr.events[0].Incident)
	}
}

func testFiringRestored(t *testing.T, c conformance) {
	c.Rule.Op = ">"
	tr := track{rule: c.Rule.rule(t)}
	tr.step(0, alert.Input{Value: 1})
	if got := tr.step(6*time.Minute, alert.Input{Value: 1}); got != "firing" {
		t.Fatalf("before the restart: %s, want firing", got)
	}
	got := tr.step(8*time.Minute, alert.Input{Value: 1, Unknown: 2 * time.Minute})
	if got != "firing" || len(tr.events) != 0 {
		t.Errorf("after the restart: %s with events %v, want firing and none", got, tr.events)
	}
}

func testEdits(t *testing.T, c conformance) {
	op := []string{`op: ">"`}
	for name, edited := range map[string]*alert.Rule{
		"threshold": inFile(t, op, "{threshold: 10}", "{threshold: 40}"),
		"for":       inFile(t, op, "{threshold: 10, for: 1h}", "{threshold: 30, for: 1h}"),
		"insert":    inFile(t, op, "{level: info, threshold: 5}", "{level: warning, threshold: 10}", "{level: critical, threshold: 30}"),
		"rename":    inFile(t, op, "{level: w, threshold: 10}", "{level: c, threshold: 30}"),
	} {
		tr := track{rule: inFile(t, op, "{threshold: 10}", "{threshold: 30}")}
		tr.step(0, alert.Input{Value: 50})
		tr.rule = edited
		if got := tr.step(time.Minute, alert.Input{Value: 50}); got != "firing" || len(tr.events) != 0 || tr.state.Incident != "inc-1" {
			t.Errorf("edit of %s: %s, events %v, want firing and none", name, got, tr.events)
		}
	}
	c.Rule.Threshold = 1
	tr := track{rule: c.Rule.rule(t)}
	tr.step(0, alert.Input{Value: 2})
	state, events := alert.End(tr.state, alert.ReasonRemoved, epoch.Add(time.Minute))
	if state.Phase != alert.Inactive || len(events) != 1 || events[0].Kind != alert.Resolved || events[0].Reason != alert.ReasonRemoved {
		t.Errorf("End = %v, %v; want inactive, resolved with the reason", state, events)
	}
}

// testReplay evaluates at each interval; between its points the series of D08
// is silent.
func testReplay(t *testing.T, c conformance) {
	var want struct {
		States      []string
		ActiveSince []int `yaml:"active_since"`
	}
	if err := c.Expect.Decode(&want); err != nil {
		t.Fatal(err)
	}
	tr := track{rule: c.Rule.rule(t)}
	at := time.Duration(0)
	for i, point := range c.Times {
		for ; at < time.Duration(point); at += time.Duration(c.Rule.EvalEvery) {
			tr.step(at, alert.Input{Status: alert.StatusMissing})
		}
		got := tr.step(at, alert.Input{Value: 1})
		at += time.Duration(c.Rule.EvalEvery)
		if got != want.States[i] {
			t.Errorf("at %v: %s, want %s", time.Duration(point), got, want.States[i])
		}
		if since := int(tr.state.Since.Sub(epoch).Seconds()); since != want.ActiveSince[i] {
			t.Errorf("at %v: active since %d, want %d", time.Duration(point), since, want.ActiveSince[i])
		}
	}
}

func testSparse(t *testing.T, c conformance) {
	var want struct{ States []string }
	if err := c.Expect.Decode(&want); err != nil {
		t.Fatal(err)
	}
	tr := track{rule: c.Rule.rule(t)}
	for i, at := range c.Times {
		if got := tr.step(time.Duration(at), alert.Input{Value: 1}); got != want.States[i] {
			t.Errorf("at %v: %s, want %s", time.Duration(at), got, want.States[i])
		}
	}
}

func testLevels(t *testing.T, c conformance) {
	var want struct{ Level []string }
	if err := c.Expect.Decode(&want); err != nil {
		t.Fatal(err)
	}
	kinds := [][]alert.Kind{nil, {alert.Fired}, {alert.Rose}, nil, {alert.Fell}, {alert.Resolved}}
	tr := track{rule: c.Rule.rule(t)}
	for i, v := range c.Values {
		tr.step(time.Duration(i)*time.Duration(c.Rule.EvalEvery), input(v))
		level := tr.state.Level
		if level == "" {
			level = "clear"
		}
		if level != want.Level[i] {
			t.Errorf("value %v: level %s, want %s", v, level, want.Level[i])
		}
		if diff := cmp.Diff(kinds[i], tr.kinds()); diff != "" {
			t.Errorf("value %v: events (-want +got):\n%s", v, diff)
		}
	}
	if tr.drawn != 1 {
		t.Errorf("%d incidents, want 1", tr.drawn)
	}
}

func testBurnRate(t *testing.T, c conformance) {
	pairs := alert.BurnRates(30 * 24 * time.Hour)
	for i, w := range c.Windows {
		short, _ := parseDuration(w.Short)
		long, _ := parseDuration(w.Long)
		want := alert.BurnRate{Short: short, Long: long, Factor: w.Factor, Page: w.Sev == "page"}
		if pairs[i] != want {
			t.Errorf("pair %d = %+v, want %+v", i, pairs[i], want)
		}
	}
	var rows []struct {
		Ratio        map[string]float64
		Page, Ticket *bool
	}
	if err := c.Expect.Decode(&rows); err != nil {
		t.Fatal(err)
	}
	for _, row := range rows {
		ratios := make(map[time.Duration]float64)
		for text, r := range row.Ratio {
			d, err := parseDuration(text)
			if err != nil {
				t.Fatal(err)
			}
			ratios[d] = r
		}
		got := alert.SLOVerdict(pairs, 0.999, func(p *alert.BurnRate) (short, long float64) { return ratios[p.Short], ratios[p.Long] })
		if row.Page != nil && (got == alert.SLOPage) != *row.Page {
			t.Errorf("%v: verdict %v, want page %v", row.Ratio, got, *row.Page)
		}
		if row.Ticket != nil && (got == alert.SLOTicket) != *row.Ticket {
			t.Errorf("%v: verdict %v, want ticket %v", row.Ratio, got, *row.Ticket)
		}
	}
}
