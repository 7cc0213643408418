//go:build unix

package fleet

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/go-batteries/hawkeye/store/redisstore/redistest"
)

// startBehind runs a child that reaches the server through a proxy of its own.
func (f *fleet) startBehind(server *redistest.Server, env ...string) (*child, *redistest.Proxy) {
	f.t.Helper()
	proxy := redistest.NewProxy(f.t, server.Addr())
	return f.start(append(env, envRedis+"="+proxy.Addr())...), proxy
}

// awaitTotal waits until a metric's total is whole.
func (f *fleet) awaitTotal(c *child, metric string, total int) (answer string) {
	f.t.Helper()
	want := fmt.Sprint(total)
	f.await("the total of "+metric+" is "+want, 40*time.Second, func() bool {
		answer, _ = c.ask("query %s 280", metric)
		return strings.HasPrefix(answer, want+" ")
	})
	return answer
}

// stillTotal is awaitTotal and a look two seconds later, for what would be
// counted twice.
func (f *fleet) stillTotal(c *child, metric string, total int) (answer string) {
	f.t.Helper()
	f.awaitTotal(c, metric, total)
	time.Sleep(2 * time.Second)
	answer, _ = c.ask("query %s 280", metric)
	if want := fmt.Sprint(total); !strings.HasPrefix(answer, want+" ") {
		f.t.Errorf("the total of %s is %s after a while, want %s", metric, answer, want)
	}
	return answer
}

// subjects returns the subjects of the mails so far, sorted.
func (f *fleet) subjects() (subjects []string) {
	for _, m := range f.mails() {
		subjects = append(subjects, m.subject)
	}
	slices.Sort(subjects)
	return subjects
}

// Everything that the evaluator alone sends to the server or is sent by it
// vanishes, and no connection breaks: another replica takes over and tells,
// once. When it is back, what it counted meanwhile counts, also over a
// threshold, and nothing is told again.
func TestEvaluatorAloneIsCutOff(t *testing.T) {
	t.Parallel()
	server := startRedis(t)
	f := newFleet(t, server.Addr(), monitors(2))
	proxies := make(map[*child]*redistest.Proxy)
	for range 3 {
		c, proxy := f.startBehind(server)
		proxies[c] = proxy
	}
	ev := f.awaitEvaluator()
	var others []*child
	for _, c := range f.alive {
		c.ask("incr work 100")
		if c != ev {
			others = append(others, c)
		}
	}
	f.awaitTotal(others[0], "work", 300)

	proxies[ev].Set(redistest.Swallow)
	cut := time.Now()
	ev.ask("incr work 1000")
	ev.ask("incr m1 3") // which makes five with those of another replica
	others[0].ask("incr m1 2")
	for _, c := range others {
		c.ask("incr m0 3")
		c.ask("incr work 10")
	}
	f.await("a breach is told while the evaluator is cut off", 20*time.Second, func() bool { return len(f.mails()) > 0 })
	took := f.mails()[0].at.Sub(cut)
	f.await("its end is told", 20*time.Second, func() bool { return len(f.mails()) > 1 })
	if proxies[ev].Cuts() == 0 {
		t.Error("nothing of the evaluator's vanished")
	}
	for _, c := range others {
		if answer, _ := c.ask("query work 280"); !strings.HasPrefix(answer, "320 ") {
			t.Errorf("the total is %s while 1000 are cut off, want 320", answer)
		}
	}

	proxies[ev].Set(redistest.Pass)
	back := time.Now()
	answer := f.stillTotal(ev, "work", 1320)
	f.awaitTold([]string{"m0", "m1"}, 20*time.Second)
	f.awaitEnds([]string{"m0", "m1"}, 20*time.Second)
	l := f.judge([]string{"m0", "m1"})
	t.Logf("taken over and told %v after the cut; cut off for %v, %d times something vanished; the total is %s; refused %d times; %v",
		took.Round(10*time.Millisecond), back.Sub(cut).Round(10*time.Millisecond), proxies[ev].Cuts(), answer,
		f.logged("the ledger has moved on without this evaluator"), l)
	if l.told != 2 || l.ended != 2 || l.repeats > 0 {
		t.Errorf("%v, mails %q; want two told, with their ends, once each", l, f.subjects())
	}
	if long() && took > 6*time.Second {
		t.Errorf("told %v after the cut, want at most 6s", took)
	}
}

// Nobody reaches the server for longer than a fleet may be blind. Each of five
// replicas sees a breach; those of the first three ranks tell when it is their
// turn, with the same Message-ID, and the return is told once.
func TestAllAreCutOff(t *testing.T) {
	t.Parallel()
	server := startRedis(t)
	proxy := redistest.NewProxy(t, server.Addr())
	config := strings.Replace(monitors(1), "window: 3s", "window: 4m", 1)
	f := newFleet(t, proxy.Addr(), config)
	f.startN(5, envBlind+"=2s")
	f.awaitEvaluator()
	for _, c := range f.alive {
		c.ask("incr work 100")
	}
	for _, c := range f.alive {
		f.awaitTotal(c, "work", 500)
	}
	f.stillTotal(f.alive[0], "work", 500) // ten ticks later all know who lives

	proxy.Set(redistest.Refuse)
	cut := time.Now()
	for _, c := range f.alive {
		c.ask("incr m0 6")
		c.ask("incr work 10")
	}
	tellers := 1
	if long() {
		tellers = 3 // the others are a minute apart
	}
	f.await("the first replicas tell", time.Duration(tellers)*75*time.Second, func() bool { return len(f.mails()) >= tellers })
	for _, c := range f.alive {
		c.ask("incr m0 1")
	}
	f.await("all see that the store is away", 20*time.Second, func() bool { return f.logged("the store is away") == 5 })
	for rank := range 5 {
		if n := f.logged(fmt.Sprintf("rank=%d\n", rank)); n != 1 {
			t.Errorf("%d replicas are of rank %d, want one", n, rank)
		}
	}
	time.Sleep(time.Duration(tellers) * 2 * time.Second) // for whoever tells without a right to
	blind := f.mails()
	pids, ids := make(map[int]bool), make(map[string]bool)
	var after []string
	for _, m := range blind {
		pids[m.pid], ids[m.id] = true, true
		after = append(after, m.at.Sub(cut).Round(100*time.Millisecond).String())
	}
	if len(blind) != tellers || len(pids) != tellers || len(ids) != 1 {
		t.Errorf("while the store is away %d mails came from %d replicas with %d Message-IDs, want %d, each from another, and one id",
			len(blind), len(pids), len(ids), tellers)
	}

	proxy.Set(redistest.Pass)
	const back = "[store back] hawkeye sees the fleet again in shop (test)"
	f.await("the return is told", 40*time.Second, func() bool { return slices.Contains(f.subjects(), back) })
	answer := f.stillTotal(f.alive[4], "work", 550)
	breaches := f.awaitTotal(f.alive[0], "m0", 35)
	t.Logf("away for %v: told after %v by %d of 5 replicas with %d Message-IDs; afterwards the totals are %s and %s, mails %q",
		time.Since(cut).Round(time.Second), after, len(pids), len(ids), answer, breaches, f.subjects())
	if mails := f.subjects(); len(mails) != tellers+1 {
		t.Errorf("mails %q, want %d about the breach and one about the return", mails, tellers)
	}
}
