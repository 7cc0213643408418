package intake

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"net/rpc/jsonrpc"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-batteries/hawkeye/internal/series"
	"github.com/go-batteries/hawkeye/internal/sockfile"
)

func TestNewNamesEveryMistake(t *testing.T) {
	t.Parallel()
	_, err := New(Config{
		Socket: "/x", Datagram: "/x", Mode: os.ModeSetuid,
		Limits: Limits{MaxConns: -1, FinishTimeout: -1},
	})
	for _, want := range []string{"Registry", "same path", "Mode", "limit is negative", "duration is negative"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("New = %v, want %q in it", err, want)
		}
	}
	if _, err := New(Config{Registry: series.New(series.Limits{})}); err == nil {
		t.Error("New without a socket = nil, want an error")
	}
}

type handleArgs struct{ Text string }

func TestGoClient(t *testing.T) {
	t.Parallel()
	f := newFixture(t, nil)
	f.run(t)
	client, err := jsonrpc.Dial("unix", f.path)
	if err != nil {
		t.Fatalf("Dial = %v", err)
	}
	defer client.Close()
	for i := range 100 {
		reply := -1
		if err := client.Call("Metric.Handle", handleArgs{"a:1|c|#k:<v>\nb:1|c"}, &reply); err != nil || reply != 0 {
			t.Fatalf("call %d = %d, %v, want 0, nil", i, reply, err)
		}
	}
	if err := client.Call("Metric.HandleBatch", map[string][]string{"Lines": {"a:1|c", "b:1|c"}}, new(int)); err != nil {
		t.Errorf("HandleBatch = %v, want nil", err)
	}
	var pong string
	if err := client.Call("Metric.Ping", struct{}{}, &pong); err != nil || pong != "pong" {
		t.Errorf("Ping = %q, %v, want pong", pong, err)
	}
	if err := client.Call("Metric.Handle", handleArgs{"a:oops|c"}, new(int)); err == nil || !strings.Contains(err.Error(), "not a number") {
		t.Errorf("Handle of a bad line = %v, want to be told", err)
	}
	if err := client.Call("Nope.Nope", handleArgs{}, new(int)); err == nil {
		t.Error("Nope.Nope = nil, want an error")
	}
	if got := f.total(); got != 202 {
		t.Errorf("total = %v, want 202", got)
	}
}

func TestPipelinedGaugesKeepTheirOrder(t *testing.T) {
	t.Parallel()
	const n = 20_000
	f := newFixture(t, nil)
	f.run(t)
	client, err := jsonrpc.Dial("unix", f.path)
	if err != nil {
		t.Fatalf("Dial = %v", err)
	}
	defer client.Close()
	calls := make([]<-chan error, 0, n)
	for i := range n {
		done := make(chan error, 1)
		call := client.Go("Metric.Handle", handleArgs{fmt.Sprintf("g:%d|g", i)}, new(int), nil)
		go func() { done <- (<-call.Done).Error }()
		calls = append(calls, done)
	}
	for i, done := range calls {
		if err := <-done; err != nil {
			t.Fatalf("call %d = %v", i, err)
		}
	}
	if got := f.gauge(t); got != n-1 {
		t.Errorf("gauge = %v, want %d", got, n-1)
	}
}

func TestConcurrentClientsAreCountedExactly(t *testing.T) {
	t.Parallel()
	const clients, each = 8, 2000
	f := newFixture(t, nil)
	f.run(t)
	talks := []func(i int) string{
		func(int) string { return "a:1|c|#k:v\n" },
		func(int) string { return frame("a:1|c|#k:v") },
		func(i int) string {
			return fmt.Sprintf(`{"method":"Metric.Handle","params":[{"Text":"a:1|c|#k:v"}],"id":%d}`+"\n", i)
		},
		func(i int) string {
			return fmt.Sprintf(`{"jsonrpc":"2.0","method":"Metric.Handle","params":{"Text":"a:1|c|#k:v"},"id":%d}`, i)
		},
	}
	var all sync.WaitGroup
	for n := range clients {
		talk := talks[n%len(talks)]
		all.Go(func() {
			c, err := net.Dial("unix", f.path)
			if err != nil {
				t.Errorf("Dial = %v", err)
				return
			}
			defer c.Close()
			read := make(chan int)
			go func() {
				replies := 0
				for r := bufio.NewScanner(c); r.Scan(); {
					replies++
				}
				read <- replies
			}()
			w := bufio.NewWriterSize(c, 1000) // breaks lines, frames and documents anywhere
			for i := range each {
				w.WriteString(talk(i))
			}
			w.Flush()
			c.(*net.UnixConn).CloseWrite()
			if got := <-read; got != 0 && got != each {
				t.Errorf("client %d has %d replies, want %d", n, got, each)
			}
		})
	}
	all.Wait()
	if got := f.total(); got != clients*each {
		t.Errorf("total = %v, want %d", got, clients*each)
	}
}

