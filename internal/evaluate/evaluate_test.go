package evaluate

import (
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/go-batteries/hawkeye/internal/alert"
	"github.com/go-batteries/hawkeye/internal/monitor"
	"github.com/go-batteries/hawkeye/internal/window"
)

const width = 200 * time.Millisecond

// fakeWindows are values that a test sets by hand.
type fakeWindows struct {
	groups  map[window.Handle][]*window.Group
	values  map[window.Handle]window.Value
	past    map[int64]window.Value
	changed []window.Ref
	late    []window.Ref
}

func (f *fakeWindows) Value(h window.Handle, g *window.Group) window.Value {
	if g == nil {
		return window.Value{Status: window.Missing}
	}
	return f.values[h]
}

func (f *fakeWindows) ValueAt(_ window.Handle, _ *window.Group, n int64) (window.Value, bool) {
	v, ok := f.past[n]
	return v, ok
}

func (f *fakeWindows) Newest(window.Handle, *window.Group) (int64, bool) { return 0, false }

func (f *fakeWindows) Groups(h window.Handle) []*window.Group { return f.groups[h] }

func (f *fakeWindows) Group(h window.Handle, key string) *window.Group {
	for _, g := range f.groups[h] {
		if g.Key() == key {
			return g
		}
	}
	return nil
}

func (f *fakeWindows) Changed(refs []window.Ref) []window.Ref {
	refs, f.changed = append(refs, f.changed...), nil
	return refs
}

func (f *fakeWindows) ChangedLate(refs []window.Ref) []window.Ref {
	refs, f.late = append(refs, f.late...), nil
	return refs
}

func (f *fakeWindows) set(h window.Handle, v window.Value) {
	f.values[h] = v
	f.changed = append(f.changed, window.Ref{Handle: h, Group: f.groups[h][0]})
}

func ok(v float64) window.Value { return window.Value{V: v, Status: window.OK, Monotone: true} }

// fixture is an evaluator of one monitor over fake windows.
type fixture struct {
	t    *testing.T
	w    *fakeWindows
	e    *Evaluator
	tick int64
	ids  int
}

func newFixture(t *testing.T, m monitor.Monitor, states map[string]alert.State) *fixture {
	t.Helper()
	if m.Window == 0 {
		m.Window = time.Minute
	}
	if m.Metric == "" {
		m.Metric = m.Name
	}
	f := &fixture{t: t, w: &fakeWindows{
		groups: make(map[window.Handle][]*window.Group), values: make(map[window.Handle]window.Value),
	}}
	plan := NewPlan(&monitor.Set{Monitors: []monitor.Monitor{m}}, width)
	handles := make([]window.Handle, len(plan.Queries))
	for i := range handles {
		handles[i] = window.Handle(i)
		f.w.groups[handles[i]] = []*window.Group{{}}
	}
	f.e = New(Config{Plan: plan, Handles: handles, States: states, NewID: func() string {
		f.ids++
		return fmt.Sprint("incident-", f.ids)
	}})
	return f
}

// step evaluates the next tick and returns the kinds of what happened.
func (f *fixture) step(t Tick) []alert.Kind {
	f.tick++
	if t.N == 0 {
		t.N = f.tick
	}
	t.End = time.Unix(1_000_000, 0).Add(time.Duration(t.N) * width)
	var kinds []alert.Kind
	for _, c := range f.e.Step(f.w, t) {
		for _, e := range c.Events {
			kinds = append(kinds, e.Kind)
		}
	}
	return kinds
}

func (f *fixture) want(when string, got []alert.Kind, want ...alert.Kind) {
	f.t.Helper()
	if diff := cmp.Diff(want, got); diff != "" {
		f.t.Errorf("events %s (-want +got):\n%s", when, diff)
	}
}

func errorsMonitor() monitor.Monitor {
	return monitor.Monitor{Name: "errors", Triggers: []monitor.Trigger{{Level: "critical", Threshold: 5}}}
}

func TestStepJudgesOnlyWhatChanged(t *testing.T) {
	t.Parallel()
	f := newFixture(t, errorsMonitor(), nil)
	f.w.set(0, ok(0))
	f.want("at the first tick", f.step(Tick{}))
	f.w.values[0] = ok(9) // nobody says that it changed
	f.want("without a change", f.step(Tick{}))
	f.w.set(0, ok(9))
	f.want("at the breach", f.step(Tick{}), alert.Fired)
	f.w.values[0] = ok(0)
	f.want("of an alert that fires, which is judged at each tick", f.step(Tick{}), alert.Resolved)
}

