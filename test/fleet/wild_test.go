//go:build unix

package fleet

import (
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/go-batteries/hawkeye/store/redisstore/redistest"
)

// envSeed sets the seed of the wild run.
const envSeed = "HAWKEYE_SEED"

// wildConfig has a receiver of each kind: one that is told at once, one that
// waits, and one that hears of the second level only. Each breach is a group of
// its own, so that each message is about one.
const wildConfig = `version: 2
receivers:
  plain: {email: {to: [plain@example.com]}, group: {by: [monitor, id], interval: 1s}}
  waits: {email: {to: [waits@example.com]}, group: {by: [monitor, id], wait: 2s, interval: 2s}}
  chief: {email: {to: [chief@example.com]}, group: {by: [monitor, id], interval: 1s}}
monitors:
  - name: orders
    metric: orders
    by: [id]
    max_groups: 100000
    window: 3s
    triggers:
      - {level: warning, threshold: 5, notify: [plain, waits]}
      - {level: critical, threshold: 50, notify: [plain, waits, chief]}
`

// What a count adds: to be told as a warning, and as critical.
const (
	wildWarning  = 6
	wildCritical = 60
	wildWindow   = 3 * time.Second
)

// wild is a run with many faults at a time.
type wild struct {
	*fleet
	server *redistest.Server
	redis  *redis.Client // of the faults
	data   string        // the server's folder

	mu       sync.Mutex // guards what follows
	lives    []*life
	breaches []*wildBreach
	log      []string    // of the faults
	losses   []time.Time // of what the store held
	next     int         // the next breach
	faults   int         // messages that are wrong or missing
}

// Replicas are killed, stopped, asked to end, replaced in turn and joined by
// newcomers, while the server is killed, emptied, paused, slowed, forced to
// evict and cut off, all at random and at the same time. Nothing is lost,
// counted twice, untold, without its end, or told as two incidents, but for
// what died unread; and a message comes twice only if its sender was killed or
// stopped between its claim and the note of the outcome.
//
// Each assertion is about what the processes wrote down that they did, not
// about how long that took.
func TestWild(t *testing.T) {
	t.Parallel()
	lasts, seed := 40*time.Second, uint64(1)
	if long() {
		lasts, seed = 10*time.Minute, rand.Uint64()
	}
	if text := os.Getenv(envSeed); text != "" {
		var err error
		if seed, err = strconv.ParseUint(text, 10, 64); err != nil {
			t.Fatalf("%s: %v", envSeed, err)
		}
	}
	t.Logf("for %v with %s=%d", lasts, envSeed, seed)
	w := newWild(t)
	w.startAll(5)
	w.run(lasts, seed)
	w.settle()
	w.report(seed)
}

func newWild(t *testing.T) *wild {
	t.Helper()
	data := t.TempDir()
	server := redistest.Start(t, redistest.Config{AOF: true, Dir: data, Args: []string{"--enable-debug-command", "yes"}})
	w := &wild{fleet: newFleet(t, server.Addr(), wildConfig), server: server, data: data}
	options := server.Options()
	options.ReadTimeout, options.MaxRetries = 10*time.Second, -1 // some faults take their time
	w.redis = redis.NewClient(options)
	t.Cleanup(func() { w.redis.Close() })
	t.Cleanup(w.killAll)
	return w
}

// run has breaches and faults at the same time.
func (w *wild) run(lasts time.Duration, seed uint64) {
	end := time.Now().Add(lasts)
	var wait sync.WaitGroup
	for part, does := range []func(*rand.Rand, time.Time){w.breachAll, w.work, w.harmReplicas, w.harmServer} {
		wait.Go(func() { does(rand.New(rand.NewPCG(seed, uint64(part))), end) })
	}
	wait.Wait()
}

// note writes down a fault.
func (w *wild) note(format string, args ...any) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.log = append(w.log, time.Now().Format("15:04:05.000 ")+fmt.Sprintf(format, args...))
}

// tracePath is what the names of the traces begin with.
func (w *wild) tracePath() string { return filepath.Join(w.dir, "trace") }

// wildBreach is one that is driven: a count that is to be told as a warning,
// and maybe one that is critical, soon after.
type wildBreach struct {
	id     string
	counts []*wildCount
}

// wildCount is something that a replica was to count.
type wildCount struct {
	by       *life
	amount   int
	at       time.Time // when it was asked for
	answered time.Time // zero if the replica didn't live to say so
}

// breachAll begins breaches all the time.
func (w *wild) breachAll(random *rand.Rand, end time.Time) {
	var wait sync.WaitGroup
	defer wait.Wait()
	for end := end.Add(-wildWindow); time.Now().Before(end); time.Sleep(time.Duration(random.IntN(400)) * time.Millisecond) {
		w.mu.Lock()
		b := &wildBreach{id: fmt.Sprintf("b%05d", w.next)}
		w.next++
		w.breaches = append(w.breaches, b)
		w.mu.Unlock()
		critical, first, second, later := random.IntN(2) == 0, random.Uint32(), random.Uint32(), time.Duration(random.IntN(1500))*time.Millisecond
		wait.Go(func() {
			w.breach(b, wildWarning, first)
			if critical {
				time.Sleep(later)
				w.breach(b, wildCritical, second)
			}
		})
	}
}

// breach has one of the replicas count.
func (w *wild) breach(b *wildBreach, amount int, which uint32) {
	able := w.able()
	if len(able) == 0 {
		return
	}
	l := able[int(which)%len(able)]
	c := &wildCount{by: l, amount: amount, at: time.Now()}
	w.mu.Lock()
	b.counts = append(b.counts, c)
	w.mu.Unlock()
	if _, ok := l.ask("count orders %s %d", b.id, amount); ok {
		w.mu.Lock()
		c.answered = time.Now()
		w.mu.Unlock()
	}
}

// wildSlice is how long a replica counts work under one name.
const wildSlice = 10 * time.Second

// work has all replicas count all the time.
func (w *wild) work(random *rand.Rand, end time.Time) {
	var wait sync.WaitGroup
	defer wait.Wait()
	for ; time.Now().Before(end); time.Sleep(50 * time.Millisecond) {
		slice := time.Now().Truncate(wildSlice).Unix()
		for _, l := range w.able() {
			n := 1 + random.IntN(9)
			if !l.working.TryLock() {
				continue
			}
			wait.Go(func() {
				defer l.working.Unlock()
				_, ok := l.ask("count work %d-%d %d", l.pid(), slice, n)
				w.mu.Lock()
				defer w.mu.Unlock()
				if l.work[slice] == nil {
					l.work[slice] = &wildWork{}
				}
				if ok {
					l.work[slice].sure += n
				}
				l.work[slice].most += n
			})
		}
	}
}

// wildWork is what a replica counted within a slice of time.
type wildWork struct{ sure, most int }
