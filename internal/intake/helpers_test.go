package intake

import (
	"bytes"
	"context"
	"encoding/binary"
	"io"
	"log/slog"
	"net"
	"path/filepath"
	"sync"
	"testing"

	"github.com/go-batteries/hawkeye/internal/bucket"
	"github.com/go-batteries/hawkeye/internal/series"
)

// fixture is a server with what it records.
type fixture struct {
	*Server
	reg  *series.Registry
	path string
	logs *logBuffer
}

type logBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *logBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *logBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

// newFixture returns a server that does not listen yet.
func newFixture(t testing.TB, change func(*Config)) *fixture {
	t.Helper()
	logs := &logBuffer{}
	c := Config{
		Registry: series.New(series.Limits{}),
		Socket:   filepath.Join(t.TempDir(), "s"),
		Logger:   slog.New(slog.NewTextHandler(logs, nil)),
	}
	if change != nil {
		change(&c)
	}
	s, err := New(c)
	if err != nil {
		t.Fatalf("New = %v, want no error", err)
	}
	return &fixture{Server: s, reg: c.Registry, path: c.Socket, logs: logs}
}

// run listens and serves until stop, or the end of the test.
func (f *fixture) run(t testing.TB) (stop func()) {
	t.Helper()
	if err := f.Listen(); err != nil {
		t.Fatalf("Listen = %v, want no error", err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- f.Run(ctx) }()
	stop = sync.OnceFunc(func() {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("Run = %v, want nil", err)
		}
	})
	t.Cleanup(stop)
	return stop
}

func (f *fixture) dial(t testing.TB) net.Conn {
	t.Helper()
	c, err := net.Dial("unix", f.path)
	if err != nil {
		t.Fatalf("Dial(%q) = %v", f.path, err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}

// total is the sum of all counters since the last call, in units.
func (f *fixture) total() float64 {
	var b bucket.Bucket
	f.reg.Collect(&b, true)
	sum := int64(0)
	for _, c := range b.Counters {
		sum += c.Delta
	}
	return float64(sum) / bucket.Unit
}

// gauge is the value of the only gauge.
func (f *fixture) gauge(t testing.TB) float64 {
	t.Helper()
	var b bucket.Bucket
	f.reg.Collect(&b, true)
	if len(b.Gauges) != 1 {
		t.Fatalf("gauges = %v, want one", b.Gauges)
	}
	return b.Gauges[0].Value
}

// say sends text on a connection of its own, closes the sending half, and
// returns all that comes back; when it returns the server has dealt with it.
func (f *fixture) say(t testing.TB, text string) string {
	t.Helper()
	c := f.dial(t).(*net.UnixConn)
	if _, err := io.WriteString(c, text); err != nil {
		t.Fatalf("Write = %v", err)
	}
	return f.hangUp(t, c)
}

func (f *fixture) hangUp(t testing.TB, c *net.UnixConn) string {
	t.Helper()
	if err := c.CloseWrite(); err != nil {
		t.Fatalf("CloseWrite = %v", err)
	}
	reply, err := io.ReadAll(c)
	if err != nil {
		t.Fatalf("ReadAll = %v", err)
	}
	return string(reply)
}

// frame packs a payload as unixstream:// clients do.
func frame(payload string) string {
	return string(binary.LittleEndian.AppendUint32(nil, uint32(len(payload)))) + payload
}
