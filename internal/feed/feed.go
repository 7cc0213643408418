// Package feed is the shell that reads ticks from the Store into windows. It
// decides when a tick is complete, finds what comes late, and writes the
// coarse tiers.
package feed

import (
	"context"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/go-batteries/hawkeye/internal/bucket"
	"github.com/go-batteries/hawkeye/internal/guard"
	"github.com/go-batteries/hawkeye/internal/pulse"
	"github.com/go-batteries/hawkeye/internal/samples/clock"
	"github.com/go-batteries/hawkeye/internal/window"
	"github.com/go-batteries/hawkeye/store"
)

// How long a tick is waited for by default: one and a half ticks, within
// these bounds.
const (
	MinWait = 100 * time.Millisecond
	MaxWait = 1500 * time.Millisecond
)

// ownWait is how long at least a tick of this process's own Store is waited
// for.
const ownWait = 2 * time.Second

// lateMargin is how far behind the present what comes late is still evaluated
// exactly.
const lateMargin = time.Minute

// Config of a Feed. Store and Clock are required.
type Config struct {
	Store store.Store
	// Clock must be measured before the feed is used.
	Clock *clock.Clock
	// Queries are what the windows are for.
	Queries []window.Query
	// Wait is how long after its end a tick is waited for; default one and
	// a half ticks, at least [MinWait] and at most [MaxWait].
	Wait time.Duration
	// NoFolds keeps the feed from writing coarse tiers.
	NoFolds bool
	// Runs, if not nil, says who must be there, besides those of whom the last
	// ten ticks tell. The feed adds to it what it reads.
	Runs *Runs
	// OnBucket, if set, is told of each bucket that was taken, also of those
	// that SeekTo loads, before the tick is handed out: of its notes, and
	// whether it is its writer's last. It must not keep or change b.
	OnBucket func(tick int64, writer store.ID, b *bucket.Bucket)
	// Text, if set, returns the names of those ids that are this process' own
	// series. The Store, which may have lost them, is asked for the others.
	Text func(ids []uint64) []store.Name
	// Busy, if set, says whether this process is still publishing its own
	// buckets again, which come before those of others.
	Busy func() bool
	// Logger gets warnings; nil means [slog.Default].
	Logger *slog.Logger
}

// Status says what is known of a tick.
type Status uint8

// The statuses of a tick.
const (
	Complete Status = iota // every live writer's bucket is there
	Partial                // at least one is missing or can't be read
	Unknown                // nobody knows anything of it
)

// String returns "complete", "partial" or "unknown".
func (s Status) String() string { return [...]string{"complete", "partial", "unknown"}[s%3] }

// Tick is one step of the evaluation.
type Tick struct {
	N      int64
	End    time.Time
	Status Status
	// Asleep says that all writers slept through it: there is no sample in it,
	// and nobody could have counted one.
	Asleep bool
	// Skipped is how many unknown ticks before N were passed over at once,
	// because nothing is left of them in the Store.
	Skipped int64
	// Late are older ticks, ascending, whose windows changed because a
	// bucket came late. They are evaluated again, for firing only, with
	// [window.Engine.ValueAt] and the groups of [window.Engine.ChangedLate].
	Late []int64
	// Again says that Late has ticks that were judged by who evaluated before,
	// of whose windows this process doesn't know what is new.
	Again bool
}

// Stats is what a Feed has seen since it was made.
type Stats struct {
	Watermark   int64
	Complete    int64
	Partial     int64
	Unknown     int64
	LateBuckets int64
	BadBuckets  int64 // that couldn't be decoded
	Folds       int64 // that were written
	FoldsAgain  int64 // of them, those that the Store had lost
	FoldsQueued int
	Saturated   uint64     // how often a sum was looked at that had to be cut
	FineAgain   int64      // fine buckets of others that the Store had lost
	HeldBytes   int        // of fine buckets, as they are held
	HeldSince   int64      // the oldest tick of which they are
	Writers     []store.ID // live at the watermark
	Missing     []store.ID // of them, those without a bucket there
}

// Feed steps through ticks. It is used by one goroutine, but for Wake, Late
// and Stats, which are safe for concurrent use.
type Feed struct {
	cfg       Config
	log       *slog.Logger
	traits    store.Traits
	retention int64 // in ticks
	margin    int64 // in ticks
	woken     chan struct{}

	engine  *window.Engine
	handles []window.Handle
	next    int64           // the tick that Next waits for
	skipped int64           // ticks before next that were passed over
	ticks   map[int64]*tick // within the retention, what of them was read
	poll    poll
	failed  bool  // the last call of Next
	healing int64 // where the look at old ticks goes on
	named   int64 // the tick before which names were last asked for of older ones
	lateMin int64 // the oldest tick that got a bucket late since the last one was handed out
	reopen  int64 // from where on SeekTo has ticks judged again
	rejudge bool  // and they weren't yet
	ids     []uint64
	scratch bucket.Bucket
	folds   foldQueue
	held    held
	fine    fine
	// nameless are names that the Store has lost, to be published again.
	nameless []store.Name
	// folded says, for each tier up to the feeding one, whose bucket of a fine
	// tick is part of a fold that was loaded. Such a bucket may be lost by then,
	// and come back.
	folded [store.Tier1h + 1]map[int64]map[store.ID]struct{}
	// former, if not nil, is the engine before, for what it knew of names, up
	// to a tick.
	former      *window.Engine
	formerUntil int64
	loaded      bool      // engine is whole
	lost        time.Time // when the Store was last seen to have lost a bucket; local time
	saturated   atomic.Uint64

	mu   sync.Mutex // guards what follows
	late map[int64]struct{}

	namesLost bool  // and not looked for in the windows yet
	wake      int64 // the newest tick this process has published
	stats     Stats
}

