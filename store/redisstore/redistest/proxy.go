//go:build unix

package redistest

import (
	"net"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// Fault is what a [Proxy] does to connections.
type Fault int32

// The faults.
const (
	// Pass: none.
	Pass Fault = iota
	// DropReplies: commands arrive and run, their replies vanish, and the
	// connection stays open.
	DropReplies
	// ResetReplies: commands arrive and run; instead of the reply comes a
	// reset of the connection.
	ResetReplies
	// Stall: nothing gets through in either direction, and nothing breaks.
	// What was sent meanwhile arrives afterwards.
	Stall
	// Refuse: connections are reset, old ones and new ones.
	Refuse
	// Swallow: what is sent in either direction vanishes, and nothing breaks.
	// A connection that has lost something stays dead when it is over, because
	// what follows a gap makes no sense.
	Swallow
)

// Proxy passes connections on to a server. It is safe for concurrent use.
type Proxy struct {
	target   string
	listener net.Listener
	fault    atomic.Int32
	cuts     atomic.Int64

	mu    sync.Mutex // guards conns and closed
	conns map[net.Conn]struct{}
	ended bool
	wait  sync.WaitGroup
}

// NewProxy runs a proxy to target until the test ends.
func NewProxy(t testing.TB, target string) *Proxy {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatalf("start proxy: %v", err)
	}
	p := &Proxy{target: target, listener: l, conns: map[net.Conn]struct{}{}}
	p.wait.Go(p.accept)
	t.Cleanup(p.close)
	return p
}

// Addr is where the proxy listens.
func (p *Proxy) Addr() string { return p.listener.Addr().String() }

// Set changes what happens to connections from now on.
func (p *Proxy) Set(f Fault) {
	p.fault.Store(int32(f))
	if f == Refuse {
		p.Reset()
	}
}

// Reset resets all connections that are open, once.
func (p *Proxy) Reset() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for c := range p.conns {
		p.reset(c)
	}
}

// Cuts counts the replies that were lost and the connections that were reset.
func (p *Proxy) Cuts() int64 { return p.cuts.Load() }

func (p *Proxy) reset(c net.Conn) {
	p.cuts.Add(1)
	if tcp, ok := c.(*net.TCPConn); ok {
		tcp.SetLinger(0) // an RST instead of a FIN
	}
	c.Close()
}

func (p *Proxy) accept() {
	for {
		client, err := p.listener.Accept()
		if err != nil {
			return
		}
		if p.is(Refuse) || !p.track(client) {
			p.reset(client)
			continue
		}
		p.wait.Go(func() { p.serve(client) })
	}
}

func (p *Proxy) is(f Fault) bool { return Fault(p.fault.Load()) == f }

func (p *Proxy) track(c net.Conn) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.ended {
		p.conns[c] = struct{}{}
	}
	return !p.ended
}

func (p *Proxy) serve(client net.Conn) {
	defer func() {
		client.Close()
		p.mu.Lock()
		delete(p.conns, client)
		p.mu.Unlock()
	}()
	server, err := net.DialTimeout("tcp", p.target, time.Second)
	if err != nil {
		p.reset(client)
		return
	}
	var dead atomic.Bool
	p.wait.Go(func() {
		defer server.Close()
		p.pump(server, client, false, &dead)
	})
	defer server.Close()
	p.pump(client, server, true, &dead)
}

// pump copies from src to dst, or does what the fault says instead. dead says
// that the connection has lost something.
func (p *Proxy) pump(dst, src net.Conn, replies bool, dead *atomic.Bool) {
	buf := make([]byte, 64<<10)
	for {
		n, err := src.Read(buf)
		if err != nil {
			return
		}
		for p.is(Stall) && !p.over() {
			time.Sleep(5 * time.Millisecond)
		}
		switch {
		case dead.Load() || p.is(Swallow):
			dead.Store(true)
			p.cuts.Add(1)
			continue
		case replies && p.is(DropReplies):
			p.cuts.Add(1)
			continue
		case replies && p.is(ResetReplies), p.is(Refuse):
			p.reset(dst)
			return
		}
		if _, err := dst.Write(buf[:n]); err != nil {
			return
		}
	}
}

func (p *Proxy) over() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.ended
}

func (p *Proxy) close() {
	p.mu.Lock()
	p.ended = true
	p.mu.Unlock()
	p.listener.Close()
	p.Reset()
	p.wait.Wait()
}
