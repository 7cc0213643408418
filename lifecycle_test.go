package hawkeye_test

import (
	"context"
	"errors"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/go-batteries/hawkeye"
	"github.com/go-batteries/hawkeye/store"
	"github.com/go-batteries/hawkeye/store/memstore"
)

// moody is a Store that can be told to hang until ctx ends, or to panic.
type moody struct {
	store.Store
	hangs, panics atomic.Bool
	exits, stuck  atomic.Bool // ends the goroutine; hangs for 20 s whatever ctx says
	commits       atomic.Bool // only Commit
	panicked      atomic.Int64
}

func (m *moody) mood(ctx context.Context, commit bool) error {
	switch {
	case m.commits.Load() && !commit:
	case m.exits.Load():
		runtime.Goexit()
	case m.stuck.Load():
		time.Sleep(20 * time.Second)
	case m.panics.Load():
		m.panicked.Add(1)
		panic("the driver has a mistake")
	case m.hangs.Load():
		<-ctx.Done()
		return ctx.Err()
	}
	return nil
}

func (m *moody) Now(ctx context.Context) (time.Time, error) {
	if err := m.mood(ctx, false); err != nil {
		return time.Time{}, err
	}
	return m.Store.Now(ctx)
}

func (m *moody) Publish(ctx context.Context, p store.Publication) (store.PublishReply, error) {
	if err := m.mood(ctx, false); err != nil {
		return store.PublishReply{}, err
	}
	return m.Store.Publish(ctx, p)
}

func (m *moody) Read(ctx context.Context, q []store.TickQuery) ([]store.TickBuckets, error) {
	if err := m.mood(ctx, false); err != nil {
		return nil, err
	}
	return m.Store.Read(ctx, q)
}

func (m *moody) Changes(ctx context.Context, after store.Cursor) (store.Changes, error) {
	if err := m.mood(ctx, false); err != nil {
		return store.Changes{}, err
	}
	return m.Store.Changes(ctx, after)
}

func (m *moody) Commit(ctx context.Context, c store.Commit) (store.Cursor, error) {
	if err := m.mood(ctx, true); err != nil {
		return store.Cursor{}, err
	}
	return m.Store.Commit(ctx, c)
}

// Sync makes it a Store that is written down after each decision.
func (m *moody) Sync(ctx context.Context) error { return m.mood(ctx, false) }

func newHandle(t *testing.T, opts ...hawkeye.Option) *hawkeye.Hawkeye {
	t.Helper()
	h, err := hawkeye.New(append([]hawkeye.Option{hawkeye.WithLogger(quiet())}, opts...)...)
	if err != nil {
		t.Fatalf("New() = %v, want nil", err)
	}
	return h
}

// socketDir is a directory whose name leaves room for a socket's.
func socketDir(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "hk")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	return dir
}

func inTime(d time.Duration) (context.Context, context.CancelFunc) {
	return context.WithTimeout(context.Background(), d)
}

func TestConcurrentStartAndShutdown(t *testing.T) {
	t.Parallel()
	for range 20 {
		synctest.Test(t, func(t *testing.T) {
			h := newHandle(t, hawkeye.WithoutSocket(), hawkeye.WithMailer(&mailbox{}))
			var wg sync.WaitGroup
			var starts atomic.Int64
			for range 4 {
				wg.Go(func() {
					switch err := h.Start(t.Context()); {
					case err == nil:
						starts.Add(1)
					case !errors.Is(err, hawkeye.ErrStarted) && !errors.Is(err, hawkeye.ErrShutdown):
						t.Errorf("Start() = %v, want nil, ErrStarted or ErrShutdown", err)
					}
				})
				wg.Go(func() {
					h.Incr("a")
					h.Stats()
					h.Health()
					h.Alerts()
				})
				wg.Go(func() { stop(t, h) })
			}
			wg.Wait()
			if got := starts.Load(); got > 1 {
				t.Errorf("%d of 4 concurrent Starts succeeded, want at most 1", got)
			}
		})
	}
}

func TestStartTwice(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		h := start(t, twoSLAs, &mailbox{})
		defer stop(t, h)
		if err := h.Start(t.Context()); !errors.Is(err, hawkeye.ErrStarted) {
			t.Errorf("second Start() = %v, want %v", err, hawkeye.ErrStarted)
		}
	})
}

