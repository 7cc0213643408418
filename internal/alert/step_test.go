package alert

import (
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

var epoch = time.Unix(1_800_000_000, 0).UTC()

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

// script is a rule and evaluations one a second; each line says what comes in
// and how the alert stands then, with what happened.
type script struct {
	name string
	rule Rule
	in   []Input
	want []string
}

func v(value float64) Input          { return Input{Value: value} }
func lower(value float64) Input      { return Input{Value: value, LowerBound: true} }
func incomplete(value float64) Input { return Input{Value: value, Incomplete: true} }
func gap(value float64, d time.Duration) Input {
	return Input{Value: value, Unknown: d}
}

var (
	missing = Input{Status: StatusMissing}
	failed  = Input{Status: StatusError}
	unseen  = Input{Status: StatusUnseen}
)

func two(warnFor, critFor time.Duration) []Level {
	return []Level{{Name: "warning", Threshold: 10, For: warnFor}, {Name: "critical", Threshold: 20, For: critFor}}
}

func one(d time.Duration) []Level { return []Level{{Name: "critical", Threshold: 10, For: d}} }

var scripts = []script{{
	name: "a lower bound over the threshold fires, one below it ends nothing",
	rule: Rule{Levels: one(0)},
	in:   []Input{lower(11), lower(3), v(3)},
	want: []string{"firing critical [fired]", "firing critical []", "inactive [resolved]"},
}, {
	name: "a lower bound says nothing about a downward threshold",
	rule: Rule{Op: Less, Levels: one(0)},
	in:   []Input{lower(3), v(3), lower(30), v(30)},
	want: []string{"inactive []", "firing critical [fired]", "firing critical []", "inactive [resolved]"},
}, {
	name: "an incomplete value may fire and rise, but neither falls nor ends",
	rule: Rule{Levels: two(0, 0)},
	in:   []Input{incomplete(11), incomplete(21), incomplete(11), incomplete(1), v(11), v(1)},
	want: []string{"firing warning [fired]", "firing critical [rose]", "firing critical []", "firing critical []",
		"firing warning [fell]", "inactive [resolved]"},
}, {
	name: "an incomplete clear value doesn't drop what is pending, and the clock runs on",
	rule: Rule{Levels: one(2 * time.Second)},
	in:   []Input{v(11), incomplete(1), v(11)},
	want: []string{"pending [pending]", "pending []", "firing critical [fired]"},
}, {
	name: "NaN never breaches",
	rule: Rule{Op: NotEqualTo, Levels: one(0)},
	in:   []Input{v(math.NaN()), v(3), v(math.NaN())},
	want: []string{"inactive []", "firing critical [fired]", "inactive [resolved]"},
}, {
	name: "each level has its own for",
	rule: Rule{Levels: two(0, 2*time.Second)},
	in:   []Input{v(25), v(25), v(25), v(11), v(25), v(25), v(25)},
	want: []string{"firing warning [fired]", "firing warning []", "firing critical [rose]", "firing warning [fell]",
		"firing warning []", "firing warning []", "firing critical [rose]"},
}, {
	name: "a fall needs no for of the level below",
	rule: Rule{Levels: two(time.Minute, 0)},
	in:   []Input{v(25), v(11), v(1)},
	want: []string{"firing critical [fired]", "firing warning [fell]", "inactive [resolved]"},
}, {
	name: "keep_firing_for never applies to what is pending",
	rule: Rule{Levels: one(time.Minute), KeepFiringFor: time.Hour},
	in:   []Input{v(11), v(1)},
	want: []string{"pending [pending]", "inactive [dropped]"},
}, {
	name: "a breach of a lower level while recovering is a fall",
	rule: Rule{Levels: two(0, 0), KeepFiringFor: time.Minute},
	in:   []Input{v(25), v(1), v(11)},
	want: []string{"firing critical [fired]", "recovering critical [recovering]", "firing warning [fell]"},
}, {
	name: "an error freezes what recovers",
	rule: Rule{Levels: one(0), KeepFiringFor: 2 * time.Second},
	in:   []Input{v(11), v(1), failed, failed, failed, v(1)},
	want: []string{"firing critical [fired]", "recovering critical [recovering]", "recovering critical [trouble]",
		"recovering critical []", "recovering critical []", "inactive [untrouble resolved]"},
}, {
	name: "unknown time is not clear time",
	rule: Rule{Levels: one(0), KeepFiringFor: 2 * time.Second},
	in:   []Input{v(11), v(1), gap(1, time.Second), gap(1, time.Second), v(1), v(1)},
	want: []string{"firing critical [fired]", "recovering critical [recovering]", "recovering critical []",
		"recovering critical []", "recovering critical []", "inactive [resolved]"},
}, {
	name: "unknown time is not time in breach",
	rule: Rule{Levels: one(2 * time.Second)},
	in:   []Input{v(11), gap(11, time.Second), v(11), v(11)},
	want: []string{"pending [pending]", "pending []", "pending []", "firing critical [fired]"},
}, {
	name: "no_data ok ends only after no_data_for",
	rule: Rule{Levels: one(0), NoData: OK, NoDataFor: 2 * time.Second},
	in:   []Input{v(11), missing, missing, missing},
	want: []string{"firing critical [fired]", "firing critical [trouble]", "firing critical []", "inactive [resolved]"},
}, {
	name: "no_data zero is judged as the value 0",
	rule: Rule{Op: Less, Levels: one(0), NoData: Zero},
	in:   []Input{v(30), missing},
	want: []string{"inactive []", "firing critical [trouble fired]"},
}, {
	name: "no_data alert is a breach of every level, after the longer of no_data_for and for",
	rule: Rule{Levels: two(0, 3*time.Second), NoData: Alert, NoDataFor: 2 * time.Second},
	in:   []Input{v(1), missing, missing, missing, missing, v(1)},
	want: []string{"inactive []", "pending [trouble pending]", "pending []", "firing warning [fired]",
		"firing critical [rose]", "inactive [untrouble resolved]"},
}, {
	name: "what fires and then has no data goes on with its incident when it is back",
	rule: Rule{Levels: one(0), NoData: NoDataState},
	in:   []Input{v(11), missing, v(11), missing, v(1)},
	want: []string{"firing critical [fired]", "nodata critical [trouble nodata]", "firing critical [untrouble refired]",
		"nodata critical [trouble nodata]", "inactive [untrouble resolved]"},
}, {
	name: "never seen is no alert",
	rule: Rule{Levels: one(0), NoData: Alert},
	in:   []Input{unseen, unseen, v(1)},
	want: []string{"inactive [trouble]", "inactive []", "inactive [untrouble]"},
}, {
	name: "never seen is told once of a metric that must exist",
	rule: Rule{Levels: one(0), MustExist: true, NoDataFor: time.Second},
	in:   []Input{unseen, unseen, unseen, v(1)},
	want: []string{"inactive [trouble]", "nodata [nodata]", "nodata []", "inactive [untrouble resolved]"},
}, {
	name: "unseen after a restart doesn't end what fires",
	rule: Rule{Levels: one(0)},
	in:   []Input{v(11), unseen, v(11)},
	want: []string{"firing critical [fired]", "firing critical [trouble]", "firing critical [untrouble]"},
}}

func TestStep(t *testing.T) {
	t.Parallel()
	for _, s := range scripts {
		t.Run(s.name, func(t *testing.T) {
			t.Parallel()
			tr := track{rule: &s.rule}
			var got []string
			for i, in := range s.in {
				before := tr.state
				copied := roundTrip(t, before)
				tr.step(time.Duration(i)*time.Second, in)
				if !before.Equal(&copied) {
					t.Errorf("evaluation %d changed the state that it was given", i)
				}
				got = append(got, tr.line())
			}
			if diff := cmp.Diff(s.want, got); diff != "" {
				t.Errorf("states and events (-want +got):\n%s", diff)
			}
		})
	}
}

func (tr *track) line() string {
	line := tr.state.Phase.String()
	if tr.state.Level != "" {
		line += " " + tr.state.Level
	}
	kinds := make([]Kind, 0, len(tr.events))
	for _, e := range tr.events {
		kinds = append(kinds, e.Kind)
	}
	return fmt.Sprint(line, " ", kinds)
}

func roundTrip(t *testing.T, s State) State {
	t.Helper()
	data, err := json.Marshal(s)
	if err != nil {
		t.Fatal(err)
	}
	var out State
	if err := json.Unmarshal(data, &out); err != nil {
		t.Fatal(err)
	}
	if !out.Equal(&s) {
		t.Errorf("state changed on its way through %s", data)
	}
	return out
}

func TestLateFiresAndNothingElse(t *testing.T) {
	t.Parallel()
	late := func(value float64) Input { return Input{Value: value, Late: true} }
	t.Run("an inactive alert", func(t *testing.T) {
		tr := track{rule: &Rule{Levels: one(0)}}
		tr.step(10*time.Second, v(1))
		tr.step(8*time.Second, late(11))
		if got := tr.line(); got != "firing critical [fired]" || !tr.events[0].Late || !tr.state.FiredAt.Equal(epoch.Add(8*time.Second)) {
			t.Errorf("late breach: %s at %v", got, tr.state.FiredAt)
		}
		tr.step(9*time.Second, late(1))
		if got := tr.line(); got != "firing critical []" {
			t.Errorf("late clear: %s, want firing still", got)
		}
		tr.step(11*time.Second, v(1))
		if got := tr.line(); got != "inactive [resolved]" {
			t.Errorf("in time: %s, want the end", got)
		}
	})
	t.Run("an incident that is known already", func(t *testing.T) {
		tr := track{rule: &Rule{Levels: one(0)}}
		tr.step(0, v(11))
		tr.step(5*time.Second, v(1))
		tr.step(3*time.Second, late(12))
		if got := tr.line(); got != "inactive []" {
			t.Errorf("late tick inside the last incident: %s, want nothing", got)
		}
	})
	t.Run("for runs over late ticks, and a clear one stops it", func(t *testing.T) {
		tr := track{rule: &Rule{Levels: one(2 * time.Second)}}
		tr.step(10*time.Second, v(1))
		for i, want := range []string{"pending [pending]", "pending []", "inactive [dropped]"} {
			tr.step(time.Duration(5+i)*time.Second, late([]float64{11, 11, 1}[i]))
			if got := tr.line(); got != want {
				t.Errorf("late tick %d: %s, want %s", i, got, want)
			}
		}
		for i := range 3 {
			tr.step(time.Duration(7+i)*time.Second, late(11))
		}
		if got := tr.line(); got != "firing critical [fired]" {
			t.Errorf("after two seconds of late breach: %s, want it to fire", got)
		}
	})
	t.Run("a clock that an evaluation in time started stays", func(t *testing.T) {
		tr := track{rule: &Rule{Levels: one(2 * time.Second)}}
		tr.step(10*time.Second, v(11))
		tr.step(9*time.Second, late(1))
		tr.step(12*time.Second, v(11))
		if got := tr.line(); got != "firing critical [fired]" {
			t.Errorf("two seconds after it began: %s, want it to fire", got)
		}
	})
	t.Run("a rise", func(t *testing.T) {
		tr := track{rule: &Rule{Levels: two(0, 0)}}
		tr.step(10*time.Second, v(11))
		tr.step(9*time.Second, late(21))
		if got := tr.line(); got != "firing critical [rose]" {
			t.Errorf("late: %s, want a rise", got)
		}
	})
}

func TestAdopt(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		ago  time.Duration
		want string
	}{{5 * time.Second, "told"}, {-2 * time.Second, "told"}, {6 * time.Second, "inc-1"}} {
		tr := track{rule: &Rule{Levels: one(0)}}
		tr.step(time.Minute, Input{Value: 11, Told: []Told{{Incident: "told", FiredAt: epoch.Add(time.Minute - c.ago)}}})
		if tr.state.Incident != c.want || tr.events[0].Incident != c.want {
			t.Errorf("told of %v ago: incident %s, event of %s; want %s", c.ago, tr.state.Incident, tr.events[0].Incident, c.want)
		}
	}
}

