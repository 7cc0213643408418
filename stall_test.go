package hawkeye_test

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/go-batteries/hawkeye"
	"github.com/go-batteries/hawkeye/store"
	"github.com/go-batteries/hawkeye/store/memstore"
)

// stallingStore is a Store of which calls of one method do do first; of "Publish
// done", say, before they return.
type stallingStore struct {
	store.Store
	mu     sync.Mutex
	method string
	do     func()
	calls  int // of the method since it was set
}

// stall sets what a method does first; "" is none.
func (s *stallingStore) stall(method string, do func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.method, s.do, s.calls = method, do, 0
}

func (s *stallingStore) at(method string) {
	s.mu.Lock()
	do := s.do
	if s.method != method {
		do = nil
	} else {
		s.calls++
	}
	s.mu.Unlock()
	if do != nil {
		do()
	}
}

func (s *stallingStore) Now(ctx context.Context) (time.Time, error) {
	defer s.at("Now done")
	s.at("Now")
	return s.Store.Now(ctx)
}

func (s *stallingStore) Publish(ctx context.Context, p store.Publication) (store.PublishReply, error) {
	defer s.at("Publish done")
	s.at("Publish")
	return s.Store.Publish(ctx, p)
}

func (s *stallingStore) Read(ctx context.Context, q []store.TickQuery) ([]store.TickBuckets, error) {
	defer s.at("Read done")
	s.at("Read")
	return s.Store.Read(ctx, q)
}

func (s *stallingStore) Names(ctx context.Context, ids []uint64) (map[uint64]string, error) {
	defer s.at("Names done")
	s.at("Names")
	return s.Store.Names(ctx, ids)
}

func (s *stallingStore) Changes(ctx context.Context, after store.Cursor) (store.Changes, error) {
	defer s.at("Changes done")
	s.at("Changes")
	return s.Store.Changes(ctx, after)
}

func (s *stallingStore) Commit(ctx context.Context, c store.Commit) (store.Cursor, error) {
	defer s.at("Commit done")
	s.at("Commit")
	return s.Store.Commit(ctx, c)
}

// codes returns the codes of a handle's problems.
func codes(h *hawkeye.Hawkeye) (codes []hawkeye.ProblemCode) {
	for _, p := range h.Health().Details {
		codes = append(codes, p.Code)
	}
	return codes
}

// stalledParts returns the components that stand.
func stalledParts(h *hawkeye.Hawkeye) (names []string) {
	for _, p := range problemsOf(h, "component_stalled") {
		names = append(names, p.Subject)
	}
	return names
}

// first makes do something at the first n calls.
func first(n int32, do func()) func() {
	var calls atomic.Int32
	return func() {
		if calls.Add(1) <= n {
			do()
		}
	}
}

