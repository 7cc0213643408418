package hawkeye

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/go-batteries/hawkeye/internal/ledger"
	"github.com/go-batteries/hawkeye/store"
)

const (
	// maxAhead is how far the ledger may be ahead of the Store's time. It is
	// ahead if the Store's clock was wrong for a while and then set right, by a
	// time zone or a day say; what is further ahead isn't a time that anybody
	// should follow.
	maxAhead = 24 * time.Hour
	// orphanLeases is for how many leases the head of another service must
	// stand still before that service is taken to be gone, or renamed. Its own
	// replicas take over after one.
	orphanLeases = 5
	// deployLength is how long another configuration may decide before that
	// is a problem: a deploy should be over by then.
	deployLength = 10 * time.Minute
)

// refusal is why a process has no part in the ledger that it found: it neither
// evaluates nor sends nor follows its time.
type refusal struct {
	code    ProblemCode
	reason  string
	renamed bool // it is another service's, which may be gone one day
}

func (r *refusal) Error() string { return r.reason }

// refused returns the refusal if the ledger as last seen is not ours to work
// with.
func (h *Hawkeye) refused() error {
	if _, _, _, err := h.mirror.Head(); errors.As(err, new(*refusal)) {
		return err
	}
	return nil
}

// orphanable says whether an error is a refusal that ends when nobody is left
// of whom the ledger is.
func orphanable(err error) bool {
	var r *refusal
	return errors.As(err, &r) && r.renamed
}

// identity names the fleet that this process is part of.
func (c *config) identity() string {
	if c.environment == "" {
		return c.service
	}
	return c.service + " (" + c.environment + ")"
}

// records says whether this process does nothing but count, for whatever
// fleet.
func (c *config) records() bool { return c.noAgent && c.noNotifier }

// same says whether a replica is of our service; one of an older version
// doesn't say of which it is.
func (c *config) same(m ledger.Member) bool {
	return m.Service == "" || m.Service == c.identity()
}

// examine looks whether a head is one that we may go on from. The ledger
// belongs to whoever stored its head first.
func (h *Hawkeye) examine(head *ledger.Head) error {
	traits := h.store.Traits()
	if head.Width == 0 {
		head.Width = traits.Tick // of an older version, which doesn't say
	}
	if !traits.Shared {
		if theirs := head.Width; theirs != traits.Tick { // of our state file, from before the width was changed
			head.Tick, head.Born = rescale(head.Tick, theirs, traits.Tick), rescale(head.Born, theirs, traits.Tick)
			head.Width = traits.Tick
		}
		return nil
	}
	if head.Width != traits.Tick {
		return &refusal{code: problemTickDiffers, reason: fmt.Sprintf("the fleet under this prefix has ticks of %v, and this process of %v: "+
			"nothing is evaluated or sent here, and what is counted here nobody sees; "+
			"take a new prefix to change the tick", head.Width, traits.Tick)}
	}
	if head.Service != "" && head.Service != h.cfg.identity() && !h.cfg.records() {
		return &refusal{code: problemOtherService, renamed: true, reason: fmt.Sprintf("the ledger under this prefix is that of the service %q, and this is %q: "+
			"nothing is evaluated or sent here, and what both count is added up; "+
			"give each service a prefix of its own (redisstore.WithPrefix), or one name (WithService)", head.Service, h.cfg.identity())}
	}
	// In ticks, because a time that far away may be none.
	if ahead := head.Tick - h.clock().NowTick(); ahead > int64(maxAhead/traits.Tick) {
		return &refusal{code: problemClockBehind, reason: fmt.Sprintf("the ledger is of tick %d, which is %d ticks of %v ahead of the store's clock: "+
			"nothing is evaluated or sent here; set that clock right, or take a new prefix", head.Tick, ahead, traits.Tick)}
	}
	return nil
}

// rescale returns the newest tick of a width that has ended when one of
// another width has.
func rescale(tick int64, from, to time.Duration) int64 {
	return time.Unix(0, (tick+1)*int64(from)).UnixNano()/int64(to) - 1
}

// standing is how the head stood over time, by our own clock.
type standing struct {
	mu      sync.Mutex // guards what follows
	began   time.Time  // when the ledger began to be followed
	commit  store.ID   // the head, since when it stands
	since   time.Time
	read    time.Time // when the ledger was read last
	why     error     // why it couldn't be read since
	at      store.Cursor
	moved   time.Time // when the ledger was seen to move last, be it read or not
	config  string    // what decides in place of our configuration, since when; empty if ours does
	lost    time.Time
	refused bool // as it was logged
}

