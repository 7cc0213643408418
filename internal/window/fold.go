package window

import (
	"cmp"
	"maps"
	"slices"
	"time"

	"github.com/go-batteries/hawkeye/internal/bucket"
	"github.com/go-batteries/hawkeye/internal/exact"
	"github.com/go-batteries/hawkeye/store"
)

// Fold is a bucket of a coarse tier, to be published: the sums of the metrics
// that some window needs for that long, over all writers. Its Taken names
// what it holds: ticks and writers or, above the feeding tier, that tier's
// cells and the folds there.
type Fold struct {
	Tier   store.Tier
	Cell   int64
	Writer store.ID
	Bucket *bucket.Bucket
	Keep   time.Duration
}

// foldGrace is how many ticks after its end a cell is folded: what a live
// writer is late with is in by then. What comes later is a fold of its own.
const foldGrace = LiveTicks + 5

// folder makes folds of what the engine takes. A fold of a wide tier can't be
// made again from fine ticks by an evaluator that takes over, because those
// are gone by then. So tiers wider than the feeding one, the widest that is at
// most a quarter of the retention, are made of that one's folds.
type folder struct {
	width     time.Duration
	retention int64 // in ticks
	feeder    store.Tier
	tiers     map[string]uint8           // needed by metric, as bits
	all       uint8                      // of all metrics
	covers    [store.Tier1h + 1][]uint64 // hashes of the metrics of each tier, ascending; never changed in place
	keep      [store.Tier1h + 1]time.Duration
	open      map[foldKey]*fold
	done      [store.Tier1h + 1]int64 // the newest cell with a fold
	gauges    map[uint64]map[uint32]float64
}

type foldKey struct {
	tier store.Tier
	cell int64
}

// fold is one that is being made.
type fold struct {
	counters   map[uint64]exact.Int
	histograms map[uint64]*observed
	sets       map[uint64]map[uint64]struct{}
	gauges     map[uint64]*foldedGauge
	taken      map[int64][]store.ID
	covers     []uint64 // metrics of which it holds everything, ascending
}

func newFolder(width, retention time.Duration) *folder {
	f := &folder{
		width:     width,
		retention: int64(retention / width),
		feeder:    store.Tier5s,
		tiers:     make(map[string]uint8),
		open:      make(map[foldKey]*fold),
		gauges:    make(map[uint64]map[uint32]float64),
	}
	for t := store.Tier5s; t <= store.Tier1h; t++ {
		if t.Width() <= retention/4 {
			f.feeder = t
		}
	}
	return f
}

// need takes note of a window that looks back farther than the retention.
func (f *folder) need(t *track) (tiers uint8) {
	g := &t.grid
	if g.tier == store.TierFine || g.length+g.delay <= f.retention {
		return 0
	}
	length := time.Duration(g.length+g.delay)*g.width + 2*g.cell
	tiers = 1 << g.tier
	f.keep[g.tier] = max(f.keep[g.tier], length)
	if g.tier > f.feeder {
		tiers |= 1 << f.feeder
		f.keep[f.feeder] = max(f.keep[f.feeder], 2*g.cell+time.Duration(f.retention)*f.width)
	}
	for tier := store.Tier5s; tier <= store.Tier1h; tier++ {
		if tiers&^f.tiers[t.sel.Metric]&(1<<tier) != 0 {
			f.covers[tier] = insert(f.covers[tier], t.cover.metric)
		}
	}
	f.tiers[t.sel.Metric] |= tiers
	f.all |= tiers
	return tiers
}

// insert returns a copy of an ascending list with x in its place.
func insert(list []uint64, x uint64) []uint64 {
	i, _ := slices.BinarySearch(list, x)
	return slices.Concat(list[:i], []uint64{x}, list[i:])
}

// cellOf returns the cell of a tier that a tick begins in.
func (f *folder) cellOf(tier store.Tier, tick int64) int64 {
	return floorDiv(tick*int64(f.width), int64(tier.Width()))
}

// firstTick returns the first tick of a cell.
func (f *folder) firstTick(tier store.Tier, cell int64) int64 {
	return ceilDiv(cell*int64(tier.Width()), int64(f.width))
}

func (f *folder) at(tier store.Tier, cell int64) *fold {
	key := foldKey{tier, cell}
	o := f.open[key]
	if o == nil {
		o = &fold{
			counters:   make(map[uint64]exact.Int),
			histograms: make(map[uint64]*observed),
			sets:       make(map[uint64]map[uint64]struct{}),
			gauges:     make(map[uint64]*foldedGauge),
			taken:      make(map[int64][]store.ID),
			covers:     f.covers[tier],
		}
		f.open[key] = o
	}
	return o
}

