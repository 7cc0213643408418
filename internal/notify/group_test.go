package notify

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"
)

// grouped has one receiver of both levels with a group's defaults.
func grouped() *Config {
	cfg := levels()
	for i := range cfg.Monitors["m"].Levels {
		cfg.Monitors["m"].Levels[i].Receivers, cfg.Monitors["m"].Levels[i].Repeat = []string{"chat"}, 4*time.Hour
	}
	cfg.Receivers["chat"].Group = Group{By: []string{"monitor"}, Interval: time.Minute, Burst: 5}
	return cfg
}

// times are when messages were delivered.
func (w *world) times() string {
	var out []string
	for _, d := range w.delivered {
		out = append(out, fmt.Sprint(d.at))
	}
	return strings.Join(out, " ")
}

// The first news of a group goes at once, the second to fifth no sooner than
// 1, 2, 4 and 8 s after the one before, what is left at the end of the
// interval, together. A level that is higher than what was told doesn't wait.
func TestBurst(t *testing.T) {
	t.Parallel()
	storm := func(w *world, from, to, every float64) {
		for i := 0; from+float64(i)*every < to; i++ {
			w.at(from+float64(i)*every, func() { w.set("m", fmt.Sprintf("s%04d", i), 5) })
		}
	}
	for _, c := range []struct {
		name string
		do   func(w *world)
		want string
	}{
		{"a second one, 5 s after the first", func(w *world) {
			w.at(0, func() { w.set("m", "a", 5) })
			w.at(5, func() { w.set("m", "b", 5) })
		}, "0s 5s"},
		{"a rise 2 s after the warning", func(w *world) {
			w.at(0, func() { w.set("m", "a", 5) })
			w.at(2, func() { w.set("m", "a", 25) })
		}, "0s 2s"},
		{"a storm", func(w *world) { storm(w, 0, 10, 0.1) }, "0s 1s 3s 7s 15s"},
		{"a storm that goes on", func(w *world) { storm(w, 0, 30, 0.25) }, "0s 1s 3s 7s 15s 1m0s"},
		{"a storm with something worse at its end", func(w *world) {
			storm(w, 0, 10, 0.1)
			w.at(10, func() { w.set("m", "worse", 25) })
		}, "0s 1s 3s 7s 10s"},
		{"something worse when the burst is used up, once", func(w *world) {
			storm(w, 0, 30, 0.25)
			w.at(40, func() { w.set("m", "worse", 25) })
			w.at(45, func() { w.set("m", "worst", 25) })
		}, "0s 1s 3s 7s 15s 40s 1m0s"},
		{"a new interval after a silent one", func(w *world) {
			w.at(0, func() { w.set("m", "a", 5) })
			w.at(59.5, func() { w.set("m", "b", 5) })
			w.at(60.5, func() { w.set("m", "c", 5) })
			w.at(61, func() { w.set("m", "d", 5) })
		}, "0s 59.5s 1m0.5s 1m1.5s"},
		{"ends don't take the place of news", func(w *world) {
			for i, key := range []string{"a", "b", "c", "d", "e"} {
				w.at(float64(10*i), func() { w.set("m", key, 5) })
				w.at(float64(10*i+5), func() { w.set("m", key, 0) })
			}
		}, "0s 5s 10s 15s 20s 25s 30s 38s 40s 1m0s"},
		{"an interval that was given: one at a time", func(w *world) {
			w.cfg.Receivers["chat"].Group.Burst = 1
			w.at(0, func() { w.set("m", "a", 5) })
			w.at(5, func() { w.set("m", "b", 5) })
			w.at(10, func() { w.set("m", "a", 0) })
		}, "0s 1m0s"},
		{"a wait is for a group that was silent", func(w *world) {
			w.cfg.Receivers["chat"].Group.Burst, w.cfg.Receivers["chat"].Group.Wait = 1, 20*time.Second
			w.at(0, func() { w.set("m", "a", 5) })
			w.at(70, func() { w.set("m", "b", 5) })
			w.at(200, func() { w.set("m", "c", 5) })
		}, "20s 1m20s 3m40s"},
		{"a record of a version that doesn't count is one message", func(w *world) {
			w.at(0, func() { w.set("m", "a", 5) })
			w.at(1, func() {
				for k, g := range w.groups {
					w.groups[k] = &GroupState{V: 1, Receiver: g.Receiver, Values: g.Values, SentAt: g.SentAt}
				}
			})
			w.at(2, func() { w.set("m", "b", 5) })
			w.at(2.5, func() { w.set("m", "c", 5) })
		}, "0s 2s 4s"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, grouped())
			c.do(w)
			w.run(300)
			if got := w.times(); got != c.want {
				t.Errorf("told at %s, want %s:\n%s", got, c.want, block(w.lines())[:min(2000, len(block(w.lines())))])
			}
			w.wantNoneLeft()
		})
	}
}

