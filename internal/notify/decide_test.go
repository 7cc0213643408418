package notify

import (
	"maps"
	"slices"
	"strings"
	"testing"
	"time"
)

func levels() *Config {
	return &Config{
		Receivers: map[string]*Receiver{"chat": {Name: "chat"}, "team": {Name: "team"}, "boss": {Name: "boss"}},
		Monitors: map[string]*Routing{"m": {Levels: []LevelRoute{
			{Name: "warning", Threshold: 3, Receivers: []string{"chat"}, Repeat: 4 * time.Hour},
			{Name: "critical", Threshold: 20, Receivers: []string{"team"}, Repeat: 10 * time.Minute},
		}}},
	}
}

func TestLevelsTellWhomTheyConcern(t *testing.T) {
	t.Parallel()
	w := newWorld(t, levels())
	for i, v := range []float64{0, 3, 25, 25, 19, 2} {
		w.at(float64(20*i), func() { w.set("m", "a", v) })
	}
	w.run(200)
	w.want(
		"20s chat: firing a=warning",
		"40s team: firing a",
		"1m20s team: fall a=warning",
		"1m40s chat: resolved a=warning",
		"1m40s team: resolved a=warning",
	)
}

func TestFallTellsTheLowerLevelWhatItMissed(t *testing.T) {
	t.Parallel()
	w := newWorld(t, levels())
	w.at(0, func() { w.set("m", "a", 25) })
	w.at(10, func() { w.set("m", "a", 5) })
	w.run(20)
	w.want("0s team: firing a", "10s chat: firing a=warning", "10s team: fall a=warning")
}

func TestRunEvery(t *testing.T) {
	t.Parallel()
	legacy := func() *world {
		cfg := oneLevel(0, &Receiver{Name: "r"})
		cfg.Monitors["m"].RunEvery = 5 * time.Minute
		return newWorld(t, cfg)
	}
	blip := func(w *world, from, to float64) {
		w.at(from, func() { w.set("m", "a", 9) })
		w.at(to, func() { w.set("m", "a", 0) })
	}
	t.Run("first breach at once, then each run_every while it lasts, and no end", func(t *testing.T) {
		w := legacy()
		blip(w, 0, 700)
		w.run(3600)
		w.want("0s r: firing a", "5m0s r: repeat a", "10m0s r: repeat a")
	})
	t.Run("breaches in between are counted and told when it is due, over or not", func(t *testing.T) {
		w := legacy()
		blip(w, 0, 10)
		blip(w, 60, 70)
		blip(w, 100, 110)
		blip(w, 120, 130)
		w.run(3600)
		w.want("0s r: firing a", "5m0s r: firing a x3 (over)")
	})
	t.Run("a breach in between that lasts goes on with repeats", func(t *testing.T) {
		w := legacy()
		blip(w, 0, 10)
		blip(w, 60, 70)
		blip(w, 100, 650)
		w.run(3600)
		w.want("0s r: firing a", "5m0s r: firing a x2", "10m0s r: repeat a")
	})
	t.Run("after run_every the next breach is told at once", func(t *testing.T) {
		w := legacy()
		blip(w, 0, 10)
		blip(w, 301, 310)
		w.run(3600)
		w.want("0s r: firing a", "5m1s r: firing a")
	})
	t.Run("the outbox stays small", func(t *testing.T) {
		w := legacy()
		for i := range 200 {
			blip(w, float64(i), float64(i)+0.5)
		}
		w.run(250)
		if len(w.rows) != 1 {
			t.Errorf("%d rows wait, want 1", len(w.rows))
		}
		w.run(301)
		w.want("0s r: firing a", "5m0s r: firing a x199 (over)")
	})
	t.Run("a receiver that fails hears it once, with the breaches since", func(t *testing.T) {
		w := legacy()
		w.answer = func(_ string, at time.Duration, _ *Message) Result {
			if at < 30*time.Second {
				return Result{Kind: Temporary, Error: "down"}
			}
			return Result{}
		}
		blip(w, 0, 10)
		blip(w, 20, 21)
		w.run(200)
		if len(w.delivered) != 1 || w.delivered[0].m.Rows[0].Breaches != 2 {
			t.Errorf("delivered %v, want one message of 2 breaches", w.lines())
		}
	})
	t.Run("nothing is grouped", func(t *testing.T) {
		w := legacy()
		w.cfg.Receivers["r"].Group = Group{By: []string{"monitor"}, Wait: time.Minute, Interval: time.Hour}
		blip(w, 0, 700)
		w.at(5, func() { w.set("m", "b", 9) })
		w.run(100)
		w.want("0s r: firing a", "5s r: firing b")
	})
	t.Run("a removed monitor leaves nothing to tell", func(t *testing.T) {
		w := legacy()
		blip(w, 0, 20)
		w.at(10, func() { delete(w.cfg.Monitors, "m"); delete(w.cfg.Receivers, "r") })
		w.run(1000)
		w.want("0s r: firing a")
		if len(w.rows)+len(w.dead) != 0 {
			t.Errorf("%d rows and %d dead letters, want none", len(w.rows), len(w.dead))
		}
	})
	t.Run("a breach while a message is under way waits", func(t *testing.T) {
		w := legacy()
		w.takes = func(string) time.Duration { return 20 * time.Second }
		blip(w, 0, 5)
		blip(w, 10, 15)
		w.run(3600)
		w.want("20s r: firing a", "5m40s r: firing a (over)")
	})
}

