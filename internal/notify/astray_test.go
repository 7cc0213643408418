package notify

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/go-batteries/hawkeye/internal/alert"
)

// with is a configuration with these receivers, which the monitor notifies.
func with(receivers ...string) *Config {
	cfg := oneLevel(0)
	for _, name := range receivers {
		cfg.Receivers[name] = &Receiver{Name: name}
	}
	cfg.Monitors["m"].Levels[0].Receivers = receivers
	return cfg
}

// unreachable lets receivers fail for some time.
func (w *world) unreachable(until float64, receivers ...string) {
	w.answer = func(receiver string, at time.Duration, _ *Message) Result {
		if slices.Contains(receivers, receiver) && at < secs(until) {
			return Result{Kind: Temporary, Error: "down"}
		}
		return Result{}
	}
}

// reroute gives the evaluator and the notifier another configuration.
func (w *world) reroute(seconds float64, cfg *Config) { w.at(seconds, func() { w.cfg = cfg }) }

func (w *world) wantNoneLeft() {
	w.t.Helper()
	if len(w.rows) > 0 || len(w.dead) > 0 {
		w.t.Errorf("%d rows and %d dead letters, want none", len(w.rows), len(w.dead))
	}
}

func TestRemovedReceiver(t *testing.T) {
	t.Parallel()
	toBoss := with("boss", "team")
	toBoss.Monitors["m"].Levels[0].Receivers = []string{"boss"}
	failing := with("team")
	failing.Receivers["team"].Fallback = "a"
	failing.Receivers["a"] = &Receiver{Name: "a"}
	other := with("team")
	other.Receivers["team"].Fallback = "b"
	other.Receivers["b"] = &Receiver{Name: "b"}
	for _, c := range []struct {
		name string
		do   func(w *world)
		want []string
	}{
		{"while its message is tried again", func(w *world) {
			w.unreachable(1000, "team")
			w.reroute(10, with("boss"))
			w.at(60, func() { w.set("m", "a", 0) })
		}, []string{"10s boss: firing a", "1m0s boss: resolved a"}},
		{"and one that is left knows", func(w *world) {
			w.cfg = with("team", "boss")
			w.unreachable(1000, "team")
			w.reroute(10, with("boss"))
			w.at(60, func() { w.set("m", "a", 0) })
		}, []string{"0s boss: firing a", "1m0s boss: resolved a"}},
		{"when it was told", func(w *world) {
			w.reroute(10, with("boss"))
			w.at(60, func() { w.set("m", "a", 0) })
		}, []string{"0s team: firing a", "10s boss: firing a", "1m0s boss: resolved a"}},
		{"when it may have been told", func(w *world) {
			w.answer = func(string, time.Duration, *Message) Result { return Result{Kind: Unknown, Error: "lost"} }
			w.reroute(10, with("boss"))
			w.at(10, func() { w.answer = nil })
			w.at(60, func() { w.set("m", "a", 0) })
			w.reroute(20, with("team"))
			w.reroute(30, with("boss"))
			w.reroute(40, with("team"))
		}, []string{"10s boss: firing a", "1m0s team: resolved a"}},
		{"when it was told and its end is to be tried again", func(w *world) {
			w.at(5, func() { w.unreachable(1000, "team"); w.set("m", "a", 0) })
			w.reroute(10, with("boss"))
		}, []string{"0s team: firing a"}},
		{"when the firing and the end are to be tried again", func(w *world) {
			w.unreachable(1000, "team")
			w.at(5, func() { w.set("m", "a", 0) })
			w.reroute(10, with("boss"))
		}, []string{"10s boss: resolved a (both)"}},
		{"and the alert ends at that moment", func(w *world) {
			w.unreachable(1000, "team")
			w.at(10, func() { w.cfg = with("boss"); w.set("m", "a", 0) })
		}, []string{"10s boss: firing a (over)"}},
		{"and comes back", func(w *world) {
			w.unreachable(15, "team")
			w.reroute(10, with("boss"))
			w.reroute(20, with("team"))
			w.reroute(30, with("boss"))
			w.reroute(40, with("team"))
			w.at(60, func() { w.set("m", "a", 0) })
		}, []string{"10s boss: firing a", "20s team: firing a", "1m0s team: resolved a"}},
		{"from the trigger only", func(w *world) {
			w.reroute(10, toBoss)
			w.at(60, func() { w.set("m", "a", 0) })
		}, []string{"0s team: firing a", "10s boss: firing a", "1m0s boss: resolved a", "1m0s team: resolved a"}},
		{"from the trigger only, while its message is tried again", func(w *world) {
			w.unreachable(20, "team")
			w.reroute(10, toBoss)
			w.at(60, func() { w.set("m", "a", 0) })
		}, []string{"10s boss: firing a", "1m0s boss: resolved a"}}, // the level that stands isn't team's any more
		{"with a fallback, when both are and it is over", func(w *world) {
			w.cfg = failing
			w.answer = func(receiver string, _ time.Duration, _ *Message) Result {
				return Result{Kind: map[string]ResultKind{"team": Permanent, "a": Temporary}[receiver], Error: "no"}
			}
			w.at(10, func() { w.cfg, w.dead = with("boss"), nil; w.set("m", "a", 0) })
		}, []string{"10s boss: firing a (over)"}},
		{"which was a fallback", func(w *world) {
			w.cfg = failing
			w.answer = func(receiver string, _ time.Duration, _ *Message) Result {
				return Result{Kind: map[string]ResultKind{"team": Permanent, "a": Temporary}[receiver], Error: "no"}
			}
			w.reroute(10, other)
			w.at(60, func() { w.dead = nil; w.answer = nil; w.set("m", "a", 0) })
		}, []string{"10s b: undelivered a", "1m0s b: resolved a"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, with("team"))
			w.at(0, func() { w.set("m", "a", 9) })
			c.do(w)
			for s := range 20 { // somebody looks
				w.at(float64(5*s), func() {})
			}
			w.run(100)
			for i := range w.delivered { // a retry comes at random
				if d := &w.delivered[i]; d.at > 20*time.Second && d.at < 27*time.Second {
					d.at = 23 * time.Second
				}
			}
			w.want(c.want...)
			w.wantNoneLeft()
		})
	}
}

