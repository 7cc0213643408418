package hawkeye

import (
	"context"
	"errors"
	"fmt"
	"math"
	"time"

	"github.com/go-batteries/hawkeye/internal/feed"
	"github.com/go-batteries/hawkeye/internal/guard"
	"github.com/go-batteries/hawkeye/internal/matcher"
	"github.com/go-batteries/hawkeye/internal/publish"
	"github.com/go-batteries/hawkeye/internal/window"
)

// Result is what [Hawkeye.Query] found, of all series of a metric together.
type Result struct {
	// Value is the sum of a counter, the fleet's sum of a gauge's latest
	// values, the 99th percentile of a histogram, the number of distinct
	// values of a set. 0 if nothing was found.
	Value float64
	// Kind is counter, gauge, histogram or set; empty if nothing was found.
	Kind string
	// Count and Sum are those of a histogram's values; of a counter both are
	// the sum, of a gauge Count is how many series were live.
	Count, Sum float64
	// Complete says that every tick of the window is known in full.
	Complete bool

	quantile func(q float64) float64
}

// Quantile returns the q-quantile (0 to 1) of a histogram's values, off by at
// most 1.6 %. It is NaN for other kinds.
func (r Result) Quantile(q float64) float64 {
	if r.quantile == nil {
		return math.NaN()
	}
	return r.quantile(q)
}

// Query returns what was recorded for a metric in the window up to now, over
// the whole fleet, whatever the tags, unless matchers (as in
// `route=~"/api/.*"`) say otherwise. What this process recorded before the
// call is in it: Query waits until the open tick has ended and is stored,
// which takes up to a tick.
//
// The window is as fine as the Store's ticks; what is older than its fine
// retention is there only for metrics that a monitor watches for that long,
// and else makes the answer incomplete. So does what a shared Store has lost
// and isn't there again yet, and one in which nobody evaluates: nobody knows
// what is missing there. It returns an error for a mistake in
// the arguments, if the Store can't be read, and ctx's error; before Start and
// after Shutdown it reads what is stored.
func (h *Hawkeye) Query(ctx context.Context, metric string, length time.Duration, matchers ...string) (Result, error) {
	ctx = guard.Context(ctx)
	if h == nil {
		return Result{}, nil
	}
	q := window.Query{Selector: window.Selector{Metric: metric}, Window: length}
	var errs []error
	if metric == "" {
		errs = append(errs, errors.New("want the name of a metric"))
	}
	if length <= 0 {
		errs = append(errs, fmt.Errorf("want a positive window, got %v", length))
	}
	for _, text := range matchers {
		m, err := matcher.Parse(text)
		errs = append(errs, err)
		q.Selector.Where = append(q.Selector.Where, m)
	}
	if err := errors.Join(errs...); err != nil {
		return Result{}, fmt.Errorf("query %q: %w", metric, err)
	}
	tick := max(h.clock.NowTick()-1, h.publisher.Stats().PublishedTick)
	if h.running() {
		flushed, err := h.publisher.Flush(ctx)
		switch {
		case err == nil:
			tick = flushed
		case !errors.Is(err, publish.ErrStopped): // by a Shutdown meanwhile: all of it is stored
			return Result{}, fmt.Errorf("query %q: %w", metric, err)
		}
	}
	runs, born := h.follower.KnownRuns(ctx, h.running())
	cfg := feed.Config{Store: h.store, Clock: h.clock, Runs: runs, Text: h.reg.NamesOf, Logger: h.logger}
	a, err := feed.QueryWith(ctx, cfg, q, tick)
	if err != nil {
		return Result{}, fmt.Errorf("query %q: %w", metric, err)
	}
	if a.Saturated {
		h.saturated.Add(1)
	}
	if a.Status == window.Ambiguous {
		return Result{}, fmt.Errorf("query %q: the name exists in several kinds: %v", metric, a.Kinds)
	}
	if a.LastUnknown <= born {
		a.Unknown = 0 // of before anybody counted
	}
	if a.Status == window.Unseen {
		return Result{Complete: a.Complete()}, nil
	}
	r := Result{Kind: a.Kind.String(), Value: finite(a.V), Count: finite(a.Count), Sum: finite(a.Sum), Complete: a.Complete(), quantile: a.Quantile}
	if a.Status != window.OK {
		r.Value = 0
	}
	return r, nil
}

