package notify

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/go-batteries/hawkeye/internal/alert"
)

// What waited is decided anew when it can go: from the level that stands then,
// and for whom that is.
func TestDecidedAnewWhenItCanGo(t *testing.T) {
	t.Parallel()
	silence := func(w *world, from, to float64) { w.at(from, func() { w.silence(from, to, "monitor=m") }) }
	values := func(w *world, steps ...float64) {
		for i := 0; i+1 < len(steps); i += 2 {
			w.at(steps[i], func() { w.set("m", "a", steps[i+1]) })
		}
	}
	for _, c := range []struct {
		name string
		do   func(w *world)
		want []string
		why  string // a reason in the history
	}{
		{"critical came and went in a silence", func(w *world) {
			silence(w, 5, 60)
			values(w, 0, 5, 10, 25, 20, 5, 80, 0)
		}, []string{"0s chat: firing a=warning", "1m0s chat: repeat a=warning", "1m20s chat: resolved a=warning"},
			"the level that stands, warning, is not team's"},
		{"critical from the start of a silence, warning at its end", func(w *world) {
			silence(w, 0, 60)
			values(w, 1, 25, 20, 5, 80, 0)
		}, []string{"1m0s chat: firing a=warning", "1m20s chat: resolved a=warning"}, "the level that stands, warning, is not team's"},
		{"warning from the start of a silence, critical at its end", func(w *world) {
			silence(w, 0, 60)
			values(w, 1, 5, 20, 25, 80, 0)
		}, []string{"1m0s team: firing a", "1m20s team: resolved a"}, "the level that stands, critical, is not chat's"},
		{"critical is left while team is away", func(w *world) {
			w.unreachable(60, "team")
			values(w, 0, 5, 10, 25, 20, 5, 80, 0)
		}, []string{"0s chat: firing a=warning", "1m20s chat: resolved a=warning"}, "the level that stands, warning, is not team's"},
		{"warning is left for critical while chat is away", func(w *world) {
			w.unreachable(60, "chat")
			values(w, 0, 5, 10, 25, 80, 0)
		}, []string{"10s team: firing a", "1m20s team: resolved a"}, "the level that stands, critical, is not chat's"},
		{"both levels are one receiver's", func(w *world) {
			w.cfg.Monitors["m"].Levels[0].Receivers = []string{"team"}
			silence(w, 5, 60)
			values(w, 0, 5, 10, 25, 80, 0)
		}, []string{"0s team: firing a=warning", "1m0s team: rise a", "1m20s team: resolved a"}, "silenced by s1"},
		{"a group waits while critical comes and goes", func(w *world) {
			w.cfg.Receivers["team"].Group = Group{By: []string{"monitor"}, Wait: 30 * time.Second, Interval: time.Minute}
			values(w, 0, 5, 10, 25, 20, 5, 80, 0)
		}, []string{"0s chat: firing a=warning", "1m20s chat: resolved a=warning"}, "the level that stands, warning, is not team's"},
		{"a rise doesn't cut a group's wait short", func(w *world) {
			w.cfg.Monitors["m"].Levels[0].Receivers = []string{"team"}
			w.cfg.Receivers["team"].Group = Group{By: []string{"monitor"}, Wait: 30 * time.Second, Interval: time.Minute}
			values(w, 0, 5, 10, 25, 300, 0)
		}, []string{"30s team: firing a", "5m0s team: resolved a"}, "told by i001.critical.2.team"},
		{"the receiver comes back after the end", func(w *world) {
			w.unreachable(60, "team")
			values(w, 0, 25, 20, 0)
		}, []string{"1m4s team: resolved a (both)"}, "told by i001.:end.0.team"},
		{"data is missing at the end of a silence", func(w *world) {
			w.rules["m"].NoData = alert.NoDataState
			silence(w, 0, 60)
			values(w, 1, 25)
			w.at(20, func() { w.input("m", "a", alert.Input{Status: alert.StatusMissing}) })
			values(w, 80, 0)
		}, []string{"1m0s team: nodata a", "1m20s team: resolved a"}, "silenced by s1"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, levels())
			c.do(w)
			w.run(600)
			for i := range w.delivered { // a retry comes at random
				if d := &w.delivered[i]; d.at > time.Minute && d.at < 70*time.Second {
					d.at = 64 * time.Second
				}
			}
			w.want(c.want...)
			if !slices.Contains(w.reasons(), c.why) {
				t.Errorf("the reasons don't have %q: %q", c.why, w.reasons())
			}
			w.wantNoneLeft()
		})
	}
}

