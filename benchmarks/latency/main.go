// Latency measures how long it takes from a breach until the mail is handed
// over, at default settings: version-1 monitors with windows of 20 s, memory
// as the store or a real Redis on a loopback port, breaches at random moments.
//
//	bash benchmarks/run ./latency                       one process
//	bash benchmarks/run ./latency -redis -replicas 3    a fleet
//
// A third of the breaches are bursts at one moment, a third are split over the
// boundary of a tick, a third over most of a window, so that no window that
// begins at a fixed time has all of it. Beside them are controls that stay one
// below the threshold. The clock starts at the sample that makes it a breach
// and stops when MailingService.Send is called.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"log"
	"log/slog"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/go-batteries/hawkeye"
	"github.com/go-batteries/hawkeye/benchmarks/internal/redisserver"
	"github.com/go-batteries/hawkeye/store/redisstore"
)

const (
	window    = 20 * time.Second
	threshold = 10
	// patience is how long after the last breach a mail may come.
	patience = 10 * time.Second
)

// kinds of breaches.
var kinds = []string{"at one moment", "over a tick's boundary", "over a window", "control"}

const control = 3

// breach is a burst on a metric of its own.
type breach struct {
	metric string
	kind   int
	at     time.Duration // since the start
	done   time.Time     // when the sample was recorded that makes it a breach
	told   []time.Time
}

type options struct {
	breaches, replicas int
	length             time.Duration
	redis              bool
}

func main() {
	var o options
	flag.IntVar(&o.breaches, "breaches", 1000, "how many breaches")
	flag.DurationVar(&o.length, "for", 120*time.Second, "over how long they are spread")
	flag.BoolVar(&o.redis, "redis", false, "over a Redis server of its own")
	flag.IntVar(&o.replicas, "replicas", 1, "instances that count and share the store; needs -redis")
	flag.Parse()
	if o.replicas > 1 && !o.redis {
		log.Fatal("replicas share a store: give -redis")
	}
	if err := run(o); err != nil {
		log.Fatal(err)
	}
}

func run(o options) error {
	all := make([]*breach, o.breaches+o.breaches/20)
	for i := range all {
		all[i] = &breach{metric: fmt.Sprint("breach.", i), kind: i % control, at: rand.N(o.length)}
		if i >= o.breaches {
			all[i].kind = control
		}
	}
	slices.SortFunc(all, func(a, b *breach) int { return int(a.at - b.at) })

	box := &mailbox{told: make(map[string][]time.Time)}
	fleet, stop, err := start(o, box, all)
	if err != nil {
		return err
	}
	defer stop()
	time.Sleep(3 * time.Second) // a fleet finds out who evaluates

	began := time.Now()
	var bursts sync.WaitGroup
	for _, b := range all {
		time.Sleep(time.Until(began.Add(b.at)))
		bursts.Go(func() { b.burst(fleet, o.tick()) })
	}
	bursts.Wait()
	time.Sleep(patience)
	for _, b := range all {
		b.told = box.of(b.metric)
	}
	return report(o, all)
}

func (o options) tick() time.Duration {
	if o.redis {
		return redisstore.DefaultTick
	}
	return 200 * time.Millisecond
}

// burst counts up to the threshold.
func (b *breach) burst(fleet []*hawkeye.Hawkeye, tick time.Duration) {
	count := func(n int) {
		for range n {
			fleet[rand.N(len(fleet))].Incr(b.metric)
		}
	}
	half := threshold / 2
	switch b.kind {
	case control:
		count(threshold - 1)
		return
	case 0:
		count(threshold)
	case 1:
		boundary := time.Now().Truncate(tick).Add(tick)
		time.Sleep(time.Until(boundary.Add(-2 * time.Millisecond)))
		count(half)
		time.Sleep(time.Until(boundary.Add(2 * time.Millisecond)))
		count(threshold - half)
	case 2:
		count(half)
		time.Sleep(window - 2*time.Second)
		count(threshold - half)
	}
	b.done = time.Now()
}

