package window

import "github.com/go-batteries/hawkeye/internal/bucket"

// takeGauges takes the gauges of a bucket. found is what their ids stand for.
func (e *Engine) takeGauges(w *writer, tick int64, b *bucket.Bucket, found []*interest) {
	ages, taken := b.Ages, 0
	for i, in := range found {
		set := tick
		if len(ages) > 0 && ages[0].Gauge == i {
			set -= ages[0].Ticks
			ages = ages[1:]
		}
		e.seen(in, tick)
		taken += len(in.groups)
		for _, g := range in.groups {
			e.takeGauge(g, w, b.Gauges[i].ID, reading{b.Gauges[i].Value, tick, set})
		}
	}
	if b.Keyframe && w.held > taken {
		e.forgetGauges(w, tick)
	}
}

// forgetGauges drops those gauges of a writer that its keyframe of a tick
// doesn't name, and that it hasn't named since: it has them no more.
func (e *Engine) forgetGauges(w *writer, tick int64) {
	for g := range w.groups {
		if g.gauge == nil {
			continue
		}
		of := g.gauge.members[w.index]
		for id, r := range of {
			if r.tick >= tick {
				continue
			}
			delete(of, id)
			w.held--
			g.gauge.stale = true
			e.recall.from = e.now
			e.mark(g)
			e.folder.forget(w.index, id)
		}
		if len(of) == 0 {
			delete(g.gauge.members, w.index)
			delete(w.groups, g)
		}
	}
}

// forget drops a gauge that its writer has no more.
func (f *folder) forget(writer uint32, id uint64) {
	of := f.gauges[id]
	if delete(of, writer); len(of) == 0 {
		delete(f.gauges, id)
	}
}

// old returns the tick from which on a reading is too old to count.
func (t *track) old(r reading) int64 {
	if t.stale == 0 {
		return never
	}
	return r.set + t.stale
}
