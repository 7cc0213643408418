// Package store is the contract between hawkeye and the place where replicas
// meet: closed buckets of samples, published once, and a small ledger that is
// compared before it is set.
//
// A Store knows nothing of metrics, alerts or mails. Buckets and ledger
// values are opaque bytes to it; what they mean is decided by the packages
// that write and read them. That keeps a Store small enough to be written in
// an afternoon, and package storetest says whether it is right.
package store

import (
	"context"
	"errors"
	"time"
)

// Store is what hawkeye asks of a place that replicas share.
//
// All methods are safe for concurrent use, honour ctx, and may be called
// again with the same arguments after any error or lost reply: every write is
// idempotent. No method keeps a slice that it was given or changes one that
// it returned.
type Store interface {
	Samples
	Ledger

	// Traits returns facts that do not change while the Store is in use. It
	// does no I/O.
	Traits() Traits
}

// Traits are the fixed facts of a Store.
type Traits struct {
	// Tick is the width of the finest tick, at least 10 ms. All processes
	// that share a Store agree on it.
	Tick time.Duration
	// Retention is how long a bucket of [TierFine] stays readable after the
	// end of its tick, and so how long a writer keeps its own copy.
	Retention time.Duration
	// Shared says that other processes may use the same data. In a Store
	// that is not shared the only writer is this process.
	Shared bool
	// Durable says that a Store that isn't Shared keeps what it holds for
	// the next process, once [Syncer] has written it down.
	Durable bool
	// Name says in a word what it is, for logs and pages: "memory", "redis".
	Name string
}

// Samples is the part of a Store that holds what was counted.
//
// Time is cut into ticks of the Store's clock: tick n of a width w covers
// [n*w, (n+1)*w) since the Unix epoch. What one writer counted in one tick is
// one bucket, and a bucket is published once and never edited.
type Samples interface {
	// Now returns the Store's time. It may jump; the callers smooth it.
	Now(ctx context.Context) (time.Time, error)

	// Publish stores the buckets and names of p, each one unless it is
	// there: the first publication of a (tier, tick, writer) wins and a
	// later one changes nothing, whatever it holds. It is not atomic: after
	// an error any part of p may have been stored, and the caller publishes
	// all of p again.
	Publish(ctx context.Context, p Publication) (PublishReply, error)

	// Read returns what is stored for the ticks asked for, one answer a
	// question, in their order. A tick with nothing in it is an answer with
	// Count 0. A read error is an error, never an answer with fewer buckets.
	Read(ctx context.Context, q []TickQuery) ([]TickBuckets, error)

	// Names returns the texts of those ids that are known. An id that isn't
	// known is absent from the answer, which is no error.
	Names(ctx context.Context, ids []uint64) (map[uint64]string, error)
}

// Tier is a width of ticks. TierFine has the Store's own width; the coarse
// tiers, written by the evaluator alone, have fixed ones.
type Tier uint8

// The tiers, fine to coarse.
const (
	TierFine Tier = iota
	Tier5s
	Tier15s
	Tier1m
	Tier5m
	Tier15m
	Tier1h
)

// Width returns the width of a coarse tier's ticks, and 0 for [TierFine],
// whose width is the Store's own ([Traits].Tick).
func (t Tier) Width() time.Duration {
	switch t {
	case Tier5s:
		return 5 * time.Second
	case Tier15s:
		return 15 * time.Second
	case Tier1m:
		return time.Minute
	case Tier5m:
		return 5 * time.Minute
	case Tier15m:
		return 15 * time.Minute
	case Tier1h:
		return time.Hour
	default:
		return 0
	}
}

// Bucket is what one writer counted in one tick. Data is opaque.
type Bucket struct {
	Tier   Tier
	Tick   int64
	Writer ID
	Data   []byte
}

// Name ties the 64-bit id that buckets use for a series to its text.
type Name struct {
	ID   uint64
	Text string
}

// Publication is what [Samples.Publish] stores.
type Publication struct {
	// Writer is whose buckets Check is about: who publishes, or, where there
	// is nothing to publish, anybody.
	Writer ID
	// Buckets are closed ticks. Usually one, more after an outage.
	Buckets []Bucket
	// Keep is how long the buckets must stay readable from now; 0 means
	// [Traits].Retention. The Store may keep them longer.
	Keep time.Duration
	// Names are the series that the buckets name and that this writer has
	// not yet seen stored, or not lately: the Store may forget a name an hour
	// after the buckets that it was published with, if it wasn't published
	// again, and not within a day.
	Names []Name
	// Check lists fine ticks whose bucket by Writer should still be there.
	Check []int64
}

// PublishReply is what one round trip brings home.
type PublishReply struct {
	// Now is the Store's time while it answered.
	Now time.Time
	// Missing are those of Check that are not stored any more (or never
	// were), in ascending order.
	Missing []int64
	// Refused are the indexes of those of Buckets in whose place other data
	// is stored, in ascending order: another process, a copy of this one,
	// publishes under the same writer. Data that was stored before is not
	// refused.
	Refused []int
	// Clashes are those of Names whose id already stands for another text.
	// The stored text stays; the caller salts its own.
	Clashes []Name
	// Ledger is where the ledger stands, so that a follower knows whether
	// to ask for changes. The zero Cursor if there is no open ledger.
	Ledger Cursor
	// Names is the set of names that are stored: it is drawn when there are
	// none, and stays while none is lost. A publisher that sees another one
	// than before publishes all of its names again. It is zero while there
	// are no names, and in a Store that can't lose names by themselves.
	Names ID
}

// TickQuery asks for one tick. Known is how many of its buckets the caller
// already has: an answer with a Count of at most Known carries no buckets.
type TickQuery struct {
	Tier  Tier
	Tick  int64
	Known int
}

