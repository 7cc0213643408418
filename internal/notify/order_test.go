package notify

import (
	"slices"
	"testing"
	"time"

	"github.com/go-batteries/hawkeye/internal/alert"
)

func TestRiseOfWhatWasNotToldIsAFiring(t *testing.T) {
	t.Parallel()
	cfg := levels()
	cfg.Monitors["m"].Levels[1].Receivers = []string{"chat"}
	w := newWorld(t, cfg)
	w.down(0, 30, Temporary)
	w.at(0, func() { w.set("m", "a", 5) })
	w.at(10, func() { w.set("m", "a", 25) })
	w.run(60)
	if len(w.delivered) != 1 || w.delivered[0].m.Rows[0].Kind != Firing || w.delivered[0].m.Rows[0].Snapshot.Level != "critical" {
		t.Errorf("delivered %v, want one firing at critical", w.lines())
	}
}

func TestUpAndDownWhileAReceiverIsDownIsNoNews(t *testing.T) {
	t.Parallel()
	cfg := levels()
	cfg.Monitors["m"].Levels[1].Receivers = []string{"chat"}
	w := newWorld(t, cfg)
	w.down(5, 30, Temporary)
	w.at(0, func() { w.set("m", "a", 5) })
	w.at(10, func() { w.set("m", "a", 25) })
	w.at(12, func() { w.set("m", "a", 5) })
	w.run(60)
	w.want("0s chat: firing a=warning")
	if !slices.Contains(w.reasons(), "back at the level that was told") {
		t.Errorf("reasons %q don't say why the rise isn't told", w.reasons())
	}
}

func TestAMessageUnderWayHoldsItsGroup(t *testing.T) {
	t.Parallel()
	w := newWorld(t, oneLevel(time.Hour, &Receiver{Name: "r", Group: Group{By: []string{"monitor"}, Interval: 10 * time.Second}}))
	w.takes = func(string) time.Duration { return 30 * time.Second }
	w.at(0, func() { w.set("m", "a", 9) })
	w.at(5, func() { w.set("m", "b", 9) })
	w.run(100)
	w.want("30s r: firing a", "1m10s r: firing b +a")
}

func TestEndGoesPastAMutedFiringThatMayHaveBeenDelivered(t *testing.T) {
	t.Parallel()
	w := newWorld(t, oneLevel(time.Hour, &Receiver{Name: "r"}))
	w.answer = func(_ string, at time.Duration, _ *Message) Result {
		if at < time.Second {
			return Result{Kind: Unknown} // it was
		}
		return Result{}
	}
	w.at(0, func() { w.set("m", "a", 9); w.silence(0.05, 600, "monitor=m") })
	w.at(60, func() { w.set("m", "a", 0) })
	w.run(300)
	w.want("0s r: firing a", "1m0s r: resolved a")
}

func TestSkipResolved(t *testing.T) {
	t.Parallel()
	w := newWorld(t, oneLevel(time.Hour, &Receiver{Name: "r", SkipResolved: true}))
	w.down(0, 20, Temporary)
	w.at(0, func() { w.set("m", "a", 9) })
	w.at(10, func() { w.set("m", "a", 0) })
	w.run(60)
	if len(w.delivered) != 1 || !w.delivered[0].m.Over[w.delivered[0].m.Rows[0].ID] {
		t.Errorf("delivered %v, want one firing that says that it is over", w.lines())
	}
}

func TestMissingDataIsToldAndSoIsItsEnd(t *testing.T) {
	t.Parallel()
	w := newWorld(t, levels())
	w.rules["m"].NoData = alert.NoDataState
	w.at(0, func() { w.set("m", "a", 0) })
	w.at(10, func() { w.input("m", "a", alert.Input{Status: alert.StatusMissing}) })
	w.at(20, func() { w.set("m", "a", 0) })
	w.run(60)
	w.want("10s chat: nodata a=warning", "20s chat: resolved a=warning")
}

// TestRowsWithoutAnAlert are what hawkeye says about itself: the shell queues
// them.
func TestRowsWithoutAnAlert(t *testing.T) {
	t.Parallel()
	cfg := oneLevel(time.Hour, &Receiver{Name: "r", Fallback: "f", Group: Group{By: []string{"monitor"}, Wait: time.Minute}})
	cfg.Receivers["f"] = &Receiver{Name: "f"}
	w := newWorld(t, cfg)
	w.answer = func(receiver string, _ time.Duration, _ *Message) Result {
		if receiver == "r" {
			return Result{Kind: Permanent, Error: "gone"}
		}
		return Result{}
	}
	row := &Row{V: RecordVersion, Incident: "outage", Receiver: "r", Seq: 1, Kind: Blind, Created: w.now}
	row.ID = RowID(row.Incident, "", row.Seq, row.Receiver)
	w.rows[row.ID] = row
	w.run(10)
	w.want("0s f: undelivered ")
}

