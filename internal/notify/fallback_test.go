package notify

import (
	"slices"
	"strings"
	"testing"
	"time"
)

// failing has r fall back on f, and f on g.
func failing() *Config {
	cfg := levels()
	cfg.Receivers["team"].Fallback, cfg.Receivers["chat"].Fallback = "f", "f"
	cfg.Receivers["f"] = &Receiver{Name: "f", Fallback: "g"}
	cfg.Receivers["g"] = &Receiver{Name: "g"}
	return cfg
}

// minutes replaces the times of retries, which are random, by a minute's.
func (w *world) minutes() []string {
	var out []string
	for i := range w.delivered {
		d := w.delivered[i]
		d.at = d.at.Truncate(time.Minute)
		out = append(out, d.line())
	}
	return out
}

// News that can't be delivered for long is told through the fallback, once,
// while it is tried on. Whoever gets through later says that it may be a
// repeat.
func TestFallbackOfWhatIsNotDelivered(t *testing.T) {
	t.Parallel()
	at := func(w *world, steps ...float64) {
		for i := 0; i+1 < len(steps); i += 2 {
			w.at(steps[i], func() { w.set("m", "a", steps[i+1]) })
		}
	}
	for _, c := range []struct {
		name string
		do   func(w *world)
		want []string
	}{
		{"after five minutes", func(w *world) {
			w.unreachable(480, "team")
			at(w, 0, 25, 1000, 0)
		}, []string{"5m0s f: undelivered a", "8m0s team: firing a (maybe a repeat)", "16m0s f: resolved a", "16m0s team: resolved a"}},
		{"as the receiver says", func(w *world) {
			w.cfg.Receivers["team"].FallbackAfter = time.Minute
			w.unreachable(480, "team")
			at(w, 0, 25, 1000, 0)
		}, []string{"1m0s f: undelivered a", "8m0s team: firing a (maybe a repeat)", "16m0s f: resolved a", "16m0s team: resolved a"}},
		{"not if it gets through in time", func(w *world) {
			w.unreachable(240, "team")
			at(w, 0, 25, 1000, 0)
		}, []string{"4m0s team: firing a", "16m0s team: resolved a"}},
		{"not while it is muted", func(w *world) {
			w.unreachable(1000, "team")
			at(w, 0, 25)
			w.at(60, func() { w.silence(60, 600, "monitor=m") })
			w.at(610, func() { w.set("m", "a", 0) })
		}, []string{"10m0s f: undelivered a", "10m0s f: resolved a", "17m0s team: resolved a (both) (maybe a repeat)"}},
		{"through the fallback's own, and so on", func(w *world) {
			w.unreachable(5000, "team", "f")
			at(w, 0, 25, 1000, 0)
		}, []string{"10m0s g: undelivered a", "16m0s g: resolved a"}},
		{"not if the receiver was faster than the fallback", func(w *world) {
			w.answer = func(receiver string, at time.Duration, _ *Message) Result {
				if receiver == "f" || receiver == "team" && at < 400*time.Second {
					return Result{Kind: Temporary, Error: "down"}
				}
				return Result{}
			}
			at(w, 0, 25, 1000, 0)
		}, []string{"6m0s team: firing a (maybe a repeat)", "16m0s team: resolved a"}},
		{"a receiver that takes nothing", func(w *world) {
			w.capacity = func(receiver string) int {
				if receiver == "team" {
					return 0
				}
				return 1
			}
			at(w, 0, 25, 400, 25)
		}, []string{"5m0s f: undelivered a"}},
		{"what rises is told to whoever stands in", func(w *world) {
			w.cfg.Monitors["m"].Levels[1].Receivers = []string{"chat"}
			w.unreachable(2000, "chat")
			at(w, 0, 5, 600, 25, 1000, 0)
		}, []string{"5m0s f: undelivered a=warning", "10m0s f: rise a", "16m0s f: resolved a"}},
		{"not of a level that isn't the receiver's any more", func(w *world) {
			w.unreachable(2000, "team")
			at(w, 0, 25, 200, 5, 1000, 0)
		}, []string{"3m0s chat: firing a=warning", "16m0s chat: resolved a=warning"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, failing())
			w.cfg.Monitors["m"].Levels[1].Repeat = 4 * time.Hour
			c.do(w)
			w.run(1990)
			got := w.minutes()
			if !slices.Equal(got, c.want) {
				t.Errorf("delivered:\n%swant:\n%s", block(got), block(c.want))
			}
		})
	}
}

// What fails for good again and again is told to the fallback once; from then
// on it hears what happens by itself.
func TestFallbackIsToldOnce(t *testing.T) {
	t.Parallel()
	w := newWorld(t, failing())
	w.answer = func(receiver string, _ time.Duration, _ *Message) Result {
		if receiver == "team" {
			return Result{Kind: Permanent, Error: "550"}
		}
		return Result{}
	}
	w.at(0, func() { w.set("m", "a", 25) })
	w.at(1500, func() { w.set("m", "a", 0) })
	w.run(2000)
	w.want("0s f: undelivered a", "10m0s f: repeat a", "20m0s f: repeat a", "25m0s f: resolved a")
	if len(w.dead) != 3 { // the firing, and two more attempts
		t.Errorf("%d dead letters, want 3", len(w.dead))
	}
}

// A fallback that is told of several alerts at a time hears of them in one
// message, like everybody else.
func TestFallbackOfAGroup(t *testing.T) {
	t.Parallel()
	cfg := failing()
	for _, r := range cfg.Receivers {
		r.Group = Group{By: []string{"monitor"}, Interval: time.Minute}
	}
	w := newWorld(t, cfg)
	w.answer = func(receiver string, _ time.Duration, _ *Message) Result {
		if receiver == "team" {
			return Result{Kind: Permanent, Error: "550"}
		}
		return Result{}
	}
	w.at(0, func() {
		for _, key := range []string{"a", "b", "c"} {
			w.set("m", key, 25)
		}
	})
	w.run(30)
	if got := strings.Join(w.lines(), ", "); got != "0s f: undelivered a undelivered b undelivered c" {
		t.Errorf("delivered %s, want one message", got)
	}
}