func TestIncompleteValuesFireAndDoNotResolve(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		breach, clear window.Value
		fires, ends   bool
	}{
		"complete":                           {breach: ok(9), clear: ok(0), fires: true, ends: true},
		"partial sum of growing counters":    {breach: window.Value{V: 9, Status: window.OK, Monotone: true, Partial: 1}, clear: window.Value{Status: window.OK, Monotone: true, Partial: 1}, fires: true},
		"partial value that is no bound":     {breach: window.Value{V: 9, Status: window.OK, Partial: 1}, clear: window.Value{Status: window.OK, Partial: 1}, fires: true},
		"unknown ticks a moment ago":         {breach: window.Value{V: 9, Status: window.OK, Unknown: 3, LastUnknown: 1}, clear: window.Value{Status: window.OK, Unknown: 3, LastUnknown: 1}, fires: true},
		"unknown ticks longer ago than that": {breach: ok(9), clear: window.Value{Status: window.OK, Unknown: 3, LastUnknown: -1000}, fires: true, ends: true},
		"missing":                            {breach: window.Value{Status: window.Missing}, clear: ok(0)},
		"never seen":                         {breach: window.Value{Status: window.Unseen}, clear: ok(0)},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := newFixture(t, errorsMonitor(), nil)
			f.w.set(0, tt.breach)
			kinds := f.step(Tick{})
			if fired := cmp.Equal(kinds, []alert.Kind{alert.Fired}); fired != tt.fires {
				t.Fatalf("breach: events %v, want fired = %v", kinds, tt.fires)
			}
			if !tt.fires {
				return
			}
			f.w.set(0, tt.clear)
			kinds = f.step(Tick{})
			if ended := cmp.Equal(kinds, []alert.Kind{alert.Resolved}); ended != tt.ends {
				t.Errorf("clear: events %v, want resolved = %v", kinds, tt.ends)
			}
		})
	}
}

func TestRatio(t *testing.T) {
	t.Parallel()
	ratio := monitor.Monitor{
		Name: "share", DivideBy: "total", MinTotal: 20,
		Triggers: []monitor.Trigger{{Level: "critical", Threshold: 0.5}},
	}
	tests := map[string]struct {
		part, total window.Value
		fires       bool
	}{
		"half":                       {ok(10), ok(20), true},
		"less":                       {ok(9), ok(20), false},
		"too few to say":             {ok(10), ok(19), false},
		"0/0":                        {ok(0), ok(0), false},
		"nothing was ever seen":      {window.Value{Status: window.Unseen}, window.Value{Status: window.Unseen}, false},
		"the part was never seen":    {window.Value{Status: window.Unseen}, ok(100), false},
		"the total is ambiguous":     {ok(100), window.Value{Status: window.Ambiguous, V: 100}, false},
		"the total has no samples":   {ok(100), window.Value{Status: window.Missing}, false},
		"the total is a lower bound": {ok(30), window.Value{V: 40, Status: window.OK, Partial: 1, Monotone: true}, true},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := newFixture(t, ratio, nil)
			f.w.set(0, tt.part)
			f.w.set(1, tt.total)
			kinds := f.step(Tick{})
			if got := cmp.Equal(kinds, []alert.Kind{alert.Fired}); got != tt.fires {
				t.Errorf("events %v, want fired = %v", kinds, tt.fires)
			}
		})
	}
}

// A burst in a bucket that came after its tick was evaluated fires, though the
// window has moved on.
func TestLateSamplesFire(t *testing.T) {
	t.Parallel()
	f := newFixture(t, errorsMonitor(), nil)
	f.w.set(0, ok(0))
	f.step(Tick{})
	f.w.late = []window.Ref{{Handle: 0, Group: f.w.groups[0][0]}}
	f.w.past = map[int64]window.Value{7: ok(4), 8: ok(6), 9: ok(0)}
	f.want("with a late bucket", f.step(Tick{N: 10, Late: []int64{7, 8, 9}}), alert.Fired, alert.Resolved)
}

// What fired by a late bucket alone, and left the window meanwhile, is still
// known to be of a counter: the next evaluator takes no samples for none.
func TestLateSamplesTellTheKind(t *testing.T) {
	t.Parallel()
	f := newFixture(t, errorsMonitor(), nil)
	f.w.late = []window.Ref{{Handle: 0, Group: f.w.groups[0][0]}}
	late := ok(6)
	late.Count = 1
	f.w.past = map[int64]window.Value{9: late}
	f.w.values[0] = window.Value{Status: window.Unseen, Partial: 1}
	f.want("with a late bucket", f.step(Tick{N: 10, Late: []int64{9}}), alert.Fired)
	a := f.e.Alerts()[0]
	if got := a.Kind(); got != "counter" {
		t.Errorf("the alert is of a series of kind %q, want counter", got)
	}
}

