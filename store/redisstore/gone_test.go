//go:build unix

package redisstore_test

import (
	"context"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/go-batteries/hawkeye"
	"github.com/go-batteries/hawkeye/store"
	"github.com/go-batteries/hawkeye/store/redisstore"
	"github.com/go-batteries/hawkeye/store/redisstore/redistest"
)

// member is a process of a fleet, which tells where the others do.
type member struct {
	*hawkeye.Hawkeye
	t *testing.T
}

// team is a fleet on a real server.
type team struct {
	t      *testing.T
	client *redis.Client

	mu    sync.Mutex // guards mails
	mails []string
}

// join starts a process whose alert fires at 50 errors within a minute.
func (f *team) join() *member {
	f.t.Helper()
	h, err := hawkeye.New(
		hawkeye.WithService("shop", "test"), hawkeye.WithConfig("monitors.yaml", []byte(strings.NewReplacer(
			"window: 2s", "window: 60s", "threshold: 10", "threshold: 50").Replace(replicaFile))),
		hawkeye.WithStore(redisstore.New(f.client, redisstore.WithTick(replicaTick), redisstore.WithLogger(quiet))),
		hawkeye.WithMailer(hawkeye.MailerFunc(f.send)), hawkeye.WithLogger(slog.New(slog.DiscardHandler)), hawkeye.WithoutSocket(),
	)
	if err != nil {
		f.t.Fatalf("New() = %v", err)
	}
	if err := h.Start(f.t.Context()); err != nil {
		f.t.Fatalf("Start() = %v", err)
	}
	m := &member{h, f.t}
	f.t.Cleanup(m.leave)
	return m
}

func (m *member) leave() {
	m.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	if err := m.Shutdown(ctx); err != nil {
		m.t.Errorf("Shutdown() = %v", err)
	}
}

func (f *team) send(_ context.Context, m hawkeye.MailerConfig) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.mails = append(f.mails, m.Subject)
	return nil
}

func (f *team) told() string {
	f.mu.Lock()
	defer f.mu.Unlock()
	return strings.Join(f.mails, ", ")
}

// has says whether a process finds what was counted. That it does is no
// mistake while it says that something is missing.
func (m *member) has(want float64) bool {
	ctx, cancel := context.WithTimeout(m.t.Context(), 10*time.Second)
	defer cancel()
	got, err := m.Query(ctx, "errors", time.Minute)
	if err != nil || got.Complete && got.Value != want || got.Value > want {
		m.t.Errorf("Query() = %+v, %v, want %v, or that it is incomplete", got, err, want)
	}
	return err == nil && got.Complete
}

// What a process published that has ended is lost, all of it or a part: it is
// published again by the evaluator, with its names, and the next one tells no
// end that hasn't come.
func TestLossesOfWhoHasEnded(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name string
		lose func(*redis.Client) error
	}{
		{"everything", func(c *redis.Client) error { return c.FlushAll(context.Background()).Err() }},
		{"the buckets", func(c *redis.Client) error {
			keys, err := c.Keys(context.Background(), "hawkeye:b:*").Result()
			if err != nil {
				return err
			}
			return c.Del(context.Background(), keys...).Err()
		}},
		{"the names", func(c *redis.Client) error { return c.Del(context.Background(), namesKey).Err() }},
		{"the names, and until when they are needed", func(c *redis.Client) error { return c.Del(context.Background(), namesKey, untilKey).Err() }},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			f := &team{t: t, client: redistest.Start(t, redistest.Config{}).Client()}
			stays, ends := f.join(), f.join()
			ends.Count("errors", 100, hawkeye.T("of", "who ends"))
			until(t, "the breach to be told", func() bool { return f.told() != "" })
			ends.leave()
			until(t, "all to be there", func() bool { return stays.has(100) })
			pause(t.Context(), 12*replicaTick)
			if err := c.lose(f.client); err != nil {
				t.Fatal(err)
			}
			until(t, "all to be there again", func() bool { return stays.has(100) })
			next := f.join()
			pause(t.Context(), 10*replicaTick)
			stays.leave()
			until(t, "the next one to evaluate", func() bool { return next.Health().Evaluates })
			until(t, "all to be there for the next one", func() bool { return next.has(100) })
			pause(t.Context(), 10*replicaTick)
			if got, want := f.told(), "[critical] errors in shop (test)"; got != want {
				t.Errorf("told %q, want %q", got, want)
			}
		})
	}
}

// The set of names is another one when its key was lost, also where somebody
// else has made it anew meanwhile.
func TestSetOfNames(t *testing.T) {
	t.Parallel()
	client := redistest.Start(t, redistest.Config{}).Client()
	ours, theirs := redisstore.New(client), redisstore.New(client)
	one := store.Publication{Names: []store.Name{{ID: 1, Text: "one"}}}
	if got := mustPublish(t, ours, store.Publication{}).Names; !got.IsZero() {
		t.Errorf("without names the set is %v, want none", got)
	}
	first := mustPublish(t, ours, one).Names
	if again := mustPublish(t, theirs, one).Names; first.IsZero() || again != first {
		t.Errorf("the sets are %v and %v, want one", first, again)
	}
	client.Del(t.Context(), namesKey)
	pause(t.Context(), 1100*time.Millisecond) // it is asked for once a second
	if got := mustPublish(t, ours, store.Publication{}).Names; !got.IsZero() {
		t.Errorf("after the loss the set is %v, want none", got)
	}
	second := mustPublish(t, theirs, one).Names
	pause(t.Context(), 1100*time.Millisecond)
	if got := mustPublish(t, ours, store.Publication{}).Names; got != second || second == first {
		t.Errorf("the set is %v, made by another one %v, after %v", got, second, first)
	}
}
