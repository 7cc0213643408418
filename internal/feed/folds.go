package feed

import (
	"context"
	"log/slog"
	"slices"
	"time"

	"github.com/go-batteries/hawkeye/internal/bucket"
	"github.com/go-batteries/hawkeye/internal/window"
	"github.com/go-batteries/hawkeye/store"
)

const (
	// maxFolds bounds the folds that wait for the Store.
	maxFolds = 1000
	// foldsPerTick is how many folds are published before a tick, so that
	// evaluation goes on meanwhile.
	foldsPerTick = 64
	// renameAfter is how often the names in folds are published again: the
	// Store forgets names some time after they were published last.
	renameAfter = 10 * time.Minute
)

// queued is a fold on its way to the Store.
type queued struct {
	cellKey
	encoded
	keep  time.Duration
	again bool // the Store had it before
}

// named is when a name was published, to be kept for how long.
type named struct {
	at   time.Time
	keep time.Duration
}

func encodeFold(n *window.Fold) queued {
	return queued{
		cellKey: cellKey{n.Tier, n.Cell},
		encoded: encoded{n.Writer, bucket.Append(nil, n.Bucket)},
		keep:    n.Keep,
	}
}

// foldQueue is the folds that aren't published yet.
type foldQueue struct {
	queue []queued
	again int              // how many of them the Store had before
	named map[uint64]named // the names that were published
}

// push appends a fold. Beyond the bound the oldest leaves.
func (q *foldQueue) push(n queued) {
	if n.again {
		q.again++
		q.named = nil // the names may be lost, too
	}
	q.queue = append(q.queue, n)
	if len(q.queue) > maxFolds {
		q.pop()
	}
}

func (q *foldQueue) pop() {
	if q.queue[0].again {
		q.again--
	}
	q.queue[0] = queued{}
	q.queue = q.queue[1:]
}

// waits says whether a fold is in the queue.
func (q *foldQueue) waits(k cellKey, writer store.ID) bool {
	return slices.ContainsFunc(q.queue, func(n queued) bool { return n.cellKey == k && n.writer == writer })
}

// publishFolds writes what waits, some at each tick: publishing again what
// was stored changes nothing. After an error it waits for the next tick.
func (f *Feed) publishFolds(ctx context.Context) {
	q := &f.folds
	for range min(len(q.queue), foldsPerTick) {
		fold := q.queue[0]
		p := store.Publication{
			Writer:  fold.writer,
			Keep:    fold.keep,
			Names:   f.foldNames(fold),
			Buckets: []store.Bucket{{Tier: fold.tier, Tick: fold.cell, Writer: fold.writer, Data: fold.data}},
		}
		if _, err := f.publish(ctx, p); err != nil {
			f.log.LogAttrs(ctx, slog.LevelDebug, "publishing a coarse bucket fails", slog.Any("error", err))
			return
		}
		now := time.Now()
		for _, n := range p.Names {
			q.named[n.ID] = named{now, fold.keep}
		}
		q.pop()
		f.mu.Lock()
		f.stats.Folds++
		if fold.again {
			f.stats.FoldsAgain++
		}
		f.stats.FoldsQueued = len(q.queue)
		f.mu.Unlock()
	}
}

// foldNames returns the names in a fold that weren't published lately, to be
// kept for as long as it is.
func (f *Feed) foldNames(fold queued) (names []store.Name) {
	b := &f.scratch
	if err := bucket.Decode(fold.data, b); err != nil { // it was read or written before
		return nil
	}
	f.folds.eachUnnamed(b, fold.keep, time.Now(), func(id uint64) {
		if text := f.engine.Text(id); text != "" {
			names = append(names, store.Name{ID: id, Text: text})
		}
	})
	return names
}

// eachUnnamed calls f for each id in b whose name wasn't published lately, to
// be kept for as long as that.
func (q *foldQueue) eachUnnamed(b *bucket.Bucket, keep time.Duration, now time.Time, f func(id uint64)) {
	if q.named == nil || len(q.named) > maxNamed {
		q.named = make(map[uint64]named)
	}
	window.EachID(b, func(id uint64) {
		if n, ok := q.named[id]; !ok || now.Sub(n.at) >= renameAfter || n.keep < keep {
			f(id)
		}
	})
}

// maxNamed bounds what is remembered of names that were published.
const maxNamed = 1 << 18
