package feed

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/go-batteries/hawkeye/internal/bucket"
	"github.com/go-batteries/hawkeye/internal/window"
	"github.com/go-batteries/hawkeye/store"
)

// gaugesBack is how far back all gauges are named by a keyframe, with a tick
// or two for the way.
const gaugesBack = 6 * time.Second

// loader fills empty windows from what the Store has.
type loader struct {
	*Feed
	base int64 // the last tick that is loaded
	from int64 // the first fine tick that is read
	open int64 // the first that is to be judged again
}

// fold is a stored one.
type fold struct {
	tier   store.Tier
	cell   int64
	writer store.ID
	bucket *bucket.Bucket
	named  bool // by a fold of a wider tier
}

// SeekTo empties the windows and fills them with everything up to and with
// the watermark. The next tick is watermark + 1 or, if the Store has nothing
// left of that one, the oldest that it may have.
//
// After an error the feed stands nowhere, and SeekTo is called again.
func (f *Feed) SeekTo(ctx context.Context, watermark int64) error {
	f.reset()
	f.failed = false
	l := loader{Feed: f, base: max(watermark, f.oldest()-1)}
	l.open = l.reopens()
	f.next, f.skipped = watermark+1, 0
	if err := l.load(ctx); err != nil {
		return err
	}
	f.loaded = true
	f.formerUntil = f.cfg.Clock.NowTick() + window.LiveTicks
	f.next, f.skipped = l.base+1, l.base-watermark
	f.engine.MarkUnknown(watermark+1, l.base)
	f.engine.Changed(nil)
	f.engine.Evaluated(l.base)
	if l.open <= l.base {
		f.lateMin, f.rejudge = l.open, true
	}
	return nil
}

// reopens returns the first tick that is to be judged again, [none] if there
// is none: that of Reopen, or one that the ledger names.
func (l *loader) reopens() int64 {
	open := l.reopen
	l.mu.Lock()
	for n := range l.late {
		open = min(open, n)
	}
	l.mu.Unlock()
	if open > l.base {
		return none
	}
	return max(open, l.base+1-l.margin)
}

func (l *loader) load(ctx context.Context) error {
	back := l.ticksIn(gaugesBack) + window.LiveTicks
	for _, n := range l.engine.Needs() {
		back = max(back, n.Back)
	}
	if l.open <= l.base { // with the windows of those that are judged again
		back += l.base + 1 - l.open
	}
	l.from = max(l.base-back, l.oldest())
	l.engine.Advance(l.from - 1)
	if err := l.loadFolds(ctx); err != nil {
		return err
	}
	l.engine.MarkUnknownIn(store.TierFine, l.base-back, l.from-1)
	for n := l.from; n <= l.base; n += aheadTicks {
		if err := l.loadTicks(ctx, n, min(n+aheadTicks-1, l.base)); err != nil {
			return err
		}
	}
	l.engine.Advance(l.base)
	return nil
}

// ticksIn returns how many ticks d lasts.
func (f *Feed) ticksIn(d time.Duration) int64 { return int64(d / f.traits.Tick) }

// loadTicks takes the fine ticks from up to and with to.
func (l *loader) loadTicks(ctx context.Context, from, to int64) error {
	q := make([]store.TickQuery, 0, to-from+1)
	for n := from; n <= to; n++ {
		q = append(q, store.TickQuery{Tick: n})
	}
	answers, err := l.read(ctx, q)
	if err != nil {
		return fmt.Errorf("read %d ticks: %w", len(q), err)
	}
	for i := range answers {
		n := answers[i].Tick
		if n == l.open {
			l.engine.Evaluated(l.base)
		}
		t := l.tick(n)
		l.add(t, &answers[i])
		l.recall(n, t)
		l.engine.Advance(n)
		t.settled, t.begun = true, true
		if err := l.apply(ctx, n, t); err != nil {
			return err
		}
		_, missing := l.missing(n, t)
		t.status = t.judge(len(missing))
		l.mark(n, t.status)
	}
	return nil
}

// wanting returns the tiers that don't have a writer's bucket in a fold.
// Those wider than the feeding one have it if that one has.
func (f *Feed) wanting(n int64, writer store.ID) uint8 {
	want := window.AllTiers
	feeder := f.engine.Feeder()
	for tier := store.Tier5s; tier <= feeder; tier++ {
		if _, held := f.folded[tier][n][writer]; !held {
			continue
		}
		want &^= 1 << tier
		if tier == feeder {
			want &= 1<<(feeder+1) - 1
		}
	}
	return want
}