func TestFlappingIsOneIncident(t *testing.T) {
	t.Parallel()
	tr := track{rule: &Rule{Levels: one(0), Flap: Flap{LookBack: 10 * time.Second, Changes: 4}}}
	var got []string
	for i, value := range []float64{11, 1, 11, 1, 11, 1, 11} {
		tr.step(time.Duration(i)*time.Second, v(value))
		got = append(got, fmt.Sprint(tr.line(), " ", tr.events[0].Incident, " ", tr.events[0].Flapping))
	}
	want := []string{
		"firing critical [fired] inc-1 false", "inactive [resolved] inc-1 false", "firing critical [fired] inc-2 false",
		"inactive [resolved flapping] inc-2 true", "firing critical [fired] inc-2 true", "inactive [resolved] inc-2 true",
		"firing critical [fired] inc-2 true",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("while it flaps (-want +got):\n%s", diff)
	}
	tr.step(15*time.Second, v(11))
	if got := tr.line(); got != "firing critical []" {
		t.Errorf("before the look-back is over: %s", got)
	}
	tr.step(16*time.Second, v(11))
	if got := tr.line(); got != "firing critical [stable]" || tr.events[0].To != 1 || tr.events[0].Incident != "inc-2" {
		t.Errorf("after the look-back: %s, %+v; want stable, firing, of inc-2", got, tr.events)
	}
	tr.step(17*time.Second, v(1))
	if got := tr.line(); got != "inactive [resolved]" || tr.events[0].Flapping {
		t.Errorf("the end: %s, %+v; want it told", got, tr.events)
	}
}

