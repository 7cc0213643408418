package window

import (
	"math"
	"slices"
	"sync/atomic"
	"time"

	"github.com/go-batteries/hawkeye/internal/bucket"
	"github.com/go-batteries/hawkeye/internal/series"
	"github.com/go-batteries/hawkeye/store"
)

// Engine holds the windows. It is not safe for concurrent use.
type Engine struct {
	width     time.Duration
	retention time.Duration
	margin    int64
	now       int64
	evaluated int64

	handles []*query // nil where one was released
	free    []Handle
	queries map[string]*query
	longest int64 // how far back any window looked so far, in ticks
	tracks  map[string]*track
	metrics map[string]*metric
	series  map[uint64]*interest
	index   index
	writers map[store.ID]*writer
	recent  []*track // whose gauges' past is recorded at each tick

	wheel      wheel
	gaps       gaps
	tierGaps   [store.Tier1h + 1]gaps // in folds, before the fine ticks begin
	changed    []*Group
	late       []*Group
	scratch    []*interest // of the bucket that is taken
	stranger   interest    // what an id without a name stands for
	strangers  bool        // there are such in scratch
	tally      tally
	nextWriter uint32
	folder     *folder
	recall     recall
	saturated  *atomic.Uint64 // sums that were cut
}

// query is a registered query: a track and what is made of it.
type query struct {
	key   string
	op    op
	q     float64
	track *track
	refs  int
}

// metric is what is known of a name.
type metric struct {
	tracks []*track
	known  []*interest
	kinds  uint8 // of which samples were taken
}

// interest is one series and the groups that its samples belong to.
type interest struct {
	id       uint64
	next     *interest // what came after it in the latest bucket with both
	count    count
	used     int64 // the latest tick with samples
	seen     bool  // there were samples
	kind     series.Kind
	tiers    uint8 // in which it is folded
	groups   []*Group
	observed *observation // nil before the first one
	metric   *metric
	text     string
}

// New returns an engine for ticks of the given width, of which the Store
// keeps those of the retention. margin is how many ticks behind the present
// [Engine.ValueAt] still answers.
func New(width, retention time.Duration, margin int64) *Engine {
	return &Engine{
		width:     width,
		retention: retention,
		folder:    newFolder(width, retention),
		margin:    margin,
		now:       math.MinInt64,
		evaluated: math.MinInt64,
		recall:    recall{from: math.MinInt64, partial: math.MinInt64},
		queries:   make(map[string]*query),
		tracks:    make(map[string]*track),
		metrics:   make(map[string]*metric),
		series:    make(map[uint64]*interest),
		index:     newIndex(minSlots),
		writers:   make(map[store.ID]*writer),
		wheel:     wheel{at: make(map[int64][]*Group)},
		saturated: new(atomic.Uint64),
	}
}

// Now returns the tick that the values are of.
func (e *Engine) Now() int64 { return e.now }

// Advance moves the windows on to tick to; going back is ignored.
func (e *Engine) Advance(to int64) {
	if to <= e.now {
		return
	}
	e.settle()
	e.recordGauges()
	from := e.now
	e.now = to
	e.wheel.due(from, to, func(g *Group) {
		if !g.dropped {
			g.slide()
			e.mark(g)
		}
	})
	for id, w := range e.writers {
		if w.gone(to) {
			if !w.left {
				w.left = true
				e.leave(w)
			}
			if w.last < to-seenTicks {
				delete(e.writers, id)
			}
		}
	}
	oldest := to - e.longest - e.margin
	e.gaps.expire(oldest)
	for i := range e.tierGaps {
		e.tierGaps[i].expire(oldest)
	}
}

// recordGauges notes what gauges came to at the tick that is over.
func (e *Engine) recordGauges() {
	e.folder.endTick(e.now, e.series)
	for _, t := range e.recent {
		for _, g := range t.order {
			if g.gauge != nil && e.now > t.folded {
				g.gauge.record(t, e.now, e.now)
				g.schedule()
				e.mark(g)
			}
		}
	}
}

