package feed

import (
	"context"
	"log/slog"
	"slices"
	"time"

	"github.com/go-batteries/hawkeye/internal/bucket"
	"github.com/go-batteries/hawkeye/store"
)

const (
	// bucketOverhead is what a bucket costs that is held, besides its data.
	bucketOverhead = 64
	// checkFine is how many ticks are counted in a round after a loss.
	checkFine = 64
	// publishBuckets, publishBytes and publishNames bound one publication of
	// what is held.
	publishBuckets = 64
	publishBytes   = 1 << 20
	publishNames   = 2000
	// publishPart is the part of a tick for which it is published at most.
	publishPart = 4
	// settleOwn is for how long at most this process' own buckets go first.
	settleOwn = 5 * time.Second
	// againAfter is how long a tick isn't published once more.
	againAfter = 5 * time.Second
	// leaveWithin bounds what is published by an evaluator that leaves.
	leaveWithin = 2 * time.Second
)

// fine is the buckets of fine ticks, encoded, as this process read them: the
// newest, as far as they have room. Each writer publishes its own again when
// the Store has lost them; for one that isn't there any more, whoever evaluates
// does.
type fine struct {
	max   int // in bytes
	ticks map[int64]*heldTick
	order []int64 // ascending
	bytes int
	floor int64 // ticks before it found no room, or are too old
	next  int   // where in order the next look goes on
	left  int   // how many of order aren't known to be whole since a loss

	lost time.Time // when the loss was seen that isn't made up for yet; local time
}

// heldTick is the buckets of a tick.
type heldTick struct {
	buckets []encoded
	bytes   int
	doubt   bool      // the Store may lack some
	short   bool      // it does
	again   time.Time // when they were published again last; local time
}

func newFine() fine { return fine{max: maxHeldBytes, ticks: make(map[int64]*heldTick)} }

// put takes in a bucket that wasn't read before.
func (h *fine) put(tick int64, e encoded) {
	if tick < h.floor {
		return
	}
	t := h.ticks[tick]
	if t == nil {
		t = &heldTick{}
		h.ticks[tick] = t
		i, _ := slices.BinarySearch(h.order, tick)
		h.order = slices.Insert(h.order, i, tick)
	} else if slices.ContainsFunc(t.buckets, func(o encoded) bool { return o.writer == e.writer }) {
		return
	}
	size := len(e.data) + bucketOverhead
	t.buckets = append(t.buckets, e)
	t.bytes += size
	h.bytes += size
	for h.bytes > h.max {
		h.expire(h.order[0] + 1)
	}
}

// expire lets go of the ticks before floor.
func (h *fine) expire(floor int64) {
	n := 0
	for n < len(h.order) && h.order[n] < floor {
		t := h.ticks[h.order[n]]
		h.bytes -= t.bytes
		if t.doubt {
			h.left--
		}
		delete(h.ticks, h.order[n])
		n++
	}
	h.order = slices.Delete(h.order, 0, n)
	h.next = max(h.next-n, 0)
	h.floor = max(h.floor, floor)
}

// drop lets go of everything.
func (h *fine) drop() { *h = fine{max: h.max, ticks: make(map[int64]*heldTick)} }

// doubtAll takes note of a loss: no tick is known to be whole.
func (h *fine) doubtAll() {
	for _, t := range h.ticks {
		t.doubt = true
	}
	h.left, h.next = len(h.order), 0
	h.lost = time.Now()
}

// check returns the questions about ticks in doubt, the newest first: how many
// buckets there are.
func (h *fine) check() (q []store.TickQuery) {
	for range h.order {
		if h.left == 0 || len(q) == checkFine {
			break
		}
		h.next %= len(h.order)
		n := h.order[len(h.order)-1-h.next]
		h.next++
		if h.ticks[n].doubt {
			q = append(q, store.TickQuery{Tick: n, Known: countOnly})
		}
	}
	return q
}

// counted takes note of how many buckets of a tick the Store has.
func (h *fine) counted(tick int64, count int) {
	t := h.ticks[tick]
	if t == nil || !t.doubt {
		return
	}
	if t.short = count < len(t.buckets); !t.short {
		t.doubt = false
		h.left--
	}
}