func TestShutdownTwice(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		h := start(t, twoSLAs, &mailbox{})
		stop(t, h)
		began := time.Now()
		stop(t, h)
		if took := time.Since(began); took != 0 {
			t.Errorf("second Shutdown took %v, want no time", took)
		}
	})
}

func TestShutdownBeforeStart(t *testing.T) {
	t.Parallel()
	h := newHandle(t, hawkeye.WithoutSocket())
	h.Incr("a")
	stop(t, h)
	if err := h.Start(t.Context()); !errors.Is(err, hawkeye.ErrShutdown) {
		t.Errorf("Start() after Shutdown = %v, want %v", err, hawkeye.ErrShutdown)
	}
}

// slow is a MailingService that takes its time.
func slow(box *mailbox, d time.Duration) hawkeye.MailingService {
	return hawkeye.MailerFunc(func(ctx context.Context, cfg hawkeye.MailerConfig) error {
		select {
		case <-time.After(d):
			return box.Send(ctx, cfg)
		case <-ctx.Done():
			return ctx.Err()
		}
	})
}

func TestShutdownHonoursEachCallersContext(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		box := &mailbox{}
		h := start(t, twoSLAs, slow(box, 5*time.Second))
		count(h, "http.response.400", 4)
		after(time.Second)
		var wg sync.WaitGroup
		for _, caller := range []struct{ has, want time.Duration }{
			{time.Minute, 4500 * time.Millisecond}, {2 * time.Second, 2 * time.Second}, {time.Second, time.Second}, {0, 0},
		} {
			wg.Go(func() {
				ctx, cancel := inTime(caller.has)
				defer cancel()
				began := time.Now()
				err := h.Shutdown(ctx)
				if took := time.Since(began); took > caller.want || errors.Is(err, context.DeadlineExceeded) != (caller.has < time.Minute) {
					t.Errorf("Shutdown(%v) = %v after %v, want at most %v, and an error only if that is its own time", caller.has, err, took, caller.want)
				}
			})
			synctest.Wait() // somebody with time left must be there when one with none leaves
		}
		wg.Wait()
		want(t, "though the first callers had gone", box.lines(), firstDegree)
	})
}

// What waits for its group's time has nobody to wait for any more.
func TestShutdownTellsWhatWaitsForItsGroup(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		box := &mailbox{}
		h := start(t, `version: 2
receivers: {team: {group: {interval: 10m}, email: {to: [team@example.com]}}}
monitors:
  - {name: orders, metric: orders, window: 2s, notify: [team], triggers: [{threshold: 5}]}
`, box)
		count(h, "orders", 5)
		after(10 * time.Second)
		want(t, "of the beginning", box.lines(), "team@example.com: [critical] orders in shop (test)")
		began := time.Now()
		stop(t, h)
		want(t, "of the end, at the shutdown", box.lines(), "team@example.com: [ended] orders in shop (test)")
		if took := time.Since(began); took > time.Second {
			t.Errorf("Shutdown took %v, want less than a second", took)
		}
	})
}

func TestShutdownKeepsTimeToWriteDown(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		path := filepath.Join(t.TempDir(), "state")
		box := &mailbox{}
		h := start(t, twoSLAs, slow(box, time.Minute), hawkeye.WithStore(newMemory(t, memstore.WithStateFile(path))))
		count(h, "http.response.400", 4)
		after(time.Second)
		ctx, cancel := inTime(3 * time.Second)
		defer cancel()
		if err := h.Shutdown(ctx); !errors.Is(err, context.DeadlineExceeded) || ctx.Err() != nil {
			t.Errorf("Shutdown() = %v with %v of ctx, want the mail that wasn't sent, before ctx ends", err, ctx.Err())
		}
		h = start(t, twoSLAs, box, hawkeye.WithStore(newMemory(t, memstore.WithStateFile(path))))
		defer stop(t, h)
		after(10 * time.Second)
		want(t, "by the next process", box.lines(), firstDegree)
	})
}

