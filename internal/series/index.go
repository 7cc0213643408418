package series

// idIndex finds slots by the ids of their series. It is a hash table with
// linear probing of no more than a slotRef an entry, 4 bytes, because the ids
// are in the columns; a Go map would take a tenth of a series' memory. Guarded
// by Registry.mu.
type idIndex struct {
	refs []slotRef // + 1; a power of two, at most 3/4 are taken
	used int
}

// find returns the slot whose series has this id.
func (x *idIndex) find(columns *[kinds]column, id uint64) (ref slotRef, ok bool) {
	mask := uint64(len(x.refs) - 1)
	for i := id; len(x.refs) > 0; i++ {
		ref := x.refs[i&mask]
		if ref == 0 {
			break
		}
		if ref--; columns[ref.kind()].ids[ref.slot()] == id {
			return ref, true
		}
	}
	return 0, false
}

// add adds a slot, whose series' id is not in the index but in the columns.
func (x *idIndex) add(columns *[kinds]column, ref slotRef) {
	if x.used >= len(x.refs)/4*3 {
		x.build(columns, max(2*len(x.refs), minTableSlots))
	}
	x.insert(columns[ref.kind()].ids[ref.slot()], ref)
}

func (x *idIndex) insert(id uint64, ref slotRef) {
	mask := uint64(len(x.refs) - 1)
	i := id
	for x.refs[i&mask] != 0 {
		i++
	}
	x.refs[i&mask] = ref + 1
	x.used++
}

// rebuild makes the index anew after a slot was freed or got another id.
func (x *idIndex) rebuild(columns *[kinds]column) { x.build(columns, len(x.refs)) }

func (x *idIndex) build(columns *[kinds]column, size int) {
	old := x.refs
	x.refs, x.used = make([]slotRef, size), 0
	for _, ref := range old {
		if ref == 0 {
			continue
		}
		ref--
		if col := &columns[ref.kind()]; col.text(ref.slot()) != "" {
			x.insert(col.ids[ref.slot()], ref)
		}
	}
}
