package notify

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/go-batteries/hawkeye/internal/alert"
)

// values sets an alert to values at times.
func (w *world) values(steps ...float64) {
	for i := 0; i+1 < len(steps); i += 2 {
		w.at(steps[i], func() { w.set("m", "a", steps[i+1]) })
	}
}

// grouped lets a receiver's group wait.
func (w *world) grouped(receiver string, wait time.Duration) {
	w.cfg.Receivers[receiver].Group = Group{By: []string{"monitor"}, Wait: wait, Interval: 2 * time.Minute}
}

// wantTo checks all that a receiver was told.
func (w *world) wantTo(receiver string, lines ...string) {
	w.t.Helper()
	got := slices.DeleteFunc(w.lines(), func(line string) bool { return !strings.Contains(line, " "+receiver+":") })
	if !slices.Equal(got, lines) {
		w.t.Errorf("%s was told:\n%s\nwant:\n%s\nof all:\n%s", receiver, block(got), block(lines), block(w.lines()))
	}
}

// A step of an escalation that waited is of a level that was left meanwhile:
// whose own level stands hears of that, and of no escalation.
func TestStepOfALevelThatWasLeft(t *testing.T) {
	t.Parallel()
	cfg := levels()
	cfg.Monitors["m"].Levels[1].Escalate = []Escalation{{After: 2 * time.Minute, Receivers: []string{"chat"}}}
	w := newWorld(t, cfg)
	w.grouped("chat", time.Minute)
	w.values(0, 25, 125, 5, 300, 0)
	w.run(400)
	w.wantTo("chat", "3m0s chat: firing a=warning", "5m0s chat: resolved a=warning")
}

// What comes between an escalation's step and its message doesn't make it about
// a level that isn't the receiver's.
func TestStepThatWaitsWhileLevelsFlap(t *testing.T) {
	t.Parallel()
	cfg := levels()
	cfg.Monitors["m"].Levels[0].Escalate = []Escalation{{After: 2 * time.Minute, Receivers: []string{"boss"}}}
	w := newWorld(t, cfg)
	w.rules["m"].Flap = alert.DefaultFlap
	w.grouped("boss", 3*time.Minute)
	w.values(0, 5, 130, 25, 140, 5, 150, 25, 160, 5)
	w.run(400)
	w.wantTo("boss", "5m0s boss: firing a=warning (escalated)")
	if s := w.delivered[len(w.delivered)-1].m.Rows[0].Snapshot; s.StandsLevel != "critical" {
		t.Errorf("it says that %q stands, want critical", s.StandsLevel)
	}
}

// A step that was told to one of its receivers is taken, though another one
// needn't be told any more.
func TestStepThatSomeWereTold(t *testing.T) {
	t.Parallel()
	cfg := levels()
	cfg.Monitors["m"].Levels[1].Escalate = []Escalation{{After: 2 * time.Minute, Receivers: []string{"boss", "team"}}}
	w := newWorld(t, cfg)
	w.grouped("boss", time.Minute)
	w.values(0, 25, 125, 5, 300, 25)
	w.run(500)
	w.wantTo("team", "0s team: firing a", "2m0s team: repeat a (escalated)", "2m5s team: fall a=warning", "5m0s team: rise a")
	w.wantTo("boss", "6m0s boss: firing a (escalated)")
}

// The step of a lower level is named by a message about a higher one.
func TestStepKeepsItsLevel(t *testing.T) {
	t.Parallel()
	cfg := levels()
	cfg.Monitors["m"].Levels[0].Escalate = []Escalation{{After: 2 * time.Minute, Receivers: []string{"team"}}}
	w := newWorld(t, cfg)
	w.down(0, 60, Permanent)
	w.values(0, 25)
	w.run(200)
	w.want("2m0s team: firing a (escalated)")
	if step := w.delivered[0].m.Rows[0].Step; step != "warning" {
		t.Errorf("the step is of %q, want warning", step)
	}
}

