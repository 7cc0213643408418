package notify

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/go-batteries/hawkeye/internal/alert"
)

// learn hands in at a time what happened before it, as a catch-up does: values
// with the times at which they were so.
func (w *world) learn(seconds float64, happened ...float64) {
	w.at(seconds, func() {
		now := w.now
		var events []alert.Event
		v := w.view()
		state := w.states["a"]
		for i := 0; i+1 < len(happened); i += 2 {
			var more []alert.Event
			state, more = alert.Step(w.rules["m"], state, alert.Input{Value: happened[i+1]}, epoch.Add(secs(happened[i])), func() string { return "i001" })
			events = append(events, more...)
		}
		w.states["a"] = state
		w.tags["a"] = map[string]string{"\x00monitor": "m"}
		a := w.alert("a", &state)
		w.apply(OnEvents(v, &a, events, now))
	})
}

// What lasted longer than a group's wait is told, however late it was learnt;
// the wait counts from then. What didn't isn't, and the history has both
// durations.
func TestLearntLate(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name     string
		wait     time.Duration
		happened []float64
		skip     bool
		want     []string
		why      string
	}{
		{"longer than the wait", 2 * time.Second, []float64{10, 25, 22, 0}, false, []string{"1m2s team: resolved a (both)"}, ""},
		{"without a wait", 0, []float64{10, 25, 11, 0}, false, []string{"1m0s team: resolved a (both)"}, ""},
		{"shorter than the wait", 20 * time.Second, []float64{10, 25, 22, 0}, false, nil, "it lasted for 12s, the wait is 20s"},
		{"as long as the wait", 12 * time.Second, []float64{10, 25, 22, 0}, false, []string{"1m12s team: resolved a (both)"}, ""},
		{"counted from the level that is its own", 10 * time.Second, []float64{10, 5, 15, 25, 22, 0}, false, nil, "it lasted for 7s, the wait is 10s"},
		{"of a receiver that isn't told of ends", 2 * time.Second, []float64{10, 25, 22, 0}, true, []string{"1m2s team: firing a (over)"}, ""},
		{"of one, shorter than the wait", 20 * time.Second, []float64{10, 25, 22, 0}, true, nil, "it lasted for 12s, the wait is 20s"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			cfg := levels()
			cfg.Monitors["m"].Levels[0].Receivers = nil
			cfg.Receivers["team"].Group = Group{By: []string{"monitor"}, Wait: c.wait, Interval: 5 * time.Second}
			cfg.Receivers["team"].SkipResolved = c.skip
			w := newWorld(t, cfg)
			w.learn(60, c.happened...)
			w.run(200)
			w.want(c.want...)
			if !slices.ContainsFunc(w.reasons(), func(r string) bool { return strings.Contains(r, c.why) }) && c.why != "" {
				t.Errorf("the reasons are %q, want one with %q", w.reasons(), c.why)
			}
			w.wantNoneLeft()
		})
	}
}