// Only beginning and ending make an alert flap. Changes among the levels that
// fire are bounded by themselves: after the fourth the highest one stands until
// it was left for as long as is looked back.
func TestFlappingLevels(t *testing.T) {
	t.Parallel()
	levels := append(two(0, 0), Level{Name: "page", Threshold: 30})
	rule := &Rule{Levels: levels, Flap: Flap{LookBack: 10 * time.Second, Changes: 4}}
	type step struct {
		at   int // seconds
		in   Input
		want string
	}
	bounce := []step{
		{0, v(11), "firing warning [fired]"}, {1, v(21), "firing critical [rose]"}, {2, v(11), "firing warning [fell]"},
		{3, v(21), "firing critical [rose]"}, {4, v(11), "firing critical [flapping-levels]"},
	}
	high := []step{
		{0, v(21), "firing critical [fired]"}, {1, v(11), "firing warning [fell]"}, {2, v(21), "firing critical [rose]"},
		{3, v(11), "firing warning [fell]"}, {4, v(21), "firing critical [rose flapping-levels]"},
	}
	for name, steps := range map[string][]step{
		"left for long enough": append(slices.Clone(bounce), step{13, v(11), "firing critical []"}, step{14, v(11), "firing warning [fell]"}),
		"the fourth is a rise": append(slices.Clone(high), step{5, v(11), "firing critical []"}, step{15, v(11), "firing warning [fell]"}),
		"back in between": append(slices.Clone(bounce), step{13, v(21), "firing critical []"}, step{14, v(11), "firing critical []"},
			step{23, v(11), "firing critical []"}, step{24, v(11), "firing warning [fell]"}),
		"a higher level is a rise": append(slices.Clone(bounce), step{5, v(31), "firing page [rose]"}, step{6, v(11), "firing page []"},
			step{15, v(11), "firing page []"}, step{16, v(11), "firing warning [fell]"}),
		"the end is the end": append(slices.Clone(bounce), step{5, v(1), "inactive [resolved]"}, step{6, v(11), "firing warning [fired]"},
			step{7, v(21), "firing critical [rose]"}),
		"an incomplete value leaves nothing": append(slices.Clone(bounce), step{13, v(21), "firing critical []"},
			step{14, incomplete(11), "firing critical []"}, step{25, v(11), "firing critical []"}, step{35, v(11), "firing warning [fell]"}),
		"unknown time leaves nothing": append(slices.Clone(bounce), step{20, gap(11, 8*time.Second), "firing critical []"},
			step{22, v(11), "firing warning [fell]"}),
		"changes that are far apart": {
			{0, v(11), "firing warning [fired]"}, {1, v(21), "firing critical [rose]"}, {2, v(11), "firing warning [fell]"},
			{11, v(21), "firing critical [rose]"}, {12, v(11), "firing warning [fell]"}, {21, v(21), "firing critical [rose]"},
		},
		"after it was over": append(slices.Clone(bounce), step{14, v(11), "firing warning [fell]"}, step{15, v(21), "firing critical [rose]"},
			step{16, v(11), "firing warning [fell]"}, step{17, v(21), "firing critical [rose]"}, step{18, v(11), "firing critical [flapping-levels]"}),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			tr := track{rule: rule}
			for _, s := range steps {
				tr.step(time.Duration(s.at)*time.Second, s.in)
				if got := tr.line(); got != s.want {
					t.Errorf("at %ds: %s, want %s", s.at, got, s.want)
				}
				tr.state = roundTrip(t, tr.state)
				if tr.state.Flapping() {
					t.Errorf("at %ds: changes of level alone make it flap", s.at)
				}
			}
		})
	}
}

