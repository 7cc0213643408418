package intake

import (
	"errors"
	"io"
	"log/slog"
	"net"
	"os"
	"runtime/debug"
	"sync"
	"time"

	"github.com/go-batteries/hawkeye/internal/jsonrpc"
	"github.com/go-batteries/hawkeye/internal/statsd"
)

const (
	readSize  = 64 << 10 // of a pooled read buffer
	flushSize = 64 << 10 // of replies, after which they are written
)

// work is what a connection borrows while bytes of it are at hand.
type work struct {
	in      []byte // what has been read and not been dealt with is in[start:end]
	start   int
	end     int
	out     []byte // replies to be written
	applier statsd.Applier
}

func (s *Server) newWork() *work {
	return &work{
		in: make([]byte, readSize),
		applier: statsd.Applier{
			Registry:   s.config.Registry,
			GaugeDelta: s.config.GaugeDelta,
			MaxLine:    s.config.Limits.MaxLine,
		},
	}
}

// space returns where to read to, at least half a readSize. It is an error,
// errCrowded, if all connections together would hold too much.
func (c *conn) space() ([]byte, error) {
	w := c.work
	if w.start == w.end {
		w.start, w.end = 0, 0
	}
	if len(w.in)-w.end >= readSize/2 {
		return w.in[w.end:], nil
	}
	held := w.in[w.start:w.end]
	if len(held) > len(w.in)/2 {
		if !c.server.reserve(len(w.in)) {
			return nil, errCrowded
		}
		w.in = make([]byte, 2*len(w.in))
	}
	w.start, w.end = 0, copy(w.in, held)
	return w.in[w.end:], nil
}

// errCrowded says that the unfinished frames and documents of all connections
// together are too large.
var errCrowded = errors.New("too much is unfinished")

// reserve takes n bytes of what all connections together may hold beyond
// their first buffers.
func (s *Server) reserve(n int) bool {
	if s.held.Add(int64(n)) <= int64(s.config.Limits.MaxHeld) {
		return true
	}
	s.held.Add(int64(-n))
	return false
}

// conn is one connection. Its goroutine owns it, but for what mu guards.
type conn struct {
	server  *Server
	nc      net.Conn
	reader  reader
	work    *work // nil while there is nothing to do
	framing framing
	session *jsonrpc.Session // of the JSON-RPC framing
	first   bool             // no whole line has come yet
	// dropping says that the rest of a line that was too long is to come.
	dropping bool
	// begun says that a read deadline is set, for the line, frame or
	// document that begins at work.start.
	begun bool

	mu         sync.Mutex // guards the read deadline of nc, and:
	drainUntil time.Time  // not zero: the server is stopping
}

// errGarbled says that the other side can't be understood any more.
var errGarbled = errors.New("stream is garbled")

func (s *Server) newConn(nc net.Conn) *conn {
	c := &conn{server: s, nc: nc}
	c.reader.init(c)
	return c
}

// serve handles the connection until it ends, one way or another.
func (c *conn) serve() {
	defer c.nc.Close()
	defer c.release()
	defer func() {
		if recovered := recover(); recovered != nil {
			c.panicked(recovered, debug.Stack())
		}
	}()
	for {
		if err := c.read(); err != nil {
			c.finish(err)
			return
		}
		if c.work == nil {
			continue // nothing came
		}
		if err := c.consume(); err != nil {
			return
		}
		c.mind()
	}
}

func (c *conn) panicked(recovered any, stack []byte) {
	c.server.counts.panics.Add(1)
	c.server.limited.warn("panic", "panic while serving a client",
		slog.Any("panic", recovered), slog.String("stack", string(stack)))
}

// read waits until there is something new in c.work.
func (c *conn) read() error {
	n, err := c.reader.read()
	c.server.counts.bytes.Add(uint64(n))
	return err
}

