package notify

import (
	"slices"
	"strings"
	"testing"
	"time"
)

// acked gives an ack at a time, as h.Ack does.
func (w *world) acked(seconds float64, ack Ack) {
	w.at(seconds, func() {
		v := w.view()
		a := v.Alerts["a"]
		ack.V, ack.Incident, ack.At = RecordVersion, a.Incident, w.now
		ack.Rank = AckRank(v, a)
		ack.Level = w.cfg.LevelName(a.Monitor, ack.Rank)
		w.acks[a.Incident] = roundTrip(w.t, &ack)
	})
}

func TestAck(t *testing.T) {
	t.Parallel()
	cfg := func() *Config {
		c := levels()
		c.Monitors["m"].Levels[0].Repeat = 10 * time.Minute
		for i := range c.Monitors["m"].Levels {
			c.Monitors["m"].Levels[i].Escalate = []Escalation{{After: 15 * time.Minute, Receivers: []string{"boss"}}}
		}
		return c
	}
	for _, c := range []struct {
		name   string
		values []float64 // second, value
		do     func(w *world)
		until  float64
		want   []string
	}{
		{"nobody acknowledges", []float64{0, 25, 1000, 0}, func(*world) {}, 1500, []string{
			"0s team: firing a", "10m0s team: repeat a", "15m0s boss: firing a (escalated)", "16m40s boss: resolved a", "16m40s team: resolved a",
		}},
		{"acknowledged until it is over", []float64{0, 25, 3000, 0}, func(w *world) {
			w.acked(60, Ack{Author: "ada"})
		}, 4000, []string{"0s team: firing a", "1m0s team: acknowledged a", "50m0s team: resolved a"}},
		{"one that runs out reminds, and escalation counts from there", []float64{0, 25}, func(w *world) {
			w.acked(60, Ack{Author: "ada", Until: epoch.Add(20 * time.Minute)})
		}, 2160, []string{
			"0s team: firing a", "1m0s team: acknowledged a", "20m0s team: repeat a", "30m0s team: repeat a", "35m0s boss: firing a (escalated)",
		}},
		{"it reminds though a repeat isn't due", []float64{0, 25}, func(w *world) {
			w.acked(60, Ack{Author: "ada", Until: epoch.Add(2 * time.Minute)})
		}, 300, []string{"0s team: firing a", "1m0s team: acknowledged a", "2m0s team: repeat a"}},
		{"it is told once, whoever else says so hears of it again", []float64{0, 25}, func(w *world) {
			w.acked(60, Ack{Author: "ada", Until: epoch.Add(2 * time.Minute)})
			w.acked(90, Ack{Author: "ada", Until: epoch.Add(20 * time.Minute)})
			w.acked(120, Ack{Author: "bob"})
		}, 300, []string{"0s team: firing a", "1m0s team: acknowledged a", "2m0s team: acknowledged a"}},
		{"a rise beyond its level ends it", []float64{0, 5, 600, 25}, func(w *world) {
			w.acked(60, Ack{Author: "ada"})
		}, 1600, []string{
			"0s chat: firing a=warning", "1m0s chat: acknowledged a=warning", "10m0s team: firing a", "11m0s chat: repeat a=warning",
			"20m0s team: repeat a", "21m0s chat: repeat a=warning", "24m0s boss: firing a=warning (escalated)", "25m0s boss: rise a (escalated)",
		}},
		{"for good", []float64{0, 5, 600, 25, 700, 5}, func(w *world) {
			w.acked(60, Ack{Author: "ada"})
		}, 1400, []string{
			"0s chat: firing a=warning", "1m0s chat: acknowledged a=warning", "10m0s team: firing a", "11m0s chat: repeat a=warning",
			"11m40s team: fall a=warning", "21m0s chat: repeat a=warning",
		}},
		{"not if it is sticky", []float64{0, 5, 600, 25}, func(w *world) {
			w.acked(60, Ack{Author: "ada", Sticky: true})
		}, 3000, []string{
			"0s chat: firing a=warning", "1m0s chat: acknowledged a=warning", "10m0s team: firing a", "10m0s team: acknowledged a",
		}},
		{"bouncing up to its level doesn't end it", []float64{0, 25, 600, 5, 900, 25}, func(w *world) {
			w.acked(60, Ack{Author: "ada"})
		}, 3000, []string{
			"0s team: firing a", "1m0s team: acknowledged a", "10m0s chat: firing a=warning", "10m0s team: fall a=warning",
			"10m0s chat: acknowledged a=warning", "15m0s team: rise a",
		}},
		{"one of a version that knows no levels is for all", []float64{0, 5, 600, 25}, func(w *world) {
			w.at(60, func() { w.acks["i001"] = &Ack{Incident: "i001", Author: "ada", At: w.now} })
		}, 3000, []string{
			"0s chat: firing a=warning", "1m0s chat: acknowledged a=warning", "10m0s team: firing a", "10m0s team: acknowledged a",
		}},
		{"in a silence it is not told", []float64{0, 25, 1000, 0}, func(w *world) {
			w.at(50, func() { w.silence(50, 2000, "monitor=m") })
			w.acked(60, Ack{Author: "ada"})
		}, 3000, []string{"0s team: firing a", "16m40s team: resolved a"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, cfg())
			for i := 0; i+1 < len(c.values); i += 2 {
				w.at(c.values[i], func() { w.set("m", "a", c.values[i+1]) })
			}
			c.do(w)
			w.run(c.until)
			w.want(c.want...)
		})
	}
}

// What an ack has to do with a message is said by it.
func TestAckIsNamed(t *testing.T) {
	t.Parallel()
	w := newWorld(t, levels())
	w.at(0, func() { w.set("m", "a", 5) })
	w.acked(60, Ack{Author: "ada", Comment: "on it"})
	w.at(600, func() { w.set("m", "a", 25) })
	w.acked(700, Ack{Author: "bob", Until: epoch.Add(800 * time.Second)})
	w.run(900)
	acked, rose, reminded := w.delivered[1].m.Rows[0], w.delivered[2].m.Rows[0], w.delivered[len(w.delivered)-1].m.Rows[0]
	if acked.Ack == nil || acked.Ack.Comment != "on it" {
		t.Errorf("the message about the ack has %+v, want ada's", acked.Ack)
	}
	if rose.AckEnded != "ada" || rose.Kind != Firing {
		t.Errorf("the message about the rise is %s and says that %q's ack has ended, want ada's", rose.Kind, rose.AckEnded)
	}
	if reminded.AckOver != "bob" || reminded.Receiver != "team" || !reminded.News() {
		t.Errorf("the reminder is to %s and says that %q's ack has run out, want team and bob's", reminded.Receiver, reminded.AckOver)
	}
	over := slices.ContainsFunc(w.history, func(e Entry) bool { return e.What == WhatAckOver && strings.Contains(e.Reason, "rose to critical") })
	if !over {
		t.Error("the history doesn't say that the ack has ended")
	}
}