// A fall that was kept back, and whose level was left again, says nothing to who
// is told of no other.
func TestFallThatIsNoneAtTheEndOfASilence(t *testing.T) {
	t.Parallel()
	cfg := levels()
	low := LevelRoute{Name: "info", Threshold: 1, Receivers: []string{"chat"}, Repeat: 4 * time.Hour}
	cfg.Monitors["m"].Levels = slices.Insert(cfg.Monitors["m"].Levels, 0, low)
	w := newWorld(t, cfg)
	w.at(5, func() { w.silence(5, 300, "level=info") })
	w.values(0, 5, 10, 2, 100, 25, 500, 0)
	w.run(600)
	w.wantTo("chat", "0s chat: firing a=warning", "8m20s chat: resolved a=warning")
}

// Who isn't told of ends doesn't hear after one that it is stable.
func TestStableAfterTheEnd(t *testing.T) {
	t.Parallel()
	w := newWorld(t, levels())
	w.cfg.Receivers["team"].SkipResolved = true
	w.cfg.Receivers["team"].Group = Group{By: []string{"monitor"}, Interval: 5 * time.Minute}
	w.rules["m"].Flap = alert.DefaultFlap
	w.values(0, 25, 20, 0, 30, 25, 40, 0, 50, 25, 351, 25, 360, 0)
	w.at(301, func() { w.set("m", "b", 25) })
	w.run(900)
	for _, line := range w.lines() {
		if strings.Contains(line, "stable") && !strings.HasPrefix(line, "5m") {
			t.Errorf("delivered after the end: %s", line)
		}
	}
}

// Stable at one's own level says which higher one stands.
func TestStableBelowWhatStands(t *testing.T) {
	t.Parallel()
	w := newWorld(t, levels())
	w.rules["m"].Flap = alert.DefaultFlap
	w.values(0, 5, 10, 0, 20, 5, 30, 0, 40, 5, 345, 5, 400, 25)
	w.at(50, func() { w.silence(50, 600, "monitor=m") })
	w.run(700)
	w.wantTo("chat", "0s chat: firing a=warning", "10s chat: resolved a=warning", "20s chat: firing a=warning", "30s chat: flapping a=warning", "10m0s chat: stable a=warning")
	for i := range w.delivered {
		if d := &w.delivered[i]; d.m.Rows[0].Kind == Stable && d.m.Rows[0].Snapshot.StandsLevel != "critical" {
			t.Errorf("%s says that %q stands, want critical", d.line(), d.m.Rows[0].Snapshot.StandsLevel)
		}
	}
}

// A message to a fallback that goes out after the end tells of that, once.
func TestFallbackThatHearsAfterTheEnd(t *testing.T) {
	t.Parallel()
	w := newWorld(t, failing())
	w.answer = func(receiver string, at time.Duration, _ *Message) Result {
		switch {
		case receiver == "team":
			return Result{Kind: Permanent, Error: "refused"}
		case receiver == "f" && at < 200*time.Second:
			return Result{Kind: Temporary, Error: "down"}
		}
		return Result{}
	}
	w.values(0, 25, 100, 0)
	w.run(600)
	if got := w.minutes(); len(got) != 1 || got[0] != "3m0s f: undelivered a (both) (over)" {
		t.Errorf("delivered %q, want one message", got)
	}
}

// A fallback that is still to hear of an incident by itself isn't told besides
// that another one couldn't be: that would come after the next incident.
func TestFallbackThatHearsByItself(t *testing.T) {
	t.Parallel()
	cfg := failing()
	cfg.Monitors["m"].Levels[1].Receivers = []string{"team", "f"}
	w := newWorld(t, cfg)
	w.answer = func(receiver string, at time.Duration, _ *Message) Result {
		switch {
		case receiver == "team" && at < 400*time.Second:
			return Result{Kind: Permanent, Error: "refused"}
		case receiver == "f" && at < 200*time.Second:
			return Result{Kind: Temporary, Error: "down"}
		}
		return Result{}
	}
	w.values(0, 25)
	w.run(500)
	if got := w.minutes(); len(got) != 1 || got[0] != "3m0s f: firing a" {
		t.Errorf("delivered %q, want one firing", got)
	}
}

