package feed

import (
	"context"
	"log/slog"
	"time"

	"github.com/go-batteries/hawkeye/internal/bucket"
	"github.com/go-batteries/hawkeye/internal/window"
	"github.com/go-batteries/hawkeye/store"
)

const (
	// maxFolds bounds the folds that wait for the Store.
	maxFolds = 1000
	// renameAfter is how often the names in folds are published again: the
	// Store may forget names that no writer uses any more.
	renameAfter = 10 * time.Minute
)

// foldQueue is the folds that aren't published yet.
type foldQueue struct {
	queue []window.Fold
	named map[uint64]time.Time // when an id's name was published
}

func (q *foldQueue) add(folds []window.Fold, discard bool) {
	if discard || len(folds) == 0 {
		return
	}
	q.queue = append(q.queue, folds...)
	if n := len(q.queue) - maxFolds; n > 0 {
		q.queue = q.queue[n:]
	}
}

// publishFolds writes what waits, each at most once: publishing again what
// was stored changes nothing. After an error it waits for the next tick.
func (f *Feed) publishFolds(ctx context.Context) {
	for q := &f.folds; len(q.queue) > 0; {
		fold := &q.queue[0]
		p := store.Publication{
			Writer: fold.Writer,
			Keep:   fold.Keep,
			Names:  f.foldNames(fold.Bucket),
			Buckets: []store.Bucket{{
				Tier: fold.Tier, Tick: fold.Cell, Writer: fold.Writer, Data: bucket.Append(nil, fold.Bucket),
			}},
		}
		if _, err := f.publish(ctx, p); err != nil {
			f.log.LogAttrs(ctx, slog.LevelDebug, "publishing a coarse bucket fails", slog.Any("error", err))
			return
		}
		now := time.Now()
		for _, n := range p.Names {
			q.named[n.ID] = now
		}
		q.queue = q.queue[1:]
		f.mu.Lock()
		f.stats.Folds++
		f.stats.FoldsQueued = len(q.queue)
		f.mu.Unlock()
	}
}

// foldNames returns the names in a fold that weren't published lately.
func (f *Feed) foldNames(b *bucket.Bucket) (names []store.Name) {
	q := &f.folds
	if q.named == nil || len(q.named) > maxNamed {
		q.named = make(map[uint64]time.Time)
	}
	now := time.Now()
	window.EachID(b, func(id uint64) {
		if at, ok := q.named[id]; ok && now.Sub(at) < renameAfter {
			return
		}
		if text := f.engine.Text(id); text != "" {
			names = append(names, store.Name{ID: id, Text: text})
		}
	})
	return names
}

// maxNamed bounds what is remembered of names that were published.
const maxNamed = 1 << 18