// An evaluator that took over, or reads again what the Store had lost, judges
// ticks again that were judged before: what is over by then isn't told again,
// nor a level that was left.
func TestJudgedAgain(t *testing.T) {
	t.Parallel()
	at := func(n int64) time.Time { return time.Unix(1_000_000, 0).Add(time.Duration(n) * width) }
	over := alert.State{Last: &alert.Past{Began: at(208), Ended: at(212), Incident: "x", Rank: 1, Earlier: &alert.Past{Began: at(100), Ended: at(104)}}}
	fell := alert.State{
		Phase: alert.Firing, Incident: "x", Rank: 1, Level: "critical", Since: at(208), FiredAt: at(208), LevelAt: at(290), Before: 2,
		Levels: &alert.LevelFlap{Changes: []alert.LevelChange{{At: at(290), Low: 1, High: 2}}},
	}
	told := []alert.Kind{alert.Fired, alert.Resolved}
	for _, test := range []struct {
		name  string
		state alert.State
		tick  int64
		value float64
		want  []alert.Kind
	}{
		{"after the last incident", over, 214, 9, told},
		{"in the last incident", over, 210, 9, nil},
		{"in the last incident, at a higher level", over, 210, 99, []alert.Kind{alert.Rose, alert.Resolved}},
		{"less than a window before it", over, 190, 9, nil},
		{"right after the last incident", over, 213, 9, nil},
		{"between two incidents", over, 120, 9, told},
		{"in the one before", over, 102, 9, nil},
		{"before both", over, 30, 9, told},
		{"a level that was left", fell, 250, 99, nil},
		{"a level that was never reached", fell, 295, 99, []alert.Kind{alert.Rose, alert.Fell}},
	} {
		m := errorsMonitor()
		m.Window = 50 * width
		m.Triggers = append(m.Triggers, monitor.Trigger{Level: "fatal", Threshold: 50})
		f := newFixture(t, m, map[string]alert.State{"errors": test.state})
		now := ok(0)
		if test.state.Phase == alert.Firing {
			now = ok(9)
		}
		f.w.set(0, now)
		f.step(Tick{N: 299})
		f.w.late = []window.Ref{{Handle: 0, Group: f.w.groups[0][0]}}
		f.w.past = map[int64]window.Value{test.tick: ok(test.value)}
		f.want(test.name, f.step(Tick{N: 300, Late: []int64{test.tick}}), test.want...)
	}
}

func TestStateOutlivesARestart(t *testing.T) {
	t.Parallel()
	before := newFixture(t, errorsMonitor(), nil)
	before.w.set(0, ok(9))
	before.want("before", before.step(Tick{}), alert.Fired)
	states := map[string]alert.State{"errors": before.e.Alerts()[0].State}

	after := newFixture(t, errorsMonitor(), states)
	after.w.set(0, ok(9))
	after.want("of an alert that still fires", after.step(Tick{N: 2}))
	after.w.set(0, ok(1))
	after.want("at its end", after.step(Tick{N: 3}), alert.Resolved)
}

func TestRemovedMonitorEndsItsAlert(t *testing.T) {
	t.Parallel()
	f := newFixture(t, errorsMonitor(), map[string]alert.State{
		"gone":   {Phase: alert.Firing, Incident: "x", Rank: 1, Level: "critical", FiredAt: time.Unix(5, 0)},
		"errors": {Phase: alert.Firing, Incident: "y", Rank: 1, Level: "critical", FiredAt: time.Unix(5, 0)},
	})
	changes := f.e.Removed(time.Unix(10, 0), nil)
	if len(changes) != 1 || changes[0].Alert.Key != "gone" {
		t.Fatalf("Removed() = %v, want the alert of the monitor that is gone", changes)
	}
	e := changes[0].Events
	if len(e) != 1 || e[0].Kind != alert.Resolved || e[0].Reason != alert.ReasonRemoved {
		t.Errorf("events = %+v, want one end, because the monitor was removed", e)
	}
}

func at(tick int) time.Time { return time.Unix(1_000_000, 0).Add(time.Duration(tick) * width) }

// What is usual isn't known before the window in the past lies wholly in the
// time since somebody counts.
func TestComparisonWaitsForAWholeWindow(t *testing.T) {
	t.Parallel()
	m := monitor.Monitor{
		Name: "more", Window: 10 * time.Second, CompareTo: time.Minute,
		Triggers: []monitor.Trigger{{Level: "critical", Threshold: 0.5, Relative: true}},
	}
	whole := int64((70 * time.Second) / width)
	for n, want := range map[int64]bool{whole - 1: false, whole: true} {
		f := newFixture(t, m, nil)
		f.w.set(0, ok(100))
		f.w.set(1, ok(10))
		f.step(Tick{N: n})
		if s := f.e.Alerts()[0].State; s.Phase == alert.Firing != want {
			t.Errorf("tick %d: %v, want firing = %v", n, s.Phase, want)
		}
	}
}
