//go:build unix

package fleet

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/go-batteries/hawkeye/store/redisstore/redistest"
)

// termSteps are the steps at which a replica is asked to end.
var termSteps = []termStep{
	{name: "acquire"},
	{name: "read"},
	{name: "commit"},
	{name: "claim", own: true},
	{name: "send", more: ",hang", own: true},
	{name: "accepted", own: true},
	{name: "settle", own: true},
	{name: "flush"},
}

type termStep struct {
	name string
	more string // that is armed besides
	own  bool   // who is asked to end has claimed the message, and tells it itself
}

// termFleet is a fleet whose replicas are asked to end.
type termFleet struct {
	*fleet
	server  *redistest.Server
	proxies map[*child]*redistest.Proxy
	work    int // counted by all, right before
	asked   int // replicas
}

// A replica is asked to end at a step: it ends cleanly, what it counted before
// counts once, what it was about to tell is told once, and nobody has to doubt
// that. A Send under way is waited for.
func TestTermAtEachStep(t *testing.T) {
	t.Parallel()
	server := startRedis(t)
	brief := strings.ReplaceAll(monitors(len(termSteps)), "window: 3s", "window: 1s")
	f := &termFleet{fleet: newFleet(t, server.Addr(), brief), server: server, proxies: make(map[*child]*redistest.Proxy)}
	for i, s := range termSteps {
		f.fill()
		name := fmt.Sprintf("m%d", i)
		ended := f.ask(s, name)
		for _, c := range ended {
			<-c.gone
			if code := c.cmd.ProcessState.ExitCode(); code != 0 {
				t.Errorf("asked to end at %s: exit code %d, want 0", s.name, code)
			}
		}
		f.asked += len(ended)
		f.awaitOver(name)
		f.toldOnce(s, name, ended[len(ended)-1])
	}
	f.fill()
	t.Logf("%d replicas were asked to end, with exit code 0: the totals are %s of %d and %s of %d", f.asked,
		f.stillTotal(f.alive[0], "work", f.work), f.work,
		f.stillTotal(f.alive[0], "farewell", f.asked*farewells), f.asked*farewells)
}

// fill starts what is missing of three replicas, each behind its own proxy.
func (f *termFleet) fill() {
	f.t.Helper()
	for len(f.alive) < 3 {
		c, proxy := f.startBehind(f.server)
		f.proxies[c] = proxy
	}
	f.awaitEvaluator()
}

// ask makes a breach, and has a replica asked to end at a step. It returns
// those that end, that one last.
func (f *termFleet) ask(s termStep, name string) []*child {
	f.t.Helper()
	everybody := slices.Clone(f.alive)
	for _, c := range everybody {
		c.ask("incr work 7")
		f.work += 7
	}
	breach := func() {
		for _, c := range everybody[:2] {
			c.ask("incr %s 3", name)
		}
	}
	if s.name == "flush" {
		breach()
		return []*child{f.askInFlush()}
	}
	token := filepath.Join(f.dir, "term-"+s.name)
	f.arm("term@%s:1=%s%s", s.name, token, s.more)
	defer f.arm("") // who was asked goes on as it is
	breach()
	if s.name == "acquire" {
		ev := f.awaitEvaluator()
		f.leave(ev)
		return []*child{ev, f.awaitAsked(s.name, token)}
	}
	return []*child{f.awaitAsked(s.name, token)}
}

// askInFlush asks a replica to end while replies to what it publishes are
// lost: the server has it, and the replica can't know.
func (f *termFleet) askInFlush() *child {
	f.t.Helper()
	ev := f.awaitEvaluator()
	c := f.alive[slices.IndexFunc(f.alive, func(c *child) bool { return c != ev })]
	proxy := f.proxies[c]
	before := proxy.Cuts()
	proxy.Set(redistest.DropReplies)
	f.await("replies are lost", stepWithin, func() bool { return proxy.Cuts() >= before+2 }) // one may be of a read
	f.leave(c)
	proxy.Set(redistest.Pass)
	return c
}

// awaitAsked waits until somebody has come to a step and was asked to end.
func (f *termFleet) awaitAsked(step, token string) *child {
	f.t.Helper()
	who := f.awaitToken(step, token)
	for _, c := range f.alive {
		if c.cmd.Process.Pid == who.PID {
			f.takeOut(c)
			return c
		}
	}
	f.t.Fatalf("process %d is none of ours", who.PID)
	return nil
}

// toldOnce sees that nothing of a breach is missing, repeated or in doubt.
func (f *termFleet) toldOnce(s termStep, name string, victim *child) {
	f.t.Helper()
	o := f.outcomeOf(name)
	if len(o.fired) != 1 || len(o.ended) != 1 || o.repeats > 0 {
		f.t.Errorf("asked to end at %s: told %d times with %d ends and %d repeats, want 1, 1, 0", s.name, len(o.fired), len(o.ended), o.repeats)
	}
	own := false
	for _, copies := range f.copies(name) {
		for _, m := range copies {
			if m.repeat {
				f.t.Errorf("asked to end at %s: %q says that it may be a repeat", s.name, m.subject)
			}
			if _, fired, _ := m.about(); fired {
				own = m.pid == victim.cmd.Process.Pid
			}
		}
	}
	if s.own && !own {
		f.t.Errorf("asked to end at %s: told by another one than process %d, which had claimed it", s.name, victim.cmd.Process.Pid)
	}
	f.t.Logf("%-8s told %d, ends %d, repeats %d, told by the one that ended: %t", s.name, len(o.fired), len(o.ended), o.repeats, own)
}
