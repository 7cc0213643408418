// Package soak lets a handle work for a while, with clients of all kinds and
// alerts that come and go, and then asks whether it still is what it was.
//
//	go test -race ./test/soak                             # 20 seconds
//	HAWKEYE_LONG=1 go test -race -timeout 20m ./test/soak # ten minutes
package soak

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-batteries/hawkeye"
	"github.com/go-batteries/hawkeye/store"
	"github.com/go-batteries/hawkeye/store/memstore"
)

// patience is how long a mail may take before it counts as lost: far more than
// it takes, so that a busy machine is no failure.
const patience = 20 * time.Second

func duration() time.Duration {
	if os.Getenv("HAWKEYE_LONG") != "" {
		return 10 * time.Minute
	}
	return 20 * time.Second
}

// spike is what comes and goes, each time for another value of a tag: one
// alert that did would soon be told to change too often.
const spike = `version: 2
receivers:
  oncall:
    group: {interval: 1s}
    email: {to: [oncall@example.com]}
monitors:
  - name: spike
    metric: soak.errors
    by: [number]
    max_groups: 1000
    window: 3s
    triggers:
      - {level: critical, threshold: 10, notify: [oncall], subject: spike}
`

// total keeps the sums of the whole run, beyond the fine retention.
func total(d time.Duration) hawkeye.Monitor {
	return hawkeye.Monitor{
		Name: "total", Metric: "soak.events", Type: "counter", Window: d,
		Triggers: []hawkeye.Trigger{{Threshold: 1e12, To: []string{"nobody@example.com"}}},
	}
}

func sizes(d time.Duration) hawkeye.Monitor {
	return hawkeye.Monitor{
		Name: "sizes", Metric: "soak.size", Type: "histogram", Aggregate: "max", Window: d,
		Triggers: []hawkeye.Trigger{{Threshold: 1e12, To: []string{"nobody@example.com"}}},
	}
}

func TestSoak(t *testing.T) {
	long := duration()
	// Everything is in the window, and most of it only in the coarse tiers.
	window := max(2*long, 30*store.Tier5s.Width())
	retention := min(memstore.DefaultRetention, long/2)
	goroutines := runtime.NumGoroutine()

	s, err := memstore.New(memstore.WithRetention(retention))
	if err != nil {
		t.Fatal(err)
	}
	dir, err := os.MkdirTemp("", "soak") // t.TempDir is too long for a socket on some systems
	if err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(dir)
	path := filepath.Join(dir, "s")
	config := filepath.Join(dir, "monitors.yaml")
	if err := os.WriteFile(config, []byte(spike), 0o600); err != nil {
		t.Fatal(err)
	}
	mails := make(chan string, 100)
	h, err := hawkeye.New(
		hawkeye.WithService("soak", "test"), hawkeye.WithSocket(path), hawkeye.WithStore(s),
		hawkeye.WithConfigFile(config), hawkeye.WithMonitors(total(window), sizes(window)),
		hawkeye.WithLogger(slog.New(slog.NewTextHandler(t.Output(), &slog.HandlerOptions{Level: slog.LevelWarn}))),
		hawkeye.WithMailer(hawkeye.MailerFunc(func(_ context.Context, m hawkeye.MailerConfig) error {
			mails <- m.Subject
			return nil
		})))
	if err != nil {
		t.Fatal(err)
	}
	if err := h.Start(t.Context()); err != nil {
		t.Fatal(err)
	}

	stop := make(chan struct{})
	wait := startClients(t, path, stop)
	breaches := alternate(t, h, mails, stop)
	memory := watchMemory(t, retention, stop)
	<-time.After(long)
	close(stop)
	all := wait()
	t.Logf("%d breaches told and ended", <-breaches)
	checkMemory(t, <-memory)
	checkCounts(t, h, window, all)

	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	if err := h.Shutdown(ctx); err != nil {
		t.Errorf("Shutdown() = %v, want nil", err)
	}
	checkGoroutines(t, goroutines)
	st := h.Stats()
	t.Logf("stats: %+v", st)
	if len(st.Refused)+len(st.Restarts) > 0 || st.FailedCalls+st.Overflowed+st.Saturated > 0 || st.DroppedTicks+st.FailedFlushes > 0 {
		t.Errorf("Stats() = %+v, want nothing refused, restarted, failed or dropped", st)
	}
}

// startClients starts eight clients. The function that it returns waits for
// them and says what each has sent.
func startClients(t *testing.T, path string, stop <-chan struct{}) func() map[string]sent {
	t.Helper()
	var wg sync.WaitGroup
	var mu sync.Mutex
	all := make(map[string]sent)
	for i, run := range []client{child, child, child, child, lines(newline), lines(lengthPrefixed), rpc1, rpc2} {
		name := fmt.Sprintf("c%d", i)
		wg.Go(func() {
			s, err := run(path, name, stop)
			if err != nil {
				t.Errorf("client %s: %v", name, err)
			}
			mu.Lock()
			defer mu.Unlock()
			all[name] = s
		})
	}
	return func() map[string]sent { wg.Wait(); return all }
}

