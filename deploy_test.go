package hawkeye_test

import (
	"strings"
	"testing"
	"testing/synctest"

	"github.com/go-batteries/hawkeye"
)

// olderFile and newerFile are two versions of a configuration: both have
// errors, one old, the other new.
var (
	olderFile = errorsFile + `
  - name: old
    metric: old
    window: 10m
    triggers:
      - {level: critical, threshold: 10, notify: [ops]}
`
	newerFile = strings.Replace(errorsFile, "receivers:\n", newReceiver, 1) + `
  - name: new
    metric: new
    window: 10m
    triggers:
      - {level: critical, threshold: 10, notify: [new]}
`
)

const newReceiver = "receivers:\n  new: {email: {to: [new@example.com]}, group: {interval: 1s}}\n"

const (
	oldFired = "ops@example.com: [critical] old in shop (test)"
	oldEnded = "ops@example.com: [ended] old in shop (test)"
	newFired = "new@example.com: [critical] new in shop (test)"
)

// wantEvaluator fails unless one of the replicas decides.
func (f *fleet) wantEvaluator(when string, among ...*replica) {
	f.t.Helper()
	ev := f.evaluator()
	for _, r := range among {
		if r == ev {
			return
		}
	}
	f.t.Errorf("%s: a replica with the other configuration evaluates", when)
}

func TestRollingDeploy(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := newFleet(t)
		older := f.startN(3, olderFile)
		count(older[0].Hawkeye, "old", 10)
		count(older[0].Hawkeye, "errors", 10)
		after(4 * tick)
		want(t, "before the deploy", f.box.lines(), fired, oldFired)
		var newer []*replica
		for i, r := range older {
			n := f.start(newerFile)
			newer = append(newer, n)
			after(3 * tick)
			f.wantEvaluator("one replica has the newer file", newer...)
			if i == 0 {
				count(n.Hawkeye, "new", 10)
				after(3 * tick)
				want(t, "what only the newer file watches", f.box.lines(), newFired)
			}
			if i == 2 {
				want(t, "while the last older replica lives", f.box.lines(), ended)
			}
			f.stop(r)
			after(3 * tick)
		}
		after(5 * tick)
		want(t, "when the last replica with the older file is gone", f.box.lines(), oldEnded)
		if n := f.logs.count("newer configuration"); n != len(older) {
			t.Errorf("%d log lines about the newer configuration, want one in each of the %d older replicas", n, len(older))
		}
	})
}

// The older file comes back: it wins when nobody runs the newer one any more.
func TestRollbackDeploy(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := newFleet(t)
		f.stop(f.startN(1, olderFile)[0])
		newer := f.startN(2, newerFile)
		count(newer[0].Hawkeye, "new", 10)
		after(4 * tick)
		want(t, "before the rollback", f.box.lines(), newFired)
		older := f.startN(2, olderFile)
		f.wantEvaluator("both files live", newer...)
		f.stop(newer[0])
		after(3 * tick)
		f.wantEvaluator("one replica has the newer file", newer...)
		f.kill(newer[1])
		after(20 * tick)
		f.wantEvaluator("only the older file lives", older...)
		count(older[0].Hawkeye, "errors", 10)
		count(older[1].Hawkeye, "old", 10)
		after(4 * tick)
		lines := f.box.lines()
		want(t, "after the rollback", lines, fired, oldFired)
	})
}

// The generation, where files have one, goes before the order of appearance.
func TestGenerationWins(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := newFleet(t)
		second := f.startN(2, "generation: 2\n"+errorsFile)
		f.startN(2, "generation: 1\n"+olderFile)
		f.wantEvaluator("a file with a lower generation came later", second...)
		third := f.startN(1, "generation: 3\n"+newerFile)
		f.wantEvaluator("a file with a higher generation came", third...)
	})
}

// A winner that cannot evaluate must not leave the fleet without anybody.
func TestDeployOfAReplicaThatHangs(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := newFleet(t)
		older := f.startN(2, olderFile)
		newer := f.startN(1, newerFile)
		f.wantEvaluator("the newer file is there", newer...)
		newer[0].link.cut.Store(true)
		count(older[0].Hawkeye, "errors", 10)
		after(13 * tick)
		want(t, "the newer one is cut off", f.box.lines(), fired)
		f.wantEvaluator("the newer one is cut off", older...)
		newer[0].link.cut.Store(false)
		after(5 * tick)
		f.wantEvaluator("the newer one is back", newer...)
		after(20 * tick)
		want(t, "the end", f.box.lines(), ended)
	})
}

// Replicas that leave the evaluation to others have no say.
func TestConfigurationOfARecorderDoesNotCount(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := newFleet(t)
		older := f.startN(2, olderFile)
		f.startN(1, newerFile, hawkeye.WithoutAgent(), hawkeye.WithoutNotifier())
		f.wantEvaluator("somebody without an agent has a newer file", older...)
		count(f.all[2].Hawkeye, "errors", 10)
		after(4 * tick)
		want(t, "a breach", f.box.lines(), fired)
	})
}

// Two versions of a configuration, of which the newer one comes and goes fifty
// times, by shutdowns and by kills, and with it the evaluator. What both watch,
// one with another threshold, fires throughout, and so does what only the older
// one watches: each is told once.
func TestFiftyChangesOfTheEvaluator(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := newFleet(t)
		changed := strings.Replace(errorsFile, "threshold: 10,", "threshold: 8,", 1)
		feeder := f.start(olderFile, hawkeye.WithoutAgent(), hawkeye.WithoutNotifier())
		older := f.startN(1, olderFile)[0]
		count(feeder.Hawkeye, "old", 10)
		changes := 0
		now := func(when string, ev *replica) {
			for range 12 { // a lease, and what it is lengthened by
				if !ev.Health().Evaluates {
					count(feeder.Hawkeye, "errors", 4)
					after(tick)
				}
			}
			for range 3 {
				count(feeder.Hawkeye, "errors", 4)
				after(tick)
			}
			f.wantEvaluator(when, ev)
			changes++
		}
		for i := range 25 {
			newer := f.start(changed)
			now("the newer one has come", newer)
			if i%2 == 0 {
				f.kill(newer)
			} else {
				f.stop(newer)
			}
			now("the newer one is gone", older)
			count(feeder.Hawkeye, "old", 1)
		}
		want(t, "after fifty changes", f.box.lines(), fired, oldFired)
		if n := f.logs.count("newer configuration"); n != 1 {
			t.Errorf("%d log lines about the newer configuration, want one, of the replica that has another", n)
		}
		after(30 * tick)
		want(t, "the end", f.box.lines(), ended)
		t.Logf("%d changes of the evaluator", changes)
	})
}