// A Shutdown with more time than WithShutdownTimeout uses it.
func TestShutdownWithALongContext(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		box := &mailbox{}
		h := start(t, twoSLAs, slow(box, 20*time.Second), hawkeye.WithShutdownTimeout(time.Second))
		count(h, "http.response.400", 4)
		after(time.Second)
		ctx, cancel := inTime(time.Minute)
		defer cancel()
		if err := h.Shutdown(ctx); err != nil {
			t.Errorf("Shutdown() = %v, want nil", err)
		}
		want(t, "by the Shutdown", box.lines(), firstDegree)
	})
}

func TestTwoInstances(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		boxes := [2]mailbox{}
		a, b := start(t, twoSLAs, &boxes[0]), start(t, twoSLAs, &boxes[1])
		count(a, "http.response.400", 4)
		count(b, "http.response.400", 2)
		after(time.Second)
		want(t, "of the first", boxes[0].lines(), firstDegree)
		want(t, "of the second", boxes[1].lines())
		stop(t, a)
		count(b, "http.response.400", 2)
		after(time.Second)
		want(t, "of the second, the first being shut down", boxes[1].lines(), firstDegree)
		stop(t, b)
	})
}

func TestPartialBindIsCleanedUp(t *testing.T) {
	t.Parallel()
	dir := socketDir(t)
	stream, datagram := filepath.Join(dir, "s"), filepath.Join(dir, "d")
	if err := os.WriteFile(datagram, []byte("precious"), 0o600); err != nil {
		t.Fatal(err)
	}
	h := newHandle(t, hawkeye.WithSocket(stream), hawkeye.WithDatagramSocket(datagram))
	if err := h.Start(t.Context()); err == nil || !strings.Contains(err.Error(), datagram) {
		t.Errorf("Start() = %v, want an error that names %s", err, datagram)
	}
	if _, err := os.Lstat(stream); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the stream socket is still there: %v", err)
	}
	if data, err := os.ReadFile(datagram); string(data) != "precious" {
		t.Errorf("the file at the datagram socket's path = %q, %v, want it untouched", data, err)
	}
	if hh := h.Health(); hh.OK {
		t.Error("Health() = OK of a handle that didn't start")
	}
}

func TestStartAfterFailedStart(t *testing.T) {
	t.Parallel()
	t.Run("socket", func(t *testing.T) {
		t.Parallel()
		path := filepath.Join(socketDir(t), "s")
		if err := os.WriteFile(path, nil, 0o600); err != nil {
			t.Fatal(err)
		}
		h := newHandle(t, hawkeye.WithSocket(path), hawkeye.WithMailer(&mailbox{}))
		if err := h.Start(t.Context()); err == nil {
			t.Fatal("Start() = nil on a path that is a file, want an error")
		}
		if err := os.Remove(path); err != nil {
			t.Fatal(err)
		}
		if err := h.Start(t.Context()); err != nil {
			t.Fatalf("Start() = %v once the path is free, want nil", err)
		}
		nc, err := net.Dial("unix", path)
		if err != nil {
			t.Fatalf("dial: %v", err)
		}
		nc.Close()
		stop(t, h)
	})
	t.Run("store", func(t *testing.T) {
		t.Parallel()
		synctest.Test(t, func(t *testing.T) {
			s := &moody{Store: newMemory(t)}
			s.hangs.Store(true)
			box := &mailbox{}
			h := newHandle(t, hawkeye.WithoutSocket(), hawkeye.WithStore(s), hawkeye.WithRequireStore(), hawkeye.WithMailer(box),
				hawkeye.WithConfigFile(writeConfig(t, twoSLAs)))
			if err := h.Start(t.Context()); !errors.Is(err, hawkeye.ErrStoreUnavailable) {
				t.Fatalf("Start() = %v, want %v", err, hawkeye.ErrStoreUnavailable)
			}
			count(h, "http.response.400", 2)
			s.hangs.Store(false)
			if err := h.Start(t.Context()); err != nil {
				t.Fatalf("Start() = %v once the store is there, want nil", err)
			}
			defer stop(t, h)
			count(h, "http.response.400", 1)
			after(2 * time.Second)
			want(t, "of what was counted before and after the failed start", box.lines(), firstDegree)
		})
	})
}

