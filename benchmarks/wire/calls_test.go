package wire

import (
	"bytes"
	"fmt"
	"io"
	"net"
	"net/rpc"
	"net/rpc/jsonrpc"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/go-batteries/hawkeye/internal/series"
	"github.com/go-batteries/hawkeye/internal/statsd"
)

// callsAtOnce is how many calls a client writes at once.
const callsAtOnce = 512

// BenchmarkCalls pipelines JSON-RPC calls of one line each over a unix socket;
// every call is answered and counted. ns/op is for a call. The client is the
// same for both servers. The peer is the standard library's server, around the
// same parser and the same registry.
func BenchmarkCalls(b *testing.B) {
	for _, clients := range []int{1, 8} {
		b.Run(fmt.Sprintf("hawkeye/clients=%d", clients), func(b *testing.B) {
			reg, path, stop := serve(b)
			sent := pipeline(b, path, clients)
			stop()
			delivered(b, sum(reg), float64(sent))
		})
		b.Run(fmt.Sprintf("net_rpc/clients=%d", clients), func(b *testing.B) {
			reg, path := series.New(series.Limits{}), filepath.Join(b.TempDir(), "s")
			stop := serveNetRPC(b, reg, path)
			sent := pipeline(b, path, clients)
			stop()
			delivered(b, sum(reg), float64(sent))
		})
	}
}

// pipeline makes at least b.N calls and waits for their answers.
func pipeline(b *testing.B, path string, clients int) (sent int) {
	b.Helper()
	text := []byte(strings.Repeat(`{"method":"Metric.Handle","params":[{"Text":"`+line+`"}],"id":7}`+"\n", callsAtOnce))
	each := (b.N + clients*callsAtOnce - 1) / (clients * callsAtOnce)
	var all sync.WaitGroup
	b.ReportAllocs()
	b.ResetTimer()
	for range clients {
		c := dial(b, "unix", path).(*net.UnixConn)
		all.Go(func() {
			for range each {
				if _, err := c.Write(text); err != nil {
					b.Error(err)
					return
				}
			}
		})
		all.Go(func() {
			defer c.Close()
			if err := readLines(c, each*callsAtOnce); err != nil {
				b.Error(err)
			}
		})
	}
	all.Wait()
	b.StopTimer()
	return clients * each * callsAtOnce
}

func readLines(r io.Reader, want int) error {
	buf := make([]byte, 64<<10)
	for got := 0; got < want; {
		n, err := r.Read(buf)
		got += bytes.Count(buf[:n], []byte{'\n'})
		if err != nil {
			return fmt.Errorf("%d replies of %d: %w", got, want, err)
		}
	}
	return nil
}

// Metric is the service as net/rpc wants it.
type Metric struct {
	reg      *series.Registry
	appliers sync.Pool // it runs the calls of a connection concurrently
}

// Args are those of Metric.Handle.
type Args struct{ Text string }

// Handle counts the lines of a text.
func (m *Metric) Handle(args *Args, reply *int) error {
	a := m.appliers.Get().(*statsd.Applier)
	defer m.appliers.Put(a)
	return a.Apply([]byte(args.Text))
}

func serveNetRPC(b *testing.B, reg *series.Registry, path string) (stop func()) {
	b.Helper()
	m := &Metric{reg: reg}
	m.appliers.New = func() any { return &statsd.Applier{Registry: reg} }
	server := rpc.NewServer()
	if err := server.Register(m); err != nil {
		b.Fatal(err)
	}
	l, err := net.Listen("unix", path)
	if err != nil {
		b.Fatal(err)
	}
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go server.ServeCodec(jsonrpc.NewServerCodec(c))
		}
	}()
	return func() { l.Close() }
}
