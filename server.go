package hawkeye

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"github.com/go-batteries/hawkeye/internal/intake"
	"github.com/go-batteries/hawkeye/internal/series"
	"github.com/go-batteries/hawkeye/internal/sockfile"
)

// DefaultSocketPath returns the path of the stream socket of a service that was
// given none by [WithSocket], which is where its clients look for it:
// hawkeye/<service>.sock in $RUNTIME_DIRECTORY or $XDG_RUNTIME_DIR, else
// <service>.sock in a directory of the user's own in the temporary one.
func DefaultSocketPath(service string) string { return sockfile.Default(service) }

// server is the metric server: what other processes send on the sockets goes
// into the same cells as what this process counts itself.
type server struct {
	config intake.Config
	off    bool

	mu     sync.Mutex     // guards what follows
	intake *intake.Server // bound by listen, served by run
	taken  bool           // run has had it: another run binds anew
}

func newServer(c *config, reg *series.Registry) *server {
	s := &server{off: c.noServer || (c.noSocket && c.datagram == "")}
	s.config = intake.Config{
		Registry:   reg,
		Socket:     c.socket,
		Datagram:   c.datagram,
		Mode:       c.socketMode,
		AnyPeer:    c.anyPeer,
		GaugeDelta: c.gaugeDelta,
		Logger:     c.logger,
		Limits: intake.Limits{
			MaxLine:       c.limits.MaxLineBytes,
			MaxFrame:      c.limits.MaxFrameBytes,
			MaxConns:      c.limits.MaxConnections,
			FinishTimeout: c.limits.FrameTimeout,
		},
	}
	for _, uid := range c.peers {
		s.config.PeerUIDs = append(s.config.PeerUIDs, uint32(uid))
	}
	if c.socket == "" && !c.noSocket {
		s.config.Socket = DefaultSocketPath(c.service)
		s.config.PrivateDir = true
		s.config.Optional = true
	}
	return s
}

// path is where the stream socket is, or "" if there is none.
func (s *server) path() string {
	if s.off {
		return ""
	}
	return s.config.Socket
}

// listen binds all sockets or none.
func (s *server) listen() error {
	if s.off {
		return nil
	}
	in, err := intake.New(s.config)
	if err != nil {
		return fmt.Errorf("make the metric server: %w", err)
	}
	if err := in.Listen(); err != nil {
		if errors.Is(err, sockfile.ErrInUse) {
			return fmt.Errorf("%w: %w", ErrSocketInUse, err)
		}
		return fmt.Errorf("bind the metric server: %w", err)
	}
	s.mu.Lock()
	s.intake, s.taken = in, false
	s.mu.Unlock()
	return nil
}

// run serves until ctx ends, and takes what clients had sent by then.
func (s *server) run(ctx context.Context) error {
	if s.off {
		<-ctx.Done()
		return nil
	}
	in := s.take()
	if in == nil {
		if err := s.listen(); err != nil {
			return err
		}
		in = s.take()
	}
	defer in.Close() // after a panic: so that the next run finds the paths free
	return in.Run(ctx)
}

// take returns what listen bound, once.
func (s *server) take() *intake.Server {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.taken {
		return nil
	}
	s.taken = true
	return s.intake
}

// close gives back what listen bound, if run never had it.
func (s *server) close() error {
	if in := s.take(); in != nil {
		return in.Close()
	}
	return nil
}

// stats is what was taken in.
func (s *server) stats() intake.Stats {
	s.mu.Lock()
	in := s.intake
	s.mu.Unlock()
	if in == nil {
		return intake.Stats{}
	}
	return in.Stats()
}
