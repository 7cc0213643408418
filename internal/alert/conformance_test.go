package alert_test

import (
	"fmt"
	"math"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/go-batteries/hawkeye/internal/alert"
	"github.com/go-batteries/hawkeye/internal/evaluate"
	"github.com/go-batteries/hawkeye/internal/monitor"
	"gopkg.in/yaml.v3"
)

// elsewhere are the cases that this package does not decide, or decides
// otherwise on purpose, with the reason.
var elsewhere = map[string]string{
	"A21": "groups are keyed by their tags, so two results with the same tags can't exist: TestMonitors of the root",
	"A22": "how many groups a monitor keeps is the evaluator's business (max_groups), before a rule sees them: TestMonitors of the root",
	"E03": "no alert ends because nobody refreshed it: state is in the ledger, and only a clear evaluation ends it",
	"E04": "delays that grow are not offered: flapping is told once when it starts and once when it is over",
	"I03": "ratios and min_total are worked out before a rule sees the value: TestMonitors of the root",
	"C06": "sending: package notify",
	"E01": "sending: package notify",
	"H11": "mute times: package monitor",
	"H12": "mute times: package monitor",
}

// conformance is what the table of cases says, in the shapes that the tests
// here ask for.
type conformance struct {
	ID     string
	Kind   string
	Rule   caseRule
	Times  []caseTime
	Values []any
	Series []struct{ Values []any }
	Expect yaml.Node
	Want   yaml.Node
	Before struct {
		ActiveSince yaml.Node `yaml:"active_since"`
		Persisted   caseTime  `yaml:"last_persisted"`
	}
	Config struct {
		Tolerance duration `yaml:"outage_tolerance"`
	}
	RestartAt     caseTime `yaml:"restart_at"`
	ConditionTrue bool     `yaml:"condition_true"`
	Windows       []struct {
		Sev         string
		Short, Long string
		Factor      float64
	}
}

type caseRule struct {
	Op            string
	Threshold     float64
	EvalEvery     duration `yaml:"eval_every"`
	For           duration
	KeepFiringFor duration `yaml:"keep_firing_for"`
	OnNoData      string   `yaml:"on_no_data"`
	OnError       string   `yaml:"on_error"`
	NoDataPending bool     `yaml:"no_data_pending"`
	Levels        []struct {
		Name      string
		Op        string
		Threshold float64
	}
	RecoveryThreshold *float64 `yaml:"recovery_threshold"`
	Failures          int      `yaml:"failures_to_fire"`
	Successes         int      `yaml:"successes_to_resolve"`
	LookBack          int      `yaml:"look_back"`
	ChangeThreshold   int      `yaml:"change_threshold"`
}

// duration is one as the cases write it: 5m, 1d, or a number of seconds.
type duration time.Duration

func (d *duration) UnmarshalYAML(n *yaml.Node) error {
	v, err := parseDuration(n.Value)
	*d = duration(v)
	return err
}

type caseTime = duration

func parseDuration(s string) (time.Duration, error) {
	if days, ok := strings.CutSuffix(s, "d"); ok {
		d, err := time.ParseDuration(days + "h")
		return 24 * d, err
	}
	if strings.Trim(s, "0123456789.") == "" {
		s += "s"
	}
	return time.ParseDuration(s)
}

func loadCases(t *testing.T) map[string]conformance {
	t.Helper()
	data, err := os.ReadFile("testdata/alert_cases.yaml")
	if err != nil {
		t.Fatal(err)
	}
	var file struct{ Cases []yaml.Node }
	if err := yaml.Unmarshal(data, &file); err != nil {
		t.Fatal(err)
	}
	out := make(map[string]conformance)
	for i := range file.Cases {
		var head struct{ ID, Kind string }
		if err := file.Cases[i].Decode(&head); err != nil {
			t.Fatal(err)
		}
		c := conformance{ID: head.ID, Kind: head.Kind}
		if decidedHere(head.ID) {
			if err := file.Cases[i].Decode(&c); err != nil {
				t.Fatalf("case %s: %v", head.ID, err)
			}
		}
		out[c.ID] = c
	}
	return out
}