func TestRunEveryIsEachTriggersOwn(t *testing.T) {
	t.Parallel()
	cfg := &Config{
		Receivers: map[string]*Receiver{"one": {Name: "one"}, "two": {Name: "two"}},
		Monitors: map[string]*Routing{
			"m3":  {RunEvery: 5 * time.Minute, Levels: []LevelRoute{{Name: "critical", Threshold: 3, Receivers: []string{"one"}}}},
			"m20": {RunEvery: 10 * time.Minute, Levels: []LevelRoute{{Name: "critical", Threshold: 20, Receivers: []string{"two"}}}},
		},
	}
	w := newWorld(t, cfg)
	w.at(0, func() { w.set("m3", "a3", 25); w.set("m20", "a20", 25) })
	w.run(700)
	w.want("0s two: firing a20", "0s one: firing a3", "5m0s one: repeat a3", "10m0s two: repeat a20", "10m0s one: repeat a3")
}

func TestRestartForgetsAndRepeatsNothing(t *testing.T) {
	t.Parallel()
	cfg := oneLevel(0, &Receiver{Name: "r"})
	cfg.Monitors["m"].RunEvery = 5 * time.Minute
	w := newWorld(t, cfg)
	w.at(0, func() { w.set("m", "a", 9) })
	w.at(60, w.crash)
	w.at(200, w.crash)
	w.run(310)
	w.want("0s r: firing a", "5m0s r: repeat a")
}

func TestUnknownOutcomeIsToldAgainAsARepeat(t *testing.T) {
	t.Parallel()
	w := newWorld(t, oneLevel(time.Hour, &Receiver{Name: "r"}))
	died := false
	w.dies = func(*Message) bool { d := !died; died = true; return d }
	w.at(0, func() { w.set("m", "a", 9) })
	w.run(60)
	w.want("0s r: firing a", "0s r: firing a (maybe a repeat)")
	if a, b := w.delivered[0].m.ID, w.delivered[1].m.ID; a != b {
		t.Errorf("the repeat has id %q, want %q", b, a)
	}
}

func TestEndWaitsForAFiringThatMayHaveBeenDelivered(t *testing.T) {
	t.Parallel()
	w := newWorld(t, oneLevel(time.Hour, &Receiver{Name: "r"}))
	w.answer = func(_ string, at time.Duration, _ *Message) Result {
		if at < 10*time.Second {
			return Result{Kind: Unknown, Error: "no answer"}
		}
		return Result{}
	}
	w.at(0, func() { w.set("m", "a", 9) })
	w.at(5, func() { w.set("m", "a", 0) })
	w.run(60)
	if len(w.delivered) != 2 || !w.delivered[0].m.MaybeRepeat || w.delivered[1].m.Rows[0].Kind != Resolved {
		t.Errorf("delivered %v, want firing (maybe a repeat), then resolved", w.lines())
	}
}

func TestWhatIsDecidedAgainIsNotSentAgain(t *testing.T) {
	t.Parallel()
	w := newWorld(t, oneLevel(time.Hour, &Receiver{Name: "r"}))
	w.at(0, func() { w.set("m", "a", 9) })
	w.run(1)
	// A failover takes back everything but what the sender remembers.
	w.states, w.threads = map[string]alertState{}, map[ThreadKey]*Thread{}
	w.incident = 0
	w.at(2, func() { w.set("m", "a", 9) })
	w.at(10, func() { w.set("m", "a", 0) })
	w.run(20)
	w.want("0s r: firing a", "10s r: resolved a")
	if !slices.Contains(w.reasons(), "sent already") {
		t.Errorf("reasons %q, want one that it was sent already", w.reasons())
	}
}