// whole takes note of which buckets of a tick the Store has.
func (h *fine) whole(answer *store.TickBuckets) {
	t := h.ticks[answer.Tick]
	if t == nil {
		return
	}
	stored := make(map[store.ID]struct{}, len(answer.Buckets))
	for i := range answer.Buckets {
		stored[answer.Buckets[i].Writer] = struct{}{}
	}
	short := slices.ContainsFunc(t.buckets, func(e encoded) bool { _, ok := stored[e.writer]; return !ok })
	switch {
	case short && !t.doubt:
		h.left++
	case !short && t.doubt:
		h.left--
	}
	t.short, t.doubt = short, short
}

// holds says whether what is read is held: by whoever evaluates, if the Store
// can lose it.
func (f *Feed) holds() bool { return f.traits.Shared && !f.cfg.NoFolds }

// loses takes note that the Store has lost a bucket of a tick, and so maybe
// more: but for one in doubt, that is known.
func (f *Feed) loses(tick int64) {
	f.lost = time.Now()
	if t := f.fine.ticks[tick]; f.holds() && (t == nil || !t.doubt) {
		f.fine.doubtAll()
		f.folds.named = nil // the names may be lost, too
	}
}

// recall takes what is held of a tick that the Store lacks, once after the
// windows were emptied, and returns how many buckets that is.
func (f *Feed) recall(n int64, t *tick) (fresh int) {
	held := f.fine.ticks[n]
	if t.recalled || held == nil {
		return 0
	}
	t.recalled = true
	for _, e := range held.buckets {
		if _, there := t.has[e.writer]; there {
			continue
		}
		t.has[e.writer] = struct{}{}
		f.cfg.Runs.saw(n, e.writer, false)
		t.pending = append(t.pending, read{e.writer, e.data, f.wanting(n, e.writer)})
		f.loses(n)
		held.short = true
		fresh++
	}
	return fresh
}

// publishHeld publishes again what the Store has lost of writers that aren't
// live, the newest ticks first, for a part of a tick. The live ones do so
// themselves, and so does this process, which comes first.
func (f *Feed) publishHeld(ctx context.Context) {
	h := &f.fine
	if h.left == 0 || f.cfg.Busy != nil && f.cfg.Busy() && time.Since(h.lost) < settleOwn {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, f.traits.Tick/publishPart)
	defer cancel()
	f.publishDue(ctx, func(t *heldTick) bool { return t.short && time.Since(t.again) >= againAfter })
}

// Leave publishes what the Store has lost of what is held, all of it, because
// this process doesn't evaluate any more, and lets go of the rest. It looks
// first: the loss may be what cost this process its place. While the Store can't
// be asked everything stays held, and Leave is to be called again.
func (f *Feed) Leave(ctx context.Context) {
	if len(f.fine.order) > 0 {
		ctx, cancel := context.WithTimeout(ctx, leaveWithin)
		defer cancel()
		if err := f.recount(ctx); err != nil {
			f.log.LogAttrs(ctx, slog.LevelDebug, "look for what is held", slog.Any("error", err))
			return
		}
		if f.fine.left > 0 {
			f.publishDue(ctx, func(t *heldTick) bool { return t.doubt })
		}
	}
	f.fine.drop()
}

// recount asks how many buckets the Store has of each tick that is held.
func (f *Feed) recount(ctx context.Context) error {
	for part := range slices.Chunk(f.fine.order, checkFine) {
		q := make([]store.TickQuery, len(part))
		for i, n := range part {
			q[i] = store.TickQuery{Tick: n, Known: countOnly}
		}
		answers, err := f.read(ctx, q)
		if err != nil {
			return err
		}
		for i := range answers {
			t := f.fine.ticks[answers[i].Tick]
			if answers[i].Count < len(t.buckets) && !t.doubt {
				t.doubt = true
				f.fine.left++
			}
		}
	}
	return nil
}

