//go:build unix

package redisstore_test

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"
	"github.com/redis/go-redis/v9"

	"github.com/go-batteries/hawkeye"
	"github.com/go-batteries/hawkeye/store"
	"github.com/go-batteries/hawkeye/store/redisstore"
	"github.com/go-batteries/hawkeye/store/redisstore/redistest"
)

// replicaTick is how wide a replica's ticks are: short, so that much happens
// in a short test.
const replicaTick = 100 * time.Millisecond

// replicaFile fires as long as a replica's traffic goes on.
const replicaFile = `version: 2
receivers:
  ops: {email: {to: [ops@example.com]}, group: {interval: 1s}}
monitors:
  - name: errors
    metric: errors
    window: 2s
    triggers:
      - {level: critical, threshold: 10, notify: [ops]}
`

const (
	replicaFired = "ops@example.com: [critical] errors in shop (test)"
	replicaEnded = "ops@example.com: [ended] errors in shop (test)"
)

// replica is a hawkeye handle over a real server, under traffic that keeps an
// alert firing.
type replica struct {
	*hawkeye.Hawkeye
	t     *testing.T
	store *watched
	stop  func() // ends the traffic

	counted atomic.Int64 // of the metric errors

	mu    sync.Mutex // guards mails
	mails []string
}

// startReplica returns a replica that has told of its first breach.
func startReplica(t *testing.T, client redis.UniversalClient) *replica {
	t.Helper()
	r := &replica{t: t, store: &watched{
		Store: redisstore.New(client, redisstore.WithTick(replicaTick), redisstore.WithLogger(quiet)),
		data:  map[string][]byte{},
	}}
	h, err := hawkeye.New(
		hawkeye.WithService("shop", "test"), hawkeye.WithConfig("monitors.yaml", []byte(replicaFile)),
		hawkeye.WithStore(r.store), hawkeye.WithMailer(hawkeye.MailerFunc(r.send)),
		hawkeye.WithLogger(slog.New(slog.DiscardHandler)), hawkeye.WithoutSocket(),
	)
	if err != nil {
		t.Fatalf("New() = %v", err)
	}
	r.Hawkeye = h
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
	r.traffic()
	until(t, "the first breach to be told", func() bool { return len(r.told()) == 1 && h.Health().OK })
	return r
}

func (r *replica) send(_ context.Context, m hawkeye.MailerConfig) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.mails = append(r.mails, strings.Join(m.Recipients, ",")+": "+m.Subject)
	return nil
}

func (r *replica) told() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.mails)
}

// traffic counts an error each millisecond until stop, or the end of the test.
func (r *replica) traffic() {
	stopped, done := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(done)
		for {
			select {
			case <-stopped:
				return
			case <-time.After(time.Millisecond):
				r.count(1)
			}
		}
	}()
	r.stop = sync.OnceFunc(func() { close(stopped); <-done })
	r.t.Cleanup(r.stop)
}

func (r *replica) count(n int) {
	for range n {
		r.Incr("errors")
	}
	r.counted.Add(int64(n))
}

// problem says whether Health has a problem with text in it.
func (r *replica) problem(text string) bool {
	return slices.ContainsFunc(r.Health().Problems, func(p string) bool { return strings.Contains(p, text) })
}

// firing checks that the alert is known to fire.
func (r *replica) firing(when string) {
	r.t.Helper()
	alerts := r.Alerts()
	if len(alerts) != 1 || alerts[0].State != "firing" {
		r.t.Errorf("alerts %s = %+v, want one that fires", when, alerts)
	}
}

// recovers waits until everything goes on by itself when a fault is over.
func (r *replica) recovers() {
	r.t.Helper()
	until(r.t, "the replica to be healthy again", func() bool { return r.Health().OK })
	r.firing("when the fault is over")
	r.store.forget()
}

// ends ends the traffic, and checks that all that was counted is there, once,
// and that its one breach was told of once, and its end.
func (r *replica) ends() {
	t := r.t
	t.Helper()
	r.stop()
	until(t, "all that was counted to be there", r.complete)
	until(t, "the end to be told", func() bool { return len(r.told()) > 1 })
	if diff := gocmp.Diff([]string{replicaFired, replicaEnded}, r.told()); diff != "" {
		t.Errorf("mails (-want +got):\n%s", diff)
	}
	s := r.Stats()
	if len(s.Restarts) > 0 || s.DroppedTicks > 0 {
		t.Errorf("Stats() = %+v, want nothing restarted or dropped", s)
	}
	r.store.check(t)
	t.Logf("%d counted, all once; %d flushes failed, %d buckets published again", r.counted.Load(), s.FailedFlushes, s.Republished)
}

// away waits until a fault is noticed: publications fail, Health says why, and
// ticks are closed all the same, and kept.
func (r *replica) away(why string) {
	r.t.Helper()
	r.store.failed(r.t, why)
	until(r.t, "Health to say so", func() bool { return r.problem(why) })
	until(r.t, "ten ticks to be closed and kept", func() bool { return r.Stats().Backlog >= 10 })
	r.firing("while the store is away")
}

