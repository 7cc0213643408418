package client

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/go-batteries/hawkeye/internal/series"
)

func quiet() Config {
	return Config{Interval: 100 * time.Millisecond, MaxSeries: 10_000, Logger: slog.New(slog.DiscardHandler)}
}

// testClient is a relay with its registry, and the short forms of recording.
type testClient struct {
	*Relay
	reg *series.Registry
}

// start returns a client of the server that dial reaches.
func start(path string, cfg Config, dial DialFunc) testClient {
	reg := series.New(series.Limits{MaxSeries: cfg.MaxSeries})
	return testClient{Relay: Start(reg, path, cfg, dial), reg: reg}
}

// newTestClient returns a client of p that is closed, with p, after the test.
func newTestClient(t *testing.T, p *peer) testClient {
	c := start("test.sock", quiet(), p.dial)
	t.Cleanup(func() {
		ctx, cancel := context.WithCancel(context.Background())
		cancel()
		_ = c.Close(ctx)
		p.setAway(true)
	})
	return c
}

func tag(key, value string) series.Tag { return series.Tag{Key: key, Value: value} }

func (c testClient) Incr(name string, tags ...series.Tag) { c.reg.Count(name, 1, tags) }
func (c testClient) Decr(name string, tags ...series.Tag) { c.reg.Count(name, -1, tags) }
func (c testClient) Count(name string, n int64, tags ...series.Tag) {
	c.reg.Counter(name, tags...).Add(n)
}
func (c testClient) SetGauge(name string, v float64, tags ...series.Tag) {
	c.reg.SetGauge(name, v, tags)
}
func (c testClient) Observe(name string, v float64, tags ...series.Tag) { c.reg.Observe(name, v, tags) }

func (c testClient) Timing(name string, d time.Duration, tags ...series.Tag) {
	c.reg.Observe(name, float64(d)/float64(time.Millisecond), tags)
}

func (c testClient) Counter(name string, tags ...series.Tag) *series.Counter {
	return c.reg.Counter(name, tags...)
}
func (c testClient) Gauge(name string, tags ...series.Tag) *series.Gauge {
	return c.reg.Gauge(name, tags...)
}
func (c testClient) Histogram(name string, tags ...series.Tag) *series.Histogram {
	return c.reg.Histogram(name, tags...)
}

func within(d time.Duration) context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), d)
	context.AfterFunc(ctx, cancel)
	return ctx
}

func TestClientHandsOverEverything(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPeer()
		c := newTestClient(t, p)
		orders := c.Counter("orders", tag("region", "eu"))
		orders.Inc()
		orders.Add(4)
		orders.AddFloat(0.5)
		c.Gauge("depth").Set(3)
		c.Gauge("depth").Add(-5)
		c.Histogram("size").Observe(10)
		c.Histogram("size").Observe(20)
		c.Incr("orders", tag("region", "eu"))
		c.Decr("orders", tag("region", "eu"))
		c.Count("orders", 7, tag("region", `"\`))
		c.SetGauge("load", 0.25)
		c.Timing("took", 1500*time.Microsecond)
		c.Observe("took", 3)

		want := series.New(series.Limits{})
		want.Count("orders", 5.5, []series.Tag{tag("region", "eu")})
		want.Count("orders", 7, []series.Tag{tag("region", `"\`)})
		want.SetGauge("depth", -2, nil)
		want.SetGauge("load", 0.25, nil)
		for name, values := range map[string][]float64{"size": {10, 20}, "took": {1.5, 3}} {
			for _, v := range values {
				want.Observe(name, v, nil)
			}
		}
		if err := c.Flush(t.Context()); err != nil {
			t.Fatalf("Flush() = %v", err)
		}
		if diff := sameContents(p.reg, want); diff != "" {
			t.Errorf("server has (-want +got)\n%s", diff)
		}
		if s := c.Stats(); s.Sent != 6+7+2+4 || s.Pending != 0 || s.Connects != 1 || !s.Connected {
			t.Errorf("Stats() = %+v, want 19 sent in one connection", s)
		}
	})
}

func TestClientSendsWithoutFlush(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPeer()
		c := newTestClient(t, p)
		time.Sleep(time.Minute)
		if len(p.conns) != 0 {
			t.Errorf("an idle client made %d connections, want none", len(p.conns))
		}
		c.Incr("a")
		time.Sleep(2 * quiet().Interval)
		if got := p.count("a"); got != 1 {
			t.Errorf("server counted %d after two intervals, want 1", got)
		}
	})
}

