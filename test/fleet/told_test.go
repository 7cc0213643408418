//go:build unix

package fleet

import (
	"fmt"
	"log/slog"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"strconv"
	"syscall"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/go-batteries/hawkeye/internal/failpoint"
	"github.com/go-batteries/hawkeye/internal/ledger"
	"github.com/go-batteries/hawkeye/store/redisstore"
)

// The steps at which a process is killed, in the order in which a breach
// becomes a mail; the first three are the evaluator's. At random is a step of
// its own.
var steps = []string{"acquire", "read", "commit", "claim", "accepted", "settle", "random"}

// deathWithin is how long before its death a process has handed over what
// somebody else tells again: the time between a mail and the note of it, on a
// machine that does much else.
const deathWithin = 2 * time.Second

// stepWithin is how long it may take until somebody comes to a step.
const stepWithin = 30 * time.Second

// breach is one monitor that fires and ends, and one process that is killed
// meanwhile.
type breach struct {
	name, step string
	end        bool // it is the message of the end that meets the kill

	killed failpoint.Token // who, where and when
	outcome
}

// outcome is what became of a breach.
type outcome struct {
	fired, ended map[string]bool // message ids
	repeats      int
	most         int // copies of one message
}

// Breaches each of which meets one kill, at a step of its way or at random:
// each is told, and only what a replica had handed over and not yet written
// down when it was killed is told twice, saying so.
func TestToldOnceThroughKills(t *testing.T) {
	t.Parallel()
	lanes, breaches := 3, shortBreaches()
	if long() {
		lanes, breaches = 6, longBreaches(15)
	}
	t.Run("fleets", func(t *testing.T) { // side by side, because each breach waits for the one before it
		for lane := range lanes {
			t.Run(strconv.Itoa(lane), func(t *testing.T) {
				t.Parallel()
				var own []*breach
				for i := lane; i < len(breaches); i += lanes {
					breaches[i].name = fmt.Sprintf("m%d", len(own))
					own = append(own, breaches[i])
				}
				f := newFleet(t, startRedis(t).Addr(), monitors(len(own)))
				f.throughKills(own)
			})
		}
	})
	t.Logf("breaches in fleets of 5 replicas, each with one kill:\n%s", table(breaches))
	for _, b := range breaches {
		if b.killed.PID == 0 {
			t.Errorf("nobody was killed at %s while %s was told", b.step, b.name)
		}
	}
}

// shortBreaches are one for the firing at each step, and two for an end.
func shortBreaches() (all []*breach) {
	for _, step := range steps {
		all = append(all, &breach{step: step})
	}
	return append(all, &breach{step: "commit", end: true}, &breach{step: "accepted", end: true})
}

// longBreaches are n for the firing and n for the end at each step.
func longBreaches(n int) (all []*breach) {
	for range n {
		for _, step := range steps {
			all = append(all, &breach{step: step}, &breach{step: step, end: true})
		}
	}
	return all
}

// throughKills has one breach after the other, and judges them.
func (f *fleet) throughKills(breaches []*breach) {
	counter := f.start(envRole + "=counter")
	f.alive = nil // it is never killed: what it counted can't be lost
	f.leaving = append(f.leaving, counter)
	f.startN(4)
	for _, b := range breaches {
		f.awaitEvaluator()
		f.meet(b, counter)
		f.startN(4 - len(f.alive))
		f.awaitOver(b.name)
	}
	for _, b := range breaches {
		b.outcome = f.outcomeOf(b.name)
		f.check(b)
	}
}

// meet makes a breach, and has it meet its kill.
func (f *fleet) meet(b *breach, counter *child) {
	f.t.Helper()
	count := func() {
		if _, ok := counter.ask("incr %s 5", b.name); !ok {
			f.t.Fatal("the counter is gone")
		}
	}
	if b.end {
		count()
		f.awaitFiring(b.name)
		count = func() {}
	}
	token := filepath.Join(f.dir, "kill-"+b.name)
	switch b.step {
	case "random":
		count()
		time.Sleep(rand.N(time.Second)) // about when it is told
		if b.end {
			time.Sleep(2 * time.Second) // which takes a window
		}
		victim := f.alive[rand.IntN(len(f.alive))]
		victim.kill()
		b.killed = failpoint.Token{PID: victim.cmd.Process.Pid, Step: b.step, At: time.Now()}
	case "acquire":
		f.arm("%s:1=%s", b.step, token)
		f.leave(f.awaitEvaluator())       // the next one acquires at once
		time.Sleep(rand.N(2 * fleetTick)) // before, while or after it does
		count()
	default:
		f.arm("%s:1=%s", b.step, token)
		count()
	}
	if b.killed.PID == 0 {
		b.killed = f.awaitToken(b.step, token)
	}
	f.await("it is dead", 10*time.Second, func() bool { return f.bury() > 0 })
	f.arm("")
}