// A failover takes back what was decided after the firing, and in place of the
// repeat that was sent then comes the end: it is told, as a message of its
// own. If the end was sent, too, nothing is.
func TestEndInThePlaceOfARepeat(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name   string
		ended  float64 // when it ended before the roll-back; 0 is not before
		repeat bool    // a repeat is decided again, before the end
		want   []string
	}{
		{"the repeat was sent", 0, false, []string{"0s r: firing a", "10s r: repeat a", "15s r: resolved a"}},
		{"the repeat was sent and is decided again", 0, true, []string{"0s r: firing a", "10s r: repeat a", "15s r: resolved a"}},
		{"both were sent", 12, false, []string{"0s r: firing a", "10s r: repeat a", "12s r: resolved a"}},
		{"both were sent and are decided again", 12, true, []string{"0s r: firing a", "10s r: repeat a", "12s r: resolved a"}},
		{"the end was sent, and a repeat is decided that never was", 5, true, []string{"0s r: firing a", "5s r: resolved a"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, oneLevel(10*time.Second, &Receiver{Name: "r"}))
			w.at(0, func() { w.set("m", "a", 9) })
			w.run(1)
			states, thread := maps.Clone(w.states), *w.threads[ThreadKey{"a", "r"}]
			if c.ended > 0 {
				w.at(c.ended, func() { w.set("m", "a", 0) })
			}
			w.run(15)
			w.states, w.threads = states, map[ThreadKey]*Thread{{"a", "r"}: &thread}
			if c.repeat {
				thread.Seq++
				row := &Row{
					V: RecordVersion, Incident: thread.Incident, Alert: "a", Monitor: "m", Receiver: "r", Seq: thread.Seq,
					Kind: Repeat, Rank: 1, Created: w.now, Snapshot: Snapshot{Name: "m", Level: "critical"},
				}
				row.ID = row.makeID()
				w.rows[row.ID] = row
			}
			w.set("m", "a", 0)
			w.run(60)
			w.want(c.want...)
			ids := make(map[string]bool)
			for _, d := range w.delivered {
				ids[d.m.ID] = true
			}
			if len(ids) != len(w.delivered) {
				t.Errorf("%d messages have %d ids, want one each: %v", len(w.delivered), len(ids), ids)
			}
		})
	}
}

func TestSilenceTellsWhatHoldsAtItsEnd(t *testing.T) {
	t.Parallel()
	t.Run("began and ended inside", func(t *testing.T) {
		w := newWorld(t, oneLevel(time.Hour, &Receiver{Name: "r"}))
		w.silence(0, 60, "monitor=m")
		w.at(10, func() { w.set("m", "a", 9) })
		w.at(20, func() { w.set("m", "a", 0) })
		w.run(100)
		w.want()
	})
	t.Run("ended by hand: what was told is not told again", func(t *testing.T) {
		w := newWorld(t, oneLevel(time.Hour, &Receiver{Name: "r"}))
		w.at(0, func() { w.set("m", "a", 9) })
		w.at(5, func() { w.silence(5, 60, "monitor=m") })
		w.at(20, func() { w.silences[0] = w.silences[0].Expire(w.now) })
		w.run(100)
		w.want("0s r: firing a")
	})
	t.Run("ended by hand: what was never told is", func(t *testing.T) {
		w := newWorld(t, oneLevel(time.Hour, &Receiver{Name: "r"}))
		w.silence(0, 60, "monitor=m")
		w.at(5, func() { w.set("m", "a", 9) })
		w.at(20, func() { w.silences[0] = w.silences[0].Expire(w.now) })
		w.run(100)
		w.want("20s r: firing a")
	})
	t.Run("a rise that is gone again is not told", func(t *testing.T) {
		cfg := levels()
		cfg.Monitors["m"].Levels[1].Receivers = []string{"chat"}
		w := newWorld(t, cfg)
		w.at(0, func() { w.set("m", "a", 5) })
		w.at(5, func() { w.silence(5, 60, "level=critical") })
		w.at(10, func() { w.set("m", "a", 25) })
		w.at(20, func() { w.set("m", "a", 5) })
		w.run(100)
		w.want("0s chat: firing a=warning")
	})
}

func TestMuteTime(t *testing.T) {
	t.Parallel()
	cfg := oneLevel(time.Hour, &Receiver{Name: "r"})
	cfg.Monitors["m"].MuteTimes = []string{"night"}
	cfg.MuteTimes = map[string]MuteTime{"night": between{epoch, epoch.Add(10 * time.Minute)}}
	w := newWorld(t, cfg)
	w.at(5, func() { w.set("m", "a", 9) })
	w.run(1200)
	w.want("10m0s r: firing a")
	if want := []string{"muted by night"}; !slices.Equal(w.reasons()[:1], want) {
		t.Errorf("reasons %q, want %q first", w.reasons(), want)
	}
}