// take adds a bucket to the folds of those tiers that don't hold it, but for
// its counters and histograms, which come with the tally.
func (f *folder) take(tiers uint8, tick int64, w *writer, id store.ID, b *bucket.Bucket, found []*interest) {
	gauges := found[len(b.Counters):]
	for i := range b.Gauges {
		if gauges[i].tiers != 0 {
			f.gauge(w.index, &b.Gauges[i])
		}
	}
	for tier := store.Tier5s; tier <= f.feeder; tier++ {
		if bit := uint8(1) << tier; f.all&tiers&bit != 0 {
			o := f.at(tier, f.cellOf(tier, tick))
			o.taken[tick] = append(o.taken[tick], id)
			o.add(bit, b, found)
		}
	}
}

func (f *folder) gauge(writer uint32, sample *bucket.Gauge) {
	of := f.gauges[sample.ID]
	if of == nil {
		of = make(map[uint32]float64)
		f.gauges[sample.ID] = of
	}
	of[writer] = sample.Value
}

// leave drops the gauges of a writer that is gone.
func (f *folder) leave(writer uint32) {
	for id, of := range f.gauges {
		if delete(of, writer); len(of) == 0 {
			delete(f.gauges, id)
		}
	}
}

// addSums adds the counters and histograms of series that are folded in the
// tier of bit.
func (o *fold) addSums(bit uint8, b *bucket.Bucket, found []*interest) {
	for i := range b.Counters {
		if found[i].tiers&bit != 0 {
			id := b.Counters[i].ID
			o.counters[id] = o.counters[id].AddInt64(b.Counters[i].Delta)
		}
	}
	for i := range b.Beyond {
		if sum, ok := o.counters[b.Beyond[i].ID]; ok {
			o.counters[b.Beyond[i].ID] = sum.Add(b.Beyond[i].Units())
		}
	}
	found = found[len(b.Counters)+len(b.Gauges):]
	rests := restsOf(b)
	for i := range b.Histograms {
		if h := &b.Histograms[i]; found[i].tiers&bit != 0 {
			o.addHistogram(h.ID, h.Buckets, exact.NewSum(h.Sum, rests[h.ID]))
		}
	}
}

func (o *fold) addHistogram(id uint64, buckets []bucket.HistBucket, sum exact.Sum) {
	h := o.histograms[id]
	if h == nil {
		h = &observed{}
		o.histograms[id] = h
	}
	h.add(buckets, sum)
}

// add adds the other samples of series that are folded in the tier of bit.
func (o *fold) add(bit uint8, b *bucket.Bucket, found []*interest) {
	found = found[len(b.Counters)+len(b.Gauges)+len(b.Histograms):]
	for i, in := range found[:len(b.Sets)] {
		if in.tiers&bit != 0 {
			o.addSet(&b.Sets[i])
		}
	}
	found = found[len(b.Sets):]
	rests := restsOf(b)
	for i, in := range found[:len(b.Folded)] {
		if g := b.Folded[i]; in.tiers&bit != 0 {
			o.addGauge(g, exact.NewSum(g.Sum, rests[g.ID]))
		}
	}
}

func (o *fold) addSet(s *bucket.Set) {
	values := o.sets[s.ID]
	if values == nil {
		values = make(map[uint64]struct{}, len(s.Hashes))
		o.sets[s.ID] = values
	}
	for _, h := range s.Hashes {
		values[h] = struct{}{}
	}
}

// foldedGauge is one that is being folded, or several that are added up, of
// which sum takes the place of Sum, and last that of several's Last.
type foldedGauge struct {
	bucket.FoldedGauge
	sum, last exact.Sum
}

func (o *fold) addGauge(g bucket.FoldedGauge, sum exact.Sum) {
	old := o.gauges[g.ID]
	if old == nil {
		o.gauges[g.ID] = &foldedGauge{FoldedGauge: g, sum: sum}
		return
	}
	old.Last = g.Last
	old.Min, old.Max = min(old.Min, g.Min), max(old.Max, g.Max)
	old.sum.AddSum(sum)
	old.N += g.N
}

// endTick notes what the gauges were at a tick that is over.
func (f *folder) endTick(tick int64, series map[uint64]*interest) {
	for id, of := range f.gauges {
		in := series[id]
		if in == nil {
			delete(f.gauges, id)
			continue
		}
		c := combiner{}
		for _, v := range of {
			c.add(v)
		}
		for tier := store.Tier5s; tier <= f.feeder; tier++ {
			if cell := f.cellOf(tier, tick); in.tiers&(1<<tier) != 0 && cell > f.done[tier] {
				f.at(tier, cell).addGauge(bucket.FoldedGauge{
					ID: id, Last: c.result(), Min: c.min, Max: c.max, N: uint64(c.n),
				}, c.sum)
			}
		}
	}
}

// holds takes note that folds of a cell are stored, so that gauges of its
// ticks aren't folded again.
func (f *folder) holds(tier store.Tier, cell int64) { f.done[tier] = max(f.done[tier], cell) }