func TestClientManyCalls(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPeer()
		c := newTestClient(t, p)
		for i := range 5000 {
			c.Count("many", 1, tag("number", strings.Repeat("x", 50)+fmt.Sprint(i)))
		}
		if err := c.Flush(t.Context()); err != nil {
			t.Fatalf("Flush() = %v", err)
		}
		counters, _, _, _ := contents(p.reg)
		if len(counters) != 5000 || p.calls < 5 || p.calls > 10 {
			t.Errorf("server got %d series in %d calls, want 5000 in 5 to 10", len(counters), p.calls)
		}
	})
}

func TestClientThroughFaults(t *testing.T) {
	for _, tt := range []struct {
		name     string
		faults   []reception
		counted  int64 // of 10
		repeated uint64
		dropped  uint64
		rejected uint64
	}{
		{name: "none", counted: 10},
		{name: "connection dies in mid-write", faults: []reception{cutShort, cutShort, cutShort, cutShort}, counted: 10},
		{name: "server dies before it counts", faults: []reception{hangUp}, counted: 10, repeated: 10},
		{name: "server dies twice before it counts", faults: []reception{hangUp, hangUp}, counted: 10, repeated: 20},
		{name: "server dies each time", faults: []reception{hangUp, hangUp, hangUp}, repeated: 20, dropped: 10},
		{name: "server dies after it counted", faults: []reception{countAndGo}, counted: 20, repeated: 10},
		{name: "server counts and dies each time", faults: []reception{countAndGo, countAndGo, countAndGo}, counted: 30, repeated: 20, dropped: 10},
		{name: "server refuses", faults: []reception{refuse}, rejected: 1},
		{name: "server talks of something else", faults: []reception{garbage}, counted: 10, repeated: 10},
		{name: "server answers another call", faults: []reception{wrongID}, counted: 10, repeated: 10},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				p := newPeer(tt.faults...)
				c := newTestClient(t, p)
				c.Count("a", 10)
				if err := c.Flush(within(time.Minute)); err != nil {
					t.Errorf("Flush() = %v", err)
				}
				if got := p.count("a"); got != tt.counted {
					t.Errorf("server counted %d, want %d", got, tt.counted)
				}
				s := c.Stats()
				if s.Repeated != tt.repeated || s.Dropped != tt.dropped || s.RejectedLines != tt.rejected || s.Pending != 0 {
					t.Errorf("Stats() = %+v, want %d repeated, %d dropped, %d rejected", s, tt.repeated, tt.dropped, tt.rejected)
				}
			})
		})
	}
}

func TestClientKeepsCountsWhileServerIsAway(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPeer()
		c := newTestClient(t, p)
		p.setAway(true)
		for range 3600 {
			c.Incr("a")
			time.Sleep(time.Second)
		}
		if err := c.Flush(within(time.Second)); !errors.Is(err, context.DeadlineExceeded) || !strings.Contains(err.Error(), "nobody is there") {
			t.Errorf("Flush() = %v, want a deadline exceeded and why", err)
		}
		if s := c.Stats(); s.Connected || s.LastError == nil || s.Pending != 3600 || s.Dropped != 0 {
			t.Errorf("Stats() = %+v, want 3600 pending and an error", s)
		}
		p.setAway(false)
		time.Sleep(2 * maxBackoff)
		if got := p.count("a"); got != 3600 {
			t.Errorf("server counted %d when it came back, want 3600", got)
		}
		if s := c.Stats(); s.LastError != nil || s.Sent != 3600 || s.Repeated != 0 {
			t.Errorf("Stats() = %+v, want 3600 sent, none repeated and no error", s)
		}
	})
}

// TestClientGaugesReachANewServer has a client that records nothing more.
func TestClientGaugesReachANewServer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPeer()
		c := newTestClient(t, p)
		c.SetGauge("depth", 17)
		time.Sleep(time.Second)
		p.restart()
		time.Sleep(5 * time.Second)
		if _, gauges, _, _ := contents(p.reg); gauges["g|depth"] != 17 {
			t.Errorf("the new server has %v, want depth 17", gauges)
		}
	})
}

