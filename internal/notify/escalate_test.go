package notify

import (
	"strings"
	"testing"
	"time"

	"github.com/go-batteries/hawkeye/internal/alert"
)

// escalating has boss hear after a quarter of an hour of either level.
func escalating() *Config {
	cfg := levels()
	for i := range cfg.Monitors["m"].Levels {
		l := &cfg.Monitors["m"].Levels[i]
		l.Repeat, l.Escalate = 4*time.Hour, []Escalation{{After: 15 * time.Minute, Receivers: []string{"boss"}}}
	}
	return cfg
}

// The clock of an escalation begins when it is tried to tell somebody.
func TestEscalationCountsFromTheFirstAttempt(t *testing.T) {
	t.Parallel()
	fire := func(w *world) { w.at(0, func() { w.set("m", "a", 25) }) }
	for _, c := range []struct {
		name string
		do   func(w *world)
		want string // when boss is told first
	}{
		{"at once", fire, "15m0s boss: firing a (escalated)"},
		{"a silence from the start", func(w *world) { w.silence(0, 3600, "monitor=m"); fire(w) }, "1h15m0s boss: firing a (escalated)"},
		{"a silence ended by hand", func(w *world) {
			w.silence(0, 3600, "monitor=m")
			fire(w)
			w.at(600, func() { w.silences[0] = w.silences[0].Expire(w.now) })
		}, "25m0s boss: firing a (escalated)"},
		{"a silence in between", func(w *world) {
			fire(w)
			w.at(600, func() { w.silence(600, 1800, "monitor=m") })
		}, "35m0s boss: firing a (escalated)"},
		{"a mute time", func(w *world) {
			w.cfg.Monitors["m"].MuteTimes = []string{"night"}
			w.cfg.MuteTimes = map[string]MuteTime{"night": between{epoch, epoch.Add(30 * time.Minute)}}
			fire(w)
		}, "45m0s boss: firing a (escalated)"},
		{"the group waits", func(w *world) {
			w.cfg.Receivers["team"].Group = Group{By: []string{"monitor"}, Wait: 5 * time.Minute, Interval: time.Minute}
			fire(w)
		}, "20m0s boss: firing a (escalated)"},
		{"the receiver is away", func(w *world) { w.unreachable(4000, "team"); fire(w) }, "15m0s boss: firing a (escalated)"},
		{"the receiver takes nothing", func(w *world) {
			w.capacity = func(receiver string) int {
				return map[string]int{"team": 0}[receiver] + map[string]int{"boss": 1}[receiver]
			}
			fire(w)
		}, "15m0s boss: firing a (escalated)"},
		{"a rise begins the higher level's, and the lower one's goes on", func(w *world) {
			w.cfg.Monitors["m"].Levels[0].Escalate = nil
			w.at(0, func() { w.set("m", "a", 5) })
			w.at(600, func() { w.set("m", "a", 25) })
		}, "25m0s boss: firing a (escalated)"},
		{"the lower level's goes on while the higher one stands", func(w *world) {
			w.at(0, func() { w.set("m", "a", 5) })
			w.at(600, func() { w.set("m", "a", 25) })
		}, "15m0s boss: firing a=warning (escalated)"},
		{"a level that is left for a moment wasn't left", func(w *world) {
			w.cfg.Monitors["m"].Levels[0].Escalate = nil
			fire(w)
			w.at(600, func() { w.set("m", "a", 5) })
			w.at(840, func() { w.set("m", "a", 25) })
		}, "15m0s boss: firing a (escalated)"},
		{"a level that is left when it is due", func(w *world) {
			w.cfg.Monitors["m"].Levels[0].Escalate = nil
			fire(w)
			w.at(840, func() { w.set("m", "a", 5) })
			w.at(1000, func() { w.set("m", "a", 25) })
		}, "16m40s boss: firing a (escalated)"},
		{"a level that was left begins anew", func(w *world) {
			w.cfg.Monitors["m"].Levels[0].Escalate = nil
			fire(w)
			w.at(600, func() { w.set("m", "a", 5) })
			w.at(900, func() { w.set("m", "a", 25) })
		}, "30m0s boss: firing a (escalated)"},
		{"flapping", func(w *world) {
			w.rules["m"].Flap = alert.DefaultFlap
			for i := range 60 {
				w.at(float64(40*i), func() { w.set("m", "a", []float64{25, 0}[i%2]) })
			}
		}, "16m20s boss: firing a (escalated)"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, escalating())
			c.do(w)
			w.run(2 * 3600)
			for _, line := range w.lines() {
				if strings.Contains(line, "boss") {
					if line != c.want {
						t.Errorf("boss hears first %q, want %q", line, c.want)
					}
					return
				}
			}
			t.Errorf("boss hears nothing:\n%s", block(w.lines()))
		})
	}
}

