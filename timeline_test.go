package hawkeye_test

import (
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/go-batteries/hawkeye"
)

// restart replaces all replicas: none lives when the new ones start. It takes
// less than a tick: of longer ones nothing is known, which delays an end.
func (f *fleet) restart(config string) {
	f.t.Helper()
	n := 0
	for _, r := range f.up() {
		f.stop(r)
		n++
	}
	for range n {
		f.start(config)
	}
	after(5 * tick)
}

// slowFile fires after 20 s of breach and ends after 30 s without.
const slowFile = `version: 2
receivers:
  ops: {email: {to: [ops@example.com]}, group: {interval: 1s}}
monitors:
  - name: errors
    metric: errors
    window: 60s
    keep_firing_for: 30s
    triggers:
      - {level: critical, threshold: 10, for: 20s, notify: [ops]}
`

func (f *fleet) wantState(when, state string) {
	f.t.Helper()
	for _, a := range f.evaluator().Alerts() {
		if a.Key == "errors" && a.State != state {
			f.t.Errorf("%s: the alert is %s, want %s", when, a.State, state)
		}
	}
}

// All replicas are restarted in each phase; the timeline goes on as if nothing
// had happened.
func TestRestartOfAllInEachPhase(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := newFleet(t)
		f.startN(2, slowFile)
		begin := time.Now()
		count(f.all[0].Hawkeye, "errors", 10)
		after(4 * tick)
		f.wantState("before the first restart", "pending")
		f.restart(slowFile)
		f.wantState("after a restart", "pending")
		want(t, "pending", f.box.lines())
		after(time.Until(begin.Add(25 * time.Second)))
		want(t, "20 s after the breach began", f.box.lines(), fired)
		f.restart(slowFile)
		f.wantState("after a restart", "firing")
		after(time.Until(begin.Add(70 * time.Second)))
		f.wantState("the window is empty", "recovering")
		f.restart(slowFile)
		f.wantState("after a restart", "recovering")
		want(t, "before the end", f.box.lines())
		after(time.Until(begin.Add(110 * time.Second)))
		want(t, "the end", f.box.lines(), ended)
	})
}

// The end is decided while the firing is in a Send that takes 20 s: it waits
// for its turn, and comes once.
func TestEndDuringALongSend(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := newFleet(t)
		f.startN(3, errorsFile)
		f.box.hold()
		count(f.all[0].Hawkeye, "errors", 10)
		after(20 * tick)
		f.wantState("20 s later", "inactive")
		f.box.release()
		after(3 * tick)
		want(t, "in this order", f.box.subjects(), "[critical] errors in shop (test)", "[ended] errors in shop (test)")
		after(60 * tick)
		want(t, "afterwards", f.box.lines())
	})
}

// The store loses everything while a message is on its way, another is not
// yet tried, and a silence is in force.
func TestFlushAllWithAnUnsettledRowAndASilence(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := newFleet(t)
		f.startN(3, strings.Replace(errorsFile, "window: 10s", "window: 2m", 1)+`
  - name: quiet
    metric: quiet
    window: 2m
    triggers:
      - {level: critical, threshold: 10, notify: [ops]}
`)
		if _, err := f.all[0].Silence(t.Context(), hawkeye.Silence{
			Matchers: []string{`monitor="quiet"`}, End: time.Now().Add(time.Hour), Author: "ann", Comment: "known",
		}); err != nil {
			t.Fatalf("Silence() = %v", err)
		}
		f.box.hold()
		count(f.all[0].Hawkeye, "errors", 10)
		count(f.all[0].Hawkeye, "quiet", 10)
		after(4 * tick)
		f.flushAll()
		after(6 * tick)
		f.box.release()
		after(5 * tick)
		want(t, "after the flush", f.box.lines(), fired)
		after(40 * tick)
		want(t, "later", f.box.lines())
		after(2 * time.Minute)
		want(t, "the end", f.box.lines(), ended)
	})
}