// TickBuckets answers a [TickQuery]. Count is how many buckets are stored for
// the tick; Buckets holds all of them, or nil when Count <= Known.
type TickBuckets struct {
	Tier    Tier
	Tick    int64
	Count   int
	Buckets []Bucket
}

// Ledger is the part of a Store that holds decisions: a set of records that
// changes by compare-then-set and can be followed.
//
// Every commit that is applied gets the next revision. A ledger has an epoch,
// drawn when it was opened; a ledger that was lost (or never was) has none,
// accepts no commit, and waits to be restored and opened.
type Ledger interface {
	// Changes returns what was committed after the cursor. If the cursor is
	// not a state that this ledger went through (another epoch, a store that
	// was rolled back by a failover, a history that is too long ago) the
	// answer is a snapshot with Reset set. The zero Cursor always gets one.
	//
	// A ledger without an epoch answers with Epoch zero and the records that
	// were offered so far.
	Changes(ctx context.Context, after Cursor) (Changes, error)

	// Commit applies all of c or nothing. It returns [ErrConflict] when one
	// of c.Require does not hold and [ErrEpoch] when c.Epoch is not that of
	// the ledger. A commit whose ID was applied before (its reply was lost)
	// is not applied again and answers as it did the first time, as long as
	// at most 1,000 commits came after it.
	Commit(ctx context.Context, c Commit) (Cursor, error)

	// Restore offers a ledger to a Store that has none. While no epoch is
	// open, the offer with the highest cursor revision replaces the one
	// before it; a lower or equal one changes nothing. If o.Open is not
	// zero, the ledger is opened with it as its epoch, once the offer was
	// considered. It returns [ErrOpen] when an epoch is already open, and
	// then changes nothing.
	Restore(ctx context.Context, o Offer) error
}

// Cursor names a state of the ledger: its epoch, the revision of its latest
// commit and that commit's id. Two cursors are the same state only if all
// three are equal, which is how a roll-back is noticed.
type Cursor struct {
	Epoch  ID
	Rev    uint64
	Commit ID
}

// Record is one entry of the ledger. Commit is the id of the commit that
// wrote it, and Rev that commit's revision.
type Record struct {
	Key     string
	Value   []byte
	Rev     uint64
	Commit  ID
	Deleted bool // only in answers that are no snapshot; Value is nil then
}

// Changes answers [Ledger.Changes].
type Changes struct {
	Cursor  Cursor
	Reset   bool     // Records is everything there is
	Records []Record // each key once, in ascending order of Rev, then Key
}

// Commit is one atomic change of the ledger.
type Commit struct {
	// ID is random and drawn by the caller, new for each attempt that may
	// differ from the one before, the same for a repetition of the same.
	ID ID
	// Epoch is that of the ledger the caller has seen.
	Epoch ID
	// Require must hold, each of them, or nothing is applied.
	Require []Condition
	Put     []Entry
	Delete  []string // absent keys are ignored
}

// Condition demands that the record of Key was last written by Commit; the
// zero ID demands that there is no such record.
type Condition struct {
	Key    string
	Commit ID
}

// Entry is a record to be written.
type Entry struct {
	Key   string
	Value []byte
}

// Offer is what [Ledger.Restore] takes.
type Offer struct {
	Cursor  Cursor   // the state that the records are of; Epoch is ignored
	Records []Record // a snapshot
	Open    ID
}

// Maintainer is an optional capability: a Store with work of its own to do
// (writing a state file, say). hawkeye calls Maintain after Start; it returns
// when ctx ends, having finished its work.
type Maintainer interface {
	Maintain(ctx context.Context) error
}

// Syncer is an optional capability: to make last what was committed. Commit
// itself needn't wait for a disk: what is committed is there for all who use
// the Store, and outlives this process if it can.
//
// hawkeye calls Sync, if the Store is not shared, before anybody hears of what
// was committed: before a message is sent and before a silence or an ack is
// answered. It waits for 2 s at most; then, or after an error, it goes on
// without, counts that, and says so in its Health. It doesn't call Sync for
// commits that decide nothing, which is most of them. It is also the last thing
// of a Shutdown, after the final commit, but for Close.
//
// All commits that were answered before the call are on the disk when Sync
// returns nil. It is called by many at a time, who should cost the disk no more
// than one. After an error the next call tries again; it mustn't rely on what
// it couldn't write, since a system may forget that after it has told once.
type Syncer interface {
	Sync(ctx context.Context) error
}

// Opener is an optional capability: a Store that has something to itself while
// it is in use, a file say.
//
// hawkeye calls Open first of all in Start, with a ctx that ends when the start
// timeout does. Open waits for a process that is just ending, and finds out
// whether the Store can be used; its error is that of Start. Close, the last
// call of a Shutdown or of a Start that fails, lets the next process have it.
// A Store that several use is opened and closed by each of them; one that was
// never opened may be closed.
type Opener interface {
	Open(ctx context.Context) error
	Close() error
}

// Reporter is an optional capability: to say what is wrong with a Store that
// goes on working, such as a state file that can't be written. hawkeye shows
// it in its Health.
type Reporter interface {
	// Problem returns what is wrong at present, nil if nothing is. It does no
	// I/O and doesn't wait.
	Problem() error
}

// Errors of the ledger. Any other error of a Store means that the outcome is
// unknown and the same call may be made again.
var (
	ErrConflict = errors.New("store: commit conflicts with the ledger")
	ErrEpoch    = errors.New("store: ledger has another epoch or none")
	ErrOpen     = errors.New("store: ledger is already open")
)
