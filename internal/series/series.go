package series

import "unsafe"

// series is one series, and the memory behind its handles: Counter, Gauge,
// Histogram and Set are this type under the name of its kind.
type series struct {
	spelling // the canonical one
	reg      *Registry
	// cell is a counter's cell in the first stripe, or the *gauge, *histogram
	// or *set, by kind.
	cell cellPointer
}

type cellPointer = unsafe.Pointer

// create makes a series, whose name and tags are clean and sorted.
func (r *Registry) create(kind Kind, name string, tags []Tag) *series {
	head := byte(kind) << 1
	text, _ := appendSpelling(nil, head, name, tags)
	col := &r.columns[kind]
	slot, fresh := col.take()
	if fresh {
		r.addCell(kind)
	}
	hash, _ := r.hashTags(head, name, tags)
	s := &series{
		spelling: spelling{text: string(text), hash: hash, slot: slot},
		reg:      r,
		cell:     r.cell(kind, slot),
	}
	s.series = s
	col.owners[slot] = s
	if kind == KindGauge {
		r.gauges[slot].watched = r.watched[name]
	}
	col.active[slot] = r.collects.Load()
	col.ids[slot] = r.freeID(Canonical(kind, name, tags))
	r.index.add(&r.columns, newSlotRef(kind, slot))
	r.logName(newSlotRef(kind, slot))
	r.count(s, 1)
	r.insert(&s.spelling)
	return s
}

// addCell makes the cell of a new slot.
func (r *Registry) addCell(kind Kind) {
	switch kind {
	case KindCounter:
		r.counted = append(r.counted, 0)
		if len(r.columns[kind].ids) > len(r.pages)*pageSeries {
			r.pages = append(r.pages, newCounterPage(r.stripes.n))
		}
	case KindGauge:
		r.gauges = append(r.gauges, newGauge())
	case KindHistogram:
		r.hists = append(r.hists, &histogram{last: make(map[uint32]*histSums)})
	case KindSet:
		r.sets = append(r.sets, &set{hashes: make(map[uint64]struct{})})
	}
}

func (r *Registry) cell(kind Kind, slot uint32) cellPointer {
	switch kind {
	case KindCounter:
		return r.pages[slot/pageSeries].cell(slot % pageSeries)
	case KindGauge:
		return cellPointer(r.gauges[slot])
	case KindHistogram:
		return cellPointer(r.hists[slot])
	default:
		return cellPointer(r.sets[slot])
	}
}

// count adds n to the number of series of s's sort.
func (r *Registry) count(s *series, n int) {
	if s.isOverflow() {
		r.overflowing += n
	} else {
		r.live += n
	}
}
