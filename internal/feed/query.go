package feed

import (
	"context"
	"math"
	"time"

	"github.com/go-batteries/hawkeye/internal/samples/clock"
	"github.com/go-batteries/hawkeye/internal/series"
	"github.com/go-batteries/hawkeye/internal/window"
	"github.com/go-batteries/hawkeye/store"
)

// queryMargin is how much older than the retention what Query reads may be: a
// window as long as that ends with a tick that is over, and has to be waited
// for, and Stores keep ticks for longer than they promise. What is gone anyway
// is unknown.
const queryMargin = 2 * time.Second

// Answer is what [Query] found, of all series that were selected together.
type Answer struct {
	window.Value
	// Kinds are those in which the metric exists, if Status is Ambiguous.
	Kinds []series.Kind
	// Quantile returns one of a histogram, NaN of another kind.
	Quantile func(q float64) float64
	// Saturated says that the sum had to be cut.
	Saturated bool
}

// Query reads the window that ends with tick straight from the Store. q has
// no By. It waits for the buckets of live writers as a Feed does, so a tick
// that has just ended takes as long as Next does. It writes nothing.
func Query(ctx context.Context, s store.Store, clock *clock.Clock, q window.Query, tick int64) (Answer, error) {
	return QueryWith(ctx, Config{Store: s, Clock: clock}, q, tick)
}

// QueryWith is [Query] by what else is known: cfg's Runs and Text.
func QueryWith(ctx context.Context, cfg Config, q window.Query, tick int64) (Answer, error) {
	q.Selector.By = nil
	cfg.Queries, cfg.NoFolds = []window.Query{q}, true
	f := New(cfg)
	if q.Window <= f.traits.Retention { // what comes before is in folds, which begin where fine ticks end
		f.retention += f.ticksIn(queryMargin) + 2
	}
	if err := f.SeekTo(ctx, tick-1); err != nil {
		return Answer{}, err
	}
	for f.Watermark() < tick {
		if _, err := f.Next(ctx); err != nil {
			return Answer{}, err
		}
	}
	g := f.engine.Group(f.Handle(0), "")
	a := Answer{
		Value:    f.engine.Value(f.Handle(0), g),
		Quantile: func(float64) float64 { return math.NaN() },
	}
	a.Saturated = f.saturated.Load() > 0
	if a.Status == window.Ambiguous {
		a.Kinds = f.engine.Kinds(q.Selector.Metric)
	}
	if a.Kind == series.KindHistogram && a.Status != window.Unseen {
		a.Quantile = func(p float64) float64 { return f.engine.Quantile(g, p) }
	}
	return a, nil
}
