package series

import "weak"

// column is the book-keeping for the series of one kind, by slot. It is
// guarded by Registry.mu.
//
// A slot is one of three:
//   - free;
//   - owned: its series is in the table;
//   - a ghost: its series was idle and is out of the table, but somebody may
//     still hold a handle. Collect goes on looking at its cell, and what is
//     recorded there brings the series back. Once the garbage collector has
//     found that nobody can reach the handle, nobody can write to the cell
//     either, and the slot is freed.
type column struct {
	ids    []uint64
	owners []*series
	active []uint32 // Registry.collects after it last grew or appeared
	ghosts map[uint32]ghost
	free   []uint32
}

type ghost struct {
	text   string
	series weak.Pointer[series]
}

func (c *column) init() { c.ghosts = make(map[uint32]ghost) }

// text returns the canonical spelling of a slot's series, or "" if the slot
// is free.
func (c *column) text(slot uint32) string {
	if s := c.owners[slot]; s != nil {
		return s.text
	}
	return c.ghosts[slot].text
}

// take returns a free slot, and whether it is a new one.
func (c *column) take() (slot uint32, fresh bool) {
	if n := len(c.free); n > 0 {
		slot = c.free[n-1]
		c.free = c.free[:n-1]
		return slot, false
	}
	c.ids = append(c.ids, 0)
	c.owners = append(c.owners, nil)
	c.active = append(c.active, 0)
	return uint32(len(c.ids) - 1), true
}

// slotRef names a slot of any kind.
type slotRef uint32

func newSlotRef(kind Kind, slot uint32) slotRef { return slotRef(kind)<<30 | slotRef(slot) }
func (ref slotRef) kind() Kind                  { return Kind(ref >> 30) }
func (ref slotRef) slot() uint32                { return uint32(ref) & (1<<30 - 1) }
