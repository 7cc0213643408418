package hawkeye_test

import (
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// A breach is published while nobody evaluates, after its window has passed:
// the evaluator before had judged its tick without it, and the next one finds
// it in the store. It is told, once.
func TestPublishedBetweenEvaluators(t *testing.T) {
	t.Parallel()
	for _, away := range []time.Duration{5 * tick, 8 * tick, 12 * tick, 40 * tick} {
		for _, end := range []struct {
			how string
			do  func(*fleet, *replica)
		}{{"killed", (*fleet).kill}, {"shut down", (*fleet).stop}} {
			t.Run(end.how+" after "+away.String(), func(t *testing.T) {
				t.Parallel()
				synctest.Test(t, func(t *testing.T) {
					f := newFleet(t)
					f.startN(3, strings.Replace(errorsFile, "window: 10s", "window: 3s", 1))
					evaluator, writer := f.evaluator(), f.other()
					count(writer.Hawkeye, "errors", 1)
					after(20 * tick)
					writer.link.cut.Store(true)
					count(writer.Hawkeye, "errors", 20)
					after(away)
					if end.how == "killed" {
						f.kill(evaluator)
						writer.link.cut.Store(false)
					} else { // the next one goes on at once
						writer.link.cut.Store(false)
						after(tick / 10)
						f.stop(evaluator)
					}
					after(20 * tick)
					switch lines := f.box.lines(); {
					case slices.Equal(lines, []string{"ops@example.com: [fired and ended] errors in shop (test)"}), slices.Equal(lines, []string{fired, ended}):
					default:
						t.Errorf("mails after a change of the evaluator = %q, want a breach and its end", lines)
					}
					f.stop(f.evaluator())
					after(20 * tick)
					want(t, "after another one", f.box.lines())
				})
			})
		}
	}
}

// What was told and is over isn't told again by an evaluator that looks at its
// ticks once more, because something was missing in them.
func TestOverIsOver(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := newFleet(t)
		file := strings.Replace(errorsFile, "window: 10s", "window: 3s", 1)
		f.startN(5, file)
		f.kill(f.other()) // leaves ticks that nobody knows
		count(f.other().Hawkeye, "errors", 20)
		after(20 * tick)
		want(t, "a breach", f.box.lines(), fired, ended)
		for range 2 {
			f.start(file)
			after(2 * tick)
			f.kill(f.evaluator())
			after(10 * tick)
		}
		want(t, "after two changes of the evaluator", f.box.lines())
	})
}

// What makes a breach critical is published when that is over as a warning:
// those whom the critical level alone notifies are told of it, and the others
// aren't told again.
func TestLevelIsLearntAfterTheEnd(t *testing.T) {
	t.Parallel()
	const file = `version: 2
receivers:
  team: {email: {to: [team@example.com]}}
  boss: {email: {to: [boss@example.com]}}
monitors:
  - name: errors
    metric: errors
    window: 3s
    triggers:
      - {level: warning, threshold: 5, notify: [team]}
      - {level: critical, threshold: 50, notify: [team, boss]}
`
	for _, changes := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			f := newFleet(t)
			f.startN(4, file)
			evaluator, writer := f.evaluator(), f.other()
			writer.link.cut.Store(true)
			count(writer.Hawkeye, "errors", 60)
			count(f.other().Hawkeye, "errors", 6)
			after(20 * tick)
			want(t, "of the warning", f.box.lines(),
				"team@example.com: [ended] errors in shop (test)", "team@example.com: [warning] errors in shop (test)")
			if changes {
				f.kill(evaluator)
			}
			writer.link.cut.Store(false)
			after(10 * tick)
			want(t, "when the rest is there", f.box.lines(), "boss@example.com: [fired and ended] errors in shop (test)")
			f.stop(f.evaluator())
			after(20 * tick)
			want(t, "after a change of the evaluator", f.box.lines())
		})
	}
}
