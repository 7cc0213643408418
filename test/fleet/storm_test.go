//go:build unix

package fleet

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// Ten replicas are replaced in turn, a hundred within a minute in the long
// form, each asked to end when its successor is there. One alert fires
// throughout, another is pending: no false end, nothing twice, and the total is
// that of all who came and went.
func TestRestartStorm(t *testing.T) {
	t.Parallel()
	server := startRedis(t)
	replicas, restarts, lasts, pending := 5, 20, 9*time.Second, "6s"
	if long() {
		replicas, restarts, lasts, pending = 10, 100, time.Minute, "40s"
	}
	first, second, _ := strings.Cut(strings.ReplaceAll(monitors(2), "window: 3s", "window: 4m"), "name: m1,")
	config := first + "name: m1," + strings.Replace(second, "threshold: 5,", "threshold: 5, for: "+pending+",", 1)
	f := newFleet(t, server.Addr(), config)
	f.startN(replicas)
	f.awaitEvaluator()
	f.alive[0].ask("incr m0 5")
	f.await("the breach is told", 20*time.Second, func() bool { return len(f.mails()) > 0 })
	f.alive[0].ask("incr m1 5")
	breach := time.Now()

	total, changes, begin := 0, 0, time.Now()
	newest, moved, gap := int64(0), time.Now(), time.Duration(0)
	look := func() {
		for _, c := range f.alive {
			answer, _ := c.ask("watermark")
			if at, _ := strconv.ParseInt(answer, 10, 64); at > newest {
				newest, moved = at, time.Now()
			}
		}
		gap = max(gap, time.Since(moved))
	}
	look()
	for i := range restarts {
		goes := f.alive[0]
		goes.ask("incr work %d", i+1)
		total += i + 1
		if answer, _ := goes.ask("evaluates"); answer == "true" {
			changes++
		}
		f.start()
		goes.signal(syscall.SIGTERM)
		f.leaving, f.alive = append(f.leaving, goes), f.alive[1:]
		for look(); time.Since(begin) < time.Duration(i+1)*lasts/time.Duration(restarts); look() {
			time.Sleep(20 * time.Millisecond)
		}
	}
	took := time.Since(begin)
	for _, c := range f.leaving {
		select {
		case <-c.gone:
		case <-time.After(20 * time.Second):
			t.Fatalf("a replica doesn't end\n%s", f.logs())
		}
		if !c.cmd.ProcessState.Success() {
			t.Errorf("a replica ended with %v, want success", c.cmd.ProcessState)
		}
	}
	const fired = "[critical] m%d in shop (test)"
	f.await("the pending alert is told", time.Minute, func() bool { return len(f.mails()) > 1 })
	told := f.mails()[1].at.Sub(breach)
	answer := f.awaitTotal(f.alive[0], "work", total)
	want := []string{fmt.Sprintf(fired, 0), fmt.Sprintf(fired, 1)}
	t.Logf("%d clean restarts in %v, %d of the evaluator: evaluation stood still for %v at most; pending for %s, told after %v; the total is %s; mails %q",
		restarts, took.Round(100*time.Millisecond), changes, gap.Round(10*time.Millisecond), pending, told.Round(10*time.Millisecond), answer, f.subjects())
	if mails := f.subjects(); !slices.Equal(mails, want) {
		t.Errorf("mails %q, want %q: no end, nothing twice", mails, want)
	}
	if least, _ := time.ParseDuration(pending); told < least-fleetTick {
		t.Errorf("what is pending for %v was told after %v", least, told)
	}
}