// What is told of flapping levels names the lowest and the highest of them.
func TestFlappingLevelsAreNamed(t *testing.T) {
	t.Parallel()
	tr := track{rule: &Rule{Levels: append(two(0, 0), Level{Name: "page", Threshold: 30}), Flap: DefaultFlap}}
	for i, value := range []float64{11, 31, 21, 11, 21} {
		tr.step(time.Duration(i)*time.Second, v(value))
	}
	e := tr.events[len(tr.events)-1]
	if e.Kind != LevelsFlap || e.From != 1 || e.To != 3 || e.Level != "page" || tr.state.Level != "page" {
		t.Errorf("told %+v, stands at %s; want flapping between 1 and 3, standing at page", e, tr.state.Level)
	}
}

// What is pending when flapping is over fires as an incident of its own: the
// end of the one before was told.
func TestPendingOutlivesFlapping(t *testing.T) {
	t.Parallel()
	tr := track{rule: &Rule{Levels: []Level{{Name: "critical", Threshold: 10, For: 5 * time.Second}}, Flap: Flap{LookBack: 10 * time.Second, Changes: 2}}}
	tr.step(0, v(11))
	tr.step(5*time.Second, v(11))
	tr.step(6*time.Second, v(1))
	if got := tr.line(); got != "inactive [resolved flapping]" {
		t.Fatalf("it begins and ends: %s, want that it flaps", got)
	}
	tr.step(13*time.Second, v(11))
	tr.step(16*time.Second, v(11))
	if got := tr.line(); got != "pending [stable]" || tr.events[0].Incident != "inc-1" || tr.events[0].To != 0 {
		t.Errorf("after the look-back: %s, %+v; want that inc-1 is over", got, tr.events)
	}
	tr.step(18*time.Second, v(11))
	if got := tr.line(); got != "firing critical [fired]" || tr.events[0].Incident == "inc-1" {
		t.Errorf("in breach for long enough: %s, %+v; want another incident", got, tr.events)
	}
}