// Take adds a bucket, all of it or, if an id has no name, nothing and false.
// The tick must not be newer than Now. The caller takes each bucket once.
func (e *Engine) Take(tick int64, writer store.ID, b *bucket.Bucket) bool {
	return e.TakeInto(AllTiers, tick, writer, b)
}

// AllTiers names every tier in [Engine.TakeInto].
const AllTiers = ^uint8(0)

// TakeInto is Take for the windows of some tiers alone (bit n is tier n): the
// others have the bucket already, as part of a fold. A window whose metric that
// fold doesn't cover takes it all the same.
func (e *Engine) TakeInto(tiers uint8, tick int64, writer store.ID, b *bucket.Bucket) bool {
	if !e.lookUp(b) {
		return false
	}
	w := e.writer(writer)
	w.saw(tick, b.Final)
	e.takeSums(source{tiers: tiers, fine: true}, tick, b, e.scratch)
	e.takeGauges(w, tick, b, e.scratch[len(b.Counters):][:len(b.Gauges)])
	if e.folder.all != 0 {
		e.folder.take(tiers, tick, w, writer, b, e.scratch)
	}
	return true
}

// source is where samples come from: the tiers whose windows want them, and
// whether they are of a fine tick, not of a fold.
type source struct {
	tiers uint8
	fine  bool
}

// takeSums adds what is added up: counters, histograms, sets. found is what
// the ids of b stand for, as lookUp finds it.
func (e *Engine) takeSums(from source, tick int64, b *bucket.Bucket, found []*interest) {
	e.begin(from, tick)
	e.count(b.Counters, found[:len(b.Counters)])
	e.countBeyond(b.Beyond)
	found = found[len(b.Counters)+len(b.Gauges):]
	e.observe(b, found[:len(b.Histograms)])
	for i, in := range found[len(b.Histograms):][:len(b.Sets)] {
		e.seen(in, tick)
		for _, g := range in.groups {
			if at, ok := e.accept(g, series.KindSet, from, tick); ok {
				g.set.take(&g.track.grid, at, e.now, b.Sets[i].Hashes)
				g.schedule()
			}
		}
	}
}

// seen takes note that there is a sample of a series.
func (e *Engine) seen(in *interest, tick int64) {
	in.used = max(in.used, tick)
	if !in.seen {
		in.seen = true
		in.metric.kinds |= 1 << in.kind
	}
}

// lookUp fills scratch with what each id of b stands for, in the order of
// EachID. It returns false if one isn't known: stranger stands for those.
func (e *Engine) lookUp(b *bucket.Bucket) bool {
	n := len(b.Counters) + len(b.Gauges) + len(b.Histograms) + len(b.Sets) + len(b.Folded)
	e.scratch = slices.Grow(e.scratch[:0], n)[:n]
	e.strangers = false
	found, last := e.scratch, &e.stranger
	for i := range b.Counters {
		last = e.find(last, b.Counters[i].ID)
		if found[i] != last { // seldom, and a pointer is dearer to write than to compare
			found[i] = last
		}
	}
	found = found[len(b.Counters):]
	for i := range b.Gauges {
		last = e.find(last, b.Gauges[i].ID)
		found[i] = last
	}
	found = found[len(b.Gauges):]
	for i := range b.Histograms {
		last = e.find(last, b.Histograms[i].ID)
		found[i] = last
	}
	found = found[len(b.Histograms):]
	for i := range b.Sets {
		last = e.find(last, b.Sets[i].ID)
		found[i] = last
	}
	found = found[len(b.Sets):]
	for i := range b.Folded {
		last = e.find(last, b.Folded[i].ID)
		found[i] = last
	}
	return !e.strangers
}