// loadFolds takes the folds of all tiers that some window needs.
func (l *loader) loadFolds(ctx context.Context) error {
	feeder := l.engine.Feeder()
	var wide []fold
	feed := int64(none) // the oldest tick for which folds of the feeder are needed
	for _, n := range l.engine.Needs() {
		if n.Tier <= feeder {
			continue
		}
		cell := l.engine.CellOf(n.Tier, l.base)
		feed = min(feed, l.engine.FirstTick(n.Tier, cell-1))
		folds, err := l.readFolds(ctx, n.Tier, n.Back, nil)
		if err != nil {
			return err
		}
		wide = append(wide, folds...)
		if err := l.takeFolds(ctx, folds); err != nil {
			return err
		}
	}
	for _, n := range l.engine.Needs() {
		if n.Tier == store.TierFine || n.Tier >= feeder {
			continue
		}
		folds, err := l.readFolds(ctx, n.Tier, n.Back, nil)
		if err == nil {
			err = l.takeFolds(ctx, folds)
		}
		if err != nil {
			return err
		}
	}
	return l.loadFeeder(ctx, feed, wide)
}

// loadFeeder takes the folds of the feeding tier: into its own windows, and
// into those of wider tiers that have no fold with them yet.
func (l *loader) loadFeeder(ctx context.Context, feed int64, wide []fold) error {
	feeder, back := l.engine.Feeder(), int64(0)
	var wider []store.Tier
	for _, n := range l.engine.Needs() {
		switch {
		case n.Tier == feeder:
			back = max(back, n.Back)
		case n.Tier > feeder:
			wider = append(wider, n.Tier)
			back = max(back, l.base-feed, l.base-l.from)
		}
	}
	if back == 0 {
		return nil
	}
	type part struct {
		cell   int64
		writer store.ID
	}
	in := make(map[store.Tier]map[part]bool) // what a wider tier's folds hold
	cells := make(map[store.Tier]map[int64]bool)
	named := make(map[store.ID]bool)
	for i := range wide {
		w := &wide[i]
		if in[w.tier] == nil {
			in[w.tier], cells[w.tier] = make(map[part]bool), make(map[int64]bool)
		}
		cells[w.tier][w.cell] = true
		for _, taken := range w.bucket.Taken {
			for _, id := range taken.Writers {
				in[w.tier][part{taken.Tick, id}] = true
				named[id] = true
			}
		}
	}
	folds, err := l.readFolds(ctx, feeder, back, named)
	if err != nil {
		return err
	}
	if err := l.takeFolds(ctx, folds); err != nil {
		return err
	}
	known := make(map[int64]bool)
	for i := range folds {
		known[folds[i].cell] = true
	}
	for _, tier := range wider {
		for i := range folds {
			d := &folds[i]
			cell := l.engine.CellOf(tier, l.engine.FirstTick(feeder, d.cell))
			if l.unfolded(tier, cell) && !in[tier][part{d.cell, d.writer}] {
				l.engine.TakeFold(tier, feeder, d.cell, d.writer, d.bucket)
			}
		}
		l.unknownFeed(tier, cells[tier], known)
	}
	return nil
}

// unknownFeed tells the windows of a wide tier of the feeding tier's cells
// that have no fold, where the wide one has none either.
func (l *loader) unknownFeed(tier store.Tier, folded, known map[int64]bool) {
	feeder := l.engine.Feeder()
	last := l.engine.CellOf(tier, l.base)
	from := l.engine.CellOf(feeder, l.engine.FirstTick(tier, last-1))
	for cell := from; cell <= l.engine.CellOf(feeder, l.base); cell++ {
		if !known[cell] && !folded[l.engine.CellOf(tier, l.engine.FirstTick(feeder, cell))] {
			l.unknown(tier, feeder, cell)
		}
	}
}

// readFolds reads a tier's folds that reach back some ticks. Of those of a
// cell that overlap, two evaluators' say, it returns only such that don't,
// those that are named first, then those that hold most, of the
// most metrics.
func (l *loader) readFolds(ctx context.Context, tier store.Tier, back int64, named map[store.ID]bool) ([]fold, error) {
	var folds []fold
	from, to := l.engine.CellOf(tier, l.base-back), l.engine.CellOf(tier, l.base)
	for cell := from; cell <= to; cell += aheadTicks {
		var q []store.TickQuery
		for n := cell; n <= min(cell+aheadTicks-1, to); n++ {
			q = append(q, store.TickQuery{Tier: tier, Tick: n})
		}
		answers, err := l.read(ctx, q)
		if err != nil {
			return nil, fmt.Errorf("read %d coarse ticks: %w", len(q), err)
		}
		for i := range answers {
			got := l.decode(&answers[i], named)
			folds = append(folds, got...)
			switch {
			case len(got) > 0:
				l.partial(tier, answers[i].Tick, got)
			case !l.unfolded(tier, answers[i].Tick):
				l.unknown(tier, tier, answers[i].Tick)
			}
		}
	}
	return folds, nil
}

// unfolded says that a cell of a tier wider than the feeding one may not be
// folded yet, so that the folds of the feeding one are what is known of it.
func (l *loader) unfolded(tier store.Tier, cell int64) bool {
	return tier > l.engine.Feeder() && cell >= l.engine.CellOf(tier, l.base)-1
}