func TestUseAfterShutdown(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		h := start(t, twoSLAs, &mailbox{})
		c := h.Counter("orders")
		c.Inc()
		stop(t, h)
		c.Inc()
		h.Incr("orders")
		h.Observe("size", 1)
		if err := h.Start(t.Context()); !errors.Is(err, hawkeye.ErrShutdown) {
			t.Errorf("Start() = %v, want %v", err, hawkeye.ErrShutdown)
		}
		if err := h.Run(t.Context()); !errors.Is(err, hawkeye.ErrShutdown) {
			t.Errorf("Run() = %v, want %v", err, hawkeye.ErrShutdown)
		}
		if got := h.Stats().AfterShutdown; got != 3 {
			t.Errorf("AfterShutdown = %d, want 3", got)
		}
		if r, err := h.Query(t.Context(), "orders", time.Minute); err != nil || r.Value != 1 {
			t.Errorf("Query() = %+v, %v, want the 1 of before", r, err)
		}
		if hh := h.Health(); hh.OK || !slices.Contains(hh.Problems, "not running") {
			t.Errorf("Health() = %+v, want not running", hh)
		}
		if got := len(h.Alerts()); got != 2 {
			t.Errorf("%d alerts, want 2", got)
		}
	})
}

func TestNilHandle(t *testing.T) {
	t.Parallel()
	var h *hawkeye.Hawkeye
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	for name, err := range map[string]error{"Start": h.Start(ctx), "Shutdown": h.Shutdown(ctx), "Run": h.Run(ctx)} {
		if err != nil {
			t.Errorf("%s() = %v, want nil", name, err)
		}
	}
	_, silenced := h.Silence(ctx, hawkeye.Silence{Matchers: []string{`monitor="a"`}, Author: "a", End: time.Now().Add(time.Hour)})
	_, edited := h.EditSilence(ctx, "id", hawkeye.Silence{})
	for name, err := range map[string]error{
		"Silence": silenced, "EditSilence": edited, "ExpireSilence": h.ExpireSilence(ctx, "id"),
		"Ack": h.Ack(ctx, "a", hawkeye.AckOptions{Author: "a"}), "Reload": h.Reload(ctx),
	} {
		if !errors.Is(err, hawkeye.ErrNilHandle) {
			t.Errorf("%s() = %v, want %v: it did nothing", name, err, hawkeye.ErrNilHandle)
		}
	}
	h.Incr("a")
	h.Decr("a")
	h.Count("a", 2)
	h.SetGauge("a", 2)
	h.Timing("a", time.Second)
	h.Observe("a", 2)
	h.Counter("a").Inc()
	h.Counter("a").Add(2)
	h.Counter("a").AddFloat(2)
	h.Gauge("a").Set(2)
	h.Gauge("a").Add(2)
	h.Histogram("a").Observe(2)
	h.Histogram("a").Timing(time.Second)
	if r, err := h.Query(ctx, "a", time.Minute); err != nil || r.Value != 0 || r.Kind != "" {
		t.Errorf("Query() = %+v, %v, want nothing", r, err)
	}
	if diff := cmp.Diff(hawkeye.Stats{}, h.Stats()); diff != "" {
		t.Errorf("Stats() (-want +got):\n%s", diff)
	}
	if hh := h.Health(); !hh.OK {
		t.Errorf("Health() = %+v, want OK", hh)
	}
	if got := h.Alerts(); got != nil {
		t.Errorf("Alerts() = %v, want none", got)
	}
	served := h.Middleware(h.TrackRoute(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusTeapot) })))
	rec := httptest.NewRecorder()
	served.ServeHTTP(rec, httptest.NewRequest(http.MethodGet, "/", nil))
	if rec.Code != http.StatusTeapot {
		t.Errorf("status through the middleware of a nil handle = %d, want %d", rec.Code, http.StatusTeapot)
	}
}

func TestRunEndsWithItsContext(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		box := &mailbox{}
		h := newHandle(t, hawkeye.WithoutSocket(), hawkeye.WithMailer(box), hawkeye.WithConfigFile(writeConfig(t, twoSLAs)))
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error, 1)
		go func() { ended <- h.Run(ctx) }()
		after(time.Second)
		count(h, "http.response.400", 4)
		cancel()
		if err := <-ended; err != nil {
			t.Errorf("Run() = %v, want nil", err)
		}
		want(t, "by the Shutdown of Run", box.lines(), firstDegree)
	})
}