// start runs the instances.
func start(o options, box *mailbox, all []*breach) (fleet []*hawkeye.Hawkeye, stop func(), err error) {
	dir, err := os.MkdirTemp("", "latency")
	if err != nil {
		return nil, nil, err
	}
	stops := []func(){func() { os.RemoveAll(dir) }}
	stop = func() {
		for _, f := range slices.Backward(stops) {
			f()
		}
	}
	file, err := monitors(dir, all)
	if err != nil {
		return nil, stop, err
	}
	addr := ""
	if o.redis {
		server, err := redisserver.Start(dir)
		if err != nil {
			return nil, stop, err
		}
		stops = append(stops, server.Stop)
		addr = server.Addr
	}
	for range max(o.replicas, 1) {
		opts := []hawkeye.Option{
			hawkeye.WithService("latency", "benchmark"), hawkeye.WithConfigFile(file), hawkeye.WithMailer(box),
			hawkeye.WithoutSocket(), hawkeye.WithLogger(slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelWarn}))),
		}
		if o.redis {
			client := redis.NewClient(&redis.Options{Addr: addr})
			stops = append(stops, func() { client.Close() })
			opts = append(opts, hawkeye.WithStore(redisstore.New(client)))
		}
		h, err := hawkeye.New(opts...)
		if err != nil {
			return nil, stop, err
		}
		if err := h.Start(context.Background()); err != nil {
			return nil, stop, err
		}
		stops = append(stops, func() {
			ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
			defer cancel()
			if err := h.Shutdown(ctx); err != nil {
				log.Print(err)
			}
		})
		fleet = append(fleet, h)
	}
	return fleet, stop, nil
}

// monitors writes a version-1 file with a monitor for each breach.
func monitors(dir string, all []*breach) (file string, err error) {
	var text strings.Builder
	text.WriteString("version: 1\nmonitors:\n")
	for _, b := range all {
		fmt.Fprintf(&text, "  - {metric: %s, type: c, interval: %d, notifier: email, subject: %s, triggers: [{threshold: %d, run_every: 60, text: x, to: [oncall@example.com]}]}\n",
			b.metric, int(window.Seconds()), b.metric, threshold)
	}
	file = filepath.Join(dir, "monitors.yaml")
	return file, os.WriteFile(file, []byte(text.String()), 0o600)
}

// mailbox notes when each mail was handed over.
type mailbox struct {
	mu   sync.Mutex // guards told
	told map[string][]time.Time
}

// Send implements [hawkeye.MailingService].
func (m *mailbox) Send(_ context.Context, mail hawkeye.MailerConfig) error {
	now := time.Now()
	m.mu.Lock()
	defer m.mu.Unlock()
	m.told[mail.Subject] = append(m.told[mail.Subject], now)
	return nil
}

func (m *mailbox) of(subject string) []time.Time {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.told[subject]
}

func report(o options, all []*breach) error {
	store := "Memory"
	if o.redis {
		store = "Redis"
	}
	fmt.Printf("%s, %d instance(s), defaults:\n\n", store, max(o.replicas, 1))
	fmt.Println("| breaches | n | median | p99 | max | missed | told again |")
	fmt.Println("|---|---:|---:|---:|---:|---:|---:|")
	row("all", all)
	for kind, name := range kinds[:control] {
		row(name, slices.DeleteFunc(slices.Clone(all), func(b *breach) bool { return b.kind != kind }))
	}
	untold, falsely := 0, 0
	for _, b := range all {
		switch {
		case b.kind != control && len(b.told) == 0:
			untold++
		case b.kind == control && len(b.told) > 0:
			falsely++
		}
	}
	fmt.Printf("\n%d controls one below the threshold: %d told.\n", len(all)-o.breaches, falsely)
	if untold > 0 || falsely > 0 {
		return errors.New("not every breach was told, or what was none")
	}
	return nil
}

func row(name string, of []*breach) {
	var took []time.Duration
	missed, again, n := 0, 0, 0
	for _, b := range of {
		switch {
		case b.kind == control:
			continue
		case len(b.told) == 0:
			missed++
		default:
			took = append(took, b.told[0].Sub(b.done))
			again += len(b.told) - 1
		}
		n++
	}
	slices.Sort(took)
	at := func(q float64) string {
		if len(took) == 0 {
			return "-"
		}
		return fmt.Sprintf("%.3f s", took[min(int(q*float64(len(took))), len(took)-1)].Seconds())
	}
	fmt.Printf("| %s | %d | %s | %s | %s | %d | %d |\n", name, n, at(0.5), at(0.99), at(1), missed, again)
}
