package intake

import (
	"errors"
	"log/slog"
	"net"
	"runtime/debug"
	"slices"
	"time"

	"github.com/go-batteries/hawkeye/internal/sockfile"
)

// datagramLoop records the datagrams of pc until it is closed or the server
// stops.
func (s *Server) datagramLoop(pc *net.UnixConn) {
	checked := !s.config.AnyPeer && sockfile.PeerCredentials
	w := s.newWork()
	w.in = make([]byte, s.config.Limits.MaxFrame+1)
	control := make([]byte, sockfile.CredentialsSpace)
	pause := time.Duration(0)
	for {
		n, controlled, _, _, err := pc.ReadMsgUnix(w.in, control)
		switch {
		case err == nil:
			pause = 0
			if !checked || s.allowedSender(control[:controlled]) {
				s.takeDatagram(w, n)
			}
			continue
		case s.isDraining() || errors.Is(err, net.ErrClosed):
			return
		}
		s.limited.warn("datagram", "datagram can not be read", slog.Any("error", err))
		pause = min(max(2*pause, minAcceptPause), maxAcceptPause)
		select {
		case <-time.After(pause):
		case <-s.stopped:
			return
		}
	}
}

func (s *Server) allowedSender(control []byte) bool {
	uid, err := sockfile.Sender(control)
	if err == nil && slices.Contains(s.config.PeerUIDs, uid) {
		return true
	}
	s.counts.refusedPeers.Add(1)
	s.limited.warn("peer", "datagram of another user refused", slog.Uint64("uid", uint64(uid)))
	return false
}

// takeDatagram records the lines of a datagram.
func (s *Server) takeDatagram(w *work, n int) {
	defer func() {
		if recovered := recover(); recovered != nil {
			s.counts.panics.Add(1)
			s.limited.warn("panic", "panic while taking a datagram",
				slog.Any("panic", recovered), slog.String("stack", string(debug.Stack())))
		}
	}()
	s.counts.datagrams.Add(1)
	s.counts.bytes.Add(uint64(n))
	if n > s.config.Limits.MaxFrame {
		s.counts.cutDatagrams.Add(1)
		return
	}
	s.logRefused(w.applier.Apply(w.in[:n]))
	s.counts.addLines(&w.applier.Counts)
}