type between struct{ from, to time.Time }

func (b between) Contains(t time.Time) bool { return !t.Before(b.from) && t.Before(b.to) }

func TestDeadLetter(t *testing.T) {
	t.Parallel()
	broken := func(receivers ...string) func(string, time.Duration, *Message) Result {
		return func(receiver string, _ time.Duration, _ *Message) Result {
			if slices.Contains(receivers, receiver) {
				return Result{Kind: Permanent, Error: "550 no such user"}
			}
			return Result{}
		}
	}
	cfg := func() *Config {
		c := oneLevel(time.Hour, &Receiver{Name: "r", Fallback: "f"})
		c.Receivers["f"] = &Receiver{Name: "f", Fallback: "r"}
		return c
	}
	t.Run("the fallback hears of the firing and of the end", func(t *testing.T) {
		w := newWorld(t, cfg())
		w.answer = broken("r")
		w.at(0, func() { w.set("m", "a", 9) })
		w.at(60, func() { w.set("m", "a", 0) })
		w.run(100)
		w.want("0s f: undelivered a", "1m0s f: resolved a")
		if len(w.dead) != 1 || w.dead[0].Reason != "550 no such user" {
			t.Errorf("dead letters %v, want one with its reason", w.dead)
		}
		if got := strings.Join(w.reasons(), "\n"); !strings.Contains(got, "the end of a firing that was not told") {
			t.Errorf("reasons %q don't say why r isn't told of the end", got)
		}
	})
	t.Run("fallbacks don't go round in circles", func(t *testing.T) {
		w := newWorld(t, cfg())
		w.answer = broken("r", "f")
		w.at(0, func() { w.set("m", "a", 9) })
		w.run(100)
		w.want()
		if len(w.dead) != 2 || len(w.rows) != 0 {
			t.Errorf("%d dead letters and %d rows, want 2 and 0", len(w.dead), len(w.rows))
		}
	})
	t.Run("given up after a day", func(t *testing.T) {
		w := newWorld(t, cfg())
		w.answer = func(receiver string, _ time.Duration, _ *Message) Result {
			if receiver == "r" {
				return Result{Kind: Temporary, Error: "connection refused"}
			}
			return Result{}
		}
		w.at(0, func() { w.set("m", "a", 9) })
		w.cfg.Monitors["m"].Levels[0].Repeat = 0
		w.run(25 * 3600)
		w.want("5m0s f: undelivered a")
		if len(w.dead) != 1 || w.dead[0].Settled.Before(epoch.Add(24*time.Hour)) {
			t.Errorf("%d dead letters, want one after a day", len(w.dead))
		}
		if n := len(w.attempts); n > 900 {
			t.Errorf("%d attempts in a day", n)
		}
	})
}

func TestFailedRecipientsAloneAreTriedAgain(t *testing.T) {
	t.Parallel()
	cfg := oneLevel(time.Hour, &Receiver{Name: "r", Fallback: "f"})
	cfg.Receivers["f"] = &Receiver{Name: "f"}
	w := newWorld(t, cfg)
	w.answer = func(receiver string, _ time.Duration, m *Message) Result {
		if receiver == "r" && len(m.Recipients) == 0 {
			return Result{Error: "two failed", Failed: []RecipientFailure{
				{Address: "later@x", Error: "greylisted"}, {Address: "never@x", Permanent: true, Error: "550"},
			}}
		}
		return Result{}
	}
	w.at(0, func() { w.set("m", "a", 9) })
	w.at(60, func() { w.set("m", "a", 0) })
	w.run(59)
	if len(w.delivered) != 3 {
		t.Fatalf("delivered %v, want r, f, r again", w.lines())
	}
	again := w.delivered[2].m
	if !slices.Equal(again.Recipients, []string{"later@x"}) || again.ID != w.delivered[0].m.ID {
		t.Errorf("again to %v with id %s, want later@x and %s", again.Recipients, again.ID, w.delivered[0].m.ID)
	}
	if u := w.delivered[1].m.Rows[0].Undelivered; !slices.Equal(u.Recipients, []string{"never@x"}) {
		t.Errorf("the fallback hears of %v, want never@x", u.Recipients)
	}
}