// A replica that doesn't decide leaves what it doesn't know to those who do,
// for as long as it is worth sending.
func TestOutrankedLeavesAstrayRows(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name string
		do   func(w *world)
		want []string
	}{
		{"until it decides", func(w *world) {
			w.at(3600, func() { w.outranked = false })
		}, []string{"1h0m0s boss: firing a"}},
		{"until somebody has the receiver", func(w *world) {
			w.at(3600, func() { w.cfg = with("team", "boss") })
		}, []string{"1h0m0s team: firing a"}},
		{"until it is too old", func(w *world) {
			w.at(24*3600, func() { w.set("m", "a", 0) })
		}, nil},
		{"while only others have the monitor", func(w *world) {
			w.outranked = false
			w.cfg.Monitors = map[string]*Routing{}
			w.at(3600, func() { w.cfg = with("boss") })
		}, []string{"1h0m0s boss: firing a"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, with("team"))
			w.set("m", "a", 9)
			w.cfg, w.outranked = with("boss"), true
			c.do(w)
			for hour := range 24 {
				w.at(float64(3600*hour+10), func() {})
			}
			w.run(24*3600 - 1)
			before := len(w.dead)
			w.want(c.want...)
			w.run(24*3600 + 10)
			if c.want == nil && (before != 0 || len(w.dead) != 1) {
				t.Errorf("%d dead letters before the day is over and %d after it, want 0 and 1", before, len(w.dead))
			}
			if len(w.rows) > 0 || c.want != nil && len(w.dead) > 0 {
				t.Errorf("%d rows and %d dead letters", len(w.rows), len(w.dead))
			}
		})
	}
}