// decidedHere says whether a case is about states. Letters G, H and J are
// about messages.
func decidedHere(id string) bool {
	return elsewhere[id] == "" && !strings.ContainsAny(id[:1], "GHJ")
}

// runners are the tests of the cases that need more than the state table.
var runners = map[string]func(*testing.T, conformance){
	"A04": testRaisedFor, "A17": testMissingKeep, "A23": testWorst, "B11": testNoDataOptions,
	"C01": testHysteresis, "C02": testHysteresisOps, "C04": testConsecutive, "C07": testFlapping,
	"D01": testRestore, "D02": testRestore, "D03": testNotRestored, "D05": testFiringRestored,
	"D07": testEdits, "D08": testReplay, "D09": testSparse, "F01": testLevels, "I01": testBurnRate,
}

func TestConformance(t *testing.T) {
	t.Parallel()
	for id, c := range loadCases(t) {
		if !decidedHere(id) {
			continue
		}
		t.Run(id, func(t *testing.T) {
			t.Parallel()
			run := runners[id]
			switch {
			case run != nil:
				run(t, c)
			case c.Kind == "state":
				testStates(t, c)
			default:
				t.Errorf("case %s (%s) is neither run nor listed as decided elsewhere", id, c.Kind)
			}
		})
	}
}

func TestConformanceIsWhole(t *testing.T) {
	t.Parallel()
	cases := loadCases(t)
	if len(cases) != 70 {
		t.Errorf("the file has %d cases, want 70", len(cases))
	}
	for id, why := range elsewhere {
		if _, ok := cases[id]; !ok || why == "" {
			t.Errorf("%s is listed as decided elsewhere (%q), but is no case", id, why)
		}
	}
	for id := range runners {
		if _, ok := cases[id]; !ok {
			t.Errorf("%s has a test, but is no case", id)
		}
	}
}

var epoch = time.Unix(1_800_000_000, 0).UTC()

// inFile is the rule of a monitor that a file has with these keys. What no file
// can say no case may need.
func inFile(t *testing.T, keys []string, triggers ...string) *alert.Rule {
	t.Helper()
	keys = append([]string{"name: case", "metric: m", "type: gauge", "notify: [r]"}, keys...)
	keys = append(keys, "triggers: ["+strings.Join(triggers, ", ")+"]")
	text := "version: 2\nreceivers: {r: {email: {to: [r@example.com]}}}\nmonitors: [{" + strings.Join(keys, ", ") + "}]\n"
	set, err := monitor.Parse("case.yaml", []byte(text))
	if err != nil {
		t.Fatalf("the case can't be said in a file: %v", err)
	}
	return &evaluate.NewPlan(set, time.Second).Rules[0].Alert
}

func (d duration) String() string { return monitor.FormatDuration(time.Duration(d)) }

func (c caseRule) rule(t *testing.T) *alert.Rule {
	t.Helper()
	noData, wait := "ok", duration(0)
	if c.OnNoData != "" {
		noData = c.OnNoData
	}
	if c.NoDataPending {
		wait = c.For
	}
	keys := []string{
		fmt.Sprintf("keep_firing_for: %s", c.KeepFiringFor), "no_data: " + noData, fmt.Sprintf("no_data_for: %s", wait),
	}
	op := c.Op
	if len(c.Levels) > 0 {
		op = c.Levels[0].Op
	}
	if op != "" {
		keys = append(keys, fmt.Sprintf("op: %q", op))
	}
	if c.EvalEvery >= duration(time.Second) {
		keys = append(keys, fmt.Sprintf("every: %s", c.EvalEvery))
	}
	if c.OnError == "alerting" {
		keys = append(keys, "eval_error: alert")
	}
	if len(c.Levels) == 0 {
		trigger := fmt.Sprintf("{level: critical, threshold: %v, for: %s", c.Threshold, c.For)
		if c.RecoveryThreshold != nil {
			trigger += fmt.Sprintf(", clear: %v", *c.RecoveryThreshold)
		}
		return inFile(t, keys, trigger+"}")
	}
	var triggers []string
	for _, l := range c.Levels {
		triggers = append(triggers, fmt.Sprintf("{level: %s, threshold: %v}", l.Name, l.Threshold))
	}
	return inFile(t, keys, triggers...)
}

