package intake

import (
	"errors"
	"log/slog"
	"net"
	"slices"
	"time"

	"github.com/go-batteries/hawkeye/internal/sockfile"
)

// The pauses after an accept that failed, most often because the process or
// the machine has no file descriptor left.
const (
	minAcceptPause = 5 * time.Millisecond
	maxAcceptPause = time.Second
)

// acceptLoop serves the connections of l until l is closed or the server
// stops. No error ends it: accept works again when descriptors are free.
func (s *Server) acceptLoop(l net.Listener) {
	pause := time.Duration(0)
	for {
		nc, err := l.Accept()
		switch {
		case err == nil:
			pause = 0
			s.admit(nc)
			continue
		case s.isDraining() || errors.Is(err, net.ErrClosed):
			return
		}
		s.counts.acceptErrors.Add(1)
		s.limited.warn("accept", "connection can not be accepted", slog.Any("error", err))
		pause = min(max(2*pause, minAcceptPause), maxAcceptPause)
		select {
		case <-time.After(pause):
		case <-s.stopped:
			return
		}
	}
}

// admit starts a connection, or closes it at once.
func (s *Server) admit(nc net.Conn) {
	if !s.allowed(nc) {
		s.counts.refusedPeers.Add(1)
		nc.Close()
		return
	}
	c := s.newConn(nc)
	s.mu.Lock()
	full := len(s.conns) >= s.config.Limits.MaxConns
	if !full && !s.draining {
		s.conns[c] = struct{}{}
		s.serving.Add(1)
		s.mu.Unlock()
		s.counts.accepted.Add(1)
		go func() {
			defer s.serving.Done()
			defer s.forget(c)
			c.serve()
		}()
		return
	}
	s.mu.Unlock()
	nc.Close()
	if full {
		s.counts.refusedConns.Add(1)
		s.limited.warn("full", "too many connections; closed a new one",
			slog.Int("limit", s.config.Limits.MaxConns))
	}
}

func (s *Server) forget(c *conn) {
	s.mu.Lock()
	delete(s.conns, c)
	s.mu.Unlock()
}

// allowed reports whether the user at the other end may send.
func (s *Server) allowed(nc net.Conn) bool {
	uc, ok := nc.(*net.UnixConn)
	if s.config.AnyPeer || !ok || !sockfile.PeerCredentials {
		return true
	}
	uid, pid, err := sockfile.Peer(uc)
	if err != nil {
		s.limited.warn("peer", "connection of an unknown user refused", slog.Any("error", err))
		return false
	}
	if !slices.Contains(s.config.PeerUIDs, uid) {
		s.limited.warn("peer", "connection of another user refused",
			slog.Uint64("uid", uint64(uid)), slog.Int("pid", int(pid)))
		return false
	}
	return true
}
