//go:build unix

package fleet

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/go-batteries/hawkeye/internal/ledger"
)

// wildReplicas is how many there are when nothing is done to them.
const wildReplicas = 5

// upTo draws a time.
func upTo(random *rand.Rand, most time.Duration) time.Duration {
	return time.Duration(random.Int64N(int64(most)))
}

// harmReplicas does something to a replica, again and again, mostly without
// waiting for what it did before to be over.
func (w *wild) harmReplicas(random *rand.Rand, end time.Time) {
	var wait sync.WaitGroup
	defer wait.Wait()
	async := func(f func()) { wait.Go(f) }
	for ; time.Now().Before(end); time.Sleep(200*time.Millisecond + upTo(random, 2*time.Second)) {
		victim := w.victim(random)
		pause := upTo(random, 3*time.Second)
		again := func() {
			time.Sleep(pause)
			w.fill()
		}
		switch what := random.IntN(20); {
		case what == 0:
			w.roll(end)
		case what == 1:
			w.note("a newcomer")
			w.begin()
		case victim == nil:
			w.fill()
		case what < 7:
			w.note("kill %d", victim.pid())
			w.kill(victim)
			async(again)
		case what < 10:
			step := steps[random.IntN(len(steps)-1)]
			w.note("kill %d at %s", victim.pid(), step)
			w.mu.Lock()
			victim.armed = true
			w.mu.Unlock()
			async(func() {
				victim.ask("arm %s:1", step)
				select {
				case <-victim.gone:
					w.note("process %d died at %s", victim.pid(), step)
				case <-time.After(4 * time.Second):
					w.kill(victim)
				}
				again()
			})
		case what < 15:
			lasts := 100*time.Millisecond + upTo(random, 6*time.Second)
			w.note("stop %d for %v", victim.pid(), lasts.Round(time.Millisecond))
			w.stop(victim)
			async(func() {
				time.Sleep(lasts)
				w.goOn(victim)
			})
		default:
			w.note("ask %d to end", victim.pid())
			async(func() {
				w.end(victim)
				again()
			})
			time.Sleep(time.Millisecond) // until it counts as going
		}
	}
}

// victim draws a replica, often the one that evaluates, without which there is
// still one that can bring back the ledger should the server lose it: there is
// no other place for it.
func (w *wild) victim(random *rand.Rand) *life {
	var able []*life
	for _, l := range w.able() {
		if w.hasCopy(l) {
			able = append(able, l)
		}
	}
	if len(able) < 2 {
		return nil
	}
	if random.IntN(3) == 0 {
		if writer := w.evaluating(); writer != "" {
			for _, l := range able {
				if w.writes(l, writer) {
					return l
				}
			}
		}
	}
	return able[random.IntN(len(able))]
}

// evaluating is the writer in the ledger's head.
func (w *wild) evaluating() string {
	ctx, cancel := context.WithTimeout(context.Background(), 200*time.Millisecond)
	defer cancel()
	text, err := w.redis.HGet(ctx, wildLedger, "r:head").Result()
	if err != nil {
		return ""
	}
	var head ledger.Head
	fields := strings.SplitN(text, " ", 3)
	if len(fields) != 3 || json.Unmarshal([]byte(fields[2]), &head) != nil {
		return ""
	}
	return head.Writer.String()
}

// writes says whether a replica is a writer.
func (w *wild) writes(l *life, writer string) bool {
	data, _ := os.ReadFile(fmt.Sprintf("%s-%d", w.tracePath(), l.pid()))
	return bytes.Contains(data, []byte(" published "+writer+" "))
}

// fill begins a replica if one is missing.
func (w *wild) fill() {
	if len(w.there()) < wildReplicas {
		w.begin()
	}
}

// roll replaces all replicas in turn.
func (w *wild) roll(end time.Time) {
	w.note("roll")
	for _, old := range w.there() {
		l := w.begin()
		for soon := time.Now().Add(8 * time.Second); time.Now().Before(soon) && !w.hasCopy(l); {
			time.Sleep(50 * time.Millisecond)
		}
		w.mu.Lock()
		keep := old.going() || old.stopped()
		w.mu.Unlock()
		if keep || !w.hasCopy(l) || time.Now().After(end) {
			continue
		}
		w.note("ask %d to end, after %d began", old.pid(), l.pid())
		w.end(old)
	}
}