func TestRunEndsWithAShutdown(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		h := newHandle(t, hawkeye.WithoutSocket())
		ended := make(chan error, 1)
		go func() { ended <- h.Run(t.Context()) }()
		after(time.Second)
		stop(t, h)
		if err := <-ended; err != nil {
			t.Errorf("Run() = %v, want nil", err)
		}
	})
}

func TestSocketInUse(t *testing.T) {
	t.Parallel()
	path := filepath.Join(socketDir(t), "s")
	first := newHandle(t, hawkeye.WithSocket(path))
	if err := first.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	second := newHandle(t, hawkeye.WithSocket(path))
	if err := second.Start(t.Context()); !errors.Is(err, hawkeye.ErrSocketInUse) || strings.Count(err.Error(), "hawkeye: ") != 1 {
		t.Errorf("Start() on a path in use = %v, want %v with one prefix", err, hawkeye.ErrSocketInUse)
	}
	stop(t, first)
	if err := second.Start(t.Context()); err != nil {
		t.Errorf("Start() once the path is free = %v, want nil", err)
	}
	stop(t, second)
}

func TestDefaultSocketInUse(t *testing.T) { // not parallel: it sets the environment
	t.Setenv("RUNTIME_DIRECTORY", socketDir(t))
	service := hawkeye.WithService("twice", "test")
	first, second := newHandle(t, service), newHandle(t, service)
	for _, h := range []*hawkeye.Hawkeye{first, second} {
		if err := h.Start(t.Context()); err != nil {
			t.Fatalf("Start() = %v, want nil: the default path only warns", err)
		}
	}
	defer stop(t, second)
	if got := problemsOf(second, "socket_gone"); len(got) != 1 || got[0].Subject != hawkeye.DefaultSocketPath("twice") {
		t.Errorf("Health() = %+v, want word of the socket", second.Health())
	}
	stop(t, first)
	wait, cancel := inTime(30 * time.Second)
	defer cancel()
	for second.Stats().Lines == 0 { // bound within seconds
		if nc, err := net.Dial("unix", hawkeye.DefaultSocketPath("twice")); err == nil {
			_, _ = nc.Write([]byte("orders:1|c\n"))
			nc.Close()
		}
		if wait.Err() != nil {
			t.Fatal("the default socket isn't bound though it is free")
		}
		runtime.Gosched()
	}
	if got := problemsOf(second, "socket_gone"); len(got) > 0 {
		t.Errorf("Health() has the problems %+v, want no word of the socket any more", got)
	}
}

// A monitor must not keep its host from starting.
func TestDefaultSocketThatCannotBe(t *testing.T) { // not parallel: it sets the environment
	dir := socketDir(t)
	if err := os.WriteFile(filepath.Join(dir, "hawkeye"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	t.Setenv("RUNTIME_DIRECTORY", dir)
	h := newHandle(t, hawkeye.WithService("nowhere", "test"))
	if err := h.Start(t.Context()); err != nil {
		t.Errorf("Start() = %v, want nil", err)
	}
	if hh := h.Health(); hh.OK {
		t.Error("Health() = OK without the socket")
	}
	stop(t, h)
}

// A bubble fails when a goroutine is left; with a socket there can be no
// bubble, so stacks are looked at.
func TestNoGoroutineLeft(t *testing.T) { // not parallel: others' goroutines would be seen
	dir := socketDir(t)
	h := newHandle(t, hawkeye.WithSocket(filepath.Join(dir, "s")), hawkeye.WithDatagramSocket(filepath.Join(dir, "d")),
		hawkeye.WithMailer(&mailbox{}), hawkeye.WithConfigFile(writeConfig(t, twoSLAs)))
	if err := h.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	nc, err := net.Dial("unix", filepath.Join(dir, "s"))
	if err != nil {
		t.Fatal(err)
	}
	defer nc.Close()
	count(h, "http.response.400", 4)
	if _, err := h.Query(t.Context(), "http.response.400", time.Minute); err != nil {
		t.Error(err)
	}
	stop(t, h)
	for end := time.Now().Add(5 * time.Second); ; runtime.Gosched() {
		buf := make([]byte, 1<<20)
		stacks := string(buf[:runtime.Stack(buf, true)])
		left := strings.Count(stacks, "created by github.com/go-batteries/hawkeye.(*supervisor)") +
			strings.Count(stacks, "created by github.com/go-batteries/hawkeye/internal")
		if left == 0 {
			break
		}
		if time.Now().After(end) {
			t.Fatalf("%d goroutines are left:\n%s", left, stacks)
		}
	}
	if entries, err := os.ReadDir(dir); err != nil || slices.ContainsFunc(entries, func(e os.DirEntry) bool { return e.Type()&os.ModeSocket != 0 }) {
		t.Errorf("files after Shutdown = %v, %v, want no socket", entries, err)
	}
}

func TestPanickingStoreIsRestarted(t *testing.T) {
	t.Parallel()
	for name, onlyCommits := range map[string]bool{"every call": false, "commits": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) { panickingStore(t, onlyCommits) })
		})
	}
}