// TestCallsThatHang: what ignores its ctx holds up a component, which Health
// names; what was counted meanwhile is told afterwards, once, also if the call
// never comes back.
func TestCallsThatHang(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, method string
		takes        time.Duration // 0 is for ever
		calls        int32
		stands       string
		within       time.Duration // it is told
	}{
		{"Publish, once", "Publish", 20 * time.Second, 1, "publisher", 30 * time.Second},
		{"the answer to Publish, each time", "Publish done", 20 * time.Second, 1000, "publisher", 90 * time.Second},
		{"Publish, for ever", "Publish", 0, 1, "publisher", time.Minute},
		{"Publish, for ever, again and again", "Publish", 0, 4, "publisher", 4 * time.Minute},
		{"Read, once", "Read", 20 * time.Second, 1, "agent", 30 * time.Second},
		{"the answer to Read, each time", "Read done", 20 * time.Second, 1000, "agent", 90 * time.Second},
		{"Read, for ever", "Read", 0, 1, "agent", time.Minute},
		{"Commit of the agent", "Commit", 20 * time.Second, 1, "agent", 30 * time.Second},
		{"Commit of the agent, for ever", "Commit", 0, 1, "agent", time.Minute},
		{"the answer to Commit, each time", "Commit done", 20 * time.Second, 1000, "agent", 3 * time.Minute},
		{"Commit of agent and notifier, for ever", "Commit", 0, 3, "agent", 4 * time.Minute},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				memory, err := memstore.New()
				if err != nil {
					t.Fatal(err)
				}
				s, release, box := &stallingStore{Store: memory}, make(chan struct{}), &mailbox{}
				h, err := hawkeye.New(byGroup(box.Send, hawkeye.WithStore(s))...)
				if err != nil {
					t.Fatal(err)
				}
				if err := h.Start(t.Context()); err != nil {
					t.Fatal(err)
				}
				after(10 * time.Second)
				s.stall(c.method, first(c.calls, func() {
					if c.takes > 0 {
						time.Sleep(c.takes)
						return
					}
					<-release
				}))
				h.Incr("m", hawkeye.T("g", "1"))
				after(15 * time.Second)
				if got := stalledParts(h); !slices.Contains(got, c.stands) {
					t.Errorf("after 15 s these stand: %v, want the %s; Health() = %+v", got, c.stands, h.Health())
				}
				after(c.within - 15*time.Second)
				if len(box.mails) != 1 {
					t.Errorf("%d mails after %v, want the one about what was counted meanwhile", len(box.mails), c.within)
				}
				if got := slices.Contains(codes(h), "store_hangs"); got != (c.takes == 0) {
					t.Errorf("Health() = %+v; it says that calls hang: %v", h.Health(), got)
				}
				close(release)
				s.stall("", nil)
				after(time.Minute)
				if got := h.Health(); !got.OK {
					t.Errorf("when the store is well again Health() = %+v", got)
				}
				if n := h.Stats().Restarts; len(n) > 0 || len(box.mails) != 1 {
					t.Errorf("components were started again: %v; %d mails in the end, want 1", n, len(box.mails))
				}
				if err := h.Shutdown(t.Context()); err != nil {
					t.Errorf("Shutdown() = %v", err)
				}
			})
		})
	}
}

// TestNobodyStandsStill: who waits doesn't stand, be it for ticks, for work, for
// a store that is away or slow, or with a process that is paused.
func TestNobodyStandsStill(t *testing.T) {
	t.Parallel()
	for name, do := range map[string]func(h *hawkeye.Hawkeye, s *stallingStore){
		"nothing to do": func(*hawkeye.Hawkeye, *stallingStore) { after(2 * time.Hour) },
		"each call takes four seconds": func(h *hawkeye.Hawkeye, s *stallingStore) {
			for _, method := range []string{"Publish", "Read", "Commit"} {
				s.stall(method, func() { time.Sleep(4 * time.Second) })
				h.Incr("m", hawkeye.T("g", method))
				after(2 * time.Minute)
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				memory, err := memstore.New()
				if err != nil {
					t.Fatal(err)
				}
				s, stood := &stallingStore{Store: memory}, new(atomic.Int32)
				logger := slog.New(hostileLogger{func(r slog.Record) {
					if r.Message == "a component stands still" {
						stood.Add(1)
					}
				}})
				h, err := hawkeye.New(byGroup(new(mailbox).Send, hawkeye.WithStore(s), hawkeye.WithLogger(logger))...)
				if err != nil {
					t.Fatal(err)
				}
				if err := h.Start(t.Context()); err != nil {
					t.Fatal(err)
				}
				do(h, s)
				if stood.Load() > 0 || len(stalledParts(h)) > 0 {
					t.Errorf("%d times a component stood still; now %v", stood.Load(), stalledParts(h))
				}
				s.stall("", nil)
				stop(t, h)
			})
		})
	}
}

// TestLoggerThatHangs: a handler that hangs for ever holds up nothing for long.
func TestLoggerThatHangs(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		box, release, hangs := &mailbox{}, make(chan struct{}), new(atomic.Bool)
		h, err := hawkeye.New(byGroup(box.Send, hawkeye.WithLogger(slog.New(hostileLogger{func(slog.Record) {
			if hangs.Load() {
				<-release
			}
		}})))...)
		if err != nil {
			t.Fatal(err)
		}
		if err := h.Start(t.Context()); err != nil {
			t.Fatal(err)
		}
		after(5 * time.Second)
		hangs.Store(true)
		box.fail = func(n int, _ hawkeye.MailerConfig) error { // which is logged
			if n < 3 {
				return errors.New("relay away")
			}
			return nil
		}
		for _, g := range []string{"1", "2", "3"} {
			h.Incr("m", hawkeye.T("g", g))
			after(10 * time.Second)
		}
		after(5 * time.Minute)
		if box.count() < 3 {
			t.Errorf("%d mails while the logger hangs, want 3", box.count())
		}
		if got := codes(h); !slices.Contains(got, "log_hangs") || slices.Contains(got, "component_stalled") {
			t.Errorf("Health() = %+v, want that the log hangs, and that nothing stands", h.Health())
		}
		hangs.Store(false)
		close(release)
		after(time.Minute)
		if got := h.Health(); !got.OK {
			t.Errorf("when the logger is well again Health() = %+v", got)
		}
		stop(t, h)
	})
}

