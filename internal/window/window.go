// Package window turns buckets into values over windows. It is pure: no
// clock, no store, no goroutine. Time is the number of a tick.
//
// The work of a tick is proportional to the samples in it and to the windows
// whose edge passes a sample, not to the number of windows. Memory is
// proportional to a window's length in cells: a window of W has cells of the
// coarsest tier that is at most W/30 wide, rounded outward, so a window holds
// at most a thirtieth more time than it says.
package window

import (
	"time"

	"github.com/go-batteries/hawkeye/internal/bucket"
	"github.com/go-batteries/hawkeye/internal/matcher"
	"github.com/go-batteries/hawkeye/internal/series"
	"github.com/go-batteries/hawkeye/store"
)

// Selector says which series belong together.
type Selector struct {
	// Metric is the exact name.
	Metric string
	// Kind restricts to one kind if HasKind is set.
	Kind    series.Kind
	HasKind bool
	// Where must all hold.
	Where []*matcher.Matcher
	// By lists tags; each combination of their values is a group. Without
	// it there is exactly one group, from the registration on.
	By []string
	// Fleet is how the latest values of gauges combine; default [FleetSum].
	Fleet Fleet
}

// Fleet is how the latest values of several gauges become one.
type Fleet uint8

// The ways to combine gauges.
const (
	FleetSum Fleet = iota
	FleetAvg
	FleetMin
	FleetMax
)

// Aggregate is how the samples of a window become one value, spelled as in
// monitors.yaml: sum, rate, avg, min, max, last, count, change, pN. The empty
// one is the default of the kind that is found: sum of a counter, last of a
// gauge, p99 of a histogram, count of a set.
type Aggregate string

// Query is what is registered: a selector, a window, how it is aggregated.
type Query struct {
	Selector  Selector
	Aggregate Aggregate
	// Window is the length, Delay how far its newer edge lies in the past.
	Window, Delay time.Duration
}

// Handle names a registered query. Handles are small and dense.
type Handle int

// Status says what a Value is worth.
type Status uint8

// The statuses.
const (
	Unseen  Status = iota // no series that matches was ever seen
	Missing               // seen, but there is nothing to compute a value from
	OK
	Ambiguous // the name exists in several kinds and the query names none
)

// Value is a query's answer at a tick.
type Value struct {
	V      float64
	Status Status
	// Kind is that of the series found.
	Kind series.Kind
	// Count and Sum are those of the samples in the window: increments of a
	// counter, observations of a histogram, live series of a gauge.
	Count, Sum float64
	// Monotone says that V can only grow as more samples of the same window
	// arrive: a count or sum of counters without negative increments.
	Monotone bool
	// Partial and Unknown are how many ticks of the window lack a bucket of
	// a live writer, and of how many nobody knows anything.
	Partial, Unknown int64
	// LastUnknown is the newest of the unknown ticks, if Unknown > 0.
	LastUnknown int64
}

// Complete says that no sample of the window is known to be missing.
func (v Value) Complete() bool { return v.Partial == 0 && v.Unknown == 0 }

// Group is one combination of the By tags of a query. It is comparable by
// pointer and stays valid until it is forgotten.
type Group struct{ key string }

// Key is the values of the By tags, escaped and joined: unique in a query.
func (g *Group) Key() string { return g.key }

// Tags are the By tags with their values.
func (g *Group) Tags() []series.Tag { return nil }

// Ref is a group of a query.
type Ref struct {
	Handle Handle
	Group  *Group
}

// Engine holds the windows. It is not safe for concurrent use.
type Engine struct{}

// New returns an engine at tick 0 for ticks of the given width. margin is how
// many ticks behind the present [Engine.ValueAt] still answers exactly.
func New(width time.Duration, margin int64) *Engine { return &Engine{} }

// Register adds a query and returns its handle; equal queries share one.
// Samples that were taken before don't count for it: load them again.
func (e *Engine) Register(q Query) Handle { return 0 }

// Release gives up a handle that [Engine.Register] returned. The last release
// frees what the query holds.
func (e *Engine) Release(h Handle) {}

// Now returns the tick that the values are of.
func (e *Engine) Now() int64 { return 0 }

// Advance moves the windows on to tick to; going back is ignored.
func (e *Engine) Advance(to int64) {}

// Unknown appends to ids those of b that have no name yet.
func (e *Engine) Unknown(ids []uint64, b *bucket.Bucket) []uint64 { return ids }

// Learn tells the text of an id.
func (e *Engine) Learn(id uint64, text string) {}

// Take adds a bucket, all of it or, if an id has no name, nothing and false.
// The tick must not be newer than Now. The caller takes each bucket once.
func (e *Engine) Take(tick int64, writer store.ID, b *bucket.Bucket) bool { return false }

// Groups returns the groups of a query in the order of their appearance.
func (e *Engine) Groups(h Handle) []*Group { return nil }

// Forget drops a group. It comes back when a series of it appears.
func (e *Engine) Forget(h Handle, g *Group) {}

// Value returns a query's value for a group, as of Now.
func (e *Engine) Value(h Handle, g *Group) Value { return Value{} }

// ValueAt returns the value as of an older tick, and false if that can't be
// said any more. It is slow, and meant for what arrived late.
func (e *Engine) ValueAt(h Handle, g *Group, tick int64) (Value, bool) { return Value{}, false }

// Changed appends the groups whose value may have changed since the last
// call, each once.
func (e *Engine) Changed(refs []Ref) []Ref { return refs }

// ChangedLate appends the groups that got samples older than Now since the
// last call, each once.
func (e *Engine) ChangedLate(refs []Ref) []Ref { return refs }

// Seen says whether a series of the metric, of any kind, was ever taken.
func (e *Engine) Seen(metric string) bool { return false }

// Live returns the writers that are live at a tick: with a bucket in at least
// one of the ten ticks before it, none of them final.
func (e *Engine) Live(tick int64) []store.ID { return nil }