// closed returns the folds of the cells that ended long enough before tick
// now, fine tiers first, and hands those of the feeding tier on.
func (f *folder) closed(now int64, series map[uint64]*interest) []Fold {
	var keys []foldKey
	due := func(k foldKey) bool { return f.firstTick(k.tier, k.cell+1)+foldGrace <= now }
	for k := range f.open {
		if k.tier <= f.feeder && due(k) {
			keys = append(keys, k)
		}
	}
	var folds []Fold
	for _, k := range sortedKeys(keys) {
		n := f.close(k)
		folds = append(folds, n)
		if k.tier == f.feeder {
			f.feed(&n, series)
		}
	}
	keys = keys[:0]
	for k := range f.open {
		if k.tier > f.feeder && due(k) {
			keys = append(keys, k)
		}
	}
	for _, k := range sortedKeys(keys) {
		folds = append(folds, f.close(k))
	}
	return folds
}

func sortedKeys(keys []foldKey) []foldKey {
	slices.SortFunc(keys, func(a, b foldKey) int {
		return cmp.Or(cmp.Compare(a.tier, b.tier), cmp.Compare(a.cell, b.cell))
	})
	return keys
}

// feed adds a fold of the feeding tier to the wider ones.
func (f *folder) feed(n *Fold, known map[uint64]*interest) {
	first := f.firstTick(n.Tier, n.Cell)
	for tier := f.feeder + 1; tier <= store.Tier1h; tier++ {
		if bit := uint8(1) << tier; f.all&bit != 0 {
			f.addFold(tier, first, n.Cell, n.Writer, n.Bucket, interests(known, n.Bucket))
		}
	}
}

func (f *folder) addFold(tier store.Tier, first, cell int64, id store.ID, b *bucket.Bucket, found []*interest) {
	o := f.at(tier, f.cellOf(tier, first))
	o.taken[cell] = append(o.taken[cell], id)
	if len(b.Covers) > 0 {
		o.covers = intersect(o.covers, b.Covers)
	}
	o.addSums(1<<tier, b, found)
	o.add(1<<tier, b, found)
}

// none is what a series that was forgotten counts as.
var none = interest{}

func interests(known map[uint64]*interest, b *bucket.Bucket) (found []*interest) {
	EachID(b, func(id uint64) {
		in := known[id]
		if in == nil {
			in = &none
		}
		found = append(found, in)
	})
	return found
}

// close makes the bucket of a fold.
func (f *folder) close(k foldKey) Fold {
	o := f.open[k]
	delete(f.open, k)
	f.holds(k.tier, k.cell)
	b := &bucket.Bucket{Covers: o.covers}
	if len(b.Covers) == 0 {
		b.Covers = coverNothing
	}
	for _, id := range slices.Sorted(maps.Keys(o.counters)) {
		b.AddCounter(id, o.counters[id])
	}
	for _, id := range slices.Sorted(maps.Keys(o.histograms)) {
		h := o.histograms[id]
		b.Histograms = append(b.Histograms, bucket.Histogram{ID: id, Sum: sumIn(b, id, h.sum), Buckets: h.buckets})
	}
	for _, id := range slices.Sorted(maps.Keys(o.sets)) {
		b.Sets = append(b.Sets, bucket.Set{ID: id, Hashes: slices.Sorted(maps.Keys(o.sets[id]))})
	}
	for _, id := range slices.Sorted(maps.Keys(o.gauges)) {
		g := o.gauges[id].FoldedGauge
		g.Sum = sumIn(b, id, o.gauges[id].sum)
		b.Folded = append(b.Folded, g)
	}
	for _, tick := range slices.Sorted(maps.Keys(o.taken)) {
		b.Taken = append(b.Taken, bucket.Taken{Tick: tick, Writers: o.taken[tick]})
	}
	return Fold{Tier: k.tier, Cell: k.cell, Writer: store.NewID(), Bucket: b, Keep: f.keep[k.tier]}
}

// sumIn returns the sum that a bucket has of a series, and adds the rest of it
// to the bucket.
func sumIn(b *bucket.Bucket, id uint64, sum exact.Sum) float64 {
	v, rest := sum.Parts()
	if rest != 0 {
		b.Rests = append(b.Rests, bucket.Rest{ID: id, Value: rest})
	}
	return v
}

// EachID calls f for each id of b, in the order of counters, gauges,
// histograms, sets, folded gauges.
func EachID(b *bucket.Bucket, f func(id uint64)) {
	for i := range b.Counters {
		f(b.Counters[i].ID)
	}
	for i := range b.Gauges {
		f(b.Gauges[i].ID)
	}
	for i := range b.Histograms {
		f(b.Histograms[i].ID)
	}
	for i := range b.Sets {
		f(b.Sets[i].ID)
	}
	for i := range b.Folded {
		f(b.Folded[i].ID)
	}
}