// complete says whether what is stored is all that was counted. It may be
// that some is still to be published again, but then the answer says so.
func (r *replica) complete() bool {
	ctx, cancel := context.WithTimeout(r.t.Context(), 10*time.Second)
	defer cancel()
	got, err := r.Query(ctx, "errors", 4*time.Minute)
	counted := float64(r.counted.Load())
	if err != nil || got.Value > counted || got.Complete && got.Value != counted {
		r.t.Errorf("Query() = %+v, %v, want the %v that were counted, or that it is incomplete", got, err, counted)
	}
	return err == nil && got.Complete
}

// watched is a Store that takes note of what is published.
type watched struct {
	*redisstore.Store

	under, most atomic.Int64 // publications under way
	stored      atomic.Int64 // those that succeeded
	restored    atomic.Int64 // how often a ledger was offered

	mu     sync.Mutex        // guards what follows
	data   map[string][]byte // by writer and tick
	edited int               // buckets that came with other data than before
	errors []string
}

// Publish implements [store.Samples].
func (w *watched) Publish(ctx context.Context, p store.Publication) (store.PublishReply, error) {
	if n := w.under.Add(1); n > w.most.Load() {
		w.most.Store(n)
	}
	defer w.under.Add(-1)
	w.mu.Lock()
	for _, b := range p.Buckets {
		key := fmt.Sprint(b.Writer, b.Tier, b.Tick)
		if before, ok := w.data[key]; ok && !bytes.Equal(before, b.Data) {
			w.edited++
		}
		w.data[key] = bytes.Clone(b.Data)
	}
	w.mu.Unlock()
	reply, err := w.Store.Publish(ctx, p)
	if err == nil {
		w.stored.Add(1)
		return reply, nil
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.errors = append(w.errors, err.Error())
	return reply, err
}

// Restore implements [store.Ledger].
func (w *watched) Restore(ctx context.Context, o store.Offer) error {
	w.restored.Add(1)
	return w.Store.Restore(ctx, o)
}

// failed waits for a publication that ends with an error that has text in it.
func (w *watched) failed(t *testing.T, text string) {
	t.Helper()
	until(t, "a publication to fail with "+text, func() bool {
		w.mu.Lock()
		defer w.mu.Unlock()
		return slices.ContainsFunc(w.errors, func(e string) bool { return strings.Contains(e, text) })
	})
}

// forget forgets the errors so far.
func (w *watched) forget() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.errors = nil
}

// check says what no fault is an excuse for.
func (w *watched) check(t *testing.T) {
	t.Helper()
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.edited > 0 {
		t.Errorf("%d buckets were published with other data than before, want none: a tick is closed once", w.edited)
	}
	if most := w.most.Load(); most != 1 {
		t.Errorf("%d publications were under way at a time, want one", most)
	}
}

// latencies are how long calls took.
type latencies []time.Duration

// measure times calls of f.
func measure(n int, f func()) latencies {
	l := make(latencies, n)
	for i := range l {
		began := time.Now()
		f()
		l[i] = time.Since(began)
	}
	slices.SortFunc(l, cmp.Compare[time.Duration])
	return l
}

func (l latencies) p99() time.Duration { return l[len(l)*99/100] }
func (l latencies) String() string {
	return fmt.Sprintf("p99 %v, max %v", l.p99(), l[len(l)-1])
}

// requests makes calls of each way to count within a request.
func (r *replica) requests() map[string]latencies {
	handler := r.Middleware(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	request, answer := httptest.NewRequest(http.MethodGet, "/", nil), httptest.NewRecorder()
	counter := r.Counter("errors")
	return map[string]latencies{
		"Incr":       measure(100_000, func() { r.count(1) }),
		"Inc":        measure(100_000, func() { counter.Inc(); r.counted.Add(1) }),
		"Middleware": measure(20_000, func() { handler.ServeHTTP(answer, request) }),
	}
}

// answersNothing makes the calls of requests while the server answers
// nothing. None waits for it: if one did, this would not return.
func (r *replica) answersNothing(before map[string]latencies) {
	t := r.t
	t.Helper()
	stored := r.store.stored.Load()
	during := r.requests()
	if got := r.store.stored.Load(); got != stored {
		t.Errorf("%d publications succeeded meanwhile, want a server that answers nothing", got-stored)
	}
	r.comparable(during, before)
}

// comparable says what calls cost during a fault, and before it.
func (r *replica) comparable(during, before map[string]latencies) {
	r.t.Helper()
	for name, l := range during {
		r.t.Logf("%s: %v; before: %v", name, l, before[name])
		if l.p99() > maxP99 {
			r.t.Errorf("%s has a p99 of %v while the store is away, want at most %v", name, l.p99(), maxP99)
		}
	}
}

// maxP99 is far above what a busy machine does to one call in a hundred of
// less than a microsecond each, and far below any wait for a server.
const maxP99 = 10 * time.Millisecond

// serverAndReplica starts both.
func serverAndReplica(t *testing.T, c redistest.Config) (*redistest.Server, *replica) {
	t.Helper()
	server := redistest.Start(t, c)
	return server, startReplica(t, server.Client())
}