func (s *standing) begin() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.began, s.since = time.Now(), time.Now()
}

// flushed takes where the ledger stands by word of the Store.
func (s *standing) flushed(at store.Cursor) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if at != s.at {
		s.at, s.moved = at, time.Now()
	}
}

// unread takes note that the ledger couldn't be read.
func (s *standing) unread(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.why = err
}

// sign is what changes as long as something is evaluated in the fleet.
type sign struct {
	commit store.ID  // the head, which each evaluation replaces
	moved  time.Time // zero if the ledger can be read
}

// sign returns the sign of life that the fleet gave last. Where the ledger
// can't be read, that it moves says that others work with it.
func (s *standing) sign() sign {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.read.IsZero() || s.why != nil {
		return sign{s.commit, s.moved}
	}
	return sign{commit: s.commit}
}

// look takes the head as it is now. It says once that the ledger is not ours,
// and once that it is again.
func (s *standing) look(ctx context.Context, h *Hawkeye) {
	head, commit, _, err := h.mirror.Head()
	refused, own := errors.As(err, new(*refusal)), h.setup().Set.Hash
	s.mu.Lock()
	defer s.mu.Unlock()
	s.read, s.why = time.Now(), nil
	if commit != s.commit {
		s.commit, s.since = commit, time.Now()
	}
	switch {
	case err != nil || head.Config == "" || head.Config == own:
		s.config = ""
	case s.config == "":
		s.lost = time.Now()
		fallthrough
	default:
		s.config = head.Config
	}
	switch {
	case refused && !s.refused:
		h.logger.LogAttrs(ctx, slog.LevelError, "this process has no part in the fleet that it found", slog.Any("error", err))
	case !refused && s.refused:
		h.logger.LogAttrs(ctx, slog.LevelInfo, "this process has a part in the fleet again")
	}
	s.refused = refused
}

// problems says what is wrong with how the head stands, and with the roles
// that live replicas have.
func (s *standing) problems(h *Hawkeye, found *problems) {
	var refused *refusal
	_, _, ok, err := h.mirror.Head()
	switch {
	case errors.As(err, &refused):
		found.add(refused.code, "", "%v", err)
	case err != nil:
		found.add(problemHeadUnreadable, "", "evaluation is left to others: %v", err)
	}
	limit := 10*h.store.Traits().Tick + 2*time.Second // longer than a lease
	s.mu.Lock()
	defer s.mu.Unlock()
	shared, still := h.store.Traits().Shared && !s.began.IsZero(), time.Since(s.since)
	lag := h.agent.lag()
	switch {
	case err != nil || still <= limit && lag <= limit:
	case shared && !h.mirror.Open() && still > limit && h.publisher.Stats().LastError == nil:
		found.add(problemLedgerNotOpen, "", "the ledger couldn't be opened for %v, so nothing is evaluated: %v", still.Round(time.Second), cmp.Or(s.why, error(ledger.ErrNotOpen)))
	case shared && !ok && h.mirror.Open():
		found.add(problemNothingEvaluated, "", "nobody evaluates, nor has since this process began %v ago", still.Round(time.Second))
	case shared && ok && still > limit && !h.agent.evaluates() && h.publisher.Stats().LastError == nil:
		found.add(problemNothingEvaluated, "", "nobody evaluates: the ledger's head has stood still for %v", still.Round(time.Second))
	case lag > limit:
		found.add(problemEvaluationBehind, "", "evaluation is %v behind", lag.Round(time.Second))
	}
	if n := h.unsent(limit); shared && err == nil && n > 0 {
		found.add(problemNobodySends, "", "nobody sends: %d messages wait, and no live replica has a notifier", n)
	}
	if lost := time.Since(s.lost); shared && s.config != "" && lost > deployLength && !h.cfg.records() {
		found.add(problemOtherConfiguration, "", "for %v another configuration has been in force, %s, and not this one, %s: a deploy should be over by now",
			lost.Round(time.Second), s.config, h.setup().Set.Hash)
	}
}

// unsent returns how many messages have been due for longer than limit, if
// nobody is there to send them.
func (h *Hawkeye) unsent(limit time.Duration) (n int) {
	fleet, ok := h.book.Fleet()
	if !ok || !h.cfg.noNotifier {
		return 0
	}
	for _, m := range fleet.Writers {
		if m.Notifier && m.Left == 0 && h.cfg.same(m) {
			return 0
		}
	}
	now := h.clock().Now()
	for _, row := range h.book.Rows() {
		if row.Held == "" && now.Sub(row.Created) > limit && now.Sub(row.NextAttempt) > limit {
			n++
		}
	}
	return n
}
