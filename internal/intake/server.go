package intake

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime/pprof"
	"sync"
	"sync/atomic"
	"time"

	"github.com/go-batteries/hawkeye/internal/pulse"
	"github.com/go-batteries/hawkeye/internal/sockfile"
)

// Server listens and serves. Listen, Run and Close are called once each, in
// this order; Stats may be called at any time.
type Server struct {
	config  Config
	log     *slog.Logger
	counts  counters
	limited limitedLog
	works   sync.Pool    // of *work
	held    atomic.Int64 // bytes of buffers that have grown

	endpoints []*endpoint
	serving   sync.WaitGroup // accept loops, datagram loops, connections

	mu       sync.Mutex // guards what follows
	conns    map[*conn]struct{}
	draining bool
	stopped  chan struct{}    // closed when draining is set
	unbound  map[string]error // why, by path
}

// endpoint is a path at which the server listens. Only the goroutine of
// Listen, and then that of Run, touches it.
type endpoint struct {
	path   string
	opts   sockfile.Options
	retry  bool             // a path that can't be bound is tried again
	socket *sockfile.Socket // nil while it can't be bound
}

// New returns a server that does not listen yet. The error names every
// mistake in c.
func New(c Config) (*Server, error) {
	if err := c.validate(); err != nil {
		return nil, err
	}
	s := &Server{
		config:  c,
		log:     c.Logger.With(slog.String("component", "intake")),
		conns:   make(map[*conn]struct{}),
		unbound: make(map[string]error),
		stopped: make(chan struct{}),
	}
	s.limited.log = s.log
	s.works.New = func() any { return s.newWork() }
	if c.Socket != "" {
		opts := sockfile.Options{Mode: c.Mode, PrivateDir: c.PrivateDir}
		s.endpoints = append(s.endpoints, &endpoint{path: c.Socket, opts: opts, retry: c.Optional})
	}
	if c.Datagram != "" {
		opts := sockfile.Options{Mode: c.Mode, Datagram: true}
		s.endpoints = append(s.endpoints, &endpoint{path: c.Datagram, opts: opts})
	}
	return s, nil
}

// Listen binds the sockets: all of them or, with an error of package
// sockfile, none. Who connects waits until Run.
func (s *Server) Listen() error {
	for _, e := range s.endpoints {
		if err := s.bind(e); err != nil {
			return errors.Join(err, s.Close())
		}
	}
	return nil
}

// bind binds e, or says once that it will be tried again.
func (s *Server) bind(e *endpoint) error {
	socket, err := sockfile.Listen(e.path, e.opts)
	if err == nil {
		s.present(e)
		e.socket = socket
		return nil
	}
	if !e.retry {
		return err
	}
	if s.absent(e, err) {
		s.log.LogAttrs(context.Background(), slog.LevelWarn, "socket can not be bound; trying again",
			slog.String("path", e.path), slog.Any("error", err))
	}
	return nil
}

// absent notes why nobody finds the socket at its path, and says whether that
// is new.
func (s *Server) absent(e *endpoint, err error) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	_, known := s.unbound[e.path]
	s.unbound[e.path] = err
	return !known
}

// present notes that the socket is at its path.
func (s *Server) present(e *endpoint) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.unbound, e.path)
}

// Run serves until ctx ends, then takes what clients had sent by then, for at
// most DrainTimeout, closes everything and returns nil.
func (s *Server) Run(ctx context.Context) error {
	pprof.SetGoroutineLabels(pprof.WithLabels(ctx, pprof.Labels("hawkeye", "intake")))
	defer pprof.SetGoroutineLabels(ctx)
	for _, e := range s.endpoints {
		if e.socket != nil {
			s.start(e)
		}
	}
	watch := time.NewTicker(s.config.Limits.WatchInterval)
	defer watch.Stop()
	alive := pulse.Of(ctx)
	for {
		alive.Rest()
		select {
		case <-ctx.Done():
			return s.stop()
		case <-watch.C:
			alive.Work()
			s.check()
		}
	}
}

// start serves the socket of e in the background.
func (s *Server) start(e *endpoint) {
	if l := e.socket.Listener(); l != nil {
		s.serving.Go(func() { s.acceptLoop(l) })
		return
	}
	packets := e.socket.PacketConn()
	s.serving.Go(func() { s.datagramLoop(packets) })
}

// check binds again what is not, or no longer, at its path.
func (s *Server) check() {
	for _, e := range s.endpoints {
		switch {
		case e.socket == nil:
			if err := s.bind(e); err != nil {
				s.limited.warn("bind", "socket can not be bound", slog.Any("error", err))
			} else if e.socket != nil {
				s.log.LogAttrs(context.Background(), slog.LevelInfo, "socket bound", slog.String("path", e.path))
				s.start(e)
			}
		case !e.socket.Present():
			if err := e.socket.Rebind(); err != nil {
				s.absent(e, err)
				s.limited.warn("bind", "socket file is gone and can not be bound again", slog.Any("error", err))
				continue
			}
			s.present(e)
			s.counts.rebinds.Add(1)
			s.log.LogAttrs(context.Background(), slog.LevelWarn, "socket file was removed; bound again",
				slog.String("path", e.path))
			s.start(e)
		}
	}
}

// stop ends in this order: no new connections, what was sent is taken, all
// goroutines end, the files go.
func (s *Server) stop() error {
	s.mu.Lock()
	s.draining = true
	close(s.stopped)
	open := make([]*conn, 0, len(s.conns))
	for c := range s.conns {
		open = append(open, c)
	}
	s.mu.Unlock()
	until := time.Now().Add(s.config.Limits.DrainTimeout)
	for _, e := range s.endpoints {
		if e.socket == nil {
			continue
		}
		if l := e.socket.Listener(); l != nil {
			l.SetDeadline(time.Now())
		} else {
			e.socket.PacketConn().SetReadDeadline(time.Now())
		}
	}
	for _, c := range open {
		c.drain(until)
	}
	s.serving.Wait()
	return s.Close()
}

// Close gives back what Listen took, for a server that is not run. Run closes
// by itself.
func (s *Server) Close() error {
	var failed []error
	for _, e := range s.endpoints {
		if e.socket == nil {
			continue
		}
		if err := e.socket.Close(); err != nil {
			failed = append(failed, fmt.Errorf("close socket %q: %w", e.path, err))
		}
		e.socket = nil
	}
	return errors.Join(failed...)
}

// isDraining reports whether the server takes nothing new.
func (s *Server) isDraining() bool {
	select {
	case <-s.stopped:
		return true
	default:
		return false
	}
}