// TestRouteThatHangs: a function of WithRouteName hangs with its own request, and
// holds up nothing else.
func TestRouteThatHangs(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		box, release := &mailbox{}, make(chan struct{})
		h, err := hawkeye.New(byGroup(box.Send, hawkeye.WithRouteName(func(r *http.Request) string {
			if r.URL.Path == "/hangs" {
				<-release
			}
			return r.URL.Path
		}))...)
		if err != nil {
			t.Fatal(err)
		}
		if err := h.Start(t.Context()); err != nil {
			t.Fatal(err)
		}
		handler := h.Middleware(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusTeapot) }))
		request := func(path string) int {
			w := httptest.NewRecorder()
			handler.ServeHTTP(w, httptest.NewRequest("GET", path, nil))
			return w.Code
		}
		for range 20 {
			go request("/hangs")
		}
		after(30 * time.Second)
		if code := request("/other"); code != http.StatusTeapot {
			t.Errorf("another request is answered by %d, want %d", code, http.StatusTeapot)
		}
		h.Incr("m", hawkeye.T("g", "1"))
		after(10 * time.Second)
		if r, err := h.Query(t.Context(), "http.response.418", time.Minute, `route="/other"`); r.Value != 1 || err != nil {
			t.Errorf("http.response.418 = %v, %v; want 1", r.Value, err)
		}
		if got := h.Health(); box.count() != 1 || !got.OK {
			t.Errorf("%d mails, Health() = %+v; want 1, and no problem", box.count(), got)
		}
		stop(t, h)
		close(release)
	})
}

// TestStartWithAStoreThatHangs: Start ends, whatever the Store does.
func TestStartWithAStoreThatHangs(t *testing.T) {
	t.Parallel()
	for name, do := range map[string]func(release chan struct{}){
		"hangs for ever":     func(release chan struct{}) { <-release },
		"ends the goroutine": func(chan struct{}) { runtime.Goexit() },
	} {
		for _, method := range []string{"Publish", "Now", "Changes", "Open"} {
			t.Run(method+" "+name, func(t *testing.T) {
				t.Parallel()
				synctest.Test(t, func(t *testing.T) {
					memory, err := memstore.New()
					if err != nil {
						t.Fatal(err)
					}
					release, box := make(chan struct{}), &mailbox{}
					s := &openingStore{stallingStore{Store: memory}}
					s.stall(method, first(2, func() { do(release) }))
					h, err := hawkeye.New(byGroup(box.Send, hawkeye.WithStore(s))...)
					if err != nil {
						t.Fatal(err)
					}
					began := time.Now()
					err = h.Start(t.Context())
					if took := time.Since(began); took > hawkeye.DefaultStartTimeout+10*time.Second {
						t.Errorf("Start() = %v after %v", err, took)
					}
					if method == "Open" { // the only one that Start can't do without
						if err == nil {
							t.Error("Start() of a store that can't be opened = nil")
						}
						close(release)
						s.stall("", nil)
						err = h.Start(t.Context())
					}
					if err != nil {
						t.Fatalf("Start() = %v", err)
					}
					h.Incr("m", hawkeye.T("g", "1"))
					after(3 * time.Minute)
					if box.count() != 1 {
						t.Errorf("%d mails, want 1", box.count())
					}
					if method != "Open" {
						close(release)
					}
					after(time.Second)
					stop(t, h)
				})
			})
		}
	}
}

// openingStore is a stallingStore that is opened and closed.
type openingStore struct{ stallingStore }

func (s *openingStore) Open(context.Context) error { s.at("Open"); return nil }
func (s *openingStore) Close() error               { s.at("Close"); return nil }

// exitingContext ends the goroutine that looks at it, once it is armed.
type exitingContext struct {
	context.Context
	armed *atomic.Bool
}

