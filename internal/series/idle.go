package series

import "weak"

// DropIdle drops the counters, histograms and sets that nothing was collected
// from in the last idle Collects, and returns how many those are. Handles
// stay valid: when something is recorded by one, the series comes back, with
// its id. Gauges stay for ever.
//
// What a dropped series occupied is free for others after the garbage
// collector has found that its handles are gone, and DropIdle is called again.
func (r *Registry) DropIdle(idle int) (dropped int) {
	if r == nil {
		return 0
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	freed := false
	for _, kind := range [...]Kind{KindCounter, KindHistogram, KindSet} {
		freed = r.freeGhosts(kind) || freed
		dropped += r.dropIdle(kind, idle)
	}
	if freed {
		r.index.rebuild(&r.columns)
	}
	if dropped > 0 {
		r.cleanTable()
	}
	return dropped
}

func (r *Registry) dropIdle(kind Kind, idle int) (dropped int) {
	col := &r.columns[kind]
	for slot, s := range col.owners {
		if s == nil || int(r.collects.Load()-col.active[slot]) < idle || !r.quiet(kind, uint32(slot)) {
			continue
		}
		col.owners[slot] = nil
		col.ghosts[uint32(slot)] = ghost{text: s.text, series: weak.Make(s)}
		r.count(s, -1)
		dropped++
	}
	return dropped
}

// quiet says whether Collect has seen all that was recorded in a slot.
func (r *Registry) quiet(kind Kind, slot uint32) bool {
	if kind == KindHistogram {
		return !r.hists[slot].changed.Load() // the sum comes after the count
	}
	return r.pending(kind, slot) == 0
}

// freeGhosts frees the slots of ghosts that nobody can write to any more, and
// of whose last writes Collect has seen everything.
func (r *Registry) freeGhosts(kind Kind) (freed bool) {
	col := &r.columns[kind]
	for slot, g := range col.ghosts {
		if g.series.Value() != nil || !r.quiet(kind, slot) {
			continue
		}
		delete(col.ghosts, slot)
		col.free = append(col.free, slot)
		freed = true
	}
	return freed
}

// revive makes a ghost's slot owned again, by the series whose handle is still
// held, if it is. The registry may have more than MaxSeries series then.
func (r *Registry) revive(kind Kind, slot uint32) *series {
	col := &r.columns[kind]
	g := col.ghosts[slot]
	s := g.series.Value()
	if s == nil {
		s = &series{reg: r, cell: r.cell(kind, slot)}
		s.spelling = spelling{text: g.text, series: s, hash: r.hashText(g.text), slot: slot}
	}
	delete(col.ghosts, slot)
	col.owners[slot] = s
	col.active[slot] = r.collects.Load()
	r.count(s, 1)
	r.logName(newSlotRef(kind, slot))
	r.insert(&s.spelling)
	return s
}

// cleanTable replaces the table by one without the spellings of ghosts, and
// without the aliases of overflow series, which may find room now.
func (r *Registry) cleanTable() {
	old := r.table.Load()
	stays := make([]*spelling, 0, old.used)
	r.aliases = 0
	for i := range old.slots {
		s := old.slots[i].Load()
		if s == nil || r.columns[s.series.kind()].owners[s.slot] != s.series {
			continue
		}
		if s != &s.series.spelling {
			if s.series.isOverflow() {
				continue
			}
			r.aliases++
		}
		stays = append(stays, s)
	}
	clean := newTable(len(stays))
	for _, s := range stays {
		clean.insert(s)
	}
	r.table.Store(clean)
}