func TestBusyReceiverDelaysNobodyElse(t *testing.T) {
	t.Parallel()
	w := newWorld(t, oneLevel(time.Hour, &Receiver{Name: "slow"}, &Receiver{Name: "quick"}))
	w.takes = func(r string) time.Duration {
		if r == "slow" {
			return 20 * time.Second
		}
		return 0
	}
	w.at(0, func() { w.set("m", "a", 9) })
	w.at(1, func() { w.set("m", "b", 9) })
	w.at(2, func() { w.set("m", "a", 0) })
	w.run(100)
	w.want("0s quick: firing a", "1s quick: firing b", "2s quick: resolved a",
		"20s slow: firing a", "21s slow: firing b", "40s slow: resolved a")
}

func TestCapacityHoldsBack(t *testing.T) {
	t.Parallel()
	w := newWorld(t, oneLevel(time.Hour, &Receiver{Name: "r"}))
	w.set("m", "a", 9)
	w.set("m", "b", 9)
	v := w.view()
	v.Capacity = func(string) int { return 1 }
	if plan := Decide(v, w.now); len(plan.Send) != 1 {
		t.Errorf("%d messages, want 1", len(plan.Send))
	}
}

func TestRemovedReceiverLeavesADeadLetter(t *testing.T) {
	t.Parallel()
	cfg := oneLevel(time.Hour, &Receiver{Name: "r"})
	w := newWorld(t, cfg)
	w.set("m", "a", 9)
	delete(cfg.Receivers, "r")
	w.run(1)
	if len(w.dead) != 1 || len(w.rows) != 0 {
		t.Errorf("%d dead letters, %d rows; want 1 and 0", len(w.dead), len(w.rows))
	}
}

func TestDecideChangesNothingTwice(t *testing.T) {
	t.Parallel()
	w := newWorld(t, oneLevel(time.Hour, &Receiver{Name: "r", Group: Group{By: []string{"monitor"}, Wait: time.Minute, Interval: time.Minute}}))
	w.silence(0, 600, "zone=x")
	w.set("m", "a", 9)
	w.set("m", "b", 9, "zone", "x")
	w.run(30)
	before := w.changes
	w.turn()
	w.now = w.now.Add(time.Second)
	w.turn()
	if w.changes != before {
		t.Errorf("%d plans written for nothing", w.changes-before)
	}
}

// A newer version keeps an alert: nothing of it is sent, repeated or
// escalated, and of what was being sent only that it was is written down.
func TestKeptAlertsAreLeftAlone(t *testing.T) {
	t.Parallel()
	cfg := oneLevel(10*time.Second, &Receiver{Name: "r"}, &Receiver{Name: "slow"})
	cfg.Receivers["boss"] = &Receiver{Name: "boss"}
	cfg.Monitors["m"].Levels[0].Escalate = []Escalation{{After: 5 * time.Second, Receivers: []string{"boss"}}}
	w := newWorld(t, cfg)
	w.takes = func(receiver string) time.Duration {
		if receiver == "slow" {
			return 3 * time.Second
		}
		return 0
	}
	w.at(0, func() { w.set("m", "a", 9); w.set("m", "b", 9) })
	w.at(1, func() { w.kept = map[string]bool{"a": true} })
	w.at(1.5, func() {
		row := &Row{V: RecordVersion, Incident: "i001", Alert: "a", Monitor: "m", Receiver: "r", Seq: 2, Kind: Repeat, Rank: 1, Created: w.now}
		row.ID = row.makeID()
		w.rows[row.ID] = row
	})
	w.run(8)
	w.want("0s r: firing a", "0s r: firing b", "3s slow: firing a", "3s slow: firing b", "5s boss: firing b (escalated)")
	for _, row := range w.rows {
		if row.Alert != "a" {
			t.Errorf("the row %s of an alert that is nobody else's is left", row.ID)
		}
	}
	if len(w.rows) != 2 {
		t.Errorf("%d rows are left, want the one that was queued and the one that was sent meanwhile", len(w.rows))
	}
	if id := RowID("i001", "critical", 1, "slow"); !w.sent[id] || w.rows[id] == nil || w.rows[id].Claim == nil {
		t.Fatalf("%s: noted as sent %v, row %+v, want a note, and the row with its claim", id, w.sent[id], w.rows[id])
	}
	w.kept = nil
	w.crashed[w.writer()] = true // the claim lapses
	w.self++
	w.at(9, func() { w.set("m", "a", 0) })
	w.at(9, func() { w.set("m", "b", 0) })
	w.run(13)
	got := w.lines()[5:]
	want := []string{
		"8s r: repeat a", "8s boss: firing a (escalated)", "9s boss: resolved a", "9s r: resolved a",
		"9s boss: resolved b", "9s r: resolved b", "12s slow: resolved a", "12s slow: resolved b",
	}
	if !slices.Equal(got, want) {
		t.Errorf("then delivered %q, want %q: the ends, and nothing twice", got, want)
	}
}