// A receiver that is told itself again needs nobody who stands in for it.
func TestFallbackIsRelieved(t *testing.T) {
	t.Parallel()
	cfg := failing()
	cfg.Monitors["m"].Levels[1].Repeat = 20 * time.Minute
	w := newWorld(t, cfg)
	w.unreachable(480, "team")
	w.values(0, 25, 7200, 0)
	w.run(7300)
	f := 0
	for _, line := range w.minutes() {
		if strings.Contains(line, " f: ") {
			f++
		}
	}
	if f != 2 {
		t.Errorf("delivered:\n%s\nwant two messages to f, that it couldn't be told and the end", block(w.minutes()))
	}
}

// Who stands in for a fallback stands in for whom that did.
func TestFallbackOfAFallbackIsKeptPosted(t *testing.T) {
	t.Parallel()
	cfg := failing()
	w := newWorld(t, cfg)
	w.unreachable(9000, "team", "f")
	w.values(0, 25, 3000, 0)
	w.run(3100)
	if got := strings.Join(w.minutes(), "\n"); !strings.Contains(got, "20m0s g: repeat a") {
		t.Errorf("delivered:\n%s\nwant that g is told again every ten minutes", got)
	}
}

// The end of an earlier incident, told late, says nothing of the next one: no
// clock begins.
func TestEndOfAnEarlierIncidentStartsNoClock(t *testing.T) {
	t.Parallel()
	w := newWorld(t, escalating())
	w.grouped("team", 0)
	w.at(50, func() { w.silence(50, 600, "monitor=m") })
	w.values(0, 25, 40, 0, 60, 25)
	w.run(1600)
	w.wantTo("boss", "25m0s boss: firing a (escalated)")
}

// A row that goes out says that somebody looks after it, so that nobody waits
// for another interval of its group.
func TestAckGoesAlong(t *testing.T) {
	t.Parallel()
	cfg := levels()
	cfg.Monitors["m"].Levels[0].Receivers = []string{"team"}
	w := newWorld(t, cfg)
	w.cfg.Receivers["team"].Group = Group{By: []string{"monitor"}, Interval: 5 * time.Minute}
	w.values(0, 25, 40, 5)
	w.acked(60, Ack{Author: "ann"})
	w.run(1000)
	w.wantTo("team", "0s team: firing a", "5m0s team: fall a=warning")
	if r := w.delivered[1].m.Rows[0]; r.Ack == nil || r.Ack.Author != "ann" {
		t.Errorf("the fall says nothing of the ack")
	}
}

// What was refused for good isn't tried again at each of an alert's changes
// while it flaps.
func TestRefusedWhileItFlaps(t *testing.T) {
	t.Parallel()
	w := newWorld(t, levels())
	w.rules["m"].Flap = alert.DefaultFlap
	w.down(0, 9000, Permanent)
	for i := range 30 {
		w.at(float64(20*i), func() { w.set("m", "a", float64(25*(1-i%2))) })
	}
	w.run(595)
	if len(w.dead) > 4 {
		t.Errorf("%d dead letters of ten minutes, want one for what is told of it: firing, end, firing, flapping", len(w.dead))
	}
}

// A step that one of its receivers wasn't told of, because of an ack, is owed to
// it: it comes when the ack has run out.
func TestStepThatAnAckKeptFromOne(t *testing.T) {
	t.Parallel()
	cfg := levels()
	cfg.Monitors["m"].Levels[1].Repeat = 4 * time.Hour
	cfg.Monitors["m"].Levels[1].Escalate = []Escalation{{After: 2 * time.Minute, Receivers: []string{"boss", "team"}}}
	w := newWorld(t, cfg)
	w.grouped("boss", time.Minute)
	w.values(0, 25)
	w.acked(150, Ack{Author: "ann", Until: epoch.Add(10 * time.Minute)})
	w.run(1000)
	w.wantTo("boss", "13m0s boss: firing a (escalated)")
}