// A replica is cut off for two minutes. The minute in which it counted was
// folded without it; on its return it counts all the same.
func TestMinuteThatWasFoldedWithoutAWriter(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := newFleet(t)
		f.startN(3, strings.Replace(errorsFile, "window: 10s", "window: 1h", 1), hawkeye.WithBlindAfter(time.Hour))
		r := f.other()
		count(f.evaluator().Hawkeye, "errors", 5)
		r.link.cut.Store(true)
		after(3 * tick)
		count(r.Hawkeye, "errors", 5)
		after(2 * time.Minute)
		want(t, "while it is cut off", f.box.lines())
		r.link.cut.Store(false)
		after(20 * tick)
		want(t, "after its return", f.box.lines(), fired)
		res, err := f.evaluator().Query(t.Context(), "errors", 4*time.Minute)
		if err != nil || res.Value != 10 {
			t.Errorf("Query(errors) = %v, %v, want 10", res.Value, err)
		}
	})
}

// A message that a killed replica had claimed keeps nobody from shutting down,
// and is sent by whoever is left.
func TestShutdownLeavesClaimsOfOthers(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := newFleet(t)
		f.startN(3, strings.Replace(errorsFile, "window: 10s", "window: 10m", 1))
		f.box.hold()
		count(f.evaluator().Hawkeye, "errors", 10)
		after(3 * tick)
		ev := f.evaluator()
		var sender *replica
		for _, r := range f.all {
			if r.tries.Load() > 0 {
				sender = r
			}
		}
		if sender == nil {
			t.Fatal("nobody sends")
		}
		f.kill(sender)
		for _, r := range f.up() {
			if r != ev {
				begin := time.Now()
				f.stop(r)
				if took := time.Since(begin); took > 3*time.Second {
					t.Errorf("Shutdown took %v while another replica's message was on its way, want at most 3s", took)
				}
				break
			}
		}
		after(2 * tick)
		f.box.release()
		after(30 * tick)
		want(t, "after the kill", f.box.lines(), fired, fired) // what the dead one was sending arrived, too
	})
}

// A receiver that hangs, one that panics and one that fails keep nobody else
// waiting, in whichever replica they do it.
func TestBadReceiversHoldUpNobody(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := newFleet(t)
		release := make(chan struct{})
		defer close(release)
		var config strings.Builder
		config.WriteString("version: 2\nreceivers:\n")
		for _, name := range []string{"hangs", "panics", "fails", "good"} {
			fmt.Fprintf(&config, "  %s: {email: {to: [%s@example.com]}, group: {interval: 1s}}\n", name, name)
		}
		config.WriteString("monitors:\n")
		for _, name := range []string{"hangs", "panics", "fails", "good"} {
			fmt.Fprintf(&config, "  - {name: %s, metric: errors, window: 10m, triggers: [{level: critical, threshold: 10, notify: [%s]}]}\n", name, name)
		}
		tries := make(map[string]int)
		f.box.fail = func(_ int, cfg hawkeye.MailerConfig) error {
			to := cfg.Recipients[0]
			tries[to]++
			switch {
			case to == "panics@example.com" && tries[to] <= 5:
				panic("no mail today")
			case to == "fails@example.com" && tries[to] <= 5:
				return errCut
			}
			return nil
		}
		f.box.hang = func(cfg hawkeye.MailerConfig) {
			if cfg.Recipients[0] == "hangs@example.com" {
				<-release
			}
		}
		f.startN(3, config.String())
		count(f.all[0].Hawkeye, "errors", 10)
		after(3 * tick)
		want(t, "at once", f.box.lines(), "good@example.com: [critical] good in shop (test)")
		after(5 * time.Minute)
		want(t, "in the end", f.box.lines(),
			"fails@example.com: [critical] fails in shop (test)", "panics@example.com: [critical] panics in shop (test)")
		for _, r := range f.up() {
			f.kill(r) // what hangs would be waited for
		}
	})
}

// What a replica asks of the Store in a second.
func TestCallsASecond(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := newFleet(t)
		f.startN(3, errorsFile)
		ev, other := f.evaluator(), f.other()
		before := []int64{ev.link.calls.Load(), other.link.calls.Load()}
		const seconds = 60
		after(seconds * time.Second)
		evaluator := float64(ev.link.calls.Load()-before[0]) / seconds
		follower := float64(other.link.calls.Load()-before[1]) / seconds
		t.Logf("calls a second: the evaluator %.2f, a follower %.2f", evaluator, follower)
		if follower > 2.1 {
			t.Errorf("a follower makes %.2f calls a second, want a flush and a look at the ledger's changes", follower)
		}
		if evaluator > 8 {
			t.Errorf("the evaluator makes %.2f calls a second, want at most 8", evaluator)
		}
	})
}
