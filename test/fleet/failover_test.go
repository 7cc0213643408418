//go:build unix

package fleet

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/go-batteries/hawkeye"
	"github.com/go-batteries/hawkeye/store/redisstore"
	"github.com/go-batteries/hawkeye/store/redisstore/redistest"
)

// The master that holds the ledger dies, and another server takes its place.
func TestFailover(t *testing.T) {
	t.Parallel()
	t.Run("sentinel", func(t *testing.T) {
		t.Parallel()
		s := redistest.StartSentinel(t, redistest.Config{}, time.Second)
		failover(t, func() redis.UniversalClient { return redis.NewFailoverClient(s.Options()) }, s.Master.Kill, 8*time.Second)
	})
	t.Run("cluster", func(t *testing.T) {
		t.Parallel()
		c := redistest.StartCluster(t, redistest.Config{}, 2*time.Second)
		failover(t, func() redis.UniversalClient { return redis.NewClusterClient(c.Options()) },
			func() { c.MasterOf("hawkeye:{hawkeye:ledger}").Kill() }, 15*time.Second)
	})
}

// outbox is a MailingService that remembers what it took.
type outbox struct {
	mu    sync.Mutex
	mails []hawkeye.MailerConfig
}

func (o *outbox) Send(_ context.Context, cfg hawkeye.MailerConfig) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.mails = append(o.mails, cfg)
	return nil
}

// subjects returns the subjects so far, sorted, and how many Message-IDs came
// more than once.
func (o *outbox) subjects() (subjects []string, repeats int) {
	o.mu.Lock()
	defer o.mu.Unlock()
	seen := make(map[string]bool)
	for _, m := range o.mails {
		subjects = append(subjects, m.Subject)
		if seen[m.MessageID] {
			repeats++
		}
		seen[m.MessageID] = true
	}
	slices.Sort(subjects)
	return subjects, repeats
}

// failover runs three replicas that count all the time, kills the master, and
// looks for what was lost and told twice.
func failover(t *testing.T, connect func() redis.UniversalClient, kill func(), most time.Duration) {
	box := &outbox{}
	f := newFleet(t, "", monitors(2))
	var replicas []*hawkeye.Hawkeye
	for range 3 {
		client := connect()
		t.Cleanup(func() { client.Close() })
		quiet := slog.New(slog.DiscardHandler)
		h, err := hawkeye.New(hawkeye.WithService("shop", "test"), hawkeye.WithConfigFile(f.config), hawkeye.WithoutReload(),
			hawkeye.WithStore(redisstore.New(client, redisstore.WithTick(fleetTick), redisstore.WithLogger(quiet))),
			hawkeye.WithMailer(box), hawkeye.WithoutSocket(), hawkeye.WithLogger(quiet))
		if err != nil {
			t.Fatalf("New() = %v", err)
		}
		if err := h.Start(t.Context()); err != nil {
			t.Fatalf("Start() = %v", err)
		}
		t.Cleanup(func() {
			ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
			defer cancel()
			if err := h.Shutdown(ctx); err != nil {
				t.Errorf("Shutdown() = %v", err)
			}
		})
		replicas = append(replicas, h)
	}
	newestTick := func() (newest time.Time) {
		for _, h := range replicas {
			if at := h.Stats().EvaluatedTick; at.After(newest) {
				newest = at
			}
		}
		return newest
	}
	f.await("evaluation begins", 20*time.Second, func() bool { return newestTick().Year() > 2000 })

	stop := make(chan struct{})
	total := make(chan int)
	go func() { // counts in all replicas until it is stopped
		n := 0
		for {
			select {
			case <-stop:
				total <- n
				return
			case <-time.After(5 * time.Millisecond):
				for _, h := range replicas {
					h.Incr("work")
					n++
				}
			}
		}
	}()
	told := func(subject string) func() bool {
		return func() bool { s, _ := box.subjects(); return slices.Contains(s, subject) }
	}
	breach := func(name string) {
		for i := range 6 {
			replicas[i%3].Incr(name)
		}
	}
	breach("m0")
	f.await("m0 is told", 10*time.Second, told("[critical] m0 in shop (test)"))

	kill()
	killed, last, moved, gap := time.Now(), newestTick(), time.Now(), time.Duration(0)
	breach("m1")
	for time.Since(killed) < most {
		if at := newestTick(); at.After(last) {
			last, moved = at, time.Now()
		}
		gap = max(gap, time.Since(moved))
		time.Sleep(10 * time.Millisecond)
	}
	for _, subject := range []string{"[ended] m0 in shop (test)"} {
		f.await(subject, 20*time.Second, told(subject))
	}
	f.await("m1 is told", 20*time.Second, func() bool {
		return told("[critical] m1 in shop (test)")() || told("[fired and ended] m1 in shop (test)")()
	})
	close(stop)
	want, got := <-total, hawkeye.Result{}
	f.await("the total is whole", 20*time.Second, func() bool {
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
		defer cancel()
		got, _ = replicas[0].Query(ctx, "work", 3*time.Minute)
		return got.Value == float64(want) && got.Complete
	})
	subjects, repeats := box.subjects()
	t.Logf("evaluation stood still for %v; counted %d, found %v; repeats %d; told %v",
		gap.Round(10*time.Millisecond), want, fmt.Sprint(got.Value), repeats, subjects)
	if repeats > 0 || gap > most-time.Second {
		t.Errorf("repeats %d, a gap of %v; want none, and less than %v", repeats, gap, most)
	}
}
