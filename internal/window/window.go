// Package window turns buckets into values over windows. It is pure: no
// clock, no store, no goroutine. Time is the number of a tick.
//
// The work of a tick is proportional to the samples in it and to the windows
// that get one or whose edge passes one, not to the number of windows: what
// all writers counted is added up by series before windows take it. Memory is
// proportional to a window's length in cells: a window of W has cells of the
// coarsest tier that is at most W/30 wide, rounded outward, so a window holds
// at most a thirtieth more time than it says.
//
// # What an aggregate means
//
//	           counter             gauge                   histogram         set
//	(default)  sum                 last                    p99               count
//	sum        increments          as last                 sum of values     distinct values
//	count      increments          gauges that are live    observations      distinct values
//	rate       increments/s        change/s                observations/s    distinct values/s
//	avg        increments/s        mean over the ticks     mean of values    distinct values
//	min, max   increments/s of     least, greatest         edge of the       distinct values
//	           the least, the      over the ticks          outermost bucket
//	           greatest cell
//	last       increments/s of     the latest value        mean of the       distinct values
//	           the newest cell                             newest cell
//	change     increments          latest less oldest      newest cell's     distinct values
//	                               value in the window     mean less oldest's
//	pN         missing             missing                 the quantile      missing
//
// Where a gauge is one value it is the combination, by [Fleet], of the latest
// value of each series of each live writer. Cells without samples count
// neither as least nor as greatest.
package window

import (
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/go-batteries/hawkeye/internal/matcher"
	"github.com/go-batteries/hawkeye/internal/series"
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
	// StaleAfter, if not 0, is how long a gauge counts that isn't set again.
	StaleAfter time.Duration
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
// one is the default of the kind that is found. [Under] makes another.
type Aggregate string

// Under is the aggregate that counts the observations of a histogram that are
// at most bound, to the width of a bucket.
func Under(bound float64) Aggregate {
	return Aggregate("under" + strconv.FormatFloat(bound, 'g', -1, 64))
}

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
	Unseen    Status = iota // no series that matches was ever seen
	Missing                 // seen, but there is nothing to compute a value from
	OK                      //
	Ambiguous               // the name exists in several kinds and the query names none
)

// Value is a query's answer at a tick.
type Value struct {
	// V is NaN unless Status is OK.
	V      float64
	Status Status
	// Kind is that of the series found, unless Status is Unseen or Ambiguous.
	Kind series.Kind
	// Count and Sum are those of the samples in the window: increments of a
	// counter, observations of a histogram, live gauges and their value,
	// distinct values of a set.
	Count, Sum float64
	// Monotone says that V can only grow as more samples of the same window
	// arrive: it counts, and there are no negative increments.
	Monotone bool
	// Partial and Unknown are how many ticks of the window lack a bucket of
	// a live writer, and of how many nobody knows anything.
	Partial, Unknown int64
	// Stale says that there are gauges, and that all were set too long ago.
	Stale bool
	// First is the oldest tick of which this engine took a sample of the
	// group; [Never] without samples. What a fold holds counts as of the
	// fold's first tick.
	First int64
	// LastUnknown is the newest of the unknown ticks, if Unknown > 0.
	LastUnknown int64
}

// Complete says that no sample of the window is known to be missing.
func (v Value) Complete() bool { return v.Partial == 0 && v.Unknown == 0 }

// Ref is a group of a query.
type Ref struct {
	Handle Handle
	Group  *Group
}

type op uint8

const (
	opDefault op = iota
	opSum
	opRate
	opAvg
	opMin
	opMax
	opLast
	opCount
	opChange
	opQuantile
	opUnder
	opNone // not understood: the value is missing
)

var ops = map[Aggregate]op{
	"": opDefault, "sum": opSum, "rate": opRate, "avg": opAvg, "min": opMin, "max": opMax,
	"last": opLast, "count": opCount, "change": opChange,
}

// parse returns the operation and its number: a quantile, a bound.
func (a Aggregate) parse() (op, float64) {
	if o, ok := ops[a]; ok {
		return o, 0
	}
	if digits, ok := strings.CutPrefix(string(a), "under"); ok {
		if bound, err := strconv.ParseFloat(digits, 64); err == nil {
			return opUnder, bound
		}
	}
	if digits, ok := strings.CutPrefix(string(a), "p"); ok {
		if p, err := strconv.ParseFloat(digits, 64); err == nil && p > 0 && p < 100 {
			// Divide the decimal, not the rounded quotient: p99.9 is 0.999.
			return opQuantile, math.Round(p*1e6) / 1e8
		}
	}
	return opNone, 0
}

// needsHistory says that a gauge's past values matter, not just the latest.
func (q *Query) needsHistory() bool {
	switch o, _ := q.Aggregate.parse(); o {
	case opAvg, opMin, opMax, opChange, opRate:
		return true
	default:
		return q.Delay > 0
	}
}