// What the server holds.
const (
	wildLedger = "hawkeye:{hawkeye:ledger}"
	wildNames  = "hawkeye:{hawkeye:names}"
)

// harmServer does something to the server, again and again.
func (w *wild) harmServer(random *rand.Rand, end time.Time) {
	defer w.restart(false, 0)
	for time.Sleep(upTo(random, 2*time.Second)); time.Now().Before(end); time.Sleep(300*time.Millisecond + upTo(random, 4*time.Second)) {
		w.harmOnce(random)
	}
}

func (w *wild) harmOnce(random *rand.Rand) {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	pause := upTo(random, 2*time.Second)
	ms := strconv.FormatInt(pause.Milliseconds(), 10)
	switch what := random.IntN(12); what {
	case 0:
		w.note("CLIENT KILL")
		w.redis.Do(ctx, "client", "kill", "type", "normal", "skipme", "yes")
	case 1:
		w.note("DEBUG SLEEP %v", pause)
		if err := w.redis.Do(ctx, "debug", "sleep", fmt.Sprint(pause.Seconds())).Err(); err != nil {
			w.t.Errorf("DEBUG SLEEP: %v", err)
		}
	case 2:
		w.note("SCRIPT FLUSH, CLIENT PAUSE %v", pause)
		w.redis.ScriptFlush(ctx)
		w.redis.Do(ctx, "client", "pause", ms, "all")
		time.Sleep(pause)
	case 3:
		w.lost("FLUSHALL")
		w.redis.FlushAll(ctx)
	case 4:
		w.lost("FLUSHALL and a newcomer")
		w.redis.FlushAll(ctx)
		w.begin()
	case 5:
		w.lost("restart, empty, after %v", pause)
		w.restart(true, pause)
	case 6, 7:
		w.note("restart after %v", pause)
		w.restart(false, pause)
	case 8:
		w.lost("evict for %v", pause)
		w.evict(ctx, pause)
	case 9:
		w.lost("DEL of the ledger")
		w.redis.Del(ctx, wildLedger)
	case 10:
		w.lost("DEL of the names")
		w.redis.Del(ctx, []string{wildNames, wildNames + ":until"}[random.IntN(2)])
	case 11:
		w.note("stop the server for %v", pause)
		w.server.Pause()
		time.Sleep(pause)
		w.server.Resume()
	}
}

// lost notes a fault that takes away what the server held.
func (w *wild) lost(format string, args ...any) {
	w.note(format, args...)
	w.mu.Lock()
	defer w.mu.Unlock()
	w.losses = append(w.losses, time.Now())
}

// restart kills the server and starts it a while later, with what it knew or
// without.
func (w *wild) restart(empty bool, pause time.Duration) {
	w.server.Kill()
	if empty {
		if err := os.RemoveAll(filepath.Join(w.data, "appendonlydir")); err != nil {
			w.t.Error(err)
		}
	}
	time.Sleep(pause)
	w.server.Restart()
}

// evict has the server evict keys at random for a while.
func (w *wild) evict(ctx context.Context, lasts time.Duration) {
	info, err := w.redis.Info(ctx, "memory").Result()
	if err != nil {
		return
	}
	used := 0
	for line := range strings.Lines(info) {
		if text, ok := strings.CutPrefix(strings.TrimSpace(line), "used_memory:"); ok {
			used, _ = strconv.Atoi(text)
		}
	}
	w.redis.ConfigSet(ctx, "maxmemory-policy", "allkeys-random")
	w.redis.ConfigSet(ctx, "maxmemory", strconv.Itoa(used-used/50))
	time.Sleep(lasts)
	w.redis.ConfigSet(ctx, "maxmemory", "0")
	w.redis.ConfigSet(ctx, "maxmemory-policy", "noeviction")
}
