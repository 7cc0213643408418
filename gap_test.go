package hawkeye_test

import (
	"context"
	"fmt"
	"runtime"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/go-batteries/hawkeye"
	"github.com/go-batteries/hawkeye/store"
)

// What replicas hand in after an outage is waited for once, also where that
// takes longer than the time after which they are blind.
func TestTakeOverWhenBlindSoon(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := newFleet(t)
		f.startN(3, errorsFile, hawkeye.WithBlindAfter(2*tick))
		after(10 * tick)
		f.kill(f.evaluator())
		after(15 * tick)
		for _, r := range f.up() {
			count(r.Hawkeye, "errors", 5)
		}
		after(5 * tick)
		want(t, "after the evaluator was killed", f.box.lines(), fired)
	})
}

// slowReads is a way to the Store on which a Read takes the longer the more it
// reads.
type slowReads struct {
	*link
	each time.Duration // for each tick
	all  time.Duration // for one Read, at least
}

func (s slowReads) Read(ctx context.Context, q []store.TickQuery) ([]store.TickBuckets, error) {
	time.Sleep(min(max(time.Duration(len(q))*s.each, s.all), 4*tick))
	return s.link.Read(ctx, q)
}

// Who takes over after a long gap evaluates it even where that takes longer
// than the time after which replicas are blind: it doesn't begin anew.
func TestCatchUpThatTakesLong(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := newFleet(t)
		first := f.startN(1, errorsFile)[0]
		writer := f.start(errorsFile, hawkeye.WithoutAgent())
		after(6 * tick)
		f.kill(first)
		after(60 * tick)
		count(writer.Hawkeye, "errors", 20)
		after(60 * tick)
		slow := f.start(errorsFile, hawkeye.WithStore(slowReads{link: &link{fleet: f}, each: 30 * time.Millisecond}), hawkeye.WithBlindAfter(2*tick))
		after(2 * time.Minute)
		if at := slow.Stats().EvaluatedTick; time.Since(at) > 20*tick {
			t.Errorf("two minutes later %v is evaluated, %v ago", at, time.Since(at))
		}
	})
}

// One for whom every tick is one of a gap, because its Store takes longer than
// that to read, stores what it decides all the same.
func TestSlowStoreIsNoGap(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := newFleet(t)
		writer := f.start(errorsFile, hawkeye.WithoutAgent())
		f.start(errorsFile, hawkeye.WithStore(slowReads{&link{fleet: f}, 0, 3 * tick}))
		after(time.Minute)
		count(writer.Hawkeye, "errors", 20)
		after(30 * tick)
		want(t, "while reading takes long", f.box.lines(), fired, ended)
	})
}

// What began and ended while nobody evaluated is told to everybody whose level
// was reached, be it after a group's wait; the history says what wasn't told.
func TestWhatHappenedInAGap(t *testing.T) {
	t.Parallel()
	const config = `version: 2
receivers:
  team: {email: {to: [team@example.com]}}
  slow: {email: {to: [slow@example.com]}, group: {wait: 2s, interval: 5s}}
  slower: {email: {to: [slower@example.com]}, group: {wait: 1m}}
  boss: {email: {to: [boss@example.com]}}
monitors:
  - name: errors
    metric: errors
    window: 10s
    triggers:
      - {level: warning, threshold: 10, notify: [team, slow, slower]}
      - {level: critical, threshold: 50, notify: [boss]}
`
	for _, c := range []struct {
		name string
		more bool // whether it lasts until somebody evaluates
		want []string
	}{
		{"it is over", false, []string{
			"boss@example.com: [fired and ended] errors in shop (test)",
			"slow@example.com: [fired and ended] errors in shop (test)",
			"team@example.com: [fired and ended] errors in shop (test)",
		}},
		{"it is back at the lower level", true, []string{
			"slow@example.com: [warning] errors in shop (test)",
			"team@example.com: [warning] errors in shop (test)",
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				f := newFleet(t)
				f.startN(1, config)
				late := f.start(config, hawkeye.WithoutAgent(), hawkeye.WithoutNotifier())
				after(3 * tick)
				f.kill(f.all[0])
				count(late.Hawkeye, "errors", 20)
				after(5 * tick)
				count(late.Hawkeye, "errors", 40)
				after(30 * tick)
				if c.more {
					count(late.Hawkeye, "errors", 20)
				}
				after(tick)
				r := f.start(config)
				after(8 * tick)
				got := f.box.lines()
				slices.Sort(got)
				want(t, "after the gap", got, c.want...)
				reasons := ""
				for _, e := range r.History("errors") {
					if e.What == "not told" {
						reasons += e.Receiver + ": " + e.Reason + "\n"
					}
				}
				why := "slower: over before the group's wait was: it lasted for 18s, the wait is 1m0s"
				if c.more {
					why = "boss: the level that stands, warning, is not boss's"
				}
				if !strings.Contains(reasons, why) {
					t.Errorf("the history has\n%swant %q in it", reasons, why)
				}
			})
		})
	}
}

// Thousands of groups that fire in one tick are judged at a cost that grows
// with their number, not with its square.
func TestCostOfAStorm(t *testing.T) { // not parallel: allocations are counted for the process
	allocs := func(groups int) (n uint64) {
		synctest.Test(t, func(t *testing.T) {
			f := newFleet(t)
			r := f.startN(1, groupsFile)[0]
			before, then := new(runtime.MemStats), new(runtime.MemStats)
			runtime.ReadMemStats(before)
			for i := range groups {
				r.Count("errors", 5, hawkeye.T("user", fmt.Sprint(i)))
			}
			after(10 * time.Second)
			runtime.ReadMemStats(then)
			n = then.TotalAlloc - before.TotalAlloc
			if f.box.count() != 2 {
				t.Errorf("%d mails for %d groups, want 2, of firing and of the end: %v", f.box.count(), groups, f.box.lines())
			}
		})
		return n
	}
	if few, many := allocs(200), allocs(1600); many > 20*few {
		t.Errorf("a storm of 200 groups allocates %d bytes, one of 1,600 %d, want about eight times as much", few, many)
	}
}

const groupsFile = `version: 2
receivers:
  team: {email: {to: [team@example.com]}}
monitors:
  - {name: errors, metric: errors, by: [user], max_groups: 5000, window: 2s, notify: [team], triggers: [{threshold: 5}]}
`