func TestEnd(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		value float64
		level []Level
		want  []Kind
	}{{1, one(0), nil}, {11, one(time.Minute), []Kind{Dropped}}, {11, one(0), []Kind{Resolved}}} {
		tr := track{rule: &Rule{Levels: c.level}}
		tr.step(0, v(c.value))
		tr.state, tr.events = End(tr.state, ReasonRemoved, epoch.Add(time.Minute))
		if diff := cmp.Diff(c.want, tr.kinds()); diff != "" || tr.state.Phase != Inactive {
			t.Errorf("End of value %v: %s (-want +got):\n%s", c.value, tr.state.Phase, diff)
		}
	}
}

func TestShown(t *testing.T) {
	t.Parallel()
	tr := track{rule: &Rule{Levels: one(0)}}
	tr.step(0, failed)
	if got := tr.state.Shown(); got != Errored {
		t.Errorf("an inactive alert in error is shown as %s, want error", got)
	}
	tr.step(time.Second, v(11))
	tr.step(2*time.Second, failed)
	if got := tr.state.Shown(); got != Firing {
		t.Errorf("a firing alert in error is shown as %s, want firing", got)
	}
}

func TestPhaseText(t *testing.T) {
	t.Parallel()
	for p := Inactive; p <= Errored; p++ {
		var back Phase
		if err := back.UnmarshalText([]byte(p.String())); err != nil || back != p {
			t.Errorf("phase %s comes back as %s, %v", p, back, err)
		}
	}
	var p Phase
	if err := p.UnmarshalText([]byte("sleeping")); err == nil {
		t.Error("an unknown phase is no error")
	}
}