// Who was told of a lower level keeps its own repeats, which say what stands.
// Who was told of a higher one hears of the fall and of the end, no more.
func TestRepeatsAreOfOnesOwnLevel(t *testing.T) {
	t.Parallel()
	cfg := levels()
	cfg.Monitors["m"].Levels[0].Repeat = time.Minute
	w := newWorld(t, cfg)
	w.at(0, func() { w.set("m", "a", 5) })
	w.at(10, func() { w.set("m", "a", 25) })
	w.at(100, func() { w.set("m", "a", 5) })
	w.at(200, func() { w.set("m", "a", 0) })
	w.run(300)
	w.want("0s chat: firing a=warning", "10s team: firing a", "1m0s chat: repeat a=warning", "1m40s team: fall a=warning",
		"2m0s chat: repeat a=warning", "3m0s chat: repeat a=warning", "3m20s chat: resolved a=warning", "3m20s team: resolved a=warning")
	first, second := w.delivered[2].m.Rows[0].Snapshot, w.delivered[4].m.Rows[0].Snapshot
	if first.StandsLevel != "critical" || !first.StandsSince.Equal(epoch.Add(10*time.Second)) || !slices.Equal(first.StandsTold, []string{"team"}) {
		t.Errorf("while critical stands a repeat says %q since %v, told to %q", first.StandsLevel, first.StandsSince, first.StandsTold)
	}
	if second.StandsLevel != "" {
		t.Errorf("while warning stands a repeat says that %q does", second.StandsLevel)
	}
}

// Flapping says nothing of how bad it is: a level that is higher than what is
// known is told while it flaps, too, once.
func TestHigherLevelWhileItFlaps(t *testing.T) {
	t.Parallel()
	w := newWorld(t, levels())
	w.rules["m"].Flap = alert.DefaultFlap
	for i, v := range []float64{5, 0, 5, 0, 5, 25, 0, 25, 0, 25, 5, 25} {
		w.at(float64(10*i), func() { w.set("m", "a", v) })
	}
	w.run(200)
	got := strings.Join(w.lines(), "\n")
	if !strings.Contains(got, "50s team: firing a") || strings.Count(got, "team:") != 1 {
		t.Errorf("delivered:\n%s\nwant that team is told at 50s, once", got)
	}
}

// A bound for changes of level: who was notified, and the receivers of the
// level that stands, are told once.
func TestFlappingLevelsAreToldOnce(t *testing.T) {
	t.Parallel()
	cfg := levels()
	cfg.Monitors["m"].Levels[1].Repeat = 10 * time.Minute
	w := newWorld(t, cfg)
	w.rules["m"].Flap = alert.DefaultFlap
	for i := range 60 {
		w.at(float64(20*i), func() { w.set("m", "a", []float64{5, 25}[i%2]) })
	}
	w.run(1199)
	want := []string{"0s chat: firing a=warning", "20s team: firing a", "40s team: fall a=warning", "1m0s team: rise a",
		"1m20s chat: flapping-levels a", "1m20s team: flapping-levels a", "11m20s team: repeat a"}
	w.want(want...)
	if s := w.delivered[4].m.Rows[0].Snapshot; s.PreviousLevel != "warning" || s.Level != "critical" {
		t.Errorf("it says that it changes between %q and %q, want warning and critical", s.PreviousLevel, s.Level)
	}
	for i := range 20 {
		w.at(float64(1200+60*i), func() { w.set("m", "a", 5) })
	}
	w.at(2400, func() { w.set("m", "a", 0) })
	w.run(2500)
	w.want(append(want, "21m20s team: repeat a", "25m0s chat: fall a=warning", "25m0s team: fall a=warning",
		"40m0s chat: resolved a=warning", "40m0s team: resolved a=warning")...)
}
