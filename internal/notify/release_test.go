package notify

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

// muted has many monitors that one mute time keeps back.
func muted(monitors int) *Config {
	cfg := &Config{Receivers: map[string]*Receiver{}, Monitors: map[string]*Routing{}, MuteTimes: map[string]MuteTime{
		"night": between{epoch, epoch.Add(10 * time.Minute)},
	}}
	for _, name := range []string{"team", "boss", "spare"} {
		cfg.Receivers[name] = &Receiver{Name: name, Group: Group{By: []string{"monitor"}, Interval: time.Minute, Burst: 5}}
	}
	for i := range monitors {
		cfg.Monitors[fmt.Sprintf("m%03d", i)] = &Routing{MuteTimes: []string{"night"}, Levels: []LevelRoute{{
			Name: "critical", Threshold: 3, Receivers: []string{"team"}, Repeat: 4 * time.Hour,
			Escalate: []Escalation{{After: 15 * time.Minute, Receivers: []string{"boss"}}},
		}}}
	}
	return cfg
}

func (w *world) fireAll(seconds float64, each int) {
	for key := range w.cfg.Monitors {
		for i := range each {
			w.at(seconds, func() { w.set(key, fmt.Sprint(key, "-", i), 9) })
		}
	}
}

// summary is each message in short: when, to whom, how many rows.
func (w *world) summary() string {
	var out []string
	for _, d := range w.delivered {
		what := fmt.Sprintf("%v %s %d", d.at, d.m.Receiver, len(d.m.Rows))
		if d.m.Released != nil {
			what += " " + d.m.Released.Reason()
		}
		out = append(out, what)
	}
	return strings.Join(out, "; ")
}

// What one mute's end releases is one message a receiver if it is of more than
// five groups, and so are its escalations.
func TestEndOfAMute(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name     string
		monitors int
		do       func(w *world)
		want     string
	}{
		{"many that were not told", 40, func(w *world) { w.fireAll(60, 3) },
			"10m0s team 120 muted by night; 25m0s boss 120 muted by night"},
		{"few of them", 2, func(w *world) { w.fireAll(60, 3) },
			"10m0s team 3; 10m0s team 3; 25m0s boss 3; 25m0s boss 3"},
		{"some are over", 40, func(w *world) {
			w.fireAll(60, 1)
			for i := range 30 {
				w.at(120, func() { key := fmt.Sprintf("m%03d", i); w.set(key, key+"-0", 0) })
			}
		}, "10m0s team 10 muted by night; 25m0s boss 10 muted by night"},
		{"the receiver is away", 40, func(w *world) {
			w.fireAll(60, 1)
			w.unreachable(700, "team")
		}, "11m0s team 40 muted by night; 25m0s boss 40 muted by night"},
		{"and its fallback", 40, func(w *world) {
			w.fireAll(60, 1)
			w.cfg.Receivers["team"].Fallback = "spare"
			w.unreachable(5000, "team")
		}, "15m0s spare 40 muted by night; 25m0s boss 40 muted by night"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, muted(c.monitors))
			c.do(w)
			w.run(1700)
			for i := range w.delivered { // a retry comes at random
				if d := &w.delivered[i]; d.at > 11*time.Minute && d.at < 13*time.Minute {
					d.at = 11 * time.Minute
				}
			}
			if got := w.summary(); got != c.want {
				t.Errorf("told %s\nwant %s", got, c.want)
			}
		})
	}
}

// What was told before the mute is told again when that runs out, in one
// message as well.
func TestEndOfAMuteRepeats(t *testing.T) {
	t.Parallel()
	cfg := muted(40)
	cfg.MuteTimes["night"] = between{epoch.Add(10 * time.Minute), epoch.Add(20 * time.Minute)}
	w := newWorld(t, cfg)
	w.fireAll(60, 1)
	w.run(1300)
	told := w.delivered[40:]
	if len(told) != 1 || told[0].at != 20*time.Minute || len(told[0].m.Rows) != 40 || told[0].m.Rows[0].Kind != Repeat {
		t.Errorf("after the mute: %s, want one message with 40 repeats", w.summary())
	}
	m := &told[0].m
	if m.Firing != 40 || !m.Since.Equal(epoch.Add(time.Minute)) {
		t.Errorf("it says that %d fire since %v, want 40 since 1m", m.Firing, m.Since.Sub(epoch))
	}
	// It counts for each group: what comes next is the second of its interval.
	w.at(1300, func() { w.set("m000", "another", 9) })
	w.run(1310)
	if g := w.groups[GroupKey{"team", "m000"}]; g == nil || g.Count != 2 && !g.Began.Equal(epoch.Add(1300*time.Second)) {
		t.Errorf("the group's record is %+v", g)
	}
}