// Stats is what one instance has done and holds. Counts are since New.
type Stats struct {
	Series         int    // series in this process
	Overflowed     uint64 // look-ups of a series for which there was no room
	RejectedValues uint64 // samples that were NaN or infinite
	Saturated      uint64 // samples, and sums that were looked at, cut to 1e18, which is as much as is counted
	AfterShutdown  uint64 // increments and observations recorded after Shutdown, and dropped

	Connections int               // open on the stream socket
	Lines       uint64            // statsd lines recorded
	Refused     map[string]uint64 // lines refused, by reason
	Calls       uint64            // JSON-RPC calls
	FailedCalls uint64            // those that were answered by an error
	BadInput    uint64            // frames, documents and datagrams too long, cut off, or no JSON
	Shed        uint64            // connections and datagrams refused: too many, or of another user
	CutOff      uint64            // connections closed because they didn't finish what they began, or read no reply
	Faults      uint64            // accepts that failed, and panics while serving

	Backlog        int   // closed ticks that wait for the Store
	DroppedTicks   int64 // closed ticks that found no room while the Store was away
	DroppedSamples int64 // series with samples in them
	Republished    int64 // buckets that the Store had lost
	FailedFlushes  int64

	EvaluatedTick time.Time // end of the newest tick that this process evaluated
	PartialTicks  int64     // evaluated without the bucket of a live replica
	UnknownTicks  int64     // of which nobody knows anything
	LateBuckets   int64     // that came after their tick was evaluated
	BadBuckets    int64     // that this process can't read: damaged, or of a newer version

	Unsaved uint64 // messages sent, and silences and acks answered, before the state file had what they are about

	Outbox      int // messages on their way
	DeadLetters int // messages that failed for good in the last week, 1,000 at most

	Restarts map[string]int // components that failed and were started again
}

// Stats returns what happened so far. It does no I/O.
func (h *Hawkeye) Stats() Stats {
	if h == nil {
		return Stats{}
	}
	reg, in, pub, fed := h.reg.Stats(), h.server.stats(), h.publisher.Stats(), h.feed.Stats()
	s := Stats{
		Series: reg.Series, Overflowed: reg.Overflowed, RejectedValues: reg.RejectedValues,
		Saturated:   reg.Saturated + fed.Saturated + h.saturated.Load(),
		Connections: in.Conns, Lines: in.Lines, Refused: in.Refused, Calls: in.Calls, FailedCalls: in.FailedCalls,
		BadInput: in.BadFrames + in.BadDocuments + in.CutDatagrams, Shed: in.RefusedConns + in.RefusedPeers,
		CutOff: in.Timeouts + in.SlowReaders, Faults: in.AcceptErrors + in.Panics,
		Backlog: pub.Backlog, DroppedTicks: pub.DroppedTicks, DroppedSamples: pub.DroppedSeries,
		Republished: pub.Republished, FailedFlushes: pub.FailedFlushes,
		PartialTicks: fed.Partial, UnknownTicks: fed.Unknown, LateBuckets: fed.LateBuckets, BadBuckets: fed.BadBuckets,
		Outbox: len(h.book.Rows()), DeadLetters: len(h.book.Dead()),
		Restarts: make(map[string]int),
	}
	s.Unsaved, _, _ = h.keeper.Stats()
	for name, r := range h.sup.Restarted() {
		s.Restarts[name] = r.N
	}
	if fed.Watermark > 0 {
		s.EvaluatedTick = h.clock.End(fed.Watermark)
	}
	if h.isShut() {
		s.AfterShutdown = h.reg.Pending()
	}
	return s
}

func (h *Hawkeye) running() bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.state == stateRunning
}

func (h *Hawkeye) isShut() bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.state == stateShut
}