// publishDue publishes ticks until ctx ends. Half of what it could do may be
// done then, which is no harm.
func (f *Feed) publishDue(ctx context.Context, due func(*heldTick) bool) {
	live := make(map[store.ID]struct{})
	for _, id := range f.engine.Live(f.next) {
		live[id] = struct{}{}
	}
	p, ticks := store.Publication{}, []*heldTick(nil)
	size := 0
	flush := func() bool {
		if len(p.Buckets) > 0 {
			if !f.publishAgain(ctx, &p) {
				return false
			}
		}
		for _, t := range ticks {
			t.again = time.Now()
		}
		p, ticks, size = store.Publication{}, nil, 0
		return true
	}
	for i := len(f.fine.order) - 1; i >= 0 && ctx.Err() == nil; i-- {
		n := f.fine.order[i]
		t := f.fine.ticks[n]
		if !due(t) {
			continue
		}
		for _, e := range t.buckets {
			if _, there := live[e.writer]; there {
				continue
			}
			if len(p.Buckets) >= publishBuckets || size+len(e.data) > publishBytes || len(p.Names) >= publishNames {
				if !flush() {
					return
				}
			}
			p.Buckets = append(p.Buckets, store.Bucket{Tick: n, Writer: e.writer, Data: e.data})
			p.Names = append(p.Names, f.namesIn(e.data, f.traits.Retention)...)
			size += len(e.data)
		}
		ticks = append(ticks, t)
	}
	flush()
}

// publishNames publishes again the names of what is held, if the Store has lost
// names: those of series that some process still counts come from there.
func (f *Feed) publishNames(ctx context.Context) {
	f.mu.Lock()
	lost := f.namesLost
	f.namesLost = false
	f.mu.Unlock()
	if lost && f.holds() {
		f.folds.named = nil
		f.nameless = f.engine.Texts(f.next - f.retention)
	}
	if len(f.nameless) == 0 {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, f.traits.Tick/publishPart)
	defer cancel()
	for len(f.nameless) > 0 && ctx.Err() == nil {
		part := f.nameless[:min(publishNames, len(f.nameless))]
		p := store.Publication{Writer: store.NewID(), Keep: f.longestKeep(), Names: part}
		if _, err := f.publish(ctx, p); err != nil {
			f.log.LogAttrs(ctx, slog.LevelDebug, "publishing names again fails", slog.Any("error", err))
			return
		}
		f.nameless = f.nameless[len(part):]
	}
}

// longestKeep is for how long what is held is needed.
func (f *Feed) longestKeep() time.Duration {
	keep := f.traits.Retention
	for tier := store.Tier5s; tier <= store.Tier1h; tier++ {
		keep = max(keep, f.engine.Keep(tier))
	}
	return keep
}

// publishAgain publishes buckets that the Store had before, with their names.
func (f *Feed) publishAgain(ctx context.Context, p *store.Publication) bool {
	p.Writer = p.Buckets[0].Writer
	if _, err := f.publish(ctx, *p); err != nil {
		f.log.LogAttrs(ctx, slog.LevelDebug, "publishing again what others have published fails", slog.Any("error", err))
		f.folds.named = nil // they may be stored, or not
		return false
	}
	f.mu.Lock()
	first := f.stats.FineAgain == 0
	f.stats.FineAgain += int64(len(p.Buckets))
	f.mu.Unlock()
	level := slog.LevelDebug
	if first {
		level = slog.LevelWarn
	}
	f.log.LogAttrs(ctx, level, "the store has lost what processes had published that are gone, publishing it again",
		slog.Int("buckets", len(p.Buckets)))
	return true
}

// namesIn returns the names that an encoded bucket needs, and that weren't
// published lately, to be kept for as long as it is.
func (f *Feed) namesIn(data []byte, keep time.Duration) (names []store.Name) {
	b := &f.scratch
	if err := bucket.Decode(data, b); err != nil { // it is as it was stored
		return nil
	}
	now := time.Now()
	f.folds.eachUnnamed(b, keep, now, func(id uint64) {
		text := f.engine.Text(id)
		if text == "" && f.former != nil { // the windows were emptied, and the Store has lost the name
			text = f.former.Text(id)
		}
		if text != "" {
			names = append(names, store.Name{ID: id, Text: text})
			f.folds.named[id] = named{now, keep}
		}
	})
	return names
}