func TestClientPing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPeer()
		c := newTestClient(t, p)
		if err := c.Ping(t.Context()); err != nil {
			t.Errorf("Ping() = %v", err)
		}
		p.setAway(true)
		if err := c.Ping(t.Context()); err == nil {
			t.Error("Ping() without a server = nil, want an error")
		}
		p.setAway(false)
		if err := c.Ping(t.Context()); err != nil {
			t.Errorf("Ping() after the server came back = %v", err)
		}
	})
}

func TestClientIsNotHeldUpByASilentServer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPeer(silence)
		c := newTestClient(t, p)
		c.Incr("a")
		if err := c.Flush(within(time.Second)); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("Flush() = %v, want a deadline exceeded", err)
		}
		if err := c.Ping(within(time.Second)); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("Ping() = %v, want a deadline exceeded", err)
		}
		c.Incr("a")
		if err := c.Close(within(time.Second)); err == nil || !strings.Contains(err.Error(), "2 samples dropped") {
			t.Errorf("Close() = %v, want it to say that 2 samples were dropped", err)
		}
	})
}

func TestClientClose(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPeer()
		c := newTestClient(t, p)
		c.Count("a", 5)
		var wg sync.WaitGroup
		for range 3 {
			wg.Go(func() {
				if err := c.Close(t.Context()); err != nil {
					t.Errorf("Close() = %v", err)
				}
			})
		}
		wg.Wait()
		if got := p.count("a"); got != 5 {
			t.Errorf("server counted %d after Close, want 5", got)
		}
		c.Count("a", 3)
		if s := c.Stats(); s.Dropped != 3 || s.Connected {
			t.Errorf("Stats() = %+v, want 3 dropped after Close", s)
		}
		for name, err := range map[string]error{"Flush": c.Flush(t.Context()), "Ping": c.Ping(t.Context())} {
			if !errors.Is(err, ErrClosed) {
				t.Errorf("%s() after Close = %v, want %v", name, err, ErrClosed)
			}
		}
	})
}

func TestClientCloseWithoutServer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPeer()
		p.away = true
		c := newTestClient(t, p)
		c.Count("a", 5)
		began := time.Now()
		if err := c.Close(context.Background()); err == nil || !strings.Contains(err.Error(), "5 samples dropped") {
			t.Errorf("Close() = %v, want it to say that 5 samples were dropped", err)
		}
		if took := time.Since(began); took != closeLimit {
			t.Errorf("Close() took %v, want %v", took, closeLimit)
		}
	})
}

func TestClientSecondCloseHonoursItsOwnContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPeer()
		p.away = true
		c := newTestClient(t, p)
		c.Incr("a")
		go c.Close(context.Background())
		synctest.Wait()
		if err := c.Close(within(time.Second)); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("second Close() = %v, want a deadline exceeded", err)
		}
		time.Sleep(closeLimit)
	})
}

func TestClientAbandonedFlushesAreForgotten(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPeer()
		p.away = true
		c := newTestClient(t, p)
		c.Incr("a")
		for range 1000 {
			_ = c.Flush(within(time.Millisecond))
		}
		if err := c.Close(within(0)); err == nil {
			t.Error("Close() = nil, want an error")
		}
		if n := len(c.waiting); n > 1 {
			t.Errorf("%d flushes are waiting whose callers have left, want at most the last", n)
		}
	})
}

// TestClientOverASocket records from many goroutines while the server hangs
// up now and then, between calls as a server that shuts down does.
func TestClientOverASocket(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "s")
	l, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	p := newPeer()
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			go p.serve(conn)
		}
	}()
	cfg := quiet()
	cfg.Interval = time.Millisecond
	c := start(path, cfg, Dial(path))
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for i := range 10_000 {
				c.Incr("a")
				c.Observe("h", float64(i))
			}
		})
	}
	wg.Wait()
	if err := c.Close(t.Context()); err != nil {
		t.Errorf("Close() = %v", err)
	}
	counters, _, _, buckets := contents(p.reg)
	observed := uint64(0)
	for _, b := range buckets["h|h"] {
		observed += b.Count
	}
	if counters["c|a"] != 40_000*1e6 || observed != 40_000 {
		t.Errorf("server has %d counted and %d observed, want 40000 of each", counters["c|a"]/1e6, observed)
	}
}
