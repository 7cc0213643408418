package window

import (
	"math"
	"time"

	"github.com/go-batteries/hawkeye/internal/bucket"
	"github.com/go-batteries/hawkeye/internal/exact"
	"github.com/go-batteries/hawkeye/internal/series"
	"github.com/go-batteries/hawkeye/store"
)

// Needs is the history that a tier's windows are filled from.
type Needs struct {
	Tier store.Tier
	// Back is how far, in ticks before the present, the windows reach.
	Back int64
}

// Feeder is the tier whose folds wider ones are made of.
func (e *Engine) Feeder() store.Tier { return e.folder.feeder }

// Needs returns the tiers, fine to coarse, that some window needs.
func (e *Engine) Needs() []Needs {
	var back [store.Tier1h + 1]int64
	for _, t := range e.tracks {
		g := &t.grid
		cell := int64(g.cell / g.width)
		back[g.tier] = max(back[g.tier], g.length+g.delay+cell)
	}
	var needs []Needs
	for tier, n := range back {
		if n > 0 {
			needs = append(needs, Needs{store.Tier(tier), n})
		}
	}
	return needs
}

// FirstTick returns the first tick of a coarse tier's cell.
func (e *Engine) FirstTick(tier store.Tier, cell int64) int64 { return e.folder.firstTick(tier, cell) }

// CellOf returns the coarse tier's cell that a tick begins in.
func (e *Engine) CellOf(tier store.Tier, tick int64) int64 { return e.folder.cellOf(tier, tick) }

// Keep returns how long the folds of a tier are needed after their end.
func (e *Engine) Keep(tier store.Tier) time.Duration { return e.folder.keep[tier] }

// Folds returns the folds of cells that have ended, each once. The caller
// publishes them.
func (e *Engine) Folds() []Fold {
	e.settle()
	return e.folder.closed(e.now, e.series)
}

// TakeFold adds a stored fold to the windows of tier into: that of the fold,
// or a wider one if the fold is of the feeding tier and no fold of the wider
// one holds it. Like Take, it adds all or nothing.
func (e *Engine) TakeFold(into, tier store.Tier, cell int64, id store.ID, b *bucket.Bucket) bool {
	if !e.lookUp(b) {
		return false
	}
	first, last := e.folder.firstTick(tier, cell), e.folder.firstTick(tier, cell+1)-1
	found := e.scratch
	if into == tier {
		e.folder.holds(tier, cell)
	} else if e.folder.all&(1<<into) != 0 {
		e.folder.addFold(into, first, cell, id, b, found)
	}
	from := source{tiers: 1 << into}
	e.takeSums(from, first, b, found)
	found = found[len(found)-len(b.Folded):]
	e.takeFolded(from, first, last, b, found)
	e.cover(into, first, last, b.Covers)
	return true
}

// takeFolded adds gauges. A fold has each series by itself, so the least and
// the greatest of a sum over several aren't known; their means stand for them.
func (e *Engine) takeFolded(from source, first, last int64, b *bucket.Bucket, found []*interest) {
	sums := make(map[*Group]*foldedGauge)
	rests := restsOf(b)
	for i := range b.Folded {
		sample := &b.Folded[i]
		e.seen(found[i], first)
		for _, g := range found[i].groups {
			if _, ok := e.accept(g, series.KindGauge, from, first); !ok || !g.track.history {
				continue
			}
			s := sums[g]
			if s == nil {
				s = &foldedGauge{FoldedGauge: bucket.FoldedGauge{Min: math.Inf(1), Max: math.Inf(-1)}}
				sums[g] = s
			}
			s.last.Add(sample.Last)
			s.sum.AddSum(exact.NewSum(sample.Sum, rests[sample.ID]))
			s.N += sample.N
			s.Min, s.Max = min(s.Min, sample.Min), max(s.Max, sample.Max)
		}
	}
	ticks := last - first + 1
	for g, s := range sums {
		t := g.track
		cell, _ := g.gauge.span.at(&t.grid, t.grid.of(first), e.now)
		cell.add(foldedPast(t.fleet, s, ticks, last))
		t.folded = max(t.folded, last)
		g.schedule()
	}
}

func foldedPast(f Fleet, s *foldedGauge, ticks, last int64) past {
	if s.N == 0 {
		return past{}
	}
	mean := s.sum.Float64() / float64(s.N) // of one gauge
	p := past{min: s.Min, max: s.Max, n: ticks, lastAt: last}
	switch f {
	case FleetSum:
		total := s.sum.Float64() / float64(ticks)
		p.last, p.min, p.max, p.sum = s.last.Float64(), total, total, s.sum
		return p
	case FleetMin:
		p.last = s.Min
	case FleetMax:
		p.last = s.Max
	default:
		p.last = mean
	}
	p.sum.Add(p.last * float64(ticks))
	return p
}
