//go:build unix

package redis

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/go-batteries/hawkeye"
	"github.com/go-batteries/hawkeye/store/redisstore/redistest"
)

// observed is how long a fleet is watched.
const observed = 10 * time.Second

// BenchmarkFleet runs 3, 30 and 300 whole instances with 1,000 counters each,
// all counted once a second, and a monitor, for ten seconds. It tells what the
// server does in a second. Run it with -benchtime=1x.
func BenchmarkFleet(b *testing.B) {
	for _, n := range []int{3, 30, 300} {
		b.Run(fmt.Sprintf("hawkeye/replicas=%d", n), func(b *testing.B) {
			server := redistest.Start(b, redistest.Config{})
			fleet := startFleet(b, server, n)
			ctx, cancel := context.WithCancel(b.Context())
			var counting sync.WaitGroup
			counting.Go(func() { fleet.count(ctx) })
			time.Sleep(5 * time.Second) // names are published, somebody evaluates
			c := server.Client()
			before := used(b, c)
			for b.Loop() {
				time.Sleep(observed)
			}
			after := used(b, c)
			cancel()
			counting.Wait()
			seconds := b.Elapsed().Seconds()
			b.ReportMetric((after.commands-before.commands)/seconds, "commands/s")
			b.ReportMetric((after.in-before.in)/seconds/1000, "kB-in/s")
			b.ReportMetric((after.out-before.out)/seconds/1000, "kB-out/s")
			b.ReportMetric((after.micros-before.micros)/seconds/1e4, "server-CPU-%")
			b.ReportMetric(after.memory/1e6, "redis-MB")
			fleet.check(b)
		})
	}
}

// fleet is a number of instances.
type fleet struct {
	instances []*hawkeye.Hawkeye
	counters  []*hawkeye.Counter // of all of them
	counted   int                // how often each counter was counted
}

func startFleet(b *testing.B, server *redistest.Server, n int) *fleet {
	b.Helper()
	f := new(fleet)
	var starts sync.WaitGroup // a start waits for the first tick
	for range n {
		c := newClient(b, server)
		h, err := hawkeye.New(hawkeye.WithService("fleet", "benchmark"), hawkeye.WithStore(newStore(c)), hawkeye.WithoutSocket(), hawkeye.WithLogger(quiet),
			hawkeye.WithMonitors(hawkeye.Monitor{Metric: metric(0), Triggers: []hawkeye.Trigger{{Threshold: 1e9, To: []string{"a@example.com"}}}}))
		if err != nil {
			b.Fatal(err)
		}
		for i := range flushed {
			f.counters = append(f.counters, h.Counter(metric(i)))
		}
		starts.Go(func() {
			if err := h.Start(b.Context()); err != nil {
				b.Error(err)
			}
		})
		f.instances = append(f.instances, h)
		b.Cleanup(func() {
			ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
			defer cancel()
			if err := h.Shutdown(ctx); err != nil {
				b.Log(err)
			}
		})
	}
	starts.Wait()
	return f
}

// count counts each counter once a second.
func (f *fleet) count(ctx context.Context) {
	second := time.NewTicker(time.Second)
	defer second.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-second.C:
		}
		for _, c := range f.counters {
			c.Inc()
		}
		f.counted++
	}
}

// check asserts that everything that was counted is seen by everybody.
func (f *fleet) check(b *testing.B) {
	b.Helper()
	time.Sleep(3 * time.Second) // all have flushed, and the tick is complete
	res, err := f.instances[0].Query(b.Context(), metric(1), time.Minute)
	if err != nil {
		b.Fatal(err)
	}
	if want := float64(len(f.instances) * f.counted); res.Value != want {
		b.Errorf("the fleet counted %v, want %v", res.Value, want)
	}
}