func TestHeartbeat(t *testing.T) {
	t.Parallel()
	h := Heartbeat{ExpectEvery: 24 * time.Hour, Grace: time.Hour}
	rule := HeartbeatRule("job", "critical")
	for _, c := range []struct {
		name      string
		seen, now time.Duration // since the start; seen < 0 is never
		want      string
	}{
		{"never seen, within the grace", -1, 25 * time.Hour, "inactive"},
		{"never seen", -1, 25*time.Hour + time.Second, "firing"},
		{"seen in time", 20 * time.Hour, 45 * time.Hour, "inactive"},
		{"overdue", 20 * time.Hour, 45*time.Hour + time.Second, "firing"},
	} {
		var seen time.Time
		if c.seen >= 0 {
			seen = epoch.Add(c.seen)
		}
		tr := track{rule: &rule}
		if got := tr.step(c.now, v(h.Value(seen, epoch, epoch.Add(c.now)))); got != c.want {
			t.Errorf("%s: %s, want %s", c.name, got, c.want)
		}
	}
}

func TestSLOVerdictFalls(t *testing.T) {
	t.Parallel()
	none := func(*BurnRate) (short, long float64) { return 0, 0 }
	if got := SLOVerdict(BurnRates(0), 0.999, none); got != SLOMet {
		t.Errorf("without events the verdict is %v; want %v", got, SLOMet)
	}
	rule := SLORule("slo")
	tr := track{rule: &rule}
	tr.step(0, v(SLOPage))
	tr.step(time.Second, v(SLOTicket))
	if got := tr.line(); got != "firing ticket [fell]" {
		t.Errorf("page, then ticket: %s, want a fall", got)
	}
}

func TestIdleStepAllocatesNothing(t *testing.T) {
	rule := &Rule{Levels: two(0, 0)}
	var s State
	if n := testing.AllocsPerRun(100, func() { s, _ = Step(rule, s, v(1), epoch, nil) }); n != 0 {
		t.Errorf("a clear evaluation of an idle alert allocates %v times", n)
	}
}

func BenchmarkIdleStep(b *testing.B) {
	rule := &Rule{Levels: two(0, 0)}
	var s State
	for b.Loop() {
		s, _ = Step(rule, s, v(1), epoch, nil)
	}
}
