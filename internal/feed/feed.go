// Package feed is the shell that reads ticks from the Store into windows. It
// decides when a tick is complete, finds what comes late, and writes the
// coarse tiers.
package feed

import (
	"context"
	"log/slog"
	"time"

	"github.com/go-batteries/hawkeye/internal/publish"
	"github.com/go-batteries/hawkeye/internal/series"
	"github.com/go-batteries/hawkeye/internal/window"
	"github.com/go-batteries/hawkeye/store"
)

// Config of a Feed. Store, Clock and Queries are what it needs.
type Config struct {
	Store store.Store
	Clock *publish.Clock
	// Queries are what the windows are for.
	Queries []window.Query
	// Wait is how long after its end a tick is waited for; default one and
	// a half ticks, at least 100 ms and at most 1.5 s.
	Wait time.Duration
	// NoFolds keeps the feed from writing coarse tiers.
	NoFolds bool
	Logger  *slog.Logger
}

// Status says what is known of a tick.
type Status uint8

// The statuses of a tick.
const (
	Complete Status = iota // every live writer's bucket is there
	Partial                // at least one is missing
	Unknown                // nobody knows anything of it
)

// Tick is one step of the evaluation.
type Tick struct {
	N      int64
	End    time.Time
	Status Status
	// Skipped is how many unknown ticks before N were passed over at once,
	// because nothing is left of them in the Store.
	Skipped int64
	// Late are older ticks, ascending, whose windows changed because a
	// bucket came late. They are evaluated again, for firing only, with
	// [window.Engine.ValueAt] and the groups of [window.Engine.ChangedLate].
	Late []int64
}

// Stats is what a Feed has seen.
type Stats struct {
	Watermark   int64
	Complete    int64
	Partial     int64
	Unknown     int64
	LateBuckets int64
	BadBuckets  int64 // that couldn't be decoded
	Folds       int64
	Waiting     []store.ID // live writers whose bucket of the next tick is missing
}

// Feed steps through ticks. It is used by one goroutine, but for Wake, Late,
// Stats.
type Feed struct{}

// New returns a feed that stands nowhere: call SeekTo first.
func New(cfg Config) *Feed { return &Feed{} }

// Engine returns the windows, which are as of the tick that Next returned.
func (f *Feed) Engine() *window.Engine { return nil }

// Handle returns the handle of Config.Queries[i].
func (f *Feed) Handle(i int) window.Handle { return 0 }

// SeekTo empties the windows and fills them with everything up to and with
// the watermark. The next tick is watermark + 1.
func (f *Feed) SeekTo(ctx context.Context, watermark int64) error { return nil }

// Next waits for the next tick and takes it. After an error the feed stands
// where it stood, and the next call waits a little before it tries again.
func (f *Feed) Next(ctx context.Context) (Tick, error) { return Tick{}, nil }

// Wake says that this process has published a tick. It never blocks.
func (f *Feed) Wake(tick int64) {}

// Late says that the ledger names a bucket of tick as late. It never blocks.
func (f *Feed) Late(tick int64, writer store.ID) {}

// Stats returns what happened so far.
func (f *Feed) Stats() Stats { return Stats{} }

// Answer is what [Query] found, of all series of the metric together.
type Answer struct {
	// Value is the default of the kind: sum of a counter, the fleet's sum of
	// a gauge's latest values, p99 of a histogram, distinct values of a set.
	Value  float64
	Kind   series.Kind
	Count  float64
	Sum    float64
	Status window.Status
	// Complete says that every tick of the window is known in full.
	Complete bool
	// Quantile of a histogram; NaN for other kinds.
	Quantile func(q float64) float64
}

// Query reads a metric's window that ends with tick straight from the Store.
// It waits for buckets of live writers as a Feed does.
func Query(ctx context.Context, s store.Store, clock *publish.Clock, q window.Query, tick int64) (Answer, error) {
	return Answer{}, nil
}