func panickingStore(t *testing.T, onlyCommits bool) {
	box := &mailbox{}
	s := &moody{Store: newMemory(t)}
	s.commits.Store(onlyCommits)
	h := start(t, twoSLAs, box, hawkeye.WithStore(s))
	after(time.Second)
	s.panics.Store(true)
	count(h, "http.response.400", 4)
	after(10 * time.Second)
	if s.panicked.Load() == 0 {
		t.Fatal("the store wasn't asked while it panics")
	}
	want(t, "while the store panics", box.lines())
	if hh := h.Health(); hh.OK {
		t.Error("Health() = OK while the store panics")
	}
	s.panics.Store(false)
	after(20 * time.Second)
	want(t, "when it no longer does", box.lines(), firstDegree)
	after(hawkeyeForgets)
	if hh := h.Health(); !hh.OK {
		t.Errorf("Health() = %+v long after, want OK", hh)
	}
	// What is counted last is evaluated by a component that had failed.
	count(h, "http.response.400", 30)
	ctx, cancel := inTime(10 * time.Second)
	defer cancel()
	if err := h.Shutdown(ctx); err != nil {
		t.Errorf("Shutdown() = %v, want nil", err)
	}
	want(t, "by the Shutdown", box.lines(), secondDegree, firstDegree)
}

// TestStoreThatEndsGoroutines calls runtime.Goexit, as t.FailNow does, or
// ignores its ctx: hawkeye says so, and tells what waited late rather than
// never.
func TestStoreThatEndsGoroutines(t *testing.T) {
	t.Parallel()
	for name, mood := range map[string]func(s *moody) *atomic.Bool{
		"ends them": func(s *moody) *atomic.Bool { return &s.exits },
		"is stuck":  func(s *moody) *atomic.Bool { return &s.stuck },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				box := &mailbox{}
				s := &moody{Store: newMemory(t)}
				h := start(t, twoSLAs, box, hawkeye.WithStore(s))
				after(time.Second)
				mood(s).Store(true)
				count(h, "http.response.400", 4)
				after(18 * time.Second)
				want(t, "meanwhile", box.lines())
				if hh := h.Health(); hh.OK {
					t.Error("Health() = OK meanwhile")
				}
				mood(s).Store(false)
				after(30 * time.Second)
				want(t, "when it no longer does", box.lines(), firstDegree)
				ctx, cancel := inTime(10 * time.Second)
				defer cancel()
				if err := h.Shutdown(ctx); err != nil {
					t.Errorf("Shutdown() = %v, want nil", err)
				}
			})
		})
	}
}

// hawkeyeForgets is more than how long Health speaks of what is over.
const hawkeyeForgets = 11 * time.Minute

func TestPanickingStoreAtShutdown(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := &moody{Store: newMemory(t)}
		h := start(t, twoSLAs, &mailbox{}, hawkeye.WithStore(s))
		after(time.Second)
		s.panics.Store(true)
		ctx, cancel := inTime(3 * time.Second)
		defer cancel()
		if err := h.Shutdown(ctx); err == nil || ctx.Err() != nil {
			t.Errorf("Shutdown() = %v with %v of ctx, want the panic, and in time", err, ctx.Err())
		}
	})
}

