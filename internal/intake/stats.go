package intake

import (
	"context"
	"log/slog"
	"maps"
	"sync"
	"sync/atomic"
	"time"

	"github.com/go-batteries/hawkeye/internal/jsonrpc"
	"github.com/go-batteries/hawkeye/internal/statsd"
)

// Stats are what a [Server] has counted since it was made, but for Unbound
// and Conns.
type Stats struct {
	Unbound      map[string]error  // why sockets aren't at their paths, now; they are tried again
	Conns        int               // open now
	Accepted     uint64            // connections that were served
	RefusedConns uint64            // connections over MaxConns
	RefusedPeers uint64            // connections and datagrams of other users
	AcceptErrors uint64            // accepts that failed
	Bytes        uint64            // bytes read
	Lines        uint64            // lines recorded
	Samples      uint64            // values in them
	Refused      map[string]uint64 // lines not recorded, by statsd.Reason.Key
	Frames       uint64            // length-prefixed frames
	BadFrames    uint64            // frames that were too long or cut off
	Calls        uint64            // JSON-RPC requests and notifications
	FailedCalls  uint64            // calls with an error
	BadDocuments uint64            // documents that were no JSON, too long or cut off
	Datagrams    uint64            // datagrams
	CutDatagrams uint64            // datagrams that were longer than a frame may be
	Timeouts     uint64            // connections closed in mid-line, -frame or -document
	SlowReaders  uint64            // connections closed because replies were not read
	Panics       uint64            // panics while serving
	Rebinds      uint64            // socket files bound again
}

type counters struct {
	accepted, refusedConns, refusedPeers, acceptErrors atomic.Uint64
	bytes, lines, samples                              atomic.Uint64
	refused                                            [statsd.NumReasons]atomic.Uint64
	frames, badFrames                                  atomic.Uint64
	calls, failedCalls, badDocuments                   atomic.Uint64
	datagrams, cutDatagrams                            atomic.Uint64
	timeouts, slowReaders, panics, rebinds             atomic.Uint64
}

// Stats returns what was counted. It is safe for concurrent use.
func (s *Server) Stats() Stats {
	s.mu.Lock()
	conns := len(s.conns)
	var unbound map[string]error
	if len(s.unbound) > 0 {
		unbound = maps.Clone(s.unbound)
	}
	s.mu.Unlock()
	c := &s.counts
	st := Stats{
		Unbound:      unbound,
		Conns:        conns,
		Accepted:     c.accepted.Load(),
		RefusedConns: c.refusedConns.Load(),
		RefusedPeers: c.refusedPeers.Load(),
		AcceptErrors: c.acceptErrors.Load(),
		Bytes:        c.bytes.Load(),
		Lines:        c.lines.Load(),
		Samples:      c.samples.Load(),
		Refused:      make(map[string]uint64),
		Frames:       c.frames.Load(),
		BadFrames:    c.badFrames.Load(),
		Calls:        c.calls.Load(),
		FailedCalls:  c.failedCalls.Load(),
		BadDocuments: c.badDocuments.Load(),
		Datagrams:    c.datagrams.Load(),
		CutDatagrams: c.cutDatagrams.Load(),
		Timeouts:     c.timeouts.Load(),
		SlowReaders:  c.slowReaders.Load(),
		Panics:       c.panics.Load(),
		Rebinds:      c.rebinds.Load(),
	}
	for reason := range statsd.NumReasons {
		if n := c.refused[reason].Load(); n > 0 {
			st.Refused[statsd.Reason(reason).Key()] = n
		}
	}
	return st
}

// addLines moves what an Applier counted into c.
func (c *counters) addLines(from *statsd.Counts) {
	if from.Lines > 0 {
		c.lines.Add(from.Lines)
		c.samples.Add(from.Samples)
	}
	for reason, n := range from.Refused {
		if n > 0 {
			c.refused[reason].Add(n)
		}
	}
	*from = statsd.Counts{}
}

// addCalls moves what a Session counted into c.
func (c *counters) addCalls(from *jsonrpc.Stats) {
	if *from == (jsonrpc.Stats{}) {
		return
	}
	c.calls.Add(from.Calls)
	c.failedCalls.Add(from.Failed)
	c.badDocuments.Add(from.Broken)
	c.panics.Add(from.Panics)
	*from = jsonrpc.Stats{}
}

// logPause is how long a kind of message is kept quiet after it was logged.
const logPause = 10 * time.Second

// limitedLog logs each kind of message at most once every logPause, and says
// how often it was kept quiet: clients decide how often things go wrong.
type limitedLog struct {
	log   *slog.Logger
	mu    sync.Mutex // guards kinds
	kinds map[string]*quietKind
}

type quietKind struct {
	until  time.Time
	missed int
}

func (l *limitedLog) warn(kind, message string, attrs ...slog.Attr) {
	now := time.Now()
	l.mu.Lock()
	if l.kinds == nil {
		l.kinds = make(map[string]*quietKind)
	}
	k := l.kinds[kind]
	if k == nil {
		k = &quietKind{}
		l.kinds[kind] = k
	}
	if now.Before(k.until) {
		k.missed++
		l.mu.Unlock()
		return
	}
	missed := k.missed
	*k = quietKind{until: now.Add(logPause)}
	l.mu.Unlock()
	if missed > 0 {
		attrs = append(attrs, slog.Int("not_logged_before", missed))
	}
	l.log.LogAttrs(context.Background(), slog.LevelWarn, message, attrs...)
}
