//go:build unix

package fleet

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/go-batteries/hawkeye/store/redisstore/redistest"
)

// A fixed number of increments, meanwhile connections that break after the
// command ran, two restarts of Redis, one of them without what it knew, one
// FLUSHALL, three replicas that are stopped and continued: the sum is exact.
func TestTotalIsExactUnderFire(t *testing.T) {
	t.Parallel()
	replicas, total, lasts := 4, 400_000, 12*time.Second
	if long() {
		replicas, total, lasts = 8, 2_000_000, time.Minute
	}
	dir := t.TempDir()
	server := redistest.Start(t, redistest.Config{AOF: true, Dir: dir})
	proxy := redistest.NewProxy(t, server.Addr())
	f := newFleet(t, proxy.Addr(), monitors(1))
	f.startN(replicas)

	var wait sync.WaitGroup
	const rounds = 100
	for _, c := range f.alive {
		wait.Go(func() {
			for range rounds {
				c.ask("incr work %d", total/replicas/rounds)
				time.Sleep(lasts / rounds)
			}
		})
	}
	f.fire(server, proxy, dir, lasts)
	wait.Wait()
	proxy.Set(redistest.Pass)
	want, answer := strconv.Itoa(total), ""
	for end := time.Now().Add(40 * time.Second); !strings.HasPrefix(answer, want+" "); time.Sleep(100 * time.Millisecond) {
		if answer, _ = f.alive[0].ask("query work 200"); time.Now().After(end) {
			t.Errorf("the total is %s, want %s", answer, want)
			break
		}
	}
	time.Sleep(2 * time.Second) // for what would be counted twice
	if answer, _ = f.alive[0].ask("query work 200"); !strings.HasPrefix(answer, want+" ") {
		t.Errorf("the total is %s after a while, want %s", answer, want)
	}
	// A replica that stood still for longer than ten ticks leaves ticks that
	// stay partial: whether it counted there can't be known by others.
	var stats string
	for _, c := range f.alive {
		s, _ := c.ask("stats")
		stats += "\n" + s
	}
	t.Logf("%d increments by %d replicas, %d replies lost or reset: the total and whether it is complete: %s%s",
		total, replicas, proxy.Cuts(), answer, stats)
}

// fire is what happens meanwhile, in eight parts of the time.
func (f *fleet) fire(server *redistest.Server, proxy *redistest.Proxy, dir string, lasts time.Duration) {
	part := lasts / 8
	cut := func(d time.Duration, fault redistest.Fault) {
		for end := time.Now().Add(d); time.Now().Before(end); {
			proxy.Set(fault)
			time.Sleep(60 * time.Millisecond)
			proxy.Set(redistest.Pass)
			time.Sleep(120 * time.Millisecond)
		}
	}
	cut(part, redistest.ResetReplies)
	server.Kill()
	time.Sleep(200 * time.Millisecond)
	server.Restart()
	cut(part, redistest.DropReplies)
	for _, c := range f.alive[1:4] {
		c.signal(syscall.SIGSTOP)
	}
	cut(part, redistest.ResetReplies)
	for _, c := range f.alive[1:4] {
		c.signal(syscall.SIGCONT)
	}
	cut(part, redistest.ResetReplies)
	server.Client().FlushAll(f.t.Context())
	cut(part, redistest.DropReplies)
	server.Kill()
	if err := os.RemoveAll(filepath.Join(dir, "appendonlydir")); err != nil {
		f.t.Error(err)
	}
	os.Remove(filepath.Join(dir, "appendonly.aof"))
	server.Restart()
	cut(2*part, redistest.ResetReplies)
}
