//go:build unix

package fleet

import (
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// whileIncrementing has a child that only counts do so, a few times a second,
// until the returned function is called. It returns how many there were.
func (f *fleet) whileIncrementing(metric string, n int) (stop func() int) {
	counter := f.start(envRole + "=counter")
	f.alive = f.alive[:len(f.alive)-1]
	f.leaving = append(f.leaving, counter)
	end, sum := make(chan struct{}), make(chan int)
	go func() {
		total := 0
		for {
			if _, ok := counter.ask("incr %s %d", metric, n); ok {
				total += n
			}
			select {
			case <-end:
				sum <- total
				return
			case <-time.After(200 * time.Millisecond):
			}
		}
	}()
	return func() int { close(end); return <-sum }
}

// Replicas with two versions of a monitor that fires throughout. Those with
// the newer one come and go, by SIGTERM and by SIGKILL, and each time they take
// the evaluation over or leave it: one mail, one end, no word of a flap.
func TestEvaluatorIsSwapped(t *testing.T) {
	t.Parallel()
	server := startRedis(t)
	rounds := 3
	if long() {
		rounds = 25
	}
	older := strings.Replace(monitors(1), "window: 3s", "window: 5s", 1)
	f := newFleet(t, server.Addr(), older)
	newer := filepath.Join(f.dir, "newer.yaml")
	if err := os.WriteFile(newer, []byte(strings.Replace(older, "threshold: 5,", "threshold: 4,", 1)), 0o600); err != nil {
		t.Fatal(err)
	}
	stays := f.start()
	f.awaitEvaluator()
	stop := f.whileIncrementing("m0", 1)
	f.await("the breach is told", 20*time.Second, func() bool { return len(f.mails()) > 0 })
	swaps, longest := 0, time.Duration(0)
	evaluates := func(what string, c *child) {
		since := time.Now()
		f.await(what, 30*time.Second, func() bool { answer, _ := c.ask("evaluates"); return answer == "true" })
		longest = max(longest, time.Since(since))
		swaps++
	}
	for i := range rounds {
		comes := f.start(envConfig + "=" + newer)
		evaluates("the newer configuration decides", comes)
		f.await("the older one gives way", 20*time.Second, func() bool { answer, _ := stays.ask("evaluates"); return answer == "false" })
		if i%3 == 1 {
			comes.signal(syscall.SIGKILL)
		} else {
			comes.signal(syscall.SIGTERM)
		}
		<-comes.gone
		evaluates("the older configuration helps out", stays)
		f.bury()
	}
	if mails := f.subjects(); len(mails) != 1 {
		t.Errorf("after %d changes of the evaluator mails are %q, want one", swaps, mails)
	}
	counted := stop()
	f.awaitEnds([]string{"m0"}, 30*time.Second)
	l := f.judge([]string{"m0"})
	said := f.logged("another replica has a newer configuration")
	t.Logf("%d changes of the evaluator, the longest took %v, %d counted meanwhile: %v, %d mails; the log says who wins %d times",
		swaps, longest.Round(10*time.Millisecond), counted, l, len(f.mails()), said)
	if mails := f.subjects(); l.told != 1 || l.ended != 1 || len(mails) != 2 {
		t.Errorf("mails %q, want a breach and its end", mails)
	}
	if said != 1 { // the counter decides nothing, and so has nothing to say
		t.Errorf("the log says %d times that there is a newer configuration, want once", said)
	}
}
