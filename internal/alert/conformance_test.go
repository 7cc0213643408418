package alert

import (
	"fmt"
	"math"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
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
	Op            Op
	Threshold     float64
	EvalEvery     duration `yaml:"eval_every"`
	For           duration
	KeepFiringFor duration `yaml:"keep_firing_for"`
	OnNoData      string   `yaml:"on_no_data"`
	OnError       string   `yaml:"on_error"`
	NoDataPending bool     `yaml:"no_data_pending"`
	Levels        []struct {
		Name      string
		Op        Op
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

func (c caseRule) rule() *Rule {
	r := &Rule{
		Key: "case", Op: c.Op, KeepFiringFor: time.Duration(c.KeepFiringFor), NoData: OK,
		Levels: []Level{{Name: "critical", Threshold: c.Threshold, For: time.Duration(c.For), Clear: c.RecoveryThreshold}},
	}
	if c.OnNoData == "nodata" {
		r.NoData = NoDataState
	}
	if c.NoDataPending {
		r.NoDataFor = time.Duration(c.For)
	}
	if c.OnError == "alerting" {
		r.EvalError = Alert
	}
	if len(c.Levels) > 0 {
		r.Op, r.Levels = c.Levels[0].Op, nil
		for _, l := range c.Levels {
			r.Levels = append(r.Levels, Level{Name: l.Name, Threshold: l.Threshold})
		}
	}
	return r
}

func input(v any) Input {
	switch v := v.(type) {
	case int:
		return Input{Value: float64(v)}
	case float64:
		return Input{Value: v}
	case nil:
		return Input{Status: StatusMissing}
	case string:
		if v == "ERR" {
			return Input{Status: StatusError}
		}
		if v == "NaN" {
			return Input{Value: math.NaN()}
		}
	}
	panic(fmt.Sprintf("no input for %v", v))
}

// track is one alert being stepped through.
type track struct {
	rule   *Rule
	state  State
	drawn  int
	events []Event // of the last step
}

func (tr *track) step(at time.Duration, in Input) string {
	tr.state, tr.events = Step(tr.rule, tr.state, in, epoch.Add(at), func() string {
		tr.drawn++
		return fmt.Sprintf("inc-%d", tr.drawn)
	})
	for _, e := range tr.events {
		if e.Kind == Resolved && tr.state.Phase == Inactive {
			return "resolved"
		}
	}
	return tr.state.Phase.String()
}

func (tr *track) kinds() []Kind {
	var out []Kind
	for _, e := range tr.events {
		if e.Kind != Troubled && e.Kind != Untroubled {
			out = append(out, e.Kind)
		}
	}
	return out
}

func (tr *track) reason() any {
	reason := tr.state.Reason
	for _, e := range tr.events {
		if e.Kind == Resolved {
			reason = e.Reason
		}
	}
	switch reason {
	case ReasonError:
		return "Error"
	case ReasonNoData:
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
		tr := track{rule: c.Rule.rule()}
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
		tr := track{rule: c.Rule.rule()}
		tr.rule.Levels[0].For = 0
		if got := tr.step(0, Input{}); got != "firing" {
			t.Errorf("with for 0 the first evaluation gives %s, want firing", got)
		}
	}
}

func testRaisedFor(t *testing.T, c conformance) {
	var want struct{ States []string }
	if err := c.Want.Decode(&want); err != nil {
		t.Fatal(err)
	}
	tr := track{rule: c.Rule.rule()}
	var got []string
	for i, at := range c.Times {
		if i == 2 {
			tr.rule.Levels[0].For = time.Hour
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
	tr := track{rule: c.Rule.rule()}
	tr.rule.NoData = Keep
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
		Instances []Phase
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
		if got := Worst(row.Instances...); got.String() != row.Rule {
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
	policies := map[string]Policy{"evaluate_as_zero": Zero, "last_known": Keep, "notify_no_data": NoDataState, "show_ok": OK}
	states := map[string]Phase{"ok": Inactive, "alert": Firing, "nodata": NoData}
	for _, row := range rows {
		policy, ok := policies[row.Option]
		if !ok {
			continue
		}
		tr := track{rule: &Rule{Op: Greater, NoData: policy, Levels: []Level{{Name: "critical", Threshold: 10}}}}
		tr.step(0, Input{Value: 11})
		tr.step(time.Minute, Input{Status: StatusMissing})
		if tr.state.Phase != states[row.State] {
			t.Errorf("%s: phase %s, want %s", row.Option, tr.state.Phase, row.State)
		}
		if told := len(tr.kinds()) == 1 && tr.kinds()[0].Told(); row.Notify != nil && told != *row.Notify {
			t.Errorf("%s: told %v, want %v", row.Option, told, *row.Notify)
		}
	}
	tr := track{rule: &Rule{Op: Greater, NoData: NoDataState, Levels: []Level{{Threshold: 10}}}}
	if got := tr.step(0, Input{Status: StatusUnseen}); got != "inactive" || len(tr.kinds()) != 0 {
		t.Errorf("never seen: %s with %v, want inactive and nothing told", got, tr.kinds())
	}
}