func TestStoreThatHangs(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		box := &mailbox{}
		s := &moody{Store: newMemory(t)}
		s.hangs.Store(true)
		began := time.Now()
		h := start(t, twoSLAs, box, hawkeye.WithStore(s))
		if took := time.Since(began); took != hawkeye.DefaultStartTimeout {
			t.Errorf("Start took %v, want %v", took, hawkeye.DefaultStartTimeout)
		}
		began = time.Now()
		count(h, "http.response.400", 10_000)
		h.Stats()
		h.Health()
		h.Alerts()
		if took := time.Since(began); took != 0 {
			t.Errorf("recording and looking took %v, want no time", took)
		}
		ctx, cancel := inTime(time.Second)
		defer cancel()
		if _, err := h.Query(ctx, "http.response.400", time.Minute); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("Query() = %v, want %v", err, context.DeadlineExceeded)
		}
		after(time.Minute)
		began = time.Now()
		ctx, cancel = inTime(3 * time.Second)
		defer cancel()
		if err := h.Shutdown(ctx); !errors.Is(err, context.DeadlineExceeded) || time.Since(began) > 3*time.Second {
			t.Errorf("Shutdown() = %v after %v, want %v in 3 s", err, time.Since(began), context.DeadlineExceeded)
		}
		time.Sleep(hawkeye.DefaultShutdownTimeout) // for the bubble: what goes on in the background ends by then
	})
}

// The store hangs while a mail is under way, for longer than that may take:
// it was sent all the same, and isn't sent again.
func TestStoreThatHangsDuringASend(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		box := &mailbox{}
		s := &moody{Store: newMemory(t)}
		s.commits.Store(true)
		h := start(t, twoSLAs, hawkeye.MailerFunc(func(ctx context.Context, cfg hawkeye.MailerConfig) error {
			s.hangs.Store(true)
			time.Sleep(time.Second)
			return box.Send(ctx, cfg)
		}), hawkeye.WithStore(s), hawkeye.WithSendTimeout(4*time.Second))
		defer stop(t, h)
		count(h, "http.response.400", 30)
		after(30 * time.Second)
		s.hangs.Store(false)
		got := box.count()
		s.commits.Store(false)
		after(30 * time.Second)
		if lines := box.lines(); got == 0 || len(lines) != 2 {
			t.Errorf("mails = %d while the store hangs, %q in all, want one to each list", got, lines)
		}
	})
}

// A MailingService may call back into the handle.
func TestMailerThatCallsBack(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		box := &mailbox{}
		var h *hawkeye.Hawkeye
		var r hawkeye.Result
		var err error
		ready := make(chan struct{})
		h = start(t, twoSLAs, hawkeye.MailerFunc(func(ctx context.Context, cfg hawkeye.MailerConfig) error {
			<-ready
			h.Incr("mails")
			h.Stats()
			h.Health()
			h.Alerts()
			r, err = h.Query(ctx, "http.response.400", time.Minute)
			return box.Send(ctx, cfg)
		}))
		close(ready)
		count(h, "http.response.400", 4)
		after(2 * time.Second)
		want(t, "though the mailer asks first", box.lines(), firstDegree)
		if err != nil || r.Value != 4 {
			t.Errorf("Query() in Send = %+v, %v, want 4", r, err)
		}
		stop(t, h)
	})
}

func TestMailerThatShutsDown(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		box := &mailbox{}
		var h *hawkeye.Hawkeye
		ready, ended := make(chan struct{}), make(chan error, 1)
		h = start(t, twoSLAs, hawkeye.MailerFunc(func(ctx context.Context, cfg hawkeye.MailerConfig) error {
			<-ready
			ended <- h.Shutdown(context.Background())
			return box.Send(ctx, cfg)
		}))
		close(ready)
		count(h, "http.response.400", 4)
		began := time.Now()
		if err := <-ended; err == nil {
			t.Error("Shutdown() in Send = nil, want word of the mail that is still being sent")
		}
		if took := time.Since(began); took > hawkeye.DefaultShutdownTimeout+time.Second {
			t.Errorf("Shutdown in Send took %v, want about %v", took, hawkeye.DefaultShutdownTimeout)
		}
	})
}