func (c exitingContext) Done() <-chan struct{} {
	c.look()
	return c.Context.Done()
}

func (c exitingContext) Value(key any) any {
	c.look()
	return c.Context.Value(key)
}

func (c exitingContext) look() {
	if c.armed.CompareAndSwap(true, false) {
		runtime.Goexit()
	}
}

// exiting makes a handle one component of which runs with such a context.
func exiting(t *testing.T, name string, opts ...hawkeye.Option) (h *hawkeye.Hawkeye, armed *atomic.Bool) {
	t.Helper()
	h, err := hawkeye.New(opts...)
	if err != nil {
		t.Fatal(err)
	}
	armed = new(atomic.Bool)
	wrapped := false
	h.WrapContexts(func(part string, ctx context.Context) context.Context {
		if part != name {
			return ctx
		}
		wrapped = true
		return exitingContext{ctx, armed}
	})
	if err := h.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	if !wrapped {
		t.Fatalf("there is no component called %s", name)
	}
	return h, armed
}

// TestGoroutineOfAComponentIsEnded: another one takes its place, Health says so,
// and what was counted then is told, once.
func TestGoroutineOfAComponentIsEnded(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"watch", "keeper", "publisher", "follower", "notifier", "agent", "reloader"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				const rounds = 3
				box, path := &mailbox{}, writeConfig(t, "version: 2\nmonitors: []\n")
				var s store.Store = newMemory(t, memstore.WithStateFile(t.TempDir()+"/state"), memstore.WithLogger(quiet()))
				if name == "publisher" { // it looks at its context where a Store of others is called
					s = &stallingStore{Store: newMemory(t)}
				}
				h, armed := exiting(t, name, byGroup(box.Send, hawkeye.WithConfigFile(path), hawkeye.WithStore(s))...)
				for round := range rounds {
					after(10 * time.Second)
					armed.Store(true)
					h.Incr("m", hawkeye.T("g", strconv.Itoa(round)))
					after(10 * time.Second)
					if armed.Load() {
						t.Errorf("round %d: the %s never looked at its context", round, name)
					}
				}
				after(30 * time.Second) // a claim that nobody settles lapses
				if got := box.count(); got != rounds {
					t.Errorf("%d mails, want %d", got, rounds)
				}
				got := problemsOf(h, "component_restarted")
				if len(got) != 1 || got[0].Subject != name || h.Stats().Restarts[name] != rounds {
					t.Errorf("Health() = %+v, restarts %v; want %d of the %s", h.Health(), h.Stats().Restarts, rounds, name)
				}
				if got := stalledParts(h); len(got) > 0 {
					t.Errorf("these stand: %v, want none", got)
				}
				after(15 * time.Minute)
				if got := h.Health(); !got.OK {
					t.Errorf("Health() = %+v, want no problem in the end", got)
				}
				if err := h.Shutdown(t.Context()); err != nil {
					t.Errorf("Shutdown() = %v", err)
				}
			})
		})
	}
}

// TestGoroutineOfTheServerIsEnded: the socket is bound again.
func TestGoroutineOfTheServerIsEnded(t *testing.T) {
	t.Parallel()
	path := filepath.Join(socketDir(t), "s")
	h, armed := exiting(t, "server", hawkeye.WithSocket(path), hawkeye.WithLogger(quiet()))
	defer func() {
		if err := h.Shutdown(context.Background()); err != nil {
			t.Errorf("Shutdown() = %v", err)
		}
	}()
	armed.Store(true)
	wait, cancel := inTime(30 * time.Second)
	defer cancel()
	for h.Stats().Restarts["server"] == 0 || h.Stats().Lines == 0 {
		if nc, err := net.Dial("unix", path); err == nil {
			_, _ = nc.Write([]byte("orders:1|c\n"))
			nc.Close()
		}
		if wait.Err() != nil {
			t.Fatalf("restarts %v, %d lines; want that the server is started again, and takes lines", h.Stats().Restarts, h.Stats().Lines)
		}
		time.Sleep(10 * time.Millisecond)
	}
	if got := problemsOf(h, "component_restarted"); len(got) != 1 || got[0].Subject != "server" {
		t.Errorf("Health() = %+v, want word of the server", h.Health())
	}
}