func input(v any) alert.Input {
	switch v := v.(type) {
	case int:
		return alert.Input{Value: float64(v)}
	case float64:
		return alert.Input{Value: v}
	case nil:
		return alert.Input{Status: alert.StatusMissing}
	case string:
		if v == "ERR" {
			return alert.Input{Status: alert.StatusError}
		}
		if v == "NaN" {
			return alert.Input{Value: math.NaN()}
		}
	}
	panic(fmt.Sprintf("no input for %v", v))
}

// track is one alert being stepped through.
type track struct {
	rule   *alert.Rule
	state  alert.State
	drawn  int
	events []alert.Event // of the last step
}

func (tr *track) step(at time.Duration, in alert.Input) string {
	tr.state, tr.events = alert.Step(tr.rule, tr.state, in, epoch.Add(at), func() string {
		tr.drawn++
		return fmt.Sprintf("inc-%d", tr.drawn)
	})
	for _, e := range tr.events {
		if e.Kind == alert.Resolved && tr.state.Phase == alert.Inactive {
			return "resolved"
		}
	}
	return tr.state.Phase.String()
}

func (tr *track) kinds() []alert.Kind {
	var out []alert.Kind
	for _, e := range tr.events {
		if e.Kind != alert.Troubled && e.Kind != alert.Untroubled {
			out = append(out, e.Kind)
		}
	}
	return out
}

func (tr *track) reason() any {
	reason := tr.state.Reason
	for _, e := range tr.events {
		if e.Kind == alert.Resolved {
			reason = e.Reason
		}
	}
	switch reason {
	case alert.ReasonError:
		return "Error"
	case alert.ReasonNoData:
		return "NoData"
	}
	return nil
}

func testStates(t *testing.T, c conformance) {
	var want []struct {
		States      []string
		Reason      []any
		ActiveSince []any `yaml:"active_since"`
	}
	if err := c.Expect.Decode(&want); err != nil {
		t.Fatal(err)
	}
	for i, series := range c.Series {
		tr := track{rule: c.Rule.rule(t)}
		var states []string
		var reasons, since []any
		for n, v := range series.Values {
			states = append(states, tr.step(time.Duration(n)*time.Duration(c.Rule.EvalEvery), input(v)))
			reasons = append(reasons, tr.reason())
			since = append(since, nil)
			if !tr.state.Since.IsZero() {
				since[n] = tr.state.Since.Sub(epoch).String()
			}
		}
		if diff := cmp.Diff(want[i].States, states); diff != "" {
			t.Errorf("states of series %d (-want +got):\n%s", i, diff)
		}
		if want[i].Reason != nil && !cmp.Equal(want[i].Reason, reasons) {
			t.Errorf("reasons of series %d = %v, want %v", i, reasons, want[i].Reason)
		}
		if want[i].ActiveSince != nil && !cmp.Equal(want[i].ActiveSince, since) {
			t.Errorf("active since of series %d = %v, want %v", i, since, want[i].ActiveSince)
		}
	}
	if c.ID == "A05" {
		c.Rule.For = 0
		tr := track{rule: c.Rule.rule(t)}
		if got := tr.step(0, alert.Input{}); got != "firing" {
			t.Errorf("with for 0 the first evaluation gives %s, want firing", got)
		}
	}
}