func TestTooManyConnectionsAreClosedAtOnce(t *testing.T) {
	t.Parallel()
	f := newFixture(t, func(c *Config) { c.Limits.MaxConns = 2 })
	f.run(t)
	ping := `{"method":"Metric.Ping","params":[],"id":1}`
	var first net.Conn
	for range 2 {
		first = f.dial(t)
		write(t, first, ping)
		if _, err := bufio.NewReader(first).ReadString('\n'); err != nil {
			t.Fatalf("ping = %v", err)
		}
	}
	if n, err := f.dial(t).Read(make([]byte, 1)); err == nil {
		t.Errorf("third connection reads %d bytes, want to be closed", n)
	}
	if got := f.Stats(); got.RefusedConns != 1 || got.Conns != 2 {
		t.Errorf("RefusedConns = %d, Conns = %d, want 1, 2", got.RefusedConns, got.Conns)
	}
	f.hangUp(t, first.(*net.UnixConn))
	for f.Stats().Conns > 1 {
		runtime.Gosched()
	}
	if got := f.say(t, ping); got == "" {
		t.Error("a connection after one was closed gets no answer")
	}
}

func TestVeryLongLineIsDroppedUpToTheNext(t *testing.T) {
	t.Parallel()
	f := newFixture(t, nil)
	f.run(t)
	c := f.dial(t).(*net.UnixConn)
	write(t, c, "a:1|c\n")
	junk := []byte(strings.Repeat("x", 1<<20))
	for range 256 {
		if _, err := c.Write(junk); err != nil {
			t.Fatalf("Write = %v", err)
		}
	}
	write(t, c, "\na:1|c\n")
	f.hangUp(t, c)
	if got := f.total(); got != 2 {
		t.Errorf("total = %v, want 2", got)
	}
	if got := f.Stats().Refused["too_long"]; got != 1 {
		t.Errorf("Refused[too_long] = %d, want 1", got)
	}
}

// TestUnfinishedFramesShareABound: each may be large, all together may not.
func TestUnfinishedFramesShareABound(t *testing.T) {
	t.Parallel()
	const limit = 4 << 20
	f := newFixture(t, func(c *Config) { c.Limits.MaxHeld = limit })
	f.run(t)
	half := append([]byte(frame("a:1|c")), 0, 0, 16, 0) // a frame, and one of 1 MiB that is begun
	half = append(half, make([]byte, 600<<10)...)
	var all []net.Conn
	for range 50 {
		c := f.dial(t)
		_ = c.SetWriteDeadline(time.Now().Add(5 * time.Second))
		_, _ = c.Write(half) // fails where the server has closed
		all = append(all, c)
	}
	await := func(what string, met func() bool) {
		t.Helper()
		for deadline := time.Now().Add(20 * time.Second); !met(); time.Sleep(time.Millisecond) {
			if time.Now().After(deadline) {
				t.Fatalf("still not: %s", what)
			}
		}
	}
	await("connections are closed for it", func() bool { return f.Stats().Timeouts > 0 })
	if held := f.held.Load(); held > limit {
		t.Errorf("%d bytes are held, want at most %d", held, limit)
	}
	if got := f.say(t, `{"method":"Metric.Ping","id":1}`); !strings.Contains(got, "pong") {
		t.Errorf("a small call is answered %q meanwhile, want pong", got)
	}
	for _, c := range all {
		c.Close()
	}
	await("nothing is held any more", func() bool { return f.held.Load() == 0 })
	big := frame(strings.Repeat("a:1|c\n", 100_000))
	f.total()
	f.say(t, big)
	if got := f.total(); got != 100_000 {
		t.Errorf("a large frame after that counts %v, want 100000", got)
	}
	if !strings.Contains(f.logs.String(), "too many large frames") {
		t.Errorf("logs = %s, want a word about it", f.logs)
	}
}