// The message with which a burst is used up says how many fire, and when the
// next news may come.
func TestLastOfABurst(t *testing.T) {
	t.Parallel()
	w := newWorld(t, grouped())
	for i := range 200 {
		w.at(float64(i)*0.05, func() { w.set("m", fmt.Sprintf("s%04d", i), 5) })
	}
	w.run(50)
	if len(w.delivered) != 5 {
		t.Fatalf("told at %s, want 5 messages", w.times())
	}
	for i, d := range w.delivered {
		if last := !d.m.Next.IsZero(); last != (i == 4) {
			t.Errorf("message %d says that the burst is used up: %v", i, last)
		}
	}
	m := &w.delivered[4].m
	if m.Firing != 200 || !m.Next.Equal(epoch.Add(time.Minute)) {
		t.Errorf("the fifth says that %d fire, and more comes at %v; want 200, and a minute after the first", m.Firing, m.Next.Sub(epoch))
	}
	if n := len(m.Rows) + len(m.Standing); n != 200 {
		t.Errorf("the fifth shows %d alerts, want all", n)
	}
}

// A message of a group carries everything that waits: ends, and repeats that
// are due but would have had to wait for the group.
func TestMessageCarriesWhatWaits(t *testing.T) {
	t.Parallel()
	cfg := grouped()
	cfg.Receivers["chat"].Group = Group{By: []string{"monitor"}, Interval: 10 * time.Minute, Burst: 1}
	w := newWorld(t, cfg)
	w.at(0, func() { w.set("m", "a", 5) })
	w.at(10, func() { w.set("m", "a", 0) })
	w.at(20, func() { w.set("m", "b", 5) })
	w.at(40, func() { w.set("m", "c", 25) })
	w.run(700)
	w.want("0s chat: firing a=warning", "40s chat: resolved a=warning firing b=warning firing c")
	t.Run("a repeat", func(t *testing.T) {
		cfg := grouped()
		cfg.Receivers["chat"].Group = Group{By: []string{"monitor"}, Interval: 10 * time.Minute, Burst: 1}
		cfg.Monitors["m"].Levels[0].Repeat = 15 * time.Minute
		w := newWorld(t, cfg)
		w.at(0, func() { w.set("m", "a", 5) })
		w.at(850, func() { w.set("m", "b", 5) })   // shows a, which counts as told
		w.at(1900, func() { w.set("m", "c", 25) }) // a and b are due since 1750 s
		w.run(2000)
		if got := w.lines(); !slices.Contains(got, "14m10s chat: firing b=warning +a") {
			t.Errorf("delivered:\n%s", block(got))
		}
	})
}

// What is told of an incident isn't overtaken by what is told of the next one
// of the same alert.
func TestEndIsNotOvertaken(t *testing.T) {
	t.Parallel()
	for name, cfg := range map[string]*Config{"ungrouped": levels(), "grouped": grouped()} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for _, kind := range []ResultKind{Temporary, Unknown} {
				w := newWorld(t, cfg)
				w.answer = func(_ string, at time.Duration, _ *Message) Result {
					if at > 5*time.Second && at < 200*time.Second {
						return Result{Kind: kind, Error: "away"}
					}
					return Result{}
				}
				w.at(0, func() { w.set("m", "a", 5) })
				w.at(10, func() { w.set("m", "a", 0) })
				w.at(199, func() { w.set("m", "a", 5) })
				w.at(1000, func() { w.set("m", "a", 0) })
				w.run(2000)
				var kinds []string
				for _, d := range w.delivered {
					for _, r := range d.m.Rows {
						kinds = append(kinds, fmt.Sprint(r.Incident, " ", r.Kind))
					}
				}
				want := []string{"i001 firing", "i001 resolved", "i002 firing", "i002 resolved"}
				if !slices.Equal(kinds, want) {
					t.Errorf("told %q, want %q:\n%s", kinds, want, block(w.lines()))
				}
				i := slices.IndexFunc(w.delivered, func(d delivery) bool { return d.m.Rows[len(d.m.Rows)-1].Incident == "i002" })
				if at := w.delivered[i].at; kind == Temporary && at > 206*time.Second {
					t.Errorf("what fired at 199 s is told at %v, want it as soon as the receiver is back", at)
				}
				w.wantNoneLeft()
			}
		})
	}
}
