//go:build unix

package fleet

import (
	"fmt"
	"math/rand/v2"
	"syscall"
	"testing"
	"time"
)

// The steps at which a process is killed; the first three are the
// evaluator's.
var steps = []string{"acquire", "read", "commit", "claim", "accepted", "settle"}

// Breaches while replicas are killed at each step: each is told, and only what
// a replica had handed over and not yet written down when it was killed is
// told twice, saying so.
func TestToldOnceThroughKills(t *testing.T) {
	t.Parallel()
	server := startRedis(t)
	perStep := 2
	if long() {
		perStep = 34
	}
	total := perStep * len(steps)
	f := newFleet(t, server.Addr(), monitors(total))
	counter := f.start(envRole + "=counter")
	f.alive = nil // it is never killed: what it counted can't be lost
	defer counter.kill()
	f.startN(4)
	f.awaitEvaluator()
	var names []string
	kills := make(map[string]int)
	for i := range total {
		step := steps[i%len(steps)]
		name := fmt.Sprintf("m%d", i)
		names = append(names, name)
		f.arm(step)
		if _, ok := counter.ask("incr %s 5", name); !ok {
			t.Fatal("the counter is gone")
		}
		end := time.Now().Add(8 * time.Second) // a take-over may have to come first
		for f.bury() == 0 && time.Now().Before(end) {
			time.Sleep(10 * time.Millisecond)
		}
		for _, c := range f.alive {
			c.ask("arm")
		}
		died := 4 - len(f.alive)
		kills[step] += died + f.bury()
		f.startN(4 - len(f.alive))
		if i%5 == 4 { // and one at random
			f.alive[rand.IntN(len(f.alive))].kill()
			kills["random"]++
			f.bury()
			f.startN(1)
		}
	}
	f.awaitTold(names, 40*time.Second)
	time.Sleep(2 * time.Second) // for what comes twice
	f.awaitEnds(names, 20*time.Second)
	l := f.judge(names)
	t.Logf("%d breaches, kills %v: %v", total, kills, l)
	if len(l.untold) > 0 || len(l.twice) > 0 || l.ended < total {
		t.Errorf("untold %v, told as two incidents %v, %d ends told; want none, none and all", l.untold, l.twice, l.ended)
	}
	for _, step := range steps {
		if kills[step] == 0 {
			t.Errorf("nobody was killed at %s", step)
		}
	}
}

// arm makes the process that comes to a step next die there.
func (f *fleet) arm(step string) {
	ev := f.awaitEvaluator()
	for _, c := range f.alive {
		switch step {
		case "acquire":
			if c != ev {
				c.ask("arm acquire:1")
			}
		case "read", "commit":
			if c == ev {
				c.ask("arm %s:2", step)
			}
		default:
			c.ask("arm %s:1", step)
		}
	}
	if step == "acquire" {
		ev.signal(syscall.SIGTERM) // a clean end: the next one acquires at once
		f.leaving = append(f.leaving, ev)
		var alive []*child
		for _, c := range f.alive {
			if c != ev {
				alive = append(alive, c)
			}
		}
		f.alive = alive
		time.Sleep(3 * fleetTick)
	}
}

// awaitTold waits until each monitor was told of, or the time is over.
func (f *fleet) awaitTold(names []string, most time.Duration) {
	for end := time.Now().Add(most); time.Now().Before(end); time.Sleep(100 * time.Millisecond) {
		seen := make(map[string]bool)
		for _, m := range f.mails() {
			seen[m.subject] = true
		}
		missing := 0
		for _, name := range names {
			if !seen["[critical] "+name+" in shop (test)"] && !seen["[fired and ended] "+name+" in shop (test)"] {
				missing++
			}
		}
		if missing == 0 {
			return
		}
	}
}

// awaitEnds waits until the end of each was told, or the time is over.
func (f *fleet) awaitEnds(names []string, most time.Duration) {
	for end := time.Now().Add(most); time.Now().Before(end); time.Sleep(100 * time.Millisecond) {
		if f.judgeQuietly(names).ended == len(names) {
			return
		}
	}
}

// Every replica evaluates all the time: comparing the base is enough.
func TestToldOnceWithoutALease(t *testing.T) {
	t.Parallel()
	server := startRedis(t)
	total := 15
	if long() {
		total = 200
	}
	f := newFleet(t, server.Addr(), monitors(total))
	f.startN(5, "HAWKEYE_FAILPOINT=split")
	time.Sleep(5 * fleetTick)
	var names []string
	for i := range total {
		name := fmt.Sprintf("m%d", i)
		names = append(names, name)
		f.alive[i%5].ask("incr %s 5", name)
		time.Sleep(50 * time.Millisecond)
	}
	f.awaitTold(names, 30*time.Second)
	time.Sleep(2 * time.Second)
	l := f.judge(names)
	t.Logf("%d breaches, all 5 replicas evaluate: %v", total, l)
	if len(l.untold) > 0 || len(l.twice) > 0 || l.repeats > 0 {
		t.Errorf("untold %v, told as two incidents %v, repeats %d; want none", l.untold, l.twice, l.repeats)
	}
}

// An evaluator that was stopped for three leases goes on where it stood: what
// it wants to store is refused, and nobody hears twice.
func TestZombieIsRefused(t *testing.T) {
	t.Parallel()
	server := startRedis(t)
	f := newFleet(t, server.Addr(), monitors(2))
	f.startN(3)
	ev := f.awaitEvaluator()
	var others []*child
	for _, c := range f.alive {
		if c != ev {
			others = append(others, c)
		}
	}
	ev.signal(syscall.SIGSTOP)
	stopped := time.Now()
	others[0].ask("incr m0 3")
	others[1].ask("incr m0 3")
	f.await("a breach is told while the evaluator stands still", 8*time.Second, func() bool { return len(f.mails()) > 0 })
	took := f.mails()[0].at.Sub(stopped)
	time.Sleep(time.Until(stopped.Add(9 * time.Second)))
	before := f.logged("the ledger has moved on without this evaluator")
	ev.signal(syscall.SIGCONT)
	f.await("its commit is refused", 5*time.Second, func() bool {
		return f.logged("the ledger has moved on without this evaluator") > before
	})
	others[0].ask("incr m1 5")
	f.awaitTold([]string{"m0", "m1"}, 10*time.Second)
	time.Sleep(2 * time.Second)
	l := f.judge([]string{"m0", "m1"})
	t.Logf("taken over and told %v after the stop; after 9 s and SIGCONT: %v", took.Round(10*time.Millisecond), l)
	if took > 6*time.Second || l.repeats > 0 || len(l.untold) > 0 || len(l.twice) > 0 {
		t.Errorf("told after %v with %v, want within 6 s, once", took, l)
	}
}