// awaitToken waits until somebody has come to a step.
func (f *fleet) awaitToken(step, token string) (who failpoint.Token) {
	f.t.Helper()
	f.await("somebody comes to "+step, stepWithin, func() (ok bool) {
		who, ok = failpoint.ReadToken(token)
		return ok
	})
	return who
}

// arm arms all that are alive.
func (f *fleet) arm(spec string, args ...any) {
	for _, c := range f.alive {
		c.ask("arm "+spec, args...)
	}
}

// leave has a child end cleanly; it is not waited for.
func (f *fleet) leave(c *child) {
	c.signal(syscall.SIGTERM)
	f.takeOut(c)
}

// takeOut takes a child that ends by itself out of those that are alive.
func (f *fleet) takeOut(c *child) {
	f.leaving = append(f.leaving, c)
	f.alive = slices.DeleteFunc(f.alive, func(other *child) bool { return other == c })
}

// awaitFiring waits until the breach of a monitor was told and that is noted.
func (f *fleet) awaitFiring(name string) {
	f.t.Helper()
	f.await(name+" is told, and that is noted", 40*time.Second, func() bool {
		return len(f.outcomeOf(name).fired) > 0 && f.nothingToTell()
	})
}

// awaitOver waits until the end was told and that is noted: nothing of the
// breach can come any more.
func (f *fleet) awaitOver(name string) {
	f.t.Helper()
	f.await(name+" is over, and that is noted", 40*time.Second, func() bool {
		return len(f.outcomeOf(name).ended) > 0 && f.nothingToTell()
	})
}

// nothingToTell says whether the ledger holds no message that isn't settled,
// those of the dead included.
func (f *fleet) nothingToTell() bool {
	if f.book == nil {
		client := redis.NewClient(&redis.Options{Addr: f.addr})
		f.t.Cleanup(func() { client.Close() })
		quiet := slog.New(slog.DiscardHandler)
		f.mirror = ledger.New(ledger.Config{Store: redisstore.New(client, redisstore.WithTick(fleetTick)), Logger: quiet})
		f.book = ledger.NewBook(f.mirror, quiet)
	}
	return f.mirror.Sync(f.t.Context()) == nil && len(f.book.Rows()) == 0
}

// outcomeOf reads in the mails what was told of a monitor.
func (f *fleet) outcomeOf(name string) outcome {
	o := outcome{fired: make(map[string]bool), ended: make(map[string]bool)}
	for _, copies := range f.copies(name) {
		_, fired, ended := copies[0].about()
		if fired {
			o.fired[copies[0].id] = true
		}
		if ended {
			o.ended[copies[0].id] = true
		}
		o.repeats += len(copies) - 1
		o.most = max(o.most, len(copies))
	}
	return o
}

// copies are the mails about a monitor, by message id.
func (f *fleet) copies(name string) map[string][]mail {
	byID := make(map[string][]mail)
	for _, m := range f.mails() {
		if about, _, _ := m.about(); about == name {
			byID[m.id] = append(byID[m.id], m)
		}
	}
	return byID
}

// check says what is wrong with a breach that is over.
func (f *fleet) check(b *breach) {
	if len(b.fired) != 1 || len(b.ended) != 1 {
		f.t.Errorf("killed at %s (end %t): told as %d incidents with %d ends, want 1 and 1", b.step, b.end, len(b.fired), len(b.ended))
	}
	if b.repeats > 1 {
		f.t.Errorf("killed at %s (end %t): %d repeats, want one at most", b.step, b.end, b.repeats)
	}
	sent := false
	for id, copies := range f.copies(b.name) {
		first := copies[0]
		lived := b.killed.At.Sub(first.at)
		sent = sent || first.pid == b.killed.PID && lived < deathWithin
		if len(copies) == 1 {
			continue
		}
		between := first.pid == b.killed.PID && lived >= 0 && lived < deathWithin &&
			slices.Contains([]string{"accepted", "settle", "random", holdReply}, b.step)
		// What was decided its own notifier claims and hands over at once: in
		// the moment between the commit and its death, or even before the
		// evaluator itself comes to the step.
		dying := first.pid == b.killed.PID && lived.Abs() < deathWithin && b.step == "commit"
		if !between && !dying || !copies[1].repeat {
			f.t.Errorf("killed at %s (end %t): message %s came %d times, first from process %d, %v before process %d was killed; the second says that it may be a repeat: %t",
				b.step, b.end, id, len(copies), first.pid, lived, b.killed.PID, copies[1].repeat)
		}
	}
	if (b.step == "accepted" || b.step == "settle") && !sent {
		f.t.Errorf("killed at %s (end %t): process %d had handed over nothing", b.step, b.end, b.killed.PID)
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