// TestSimulationOfDeploys changes whom the monitor tells, back and forth, with
// notifiers that lag behind: nobody is told of an incident twice, everybody
// who is named for long enough is told, and nothing is lost.
func TestSimulationOfDeploys(t *testing.T) {
	t.Parallel()
	for seed := range *simSeeds {
		configs := []*Config{with("team", "chat"), with("boss", "chat"), with("team", "boss"), with("pager")}
		s := newSimulation(t, configs[0], seed, alert.Flap{})
		for _, receiver := range []string{"boss", "pager"} {
			from := s.rng.Float64() * s.horizon
			s.outages[receiver] = append(s.outages[receiver], [2]float64{from, from + s.rng.Float64()*600})
		}
		for at := 0.0; at < s.horizon; at += 30 + s.rng.ExpFloat64()*300 {
			next := configs[s.rng.IntN(len(configs))]
			s.at(at, func() { s.cfg, s.outranked = next, true })
			s.at(at+s.rng.Float64()*30, func() { s.outranked = false })
		}
		for at := 0.0; at < s.horizon; at += 10 {
			s.at(at, s.checkNamed)
		}
		s.run(s.horizon + 2*3600)
		s.checkOnce()
		s.checkToldOnce()
		s.checkHeard()
		if len(s.rows) > 0 || len(s.dead) > 0 {
			s.fail("%d rows and %d dead letters are left", len(s.rows), len(s.dead))
		}
		if t.Failed() {
			t.Logf("delivered:\n%s", block(s.lines()))
			return
		}
	}
}

// checkToldOnce: no receiver hears twice that an incident fires.
func (s *simulation) checkToldOnce() {
	told := make(map[string]bool)
	for _, d := range s.delivered {
		for _, r := range d.m.Rows {
			chain := r.Incident + ">" + r.Receiver
			if r.Kind == Firing && told[chain] && !d.m.MaybeRepeat {
				s.fail("%s was told that %s fires at %v, again", r.Receiver, r.Incident, d.at)
			}
			told[chain] = told[chain] || r.Kind == Firing
		}
	}
}

// checkNamed: whoever is named by the configuration that decides has to do
// with what fires.
func (s *simulation) checkNamed() {
	if s.outranked || len(s.view().Rows) > 0 {
		return
	}
	for key, a := range s.view().Alerts {
		for _, receiver := range s.cfg.Monitors[a.Monitor].Levels[0].Receivers {
			if t := s.threads[ThreadKey{key, receiver}]; t == nil || t.Incident != a.Incident {
				s.fail("%s has nothing to do with %s at %v", receiver, a.Incident, s.now.Sub(epoch))
			}
		}
	}
}

// checkHeard: somebody was told of each incident, or the history says why not.
func (s *simulation) checkHeard() {
	heard := make(map[string]bool)
	for _, d := range s.delivered {
		for _, r := range d.m.Rows {
			heard[r.Incident] = true
		}
	}
	for _, e := range s.history {
		if e.What == WhatNotTold && strings.HasPrefix(e.Reason, "came and went") {
			heard[e.Incident] = true
		}
	}
	for id := range s.incident {
		if !heard[id] {
			s.fail("nobody was told of %s, nor does the history say why", id)
		}
	}
}

// A live row of the incident makes a receiver one that isn't new to it, though
// its thread is of another one, as after an outage of the store.
func TestNewcomersHaveNoRow(t *testing.T) {
	t.Parallel()
	w := newWorld(t, with("team"))
	w.silence(0, 60, "monitor=m")
	w.set("m", "a", 9)
	w.run(1)
	w.threads[ThreadKey{"a", "team"}].Incident = "blind"
	before := w.changes
	w.run(30)
	if len(w.rows) != 1 || w.changes != before {
		t.Errorf("%d rows, %d commits, want the one row left alone", len(w.rows), w.changes-before)
	}
	w.run(120)
	w.want("1m0s team: firing a")
	w.wantNoneLeft()
}