// unknown tells the windows of tier in that nothing is known of a cell, but
// for the fine ticks that are still there.
func (l *loader) unknown(in, tier store.Tier, cell int64) {
	first, next := l.engine.FirstTick(tier, cell), l.engine.FirstTick(tier, cell+1)
	l.engine.MarkUnknownIn(in, first, min(next, l.from)-1)
}

// partial tells the windows of the ticks of a cell in which a writer published
// whose bucket its folds don't hold, but for the fine ticks that are still
// there. What is wider than the feeding tier is made of that one's folds, and
// names no writers.
func (l *loader) partial(tier store.Tier, cell int64, folds []fold) {
	if tier > l.engine.Feeder() {
		return
	}
	taken := make(map[int64][]store.ID)
	for i := range folds {
		for _, t := range folds[i].bucket.Taken {
			taken[t.Tick] = append(taken[t.Tick], t.Writers...)
		}
	}
	for n := l.engine.FirstTick(tier, cell); n < min(l.engine.FirstTick(tier, cell+1), l.from); n++ {
		if l.cfg.Runs.allIn(n, taken[n]) {
			continue
		}
		l.engine.MarkPartialIn(tier, n)
		for wide := l.engine.Feeder() + 1; tier == l.engine.Feeder() && wide <= store.Tier1h; wide++ {
			l.engine.MarkPartialIn(wide, n)
		}
	}
}

// decode returns the folds of a cell: those that are stored, and those that we
// hold and the Store has lost, which are published again.
func (l *loader) decode(answer *store.TickBuckets, named map[store.ID]bool) []fold {
	var all []fold
	k := cellKey{answer.Tier, answer.Tick}
	take := func(writer store.ID, data []byte) bool {
		decoded := &bucket.Bucket{}
		if err := bucket.Decode(data, decoded); err != nil {
			l.reject(k.cell, writer, err)
			return false
		}
		all = append(all, fold{k.tier, k.cell, writer, decoded, named[writer]})
		return true
	}
	stored := make(map[store.ID]bool)
	for i := range answer.Buckets {
		b := &answer.Buckets[i]
		stored[b.Writer] = true
		if take(b.Writer, b.Data) && l.traits.Shared && !l.cfg.NoFolds {
			l.held.put(k, encoded{b.Writer, b.Data})
		}
	}
	for _, e := range l.held.cells[k] {
		if stored[e.writer] {
			continue
		}
		take(e.writer, e.data)
		if !l.folds.waits(k, e.writer) {
			l.again(k, e)
		}
	}
	return disjoint(all)
}

// disjoint returns those of a cell's folds that hold nothing twice.
func disjoint(folds []fold) []fold {
	size := func(f *fold) (n int) {
		for _, t := range f.bucket.Taken {
			n += len(t.Writers)
		}
		return n
	}
	slices.SortFunc(folds, func(a, b fold) int {
		if a.named != b.named {
			if a.named {
				return -1
			}
			return 1
		}
		return cmp.Or(cmp.Compare(size(&b), size(&a)),
			cmp.Compare(len(b.bucket.Covers), len(a.bucket.Covers)), bytes.Compare(a.writer[:], b.writer[:]))
	})
	type part struct {
		tick   int64
		writer store.ID
	}
	held := make(map[part]bool)
	return slices.DeleteFunc(folds, func(f fold) bool {
		var parts []part
		for _, t := range f.bucket.Taken {
			for _, w := range t.Writers {
				if held[part{t.Tick, w}] {
					return true
				}
				parts = append(parts, part{t.Tick, w})
			}
		}
		for _, p := range parts {
			held[p] = true
		}
		return false
	})
}

// takeFolds adds folds to the windows of their own tier.
func (l *loader) takeFolds(ctx context.Context, folds []fold) error {
	l.ids = l.ids[:0]
	for i := range folds {
		l.ids = l.engine.Unknown(l.ids, folds[i].bucket)
	}
	if err := l.learn(ctx, l.ids); err != nil {
		return err
	}
	for i := range folds {
		d := &folds[i]
		if !l.engine.TakeFold(d.tier, d.tier, d.cell, d.writer, d.bucket) {
			l.unknown(d.tier, d.tier, d.cell)
			continue
		}
		l.hold(d)
	}
	return nil
}

// hold takes note of the fine ticks that a fold holds.
func (l *loader) hold(d *fold) {
	if d.tier > l.engine.Feeder() {
		return
	}
	held := l.folded[d.tier]
	if held == nil {
		held = make(map[int64]map[store.ID]struct{})
		l.folded[d.tier] = held
	}
	for _, taken := range d.bucket.Taken {
		if taken.Tick < l.from {
			continue
		}
		if held[taken.Tick] == nil {
			held[taken.Tick] = make(map[store.ID]struct{})
		}
		for _, w := range taken.Writers {
			held[taken.Tick][w] = struct{}{}
		}
	}
}
