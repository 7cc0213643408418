// Package bucket is the codec of what one writer counted in one tick: the
// opaque Data of a [store.Bucket].
//
// A bucket is a version byte, a byte of flags, and sections. A section is a
// tag, its length and its payload; a reader skips tags that it doesn't know,
// so that a later minor addition stays readable to it. encode.go describes
// the payloads.
package bucket

import (
	"errors"
	"hash/fnv"
	"math"

	"github.com/go-batteries/hawkeye/internal/exact"
	"github.com/go-batteries/hawkeye/store"
)

// Version is the format that [Append] writes. [Decode] reads it and, once
// there is one, the version before.
const Version = 1

// Unit is how many fixed-point units make 1 in a [Counter]: a Delta of
// 2_500_000 is 2.5.
const Unit = 1_000_000

// Errors of [Decode].
var (
	// ErrVersion says that the data was written by a newer hawkeye.
	ErrVersion = errors.New("bucket: version is newer than this reader")
	// ErrCorrupt says that the data is no bucket.
	ErrCorrupt = errors.New("bucket: data is corrupt")
)

// Bucket is what one writer counted in one tick, or what the evaluator folded
// from many. Ids are those of series (64-bit hashes of canonical names). An
// id occurs at most once in each slice; the order of slices has no meaning,
// and the codec keeps it.
type Bucket struct {
	Final    bool // the writer's last one
	Keyframe bool // Gauges holds all current gauges, not just the changed ones
	Asleep   bool // the writer slept through the tick: what there was to count, it couldn't

	Counters   []Counter
	Gauges     []Gauge
	Histograms []Histogram
	Sets       []Set
	Notes      [][]byte      // opaque: what the notifier wants carried
	Taken      []Taken       // coarse folds only: what the fold holds
	Folded     []FoldedGauge // coarse folds only
	// Covers names the metrics that a coarse fold holds, by [MetricHash]: it
	// says nothing of any other. A fold without it, of an older writer, tells
	// by nothing but its samples.
	Covers []uint64
	// Beyond is what Counters have no room for, for some of their ids: see
	// [Bucket.AddCounter].
	Beyond []Beyond
	// Ages says which of Gauges, in their order, were not set in this tick, and
	// how long ago they were. An older reader doesn't know.
	Ages []Age
	// Rests are what Sum of Histograms and Folded has no digits for, for some
	// of their ids. An older reader does without.
	Rests []Rest
}

// Counter is by how much a counter grew, in [Unit]s.
type Counter struct {
	ID    uint64
	Delta int64
}

// Beyond is by how much, in whole numbers, a counter grew beyond its Delta. An
// older reader sees the Delta alone.
type Beyond struct {
	ID    uint64
	Whole int64
}

// Rest is what is missing in the Sum of a histogram or a folded gauge.
type Rest struct {
	ID    uint64
	Value float64
}

// Gauge is the latest value of a gauge.
type Gauge struct {
	ID    uint64
	Value float64
}

// Age is how many ticks ago a gauge was set last.
type Age struct {
	Gauge int // into Gauges
	Ticks int64
}

// Histogram is what a histogram observed: how many values fell into each
// bucket, and their sum. The number of values is the sum of the counts.
type Histogram struct {
	ID      uint64
	Sum     float64
	Buckets []HistBucket // in ascending order of Index
}

// HistBucket is one bucket of a [Histogram]. Package series says which values
// an Index stands for.
type HistBucket struct {
	Index int32
	Count uint64
}

// Set holds the hashes of the values that a set saw in this tick.
type Set struct {
	ID     uint64
	Hashes []uint64
}

// Taken names the writers whose buckets of one tick a coarse fold holds.
type Taken struct {
	Tick    int64
	Writers []store.ID
}

// FoldedGauge is a gauge over the ticks of a coarse fold: N values, their
// sum, the least, the greatest and the last.
type FoldedGauge struct {
	ID                  uint64
	Last, Min, Max, Sum float64
	N                   uint64
}

// MetricHash is what stands for a metric's name in [Bucket].Covers: its
// 64-bit FNV-1a hash.
func MetricHash(name string) uint64 {
	h := fnv.New64a()
	_, _ = h.Write([]byte(name)) // never fails
	return h.Sum64()
}

// Reset empties b and keeps its memory for the next use.
func (b *Bucket) Reset() {
	b.Final, b.Keyframe, b.Asleep = false, false, false
	b.Counters = b.Counters[:0]
	b.Gauges = b.Gauges[:0]
	b.Histograms = b.Histograms[:0]
	b.Sets = b.Sets[:0]
	b.Notes = b.Notes[:0]
	b.Taken = b.Taken[:0]
	b.Folded = b.Folded[:0]
	b.Covers = b.Covers[:0]
	b.Beyond = b.Beyond[:0]
	b.Rests = b.Rests[:0]
	b.Ages = b.Ages[:0]
}

// maxDelta is about the Delta beside which there is a Beyond: what the version
// before cut such a counter to, so that to an older reader nothing is new.
const maxDelta = 1 << 61

// AddCounter adds a counter that grew by some units. What an int64 can't hold
// of them goes into Beyond, up to what is 9.2e18 in whole numbers.
func (b *Bucket) AddCounter(id uint64, units exact.Int) {
	delta, ok := units.Int64()
	if !ok {
		over, _ := units.Sub(units.Clamp(exact.New(maxDelta))).QuoRem(Unit)
		over = over.Clamp(exact.New(math.MaxInt64))
		whole, _ := over.Int64()
		b.Beyond = append(b.Beyond, Beyond{id, whole})
		delta, _ = units.Sub(exact.Mul(whole, Unit)).Clamp(exact.New(math.MaxInt64)).Int64()
	}
	b.Counters = append(b.Counters, Counter{id, delta})
}

// Units returns by how many [Unit]s a counter grew beyond its Delta.
func (b *Beyond) Units() exact.Int { return exact.Mul(b.Whole, Unit) }

// The flags of the second byte.
const (
	flagFinal = 1 << iota
	flagKeyframe
	flagAsleep
)

// The tags of the sections, which follow each other in ascending order. A tag
// is never given a second meaning.
const (
	tagCounters = 1 + iota
	tagGauges
	tagHistograms
	tagSets
	tagNotes
	tagTaken
	tagFolded
	tagCovers
	tagBeyond
	tagRests
	tagAges
)