// consume deals with what is complete at the front of what was read, and
// writes the replies in one piece.
func (c *conn) consume() error {
	w := c.work
	n, err := c.take(w.in[w.start:w.end])
	w.start += n
	if n > 0 {
		c.begun = false
	}
	c.count()
	return errors.Join(err, c.flush())
}

// count hands the counts of this connection to the server.
func (c *conn) count() {
	c.server.counts.addLines(&c.work.applier.Counts)
	if c.session != nil {
		c.server.counts.addCalls(&c.session.Stats)
	}
}

// mind sets the deadline for what has been begun, or lifts it. A connection
// that has nothing to say may be silent for ever, and holds no buffer.
func (c *conn) mind() {
	switch held := c.work.end > c.work.start; {
	case held && !c.begun:
		c.begun = true
		c.setReadDeadline(time.Now().Add(c.server.config.Limits.FinishTimeout))
	case !held && c.reader.deadline:
		c.begun = false
		c.setReadDeadline(time.Time{})
	}
}

func (c *conn) setReadDeadline(t time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.drainUntil.IsZero() {
		c.reader.deadline = !t.IsZero()
		c.nc.SetReadDeadline(t)
	}
}

func (c *conn) setWriteDeadline() {
	deadline := time.Now().Add(c.server.config.Limits.WriteTimeout)
	c.mu.Lock()
	defer c.mu.Unlock()
	if until := c.drainUntil; !until.IsZero() && until.Before(deadline) {
		deadline = until
	}
	c.nc.SetWriteDeadline(deadline)
}

// drain makes the connection end when it has nothing more to read. It is
// called by the server.
func (c *conn) drain(until time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.drainUntil = until
	c.nc.SetReadDeadline(time.Now())
	c.nc.SetWriteDeadline(until)
}

func (c *conn) draining() (until time.Time, yes bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.drainUntil, !c.drainUntil.IsZero()
}

// finish ends the connection after a read that failed with err.
func (c *conn) finish(err error) {
	until, draining := c.draining()
	if draining && errors.Is(err, os.ErrDeadlineExceeded) {
		for time.Now().Before(until) && c.reader.readNow() > 0 {
			if c.consume() != nil {
				return
			}
		}
	}
	if c.work == nil {
		return
	}
	timeout := !draining && errors.Is(err, os.ErrDeadlineExceeded)
	if timeout && c.work.end > c.work.start {
		c.server.counts.timeouts.Add(1)
	}
	if errors.Is(err, errCrowded) {
		c.server.counts.timeouts.Add(1)
		c.server.limited.warn("crowded", "clients have begun too many large frames or documents; closed one",
			slog.Int("limit", c.server.config.Limits.MaxHeld))
	}
	c.takeLast(c.work.in[c.work.start:c.work.end], err == io.EOF)
	c.count()
	_ = c.flush()
}

// flush writes the replies. A client that does not take them in time is
// given up.
func (c *conn) flush() error {
	w := c.work
	if len(w.out) == 0 {
		return nil
	}
	c.setWriteDeadline()
	_, err := c.nc.Write(w.out)
	w.out = w.out[:0]
	if errors.Is(err, os.ErrDeadlineExceeded) {
		c.server.counts.slowReaders.Add(1)
		c.server.limited.warn("slow", "client does not read its replies; closed")
	}
	return err
}

// borrow makes sure that there is work.
func (c *conn) borrow() *work {
	if c.work == nil {
		c.work = c.server.works.Get().(*work)
	}
	return c.work
}

// release gives the work back. Buffers that grew are left to the collector.
func (c *conn) release() {
	w := c.work
	if w == nil {
		return
	}
	c.work = nil
	if c.session != nil {
		c.session.Forget()
	}
	w.start, w.end = 0, 0
	c.server.held.Add(int64(readSize - len(w.in)))
	if len(w.in) == readSize && cap(w.out) <= 2*flushSize {
		c.server.works.Put(w)
	}
}

// idle gives the work back if nothing is held in it.
func (c *conn) idle() {
	if c.work != nil && c.work.start == c.work.end {
		c.release()
	}
}