// New returns a feed that stands nowhere: call SeekTo first.
func New(cfg Config) *Feed {
	f := &Feed{
		cfg:    cfg,
		log:    cfg.Logger,
		traits: cfg.Store.Traits(),
		woken:  make(chan struct{}, 1),
		fine:   newFine(),
		late:   make(map[int64]struct{}),
		reopen: none,
	}
	if f.log == nil {
		f.log = slog.Default()
	}
	f.log = f.log.With(slog.String("component", "feed"))
	width := f.traits.Tick
	if f.cfg.Wait <= 0 {
		f.cfg.Wait = min(max(width*3/2, MinWait), MaxWait)
	}
	f.retention = max(int64(f.traits.Retention/width), window.LiveTicks)
	f.margin = window.LiveTicks + 5
	if f.traits.Shared {
		f.margin = min(max(int64(lateMargin/width), f.margin), f.retention)
	}
	f.reset()
	return f
}

// reset makes the windows anew.
func (f *Feed) reset() {
	if f.loaded {
		f.former, f.loaded = f.engine, false
	}
	f.engine = window.New(f.traits.Tick, f.traits.Retention, f.margin)
	f.engine.CountSaturated(&f.saturated)
	f.handles = f.handles[:0]
	for _, q := range f.cfg.Queries {
		f.handles = append(f.handles, f.engine.Register(q))
	}
	f.ticks = make(map[int64]*tick)
	clear(f.folded[:])
	f.lateMin, f.rejudge = none, false
	f.poll = poll{}
}

// SetQueries replaces Config.Queries from the next SeekTo on.
func (f *Feed) SetQueries(q []window.Query) { f.cfg.Queries = q }

// SetRuns replaces Config.Runs from the next SeekTo on.
func (f *Feed) SetRuns(r *Runs) { f.cfg.Runs = r }

// Reopen has the next SeekTo take the ticks from one on, up to the watermark,
// for late: whoever judged them lacked some of what is known of them by now, and
// may be gone. 0 is none.
func (f *Feed) Reopen(tick int64) {
	if f.reopen = tick; tick == 0 {
		f.reopen = none
	}
}

// Open returns the oldest tick that was handed out and that can still be judged
// again of which something is missing; 0 if there is none. It is for Reopen.
func (f *Feed) Open() int64 {
	for n := f.next - f.margin; n < f.next; n++ {
		if t := f.ticks[n]; t != nil && t.status != Complete {
			return n
		}
	}
	return 0
}

// Engine returns the windows, which are as of the tick that Next returned.
// SeekTo replaces it.
func (f *Feed) Engine() *window.Engine { return f.engine }

// Handle returns the handle of Config.Queries[i].
func (f *Feed) Handle(i int) window.Handle { return f.handles[i] }

// Needs returns how many ticks back Config.Runs is asked: the retention, and
// those whose folds say which writers' ticks they hold.
func (f *Feed) Needs() int64 {
	back := f.retention
	for _, n := range f.engine.Needs() {
		if n.Tier <= f.engine.Feeder() {
			back = max(back, n.Back)
		}
	}
	return back + f.margin + longestBreak
}

// Watermark returns the tick that was handed out last.
func (f *Feed) Watermark() int64 { return f.next - 1 }

// Wake says that this process has published a tick. It never blocks.
func (f *Feed) Wake(tick int64) {
	f.mu.Lock()
	f.wake = max(f.wake, tick)
	f.mu.Unlock()
	select {
	case f.woken <- struct{}{}:
	default:
	}
}

// Late says that the ledger names a bucket of tick as late: Next looks at it
// again. It never blocks.
func (f *Feed) Late(tick int64) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.late[tick] = struct{}{}
}

// LoseNames says that the Store has lost names: Next publishes again what it
// knows of them, because some are of series that nobody counts any more. It
// never blocks.
func (f *Feed) LoseNames() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.namesLost = true
}

// Stats returns what happened so far.
func (f *Feed) Stats() Stats {
	f.mu.Lock()
	defer f.mu.Unlock()
	s := f.stats
	s.Saturated = f.saturated.Load()
	return s
}

// callTimeout bounds one call of the Store.
const callTimeout = 5 * time.Second

// call runs a call of the Store within bounds: it ends after
// callTimeout, and its panic is an error like any other.
func call[T any](ctx context.Context, f func(context.Context) (T, error)) (v T, err error) {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	defer pulse.Of(ctx).Beat()
	defer guard.StoreRecovered(&err)
	return f(ctx)
}

func (f *Feed) read(ctx context.Context, q []store.TickQuery) ([]store.TickBuckets, error) {
	return call(ctx, func(ctx context.Context) ([]store.TickBuckets, error) { return f.cfg.Store.Read(ctx, q) })
}

func (f *Feed) namesOf(ctx context.Context, ids []uint64) (map[uint64]string, error) {
	return call(ctx, func(ctx context.Context) (map[uint64]string, error) { return f.cfg.Store.Names(ctx, ids) })
}

func (f *Feed) publish(ctx context.Context, p store.Publication) (store.PublishReply, error) {
	return call(ctx, func(ctx context.Context) (store.PublishReply, error) { return f.cfg.Store.Publish(ctx, p) })
}