// find returns what an id stands for. Many writers send the same ids in the
// same order, so it looks at first for what came after last before.
func (e *Engine) find(last *interest, id uint64) *interest {
	if in := last.next; in != nil && in.id == id {
		return in
	}
	return e.search(last, id)
}

func (e *Engine) search(last *interest, id uint64) *interest {
	in := e.index.find(id)
	if in == nil {
		if in = e.series[id]; in == nil {
			e.strangers = true
			return &e.stranger
		}
		e.index.add(in)
	}
	last.next = in
	return in
}

// unindex forgets where series are found, because one is to go.
func (e *Engine) unindex() {
	e.index = newIndex(minSlots)
	e.stranger.next = nil
	clear(e.scratch[:cap(e.scratch)])
	for _, in := range e.series {
		in.next = nil
	}
}

// accept says whether a sample of tick belongs into the group's window, and
// into which cell, and marks the group as changed.
func (e *Engine) accept(g *Group, kind series.Kind, from source, tick int64) (cell int64, ok bool) {
	t := g.track
	g.sees(kind)
	if from.tiers&(1<<t.grid.tier) == 0 && (!from.fine || !t.cover.lacks(tick)) {
		return 0, false
	}
	cell = t.grid.of(tick)
	if t.grid.leaves(cell)+e.margin <= e.now {
		return 0, false
	}
	g.first = min(g.first, tick)
	e.mark(g)
	e.markLate(g, tick)
	return cell, true
}

// markLate takes note of a sample of a tick whose values were used.
func (e *Engine) markLate(g *Group, tick int64) {
	if tick <= e.evaluated && !g.late {
		g.late = true
		e.late = append(e.late, g)
	}
}

func (e *Engine) takeGauge(g *Group, w *writer, id uint64, r reading) {
	g.sees(series.KindGauge)
	if w.gone(e.now) {
		return
	}
	g.first = min(g.first, r.tick)
	before := len(g.gauge.members[w.index])
	older, ok := g.gauge.take(w.index, id, r)
	w.held += len(g.gauge.members[w.index]) - before
	switch {
	case e.recalls():
		if ok {
			e.recall.kept += g.gauge.keep(member{w.index, id}, older, e.now-e.margin)
		}
	case ok:
		e.recall.kept -= g.gauge.forget()
		e.recall.from = max(e.recall.from, e.now)
	}
	if g.track.stale > 0 {
		g.gauge.until = min(g.gauge.until, g.track.old(r))
		g.schedule()
	}
	w.groups[g] = struct{}{}
	e.mark(g)
	e.markLate(g, r.tick)
}

// leave drops the gauges of a writer that is gone.
func (e *Engine) leave(w *writer) {
	for g := range w.groups {
		if g.gauge != nil {
			g.gauge.leave(w.index)
			e.recall.from = e.now
			e.mark(g)
		}
	}
	clear(w.groups)
	w.held = 0
	e.folder.leave(w.index)
}

func (e *Engine) mark(g *Group) {
	if !g.changed {
		g.changed = true
		e.changed = append(e.changed, g)
	}
}

// Changed appends the groups whose value may have changed since the last
// call, each once for each of its queries.
func (e *Engine) Changed(refs []Ref) []Ref {
	e.settle()
	for _, g := range e.changed {
		g.changed = false
		refs = g.refs(refs)
	}
	clear(e.changed)
	e.changed = e.changed[:0]
	return refs
}

// Evaluated says that the values of a tick, and of those before, were used:
// what is taken for them from now on is late.
func (e *Engine) Evaluated(tick int64) {
	e.settle()
	e.evaluated = max(e.evaluated, tick)
}

// ChangedLate appends the groups that got samples late since the last call,
// each once for each of its queries.
func (e *Engine) ChangedLate(refs []Ref) []Ref {
	e.settle()
	for _, g := range e.late {
		g.late = false
		refs = g.refs(refs)
	}
	clear(e.late)
	e.late = e.late[:0]
	return refs
}
