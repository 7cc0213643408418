package hawkeye_test

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/go-batteries/hawkeye"
)

// A deploy that isn't over after ten minutes is none.
func TestLosingForLong(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := newFleet(t)
		older := f.startN(1, olderFile)[0]
		newer := f.startN(1, errorsFile)[0]
		after(9 * time.Minute)
		wantProblem(t, "during a deploy", older, "")
		after(2 * time.Minute)
		wantProblem(t, "long after the deploy", older, "for 11m")
		wantProblem(t, "with the newer file", newer, "")
		f.stop(newer)
		after(10 * tick)
		wantProblem(t, "when the newer one is gone", older, "")
	})
}

// Nobody evaluates, from the start or since somebody died.
func TestNobodyEvaluates(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := newFleet(t)
		sends := f.startN(1, errorsFile, hawkeye.WithoutAgent())[0]
		wantProblem(t, "at the start", sends, "")
		after(10 * tick)
		wantProblem(t, "without anybody", sends, "nobody evaluates, nor has since this process began")
		agent := f.startN(1, errorsFile, hawkeye.WithoutNotifier())[0]
		wantProblem(t, "with an agent", sends, "")
		f.kill(agent)
		after(10 * tick)
		wantProblem(t, "within a lease and some", sends, "")
		after(10 * tick)
		wantProblem(t, "when the agent is dead", sends, "nobody evaluates: the ledger's head has stood still for ")
		f.startN(1, errorsFile)
		after(10 * tick)
		wantProblem(t, "with another agent", sends, "")
	})
}

// Nobody sends, since somebody left or died.
func TestNobodySends(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := newFleet(t)
		agent := f.startN(1, errorsFile, hawkeye.WithoutNotifier())[0]
		for i, end := range []func(*replica){f.stop, f.kill} {
			sends := f.startN(1, errorsFile, hawkeye.WithoutAgent())[0]
			wantProblem(t, "with a notifier", agent, "")
			end(sends)
			after(12 * tick)
			count(agent.Hawkeye, "errors", 10)
			after(10 * tick)
			wantProblem(t, "within ten ticks", agent, "")
			after(10 * tick)
			wantProblem(t, "when nobody is left", agent, "nobody sends: ")
			if got := f.box.count(); got != 0 {
				t.Errorf("round %d: %d mails were sent", i, got)
			}
			back := f.startN(1, errorsFile, hawkeye.WithoutAgent())[0]
			after(15 * tick)
			wantProblem(t, "with another one", agent, "")
			f.box.lines()
			f.stop(back)
		}
	})
}