func testRaisedFor(t *testing.T, c conformance) {
	var want struct{ States []string }
	if err := c.Want.Decode(&want); err != nil {
		t.Fatal(err)
	}
	tr := track{rule: c.Rule.rule(t)}
	var got []string
	for i, at := range c.Times {
		if i == 2 {
			c.Rule.For = duration(time.Hour)
			tr.rule = c.Rule.rule(t)
		}
		got = append(got, tr.step(time.Duration(at), input(c.Series[0].Values[i])))
	}
	if diff := cmp.Diff(want.States, got); diff != "" {
		t.Errorf("states (-want +got):\n%s", diff)
	}
	if tr.drawn != 1 || len(tr.kinds()) != 0 {
		t.Errorf("%d incidents, last events %v, want 1 and none", tr.drawn, tr.kinds())
	}
}

// testMissingKeep runs A17 under both policies: ok is what the case expects,
// keep (the default) is what its want asks to be documented: a missing sample
// changes nothing, and the clock runs on.
func testMissingKeep(t *testing.T, c conformance) {
	testStates(t, c)
	c.Rule.OnNoData = "keep"
	tr := track{rule: c.Rule.rule(t)}
	var got []string
	for n, v := range c.Series[0].Values {
		got = append(got, tr.step(time.Duration(n)*time.Minute, input(v)))
	}
	want := []string{"pending", "pending", "pending", "pending", "firing", "firing", "firing", "firing"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("states with no_data keep (-want +got):\n%s", diff)
	}
}

func testWorst(t *testing.T, c conformance) {
	var rows []struct {
		Instances []alert.Phase
		Rule      string
		Evaluated *bool
	}
	if err := c.Expect.Decode(&rows); err != nil {
		t.Fatal(err)
	}
	for _, row := range rows {
		if row.Evaluated != nil {
			continue // "unknown" is the handle's word for what was never evaluated
		}
		if got := alert.Worst(row.Instances...); got.String() != row.Rule {
			t.Errorf("Worst(%v) = %s, want %s", row.Instances, got, row.Rule)
		}
	}
}

// testNoDataOptions maps the options of B11 to policies. show_no_data, a
// state that is shown and not told, is not offered: a monitor whose missing
// data nobody is to hear of keeps its state, and the trouble is shown.
func testNoDataOptions(t *testing.T, c conformance) {
	var rows []struct {
		Option, State string
		Notify        *bool
	}
	if err := c.Expect.Decode(&rows); err != nil {
		t.Fatal(err)
	}
	policies := map[string]string{"evaluate_as_zero": "zero", "last_known": "keep", "notify_no_data": "nodata", "show_ok": "ok"}
	states := map[string]alert.Phase{"ok": alert.Inactive, "alert": alert.Firing, "nodata": alert.NoData}
	for _, row := range rows {
		policy, ok := policies[row.Option]
		if !ok {
			continue
		}
		tr := track{rule: inFile(t, []string{`op: ">"`, "no_data: " + policy, "no_data_for: 0s"}, "{threshold: 10}")}
		tr.step(0, alert.Input{Value: 11})
		tr.step(time.Minute, alert.Input{Status: alert.StatusMissing})
		if tr.state.Phase != states[row.State] {
			t.Errorf("%s: phase %s, want %s", row.Option, tr.state.Phase, row.State)
		}
		if told := len(tr.kinds()) == 1 && tr.kinds()[0].Told(); row.Notify != nil && told != *row.Notify {
			t.Errorf("%s: told %v, want %v", row.Option, told, *row.Notify)
		}
	}
	tr := track{rule: inFile(t, []string{`op: ">"`, "no_data: nodata", "no_data_for: 0s"}, "{threshold: 10}")}
	if got := tr.step(0, alert.Input{Status: alert.StatusUnseen}); got != "inactive" || len(tr.kinds()) != 0 {
		t.Errorf("never seen: %s with %v, want inactive and nothing told", got, tr.kinds())
	}
}