func TestIdleConnectionsHoldNoBuffers(t *testing.T) {
	const conns, most = 400, 14 << 10 // both ends are in this process
	f := newFixture(t, nil)
	f.run(t)
	memory := func() uint64 {
		runtime.GC()
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return m.HeapInuse + m.StackInuse
	}
	before := memory()
	open := make([]net.Conn, conns)
	reply := make([]byte, 256)
	for i := range open {
		open[i] = f.dial(t)
		write(t, open[i], `{"method":"Metric.Handle","params":[{"Text":"a:1|c"}],"id":1}`)
		if _, err := open[i].Read(reply); err != nil {
			t.Fatalf("Read = %v", err)
		}
	}
	each := (int64(memory()) - int64(before)) / conns
	t.Logf("an idle connection costs %d bytes, both ends", each)
	if each > most && !raceEnabled {
		t.Errorf("an idle connection costs %d bytes, want at most %d", each, most)
	}
	runtime.KeepAlive(open)
}

func TestStopTakesWhatWasSent(t *testing.T) {
	t.Parallel()
	f := newFixture(t, nil)
	stop := f.run(t)
	c := f.dial(t)
	write(t, c, "a:1|c\n")
	for f.Stats().Lines == 0 {
		runtime.Gosched()
	}
	idle := f.dial(t)
	write(t, c, strings.Repeat("a:1|c\n", 10_000)+"a:1") // the rest will not come
	stop()
	if got := f.total(); got != 10_001 {
		t.Errorf("total = %v, want 10001", got)
	}
	if _, err := idle.Read(make([]byte, 1)); err == nil {
		t.Error("an idle connection is open after Run")
	}
	if _, err := os.Lstat(f.path); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("Lstat of the socket after Run = %v, want that it is gone", err)
	}
	if left, _ := os.ReadDir(filepath.Dir(f.path)); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
}

func TestRemovedSocketFileIsBoundAgain(t *testing.T) {
	t.Parallel()
	f := newFixture(t, func(c *Config) { c.Limits.WatchInterval = 1 << 20 }) // a millisecond
	f.run(t)
	old := f.dial(t).(*net.UnixConn)
	write(t, old, "a:1|c\n")
	for range 3 {
		before := f.Stats().Rebinds
		if err := os.Remove(f.path); err != nil {
			t.Fatal(err)
		}
		for f.Stats().Rebinds == before {
			runtime.Gosched()
		}
		f.say(t, "a:1|c\n")
	}
	f.hangUp(t, old)
	if got := f.total(); got != 4 {
		t.Errorf("total = %v, want 4: the old connection goes on", got)
	}
}

func TestPathInUse(t *testing.T) {
	t.Parallel()
	first := newFixture(t, nil)
	stop := first.run(t)
	share := func(c *Config) { c.Socket = first.path }
	if err := newFixture(t, share).Listen(); !errors.Is(err, sockfile.ErrInUse) {
		t.Errorf("Listen = %v, want ErrInUse", err)
	}
	second := newFixture(t, func(c *Config) {
		share(c)
		c.Optional = true
		c.Limits.WatchInterval = 1 << 20
	})
	second.run(t)
	first.say(t, "a:1|c\n")
	if got := first.total(); got != 1 {
		t.Errorf("total of the first = %v, want 1", got)
	}
	stop()
	for !strings.Contains(second.logs.String(), "socket bound") {
		runtime.Gosched()
	}
	second.say(t, "a:1|c\n")
	if got := second.total(); got != 1 {
		t.Errorf("total of the second = %v, want 1", got)
	}
	if got := strings.Count(second.logs.String(), "can not be bound; trying again"); got != 1 {
		t.Errorf("told %d times that the path is in use, want once", got)
	}
}

func TestAllOrNothingIsBound(t *testing.T) {
	t.Parallel()
	f := newFixture(t, func(c *Config) {
		c.Datagram = c.Socket + ".d"
		if err := os.WriteFile(c.Datagram, nil, 0o600); err != nil {
			t.Fatal(err)
		}
	})
	if err := f.Listen(); !errors.Is(err, sockfile.ErrNotSocket) {
		t.Errorf("Listen = %v, want ErrNotSocket", err)
	}
	if _, err := os.Lstat(f.path); err == nil {
		t.Error("the stream socket is there, want nothing bound")
	}
}

func TestVanishingClients(t *testing.T) {
	t.Parallel()
	f := newFixture(t, nil)
	f.run(t)
	for i := range 200 {
		c := f.dial(t)
		io.WriteString(c, []string{"a:1", frame("a:1|c")[:7], `{"method":"Metric.Ping","params":[],"id":1}{"`}[i%3])
		c.Close()
	}
	f.say(t, "a:1|c\n")
	for f.Stats().Conns > 0 {
		runtime.Gosched()
	}
	if got := f.total(); got != 1 {
		t.Errorf("total = %v, want 1", got)
	}
}
