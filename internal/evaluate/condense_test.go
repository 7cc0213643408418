package evaluate

import (
	stdcmp "cmp"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/go-batteries/hawkeye/internal/alert"
	"github.com/go-batteries/hawkeye/internal/monitor"
)

// told are the events that receivers hear of, as "kind from>to xTimes".
type told struct {
	Kind     alert.Kind
	Incident string
	From, To int
	Times    int
}

// lookBack is as many ticks as nothing may change for flapping to be over;
// still, among values, lets them pass.
const (
	lookBack = int(5*time.Minute/width) + 1
	still    = -1
)

// flappedThen is an alert that flapped, was quiet, and had these values then.
func flappedThen(values ...float64) []float64 {
	return append([]float64{9, 0, 9, 0, values[0], still}, values...)
}

func TestCondense(t *testing.T) {
	t.Parallel()
	levels := monitor.Monitor{Name: "errors", Triggers: []monitor.Trigger{
		{Level: "warning", Threshold: 5}, {Level: "critical", Threshold: 50},
	}}
	firing := map[string]alert.State{"errors": {
		Phase: alert.Firing, Incident: "before", Rank: 1, Level: "warning", FiredAt: at(0), Since: at(0),
	}}
	flapping := map[string]alert.State{"errors": {
		Phase: alert.Firing, Incident: "flapped", Rank: 1, Level: "warning", FiredAt: at(0), Since: at(0),
		Flap: &alert.FlapState{On: true, Incident: "flapped", Changes: []time.Time{at(0), at(0), at(0), at(0)}},
	}}
	tests := map[string]struct {
		states map[string]alert.State
		every  int // ticks between two values; 0 is too many for flapping
		values []float64
		want   []told
		stands string // incident at the end
	}{
		"nothing told, fires once":        {values: []float64{0, 9}, want: []told{{alert.Fired, "incident-1", 0, 1, 0}}, stands: "incident-1"},
		"nothing told, fires three times": {values: []float64{9, 0, 9, 0, 60}, want: []told{{alert.Fired, "incident-3", 0, 2, 3}}, stands: "incident-3"},
		"nothing told, fires and rises":   {values: []float64{9, 60}, want: []told{{alert.Fired, "incident-1", 0, 2, 1}}, stands: "incident-1"},
		"nothing told, came and went":     {values: []float64{9, 0, 60, 0}, want: []told{{alert.Fired, "incident-2", 0, 2, 2}, {alert.Resolved, "incident-2", 2, 0, 0}}},
		"told, still fires":               {states: firing, values: []float64{9, 9}, stands: "before"},
		"told, ended and fires again":     {states: firing, values: []float64{0, 9, 0, 9}, stands: "before"},
		"told, ended and fires higher":    {states: firing, values: []float64{0, 60}, want: []told{{alert.Rose, "before", 1, 2, 0}}, stands: "before"},
		"told, rose and fell back":        {states: firing, values: []float64{60, 9}, want: []told{{alert.Rose, "before", 1, 2, 0}, {alert.Fell, "before", 2, 1, 0}}, stands: "before"},
		"told, rose and stayed":           {states: firing, values: []float64{60, 9, 60}, want: []told{{alert.Rose, "before", 1, 2, 0}}, stands: "before"},
		"told, ended":                     {states: firing, values: []float64{0, 0}, want: []told{{alert.Resolved, "before", 1, 0, 0}}},
		"told, ended, fired again, ended": {states: firing, values: []float64{0, 9, 0}, want: []told{{alert.Resolved, "before", 1, 0, 0}}},

		"nothing told, rose and ended":       {values: []float64{9, 60, 0}, want: []told{{alert.Fired, "incident-1", 0, 1, 1}, {alert.Rose, "incident-1", 1, 2, 0}, {alert.Resolved, "incident-1", 2, 0, 0}}},
		"nothing told, rose, fell and ended": {values: []float64{9, 60, 9, 0}, want: []told{{alert.Fired, "incident-1", 0, 1, 1}, {alert.Rose, "incident-1", 1, 2, 0}, {alert.Resolved, "incident-1", 2, 0, 0}}},
		"nothing told, fell and ended":       {values: []float64{60, 9, 0}, want: []told{{alert.Fired, "incident-1", 0, 1, 1}, {alert.Rose, "incident-1", 1, 2, 0}, {alert.Resolved, "incident-1", 2, 0, 0}}},
		"nothing told, the first was higher": {values: []float64{60, 0, 9, 0}, want: []told{{alert.Fired, "incident-2", 0, 1, 2}, {alert.Rose, "incident-2", 1, 2, 0}, {alert.Resolved, "incident-2", 2, 0, 0}}},
		"nothing told, rose and fell back":   {values: []float64{9, 60, 9}, want: []told{{alert.Fired, "incident-1", 0, 2, 1}, {alert.Fell, "incident-1", 2, 1, 0}}, stands: "incident-1"},
		"told, rose and ended":               {states: firing, values: []float64{60, 0}, want: []told{{alert.Rose, "before", 1, 2, 0}, {alert.Resolved, "before", 1, 0, 0}}},
		"told, ended, fired higher, ended":   {states: firing, values: []float64{0, 60, 0}, want: []told{{alert.Rose, "before", 1, 2, 0}, {alert.Resolved, "before", 1, 0, 0}}},

		"nothing told, flaps":           {every: 1, values: []float64{9, 0, 9, 0, 9, 0, 9}, want: []told{{alert.FlapsNow, "incident-2", 1, 0, 0}}, stands: "incident-2"},
		"told, flaps":                   {every: 1, states: firing, values: []float64{0, 9, 0, 9, 0, 9}, want: []told{{alert.FlapsNow, "before", 0, 1, 0}}, stands: "before"},
		"told, flapped, and fires":      {every: 1, states: firing, values: flappedThen(9, 9, 9), stands: "before"},
		"told, flapped, and rose":       {every: 1, states: firing, values: flappedThen(9, 9, 60), want: []told{{alert.Rose, "before", 1, 2, 0}}, stands: "before"},
		"told, flapped, and ended":      {every: 1, states: firing, values: flappedThen(0, 0, 0), want: []told{{alert.Resolved, "before", 1, 0, 0}}},
		"nothing told, flapped, clear":  {every: 1, values: flappedThen(0, 0, 0), want: []told{{alert.Fired, "incident-2", 0, 1, 2}, {alert.Resolved, "incident-2", 1, 0, 0}}},
		"nothing told, flapped, fires":  {every: 1, values: flappedThen(9, 9, 9), want: []told{{alert.Fired, "incident-2", 0, 1, 3}}, stands: "incident-2"},
		"told that it flaps, goes on":   {every: 1, states: flapping, values: []float64{0, 9, 0, 9}, stands: "flapped"},
		"told that it flaps, stays":     {every: 1, states: flapping, values: []float64{9, still, 9}, want: []told{{alert.FlapsNoMore, "flapped", 0, 1, 0}}, stands: "flapped"},
		"told that it flaps, ends":      {every: 1, states: flapping, values: []float64{0, still, 0}, want: []told{{alert.FlapsNoMore, "flapped", 0, 0, 0}}},
		"told that it flaps, ends late": {every: 1, states: flapping, values: []float64{9, still, 9, 0}, want: []told{{alert.FlapsNoMore, "flapped", 0, 0, 0}}},
		"told that it flaps, new one":   {every: 1, states: flapping, values: []float64{0, still, 0, 9}, want: []told{{alert.FlapsNoMore, "flapped", 0, 1, 0}}, stands: "flapped"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := newFixture(t, levels, tt.states)
			var all []Change
			for _, v := range tt.values {
				if v == still {
					f.tick += int64(lookBack)
					continue
				}
				f.w.set(0, ok(v))
				f.tick += int64(stdcmp.Or(tt.every, lookBack))
				all = Merge(all, f.e.Step(f.w, Tick{N: f.tick, End: at(int(f.tick))}))
			}
			var got []told
			for i := range all {
				all[i].Condense()
				for _, e := range all[i].Events {
					if e.Kind.Told() && !e.Passed && !e.Flapping {
						got = append(got, told{e.Kind, e.Incident, e.From, e.To, e.Times})
					}
				}
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("what is told (-want +got):\n%s", diff)
			}
			if s := f.e.Alerts()[0].State; s.Phase.Told() && s.Incident != tt.stands || !s.Phase.Told() && tt.stands != "" {
				t.Errorf("stands as %v of incident %q, want %q", s.Phase, s.Incident, tt.stands)
			}
		})
	}
}
