package feed

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"slices"
	"time"

	"github.com/go-batteries/hawkeye/internal/bucket"
	"github.com/go-batteries/hawkeye/store"
)

// doubtAfter is how long after a loss the ticks are read again: most of what
// the writers publish again is there by then.
const doubtAfter = 15 * time.Second

// none is a tick that doesn't come.
const none = int64(math.MaxInt64)

// tick is what was read of a tick.
type tick struct {
	has      map[store.ID]struct{} // the writers whose bucket was read
	pending  []read                // of these, what isn't in the windows yet
	stored   int                   // how many buckets the Store had when it was looked at last
	doubt    bool                  // they may be others than those of has
	bad      int                   // how many of them can't be decoded
	awake    int                   // how many of them are of a writer that could count
	recalled bool                  // what is held of it was taken, too
	settled  bool                  // it was read after its waiting time was over
	begun    bool                  // the windows stand at it, or beyond
	status   Status                // when it was handed out, or better since
}

// read is a bucket that was read.
type read struct {
	writer store.ID
	data   []byte
	tiers  uint8 // whose windows want it; the others have it in a fold
}

func (f *Feed) tick(n int64) *tick {
	t := f.ticks[n]
	if t == nil {
		t = &tick{has: make(map[store.ID]struct{})}
		f.ticks[n] = t
	}
	return t
}

// question asks for a tick, if there is something new in it. What matters is
// how many buckets are stored, not how many were read: after a loss, a bucket
// that comes late may make up the number that there was.
func (f *Feed) question(n int64) store.TickQuery {
	q := store.TickQuery{Tick: n}
	if t := f.ticks[n]; t != nil && !t.doubt {
		q.Known = t.stored
	}
	return q
}

// doubtAll has all ticks read again as a whole, some time after a loss was
// seen: between two looks a lost bucket may have been replaced by a new one.
func (f *Feed) doubtAll() {
	if f.lost.IsZero() || time.Since(f.lost) < doubtAfter {
		return
	}
	f.lost = time.Time{}
	for _, t := range f.ticks {
		t.doubt = true
	}
}

// add takes in an answer of the Store and returns how many buckets of it are
// new.
func (f *Feed) add(t *tick, answer *store.TickBuckets) (fresh int) {
	if answer.Count < t.stored && answer.Tick >= f.fading() {
		f.loses(answer.Tick)
	}
	t.stored, t.doubt = answer.Count, false
	if len(answer.Buckets) > 0 {
		f.fine.whole(answer)
	}
	for i := range answer.Buckets {
		b := &answer.Buckets[i]
		if _, known := t.has[b.Writer]; known {
			continue
		}
		t.has[b.Writer] = struct{}{}
		f.cfg.Runs.saw(b.Tick, b.Writer, false)
		fresh++
		t.pending = append(t.pending, read{b.Writer, b.Data, f.wanting(b.Tick, b.Writer)})
		if f.holds() {
			f.fine.put(b.Tick, encoded{b.Writer, b.Data})
		}
	}
	return fresh
}

// fading is the tick up to which the Store may have let go of buckets, or is
// about to.
func (f *Feed) fading() int64 { return f.oldest() + f.retention/20 + 1 }

func (f *Feed) reject(tick int64, writer store.ID, err error) {
	f.mu.Lock()
	f.stats.BadBuckets++
	first := f.stats.BadBuckets == 1
	f.mu.Unlock()
	level := slog.LevelDebug
	if first || errors.Is(err, bucket.ErrVersion) && f.stats.BadBuckets%1000 == 0 {
		level = slog.LevelWarn
	}
	f.log.LogAttrs(context.Background(), level, "a bucket can't be read",
		slog.Int64("tick", tick), slog.String("writer", writer.String()), slog.Any("error", err))
}

// apply adds what is pending to the windows, asking for names that it needs.
// What still has none stays pending.
func (f *Feed) apply(ctx context.Context, n int64, t *tick) error {
	f.ids = f.ids[:0]
	if f.takeAll(n, t); len(t.pending) == 0 {
		return nil
	}
	if err := f.learn(ctx, f.ids); err != nil {
		return err
	}
	f.takeAll(n, t)
	return nil
}

// takeAll adds what it can of a tick to the windows, and to ids those that
// have no name.
func (f *Feed) takeAll(n int64, t *tick) {
	t.pending = slices.DeleteFunc(t.pending, func(r read) bool {
		if err := bucket.Decode(r.data, &f.scratch); err != nil {
			t.bad++
			f.reject(n, r.writer, err)
			return true
		}
		if !f.scratch.Asleep {
			t.awake++
		}
		if f.scratch.Final {
			f.cfg.Runs.saw(n, r.writer, true)
		}
		if f.engine.TakeInto(r.tiers, n, r.writer, &f.scratch) {
			if f.cfg.OnBucket != nil {
				f.cfg.OnBucket(n, r.writer, &f.scratch)
			}
			return true
		}
		f.ids = f.engine.Unknown(f.ids, &f.scratch)
		return false
	})
	if len(t.pending) == 0 {
		t.pending = nil
	}
}

// learn asks for the names of ids.
func (f *Feed) learn(ctx context.Context, ids []uint64) error {
	slices.Sort(ids)
	ids = slices.Compact(ids)
	if f.former != nil { // the Store may have lost them since
		ids = slices.DeleteFunc(ids, func(id uint64) bool {
			text := f.former.Text(id)
			if text != "" {
				f.engine.Learn(id, text)
			}
			return text != ""
		})
	}
	if f.cfg.Text != nil && len(ids) > 0 {
		for _, n := range f.cfg.Text(ids) {
			f.engine.Learn(n.ID, n.Text)
		}
		ids = slices.DeleteFunc(ids, func(id uint64) bool { return f.engine.Text(id) != "" })
	}
	if len(ids) == 0 {
		return nil
	}
	names, err := f.namesOf(ctx, ids)
	if err != nil {
		return fmt.Errorf("read names of %d series: %w", len(ids), err)
	}
	for id, text := range names {
		f.engine.Learn(id, text)
	}
	return nil
}

// missing returns the live writers, and those whose bucket of a tick isn't
// there: of the live ones, and of any other that has a run over it. If it isn't
// known who those are, somebody is missing.
func (f *Feed) missing(n int64, t *tick) (live, missing []store.ID) {
	live = f.engine.Live(n)
	for _, w := range live {
		if _, there := t.has[w]; !there {
			missing = append(missing, w)
		}
	}
	if !f.cfg.Runs.knows(n) {
		return live, append(missing, store.ID{})
	}
	known := len(missing)
	for w := range f.cfg.Runs.over(n) {
		if _, there := t.has[w]; !there {
			missing = append(missing, w)
		}
	}
	if known > 0 && len(missing) > known {
		slices.SortFunc(missing, func(a, b store.ID) int { return bytes.Compare(a[:], b[:]) })
		missing = slices.Compact(missing)
	}
	return live, missing
}

// judge returns what is known of a tick that is in the windows.
func (t *tick) judge(missing int) Status {
	switch {
	case len(t.has) == 0:
		return Unknown
	case missing > 0 || t.bad > 0 || len(t.pending) > 0:
		return Partial
	default:
		return Complete
	}
}

// mark tells the windows what is known of a tick.
func (f *Feed) mark(n int64, s Status) {
	switch s {
	case Complete:
		f.engine.MarkComplete(n)
	case Partial:
		f.engine.MarkPartial(n)
	default:
		f.engine.MarkUnknown(n, n)
	}
}
