package evaluate

import (
	"testing"

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

func TestCondense(t *testing.T) {
	t.Parallel()
	levels := monitor.Monitor{Name: "errors", Triggers: []monitor.Trigger{
		{Level: "warning", Threshold: 5}, {Level: "critical", Threshold: 50},
	}}
	firing := map[string]alert.State{"errors": {
		Phase: alert.Firing, Incident: "before", Rank: 1, Level: "warning", FiredAt: at(0), Since: at(0),
	}}
	tests := map[string]struct {
		states map[string]alert.State
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
		"told, rose and fell back":        {states: firing, values: []float64{60, 9}, stands: "before"},
		"told, rose and stayed":           {states: firing, values: []float64{60, 9, 60}, want: []told{{alert.Rose, "before", 1, 2, 0}}, stands: "before"},
		"told, ended":                     {states: firing, values: []float64{0, 0}, want: []told{{alert.Resolved, "before", 1, 0, 0}}},
		"told, ended, fired again, ended": {states: firing, values: []float64{0, 60, 0}, want: []told{{alert.Resolved, "before", 1, 0, 0}}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := newFixture(t, levels, tt.states)
			var all []Change
			for _, v := range tt.values {
				f.w.set(0, ok(v))
				f.tick++
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