// A repeat that couldn't be delivered isn't told when what stands isn't its
// receiver's any more.
func TestRepeatOfWhatStandsNoMore(t *testing.T) {
	t.Parallel()
	w := newWorld(t, levels())
	w.cfg.Monitors["m"].Levels[1].FlapRepeat = 10 * time.Minute
	w.rules["m"].Flap = alert.DefaultFlap
	w.values(0, 25, 20, 0, 30, 25, 40, 0, 250, 25, 260, 0, 470, 25, 480, 0, 690, 25, 700, 0, 760, 5)
	w.answer = func(receiver string, at time.Duration, _ *Message) Result {
		if receiver == "team" && at > 600*time.Second && at < 800*time.Second {
			return Result{Kind: Temporary, Error: "down"}
		}
		return Result{}
	}
	w.run(1000)
	w.wantTo("team", "0s team: firing a", "20s team: resolved a", "30s team: firing a", "40s team: flapping a")
	if !slices.Contains(w.reasons(), "what stands is not team's") {
		t.Errorf("the reasons don't say why: %q", w.reasons())
	}
}

// An ack that ran out while something else muted the alert is reminded of when
// that is over.
func TestAckThatRanOutWhileInhibited(t *testing.T) {
	t.Parallel()
	w := newWorld(t, levels())
	w.values(0, 5)
	w.acked(100, Ack{Author: "ann", Until: epoch.Add(10 * time.Minute)})
	w.at(200, func() { w.silence(200, 4000, "monitor=m") })
	w.at(900, func() { w.silences[0] = w.silences[0].Expire(w.now) })
	w.run(1000)
	w.want("0s chat: firing a=warning", "1m40s chat: acknowledged a=warning", "15m0s chat: repeat a=warning")
	if r := w.delivered[2].m.Rows[0]; r.AckOver != "ann" {
		t.Errorf("the reminder says that the ack of %q ran out, want ann", r.AckOver)
	}
}

// That somebody looks after it is told also if the fall that it would have gone
// with needn't be; and of the next ack again, though it is of the same author.
func TestAckIsNotLost(t *testing.T) {
	t.Parallel()
	cfg := levels()
	cfg.Monitors["m"].Levels[0].Receivers = []string{"team"}
	w := newWorld(t, cfg)
	w.values(0, 25, 100, 5, 120, 25)
	w.answer = func(_ string, at time.Duration, _ *Message) Result {
		if at > 50*time.Second && at < 200*time.Second {
			return Result{Kind: Temporary, Error: "down"}
		}
		return Result{}
	}
	w.acked(60, Ack{Author: "ann", Until: epoch.Add(5 * time.Minute)})
	w.acked(400, Ack{Author: "ann"})
	w.run(500)
	if got := w.minutes(); !slices.Equal(got, []string{"0s team: firing a", "3m0s team: acknowledged a", "5m0s team: repeat a", "6m0s team: acknowledged a"}) {
		t.Errorf("delivered %q", got)
	}
}

// The end that a fallback is owed by itself goes before what the next incident
// brings.
func TestFallbackHearsOfItsOwnEndFirst(t *testing.T) {
	t.Parallel()
	cfg := failing()
	cfg.Monitors["m"].Levels[1].Receivers = []string{"team", "f"}
	cfg.Receivers["f"].Group = Group{By: []string{"monitor"}, Interval: 5 * time.Minute}
	w := newWorld(t, cfg)
	w.rules["m"].Flap = alert.DefaultFlap
	w.answer = func(receiver string, at time.Duration, _ *Message) Result {
		if receiver == "team" {
			return Result{Kind: Temporary, Error: "down"}
		}
		return Result{}
	}
	w.cfg.Receivers["team"].FallbackAfter = time.Minute
	w.values(0, 25, 20, 0, 60, 25)
	w.run(800)
	end, firing := -1, -1
	for i := range w.delivered {
		for k, r := range w.delivered[i].m.Rows {
			switch {
			case w.delivered[i].m.Receiver != "f":
			case r.Incident == "i001" && r.Kind == Resolved:
				end = 100*i + k
			case r.Incident == "i002" && r.Kind == Firing && firing < 0:
				firing = 100*i + k
			}
		}
	}
	if end < 0 || firing < end {
		t.Errorf("delivered:\n%s\nwant the first end, and before the second firing", block(w.lines()))
	}
}