// alternate lets the spike come and go, each time when the mail about the last
// change is there, and returns how often.
func alternate(t *testing.T, h *hawkeye.Hawkeye, mails <-chan string, stop <-chan struct{}) <-chan int {
	t.Helper()
	done := make(chan int, 1)
	next := func(want string) bool {
		select {
		case got := <-mails:
			if ended := strings.Contains(strings.ToLower(got), "[ended]"); ended != (want == "end") {
				t.Errorf("mail %q, want the %s", got, want)
			}
			return true
		case <-time.After(patience):
			t.Errorf("no mail of the %s within %v", want, patience)
			return false
		}
	}
	go func() { // ends soon after stop is closed
		n := 0
		defer func() { done <- n }()
		for {
			select {
			case <-stop:
				return
			default:
			}
			h.Count("soak.errors", 25, hawkeye.T("number", fmt.Sprint(n)))
			if !next("beginning") || !next("end") {
				return
			}
			n++
		}
	}()
	return done
}

// sample is what was in use at a moment, after a collection.
type sample struct {
	goroutines int
	heap       uint64
}

// watchMemory samples now and then once the windows are full.
func watchMemory(t *testing.T, warmUp time.Duration, stop <-chan struct{}) <-chan []sample {
	t.Helper()
	done := make(chan []sample, 1)
	go func() { // ends when stop is closed
		var samples []sample
		defer func() { done <- samples }()
		began := time.Now()
		tick := time.NewTicker(duration() / 60)
		defer tick.Stop()
		for {
			select {
			case <-stop:
				return
			case <-tick.C:
			}
			if time.Since(began) < warmUp+warmUp/10 {
				continue
			}
			runtime.GC()
			var m runtime.MemStats
			runtime.ReadMemStats(&m)
			samples = append(samples, sample{runtime.NumGoroutine(), m.HeapAlloc})
		}
	}()
	return done
}

// checkMemory compares the first third of the samples with the last.
func checkMemory(t *testing.T, samples []sample) {
	t.Helper()
	if len(samples) < 9 {
		t.Fatalf("%d samples of memory, want at least 9", len(samples))
	}
	median := func(part []sample) sample {
		var g []int
		var h []uint64
		for _, s := range part {
			g, h = append(g, s.goroutines), append(h, s.heap)
		}
		slices.Sort(g)
		slices.Sort(h)
		return sample{g[len(g)/2], h[len(h)/2]}
	}
	third := len(samples) / 3
	first, last := median(samples[:third]), median(samples[len(samples)-third:])
	t.Logf("%d samples: goroutines %d, then %d; heap %d KiB, then %d KiB", len(samples),
		first.goroutines, last.goroutines, first.heap>>10, last.heap>>10)
	if last.goroutines > first.goroutines+2 {
		t.Errorf("goroutines grew from %d to %d", first.goroutines, last.goroutines)
	}
	if last.heap > first.heap+first.heap/10+1<<20 {
		t.Errorf("heap grew from %d to %d bytes", first.heap, last.heap)
	}
}

func checkCounts(t *testing.T, h *hawkeye.Hawkeye, window time.Duration, all map[string]sent) {
	t.Helper()
	var sum sent
	for name, s := range all {
		who := fmt.Sprintf("client=%q", name)
		checkQuery(t, h, "soak.events", window, float64(s.Events), who)
		checkQuery(t, h, "soak.size", window, float64(s.Observed), who)
		checkQuery(t, h, "soak.level", time.Second, s.Gauge, who)
		sum.Events, sum.Observed, sum.Gauge = sum.Events+s.Events, sum.Observed+s.Observed, sum.Gauge+s.Gauge
	}
	checkQuery(t, h, "soak.events", window, float64(sum.Events))
	checkQuery(t, h, "soak.size", window, float64(sum.Observed))
	checkQuery(t, h, "soak.level", time.Second, sum.Gauge)
	t.Logf("counted %d events and %d values, as sent", sum.Events, sum.Observed)
}

func checkQuery(t *testing.T, h *hawkeye.Hawkeye, metric string, window time.Duration, want float64, matchers ...string) {
	t.Helper()
	r, err := h.Query(t.Context(), metric, window, matchers...)
	got := r.Value
	if r.Kind == "histogram" {
		got = r.Count
	}
	if err != nil || got != want || !r.Complete {
		t.Errorf("Query(%s, %v, %v) = %v, complete %v, %v, want %v, complete", metric, window, matchers, got, r.Complete, err, want)
	}
}

// checkGoroutines waits a little for those that are on their way out.
func checkGoroutines(t *testing.T, before int) {
	t.Helper()
	for end := time.Now().Add(5 * time.Second); runtime.NumGoroutine() > before && time.Now().Before(end); {
		runtime.Gosched()
	}
	if now := runtime.NumGoroutine(); now > before {
		buf := make([]byte, 1<<20)
		t.Errorf("%d goroutines before, %d after Shutdown:\n%s", before, now, buf[:runtime.Stack(buf, true)])
	}
}
