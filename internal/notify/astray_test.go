package notify

import (
	"slices"
	"testing"
	"time"
)

// with is a configuration with these receivers, which the monitor notifies.
func with(receivers ...string) *Config {
	cfg := oneLevel(time.Hour)
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
	noEnd := with("team", "boss")
	noEnd.Receivers["boss"].SkipResolved = true
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
		}, []string{"10s boss: firing a", "23s team: firing a", "1m0s boss: resolved a", "1m0s team: resolved a"}},
		{"which was a fallback", func(w *world) {
			w.cfg = failing
			w.answer = func(receiver string, _ time.Duration, _ *Message) Result {
				return Result{Kind: map[string]ResultKind{"team": Permanent, "a": Temporary}[receiver], Error: "no"}
			}
			w.reroute(10, other)
			w.at(60, func() { w.dead = nil; w.answer = nil; w.set("m", "a", 0) })
		}, []string{"10s b: undelivered a", "1m0s b: resolved a"}},
		{"while nobody is to be told of ends", func(w *world) {
			w.cfg = noEnd
			w.reroute(10, with("boss"))
			w.at(60, func() { w.set("m", "a", 0) })
		}, []string{"0s boss: firing a", "0s team: firing a", "1m0s boss: resolved a"}},
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