// Each step goes once for each time that its level is reached. For who knows
// already it is a reminder.
func TestEscalationOfTheTold(t *testing.T) {
	t.Parallel()
	t.Run("a reminder", func(t *testing.T) {
		cfg := escalating()
		cfg.Monitors["m"].Levels[1].Escalate = []Escalation{{After: 10 * time.Minute, Receivers: []string{"team"}}, {After: 20 * time.Minute, Receivers: []string{"team", "boss"}}}
		w := newWorld(t, cfg)
		w.at(0, func() { w.set("m", "a", 25) })
		w.at(3000, func() { w.set("m", "a", 0) })
		w.run(4000)
		w.want("0s team: firing a", "10m0s team: repeat a (escalated)", "15m0s boss: firing a=warning (escalated)",
			"20m0s boss: rise a (escalated)", "20m0s team: repeat a (escalated)", "50m0s boss: resolved a", "50m0s team: resolved a")
	})
	t.Run("both levels at a time are one message", func(t *testing.T) {
		w := newWorld(t, escalating())
		w.at(0, func() { w.set("m", "a", 25) })
		w.run(3600)
		w.want("0s team: firing a", "15m0s boss: firing a (escalated)")
	})
	t.Run("again when the level is reached again", func(t *testing.T) {
		cfg := escalating()
		cfg.Monitors["m"].Levels[0].Escalate = nil
		w := newWorld(t, cfg)
		w.at(0, func() { w.set("m", "a", 25) })
		w.at(1000, func() { w.set("m", "a", 5) })
		w.at(2000, func() { w.set("m", "a", 25) })
		w.run(4000)
		w.want("0s team: firing a", "15m0s boss: firing a (escalated)", "16m40s boss: fall a=warning", "16m40s chat: firing a=warning",
			"16m40s team: fall a=warning", "33m20s team: rise a", "48m20s boss: rise a (escalated)")
	})
	t.Run("who was escalated to hears of a level that was left for a moment", func(t *testing.T) {
		cfg := escalating()
		cfg.Monitors["m"].Levels[0].Escalate = nil
		w := newWorld(t, cfg)
		w.at(0, func() { w.set("m", "a", 25) })
		w.at(1000, func() { w.set("m", "a", 5) })
		w.at(1100, func() { w.set("m", "a", 25) })
		w.run(4000)
		w.want("0s team: firing a", "15m0s boss: firing a (escalated)", "16m40s boss: fall a=warning", "16m40s chat: firing a=warning",
			"16m40s team: fall a=warning", "18m20s boss: rise a", "18m20s team: rise a")
	})
}

// A version that knows no clocks told somebody, and perhaps escalated: what it
// did isn't done again, and what it would have done is.
func TestEscalationWithoutAClock(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name   string
		forget float64 // when the clock is lost
		want   []string
	}{
		{"before the step", 600, []string{"0s team: firing a", "15m0s boss: firing a (escalated)"}},
		{"after it", 1200, []string{"0s team: firing a", "15m0s boss: firing a (escalated)"}},
	} {
		w := newWorld(t, escalating())
		w.cfg.Monitors["m"].Levels[0].Escalate = nil
		w.at(0, func() { w.set("m", "a", 25) })
		w.at(c.forget, func() { clear(w.clocks) })
		w.run(7200)
		if got := w.lines(); strings.Join(got, "\n") != strings.Join(c.want, "\n") {
			t.Errorf("%s: delivered\n%swant\n%s", c.name, block(got), block(c.want))
		}
	}
}

func TestSteps(t *testing.T) {
	t.Parallel()
	w := newWorld(t, escalating())
	w.cfg.Monitors["m"].Levels[0].Escalate = nil
	w.silence(0, 60, "monitor=m")
	w.at(0, func() { w.set("m", "a", 25) })
	w.run(30)
	v := w.view()
	if steps := Steps(v, v.Alerts["a"], w.now); len(steps) != 1 || !steps[0].At.IsZero() {
		t.Errorf("steps while it is silenced: %+v, want one that is not due yet", steps)
	}
	w.run(90)
	v = w.view()
	if steps := Steps(v, v.Alerts["a"], w.now); len(steps) != 1 || !steps[0].At.Equal(epoch.Add(16*time.Minute)) || steps[0].Receivers[0] != "boss" {
		t.Errorf("steps afterwards: %+v, want boss at 16m", steps)
	}
	w.run(1200)
	v = w.view()
	if steps := Steps(v, v.Alerts["a"], w.now); len(steps) != 0 {
		t.Errorf("steps when all were taken: %+v, want none", steps)
	}
}