func TestUnendedAndSweep(t *testing.T) {
	t.Parallel()
	w := newWorld(t, oneLevel(time.Hour, &Receiver{Name: "r", Group: Group{By: []string{"monitor"}, Interval: time.Minute}}))
	w.set("m", "a", 9)
	w.run(1)
	if told := Unended(w.view(), "a"); len(told) != 1 || told[0].Incident != "i001" || !told[0].FiredAt.Equal(epoch) {
		t.Errorf("Unended = %v, want i001", told)
	}
	if old := Sweep(w.view(), w.now.Add(48*time.Hour)); len(old.Threads) != 0 {
		t.Errorf("Sweep takes the thread of a firing alert: %v", old.Threads)
	}
	w.at(120, func() { w.set("m", "a", 0) })
	w.run(180)
	if told := Unended(w.view(), "a"); len(told) != 0 {
		t.Errorf("Unended = %v after the end, want none", told)
	}
	if old := Sweep(w.view(), w.now.Add(23*time.Hour)); len(old.Threads) != 0 {
		t.Errorf("Sweep takes %v within a day", old.Threads)
	}
	if old := Sweep(w.view(), w.now.Add(25*time.Hour)); len(old.Threads) != 1 || len(old.Groups) != 1 {
		t.Errorf("Sweep takes %+v, want the thread and the group", old)
	}
}

func TestHistorySaysOnceWhyNothingIsTold(t *testing.T) {
	t.Parallel()
	w := newWorld(t, oneLevel(time.Hour, &Receiver{Name: "r"}))
	w.at(0, func() { w.set("m", "a", 9) })
	w.at(10, func() { w.silence(10, 100, "monitor=m") })
	for i := range 50 {
		w.at(float64(11+i), func() {})
	}
	w.run(99)
	want := []string{"silenced by s1"} // that a repeat isn't due yet is no event
	if got := w.reasons(); !slices.Equal(got, want) {
		t.Errorf("reasons %q, want %q", got, want)
	}
}

func TestRetryPause(t *testing.T) {
	t.Parallel()
	var r Retry
	for _, c := range []struct {
		attempts int
		age      time.Duration
		most     time.Duration
	}{
		{1, 0, time.Second}, {2, 0, 2 * time.Second}, {3, 0, 4 * time.Second}, {4, 0, 5 * time.Second}, {1000, time.Minute, 5 * time.Second},
		{1000, 30 * time.Minute, time.Minute}, {1000, 2 * time.Hour, 5 * time.Minute},
	} {
		if got := r.pause(c.attempts, c.age, 0.999999999); got.Round(time.Millisecond) != c.most {
			t.Errorf("pause after %d attempts at %v: %v at most, want %v", c.attempts, c.age, got, c.most)
		}
		if got := r.pause(c.attempts, c.age, 0); got != leastPause {
			t.Errorf("pause after %d attempts: %v at least, want %v", c.attempts, got, leastPause)
		}
	}
}

func TestSilenceErrors(t *testing.T) {
	t.Parallel()
	end := epoch.Add(time.Hour)
	for _, s := range []Silence{
		{End: end}, {Matchers: []string{"a=b"}}, {Matchers: []string{"a=b"}, End: epoch}, {Matchers: []string{"a=~("}, End: end},
		{Matchers: []string{"a=~.*"}, End: end}, {Matchers: []string{`a=""`}, End: end}, {Matchers: []string{"a=b"}, Start: end, End: end},
	} {
		if got, err := NewSilence(s, epoch, func() string { return "id" }); err == nil {
			t.Errorf("NewSilence(%+v) = %+v, want an error", s, got)
		}
	}
}

// BenchmarkDecide is a look at 10,000 firing alerts of which nothing is due.
func BenchmarkDecide(b *testing.B) {
	cfg := oneLevel(time.Hour, &Receiver{Name: "r", Group: Group{By: []string{"monitor"}, Interval: time.Minute}})
	v := &View{Alerts: map[string]*Alert{}, Threads: map[ThreadKey]*Thread{}, Config: cfg}
	for i := range 10_000 {
		key := "a" + string(rune('a'+i%26)) + time.Duration(i).String()
		v.Alerts[key] = &Alert{Key: key, Monitor: "m", Incident: key, Phase: alert.Firing, Rank: 1, FiredAt: epoch}
		v.Threads[ThreadKey{key, "r"}] = &Thread{
			Alert: key, Receiver: "r", Incident: key, Told: true, Seq: 1, Rank: 1, ToldAt: epoch, TriedAt: epoch,
			Held: "repeat not due", RepeatAt: epoch.Add(time.Hour),
		}
	}
	for b.Loop() {
		v.index = nil
		if p := Decide(v, epoch.Add(time.Minute)); !p.Empty() {
			b.Fatal("there was something to do")
		}
	}
}
