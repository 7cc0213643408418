package hawkeye_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/go-batteries/hawkeye"
)

// livesFile fires for each life of a process by itself.
const livesFile = `version: 2
receivers:
  ops: {email: {to: [ops@example.com]}, group: {by: [monitor, life], interval: 1s}}
monitors:
  - name: errors
    metric: errors
    by: [life]
    window: 10s
    triggers:
      - {level: critical, threshold: 10, notify: [ops]}
`

// Processes that live more briefly than a lease lasts, one after the other in
// a fleet, tell what they count: nobody is waited for who isn't there.
func TestBriefLivesInAFleet(t *testing.T) {
	t.Parallel()
	for _, life := range []time.Duration{3500 * time.Millisecond, 4 * time.Second, 4700 * time.Millisecond} {
		for _, away := range []time.Duration{10 * time.Second, 11300 * time.Millisecond} {
			t.Run(fmt.Sprintf("%v every %v", life, away), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					f := newFleet(t)
					f.startN(1, livesFile)
					f.kill(f.all[0])
					for n := range 10 {
						time.Sleep(away)
						r := f.start(livesFile)
						name := fmt.Sprint(n)
						r.Count("errors", 20, hawkeye.T("life", name))
						after(life)
						if told := f.box.lines(); !slices.ContainsFunc(told, func(s string) bool { return strings.Contains(s, "life="+name) }) {
							t.Errorf("life %d told %q, want its own breach", n, told)
						}
						f.kill(r)
					}
				})
			})
		}
	}
}

// A head whose writer is there, and merely slow, is waited for as ever.
func TestHeadOfALiveWriterIsNotFree(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := newFleet(t)
		first := f.startN(1, livesFile)[0]
		for range 3 {
			r := f.start(livesFile)
			after(2 * tick)
			if !first.Health().Evaluates || r.Health().Evaluates {
				t.Error("a newcomer took over from a live evaluator")
			}
		}
		f.kill(first)
		r := f.start(livesFile)
		after(tick) // it has buckets in the last ten ticks
		if r.Health().Evaluates {
			t.Error("a newcomer didn't wait for the lease of who has just died")
		}
	})
}
