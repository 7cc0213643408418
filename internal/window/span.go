package window

// span is the cells of one group, ascending, those without samples left out.
// cells[head:tail] are in the window; those before have left it and are kept
// a while for what comes late, those behind wait until the delay is over.
type span[T any] struct {
	cells      []cell[T]
	head, tail int
}

type cell[T any] struct {
	at int64
	v  T
}

// at returns where the cell is, making it if need be, and whether it is in
// the window. now is the present tick.
func (s *span[T]) at(g *grid, at, now int64) (v *T, in bool) {
	i := len(s.cells)
	for i > 0 && s.cells[i-1].at >= at { // late ones are late by a little
		i--
	}
	if i == len(s.cells) || s.cells[i].at != at {
		s.insert(i, at, g, now)
	}
	return &s.cells[i].v, s.head <= i && i < s.tail
}

func (s *span[T]) insert(i int, at int64, g *grid, now int64) {
	s.cells = append(s.cells, cell[T]{})
	copy(s.cells[i+1:], s.cells[i:])
	s.cells[i] = cell[T]{at: at}
	switch {
	case g.leaves(at) <= now:
		s.head++
		s.tail++
	case g.enters(at) <= now:
		s.tail++
	}
}

// slide moves the window on to tick now and tells enter and leave of each
// cell that passes its edges.
func (s *span[T]) slide(g *grid, now, margin int64, enter, leave func(*T)) {
	for s.tail < len(s.cells) && g.enters(s.cells[s.tail].at) <= now {
		enter(&s.cells[s.tail].v)
		s.tail++
	}
	for s.head < s.tail && g.leaves(s.cells[s.head].at) <= now {
		leave(&s.cells[s.head].v)
		s.head++
	}
	old := 0
	for old < s.head && g.leaves(s.cells[old].at)+margin <= now {
		old++
	}
	if old > 0 && (old == len(s.cells) || old >= len(s.cells)/4) {
		n := copy(s.cells, s.cells[old:])
		clear(s.cells[n:])
		s.cells = s.cells[:n]
		s.head -= old
		s.tail -= old
	}
}

// next returns the tick at which a cell passes an edge next.
func (s *span[T]) next(g *grid) int64 {
	next := never
	if s.head < s.tail {
		next = g.leaves(s.cells[s.head].at)
	}
	if s.tail < len(s.cells) {
		next = min(next, g.enters(s.cells[s.tail].at))
	}
	return next
}

// window returns the cells that are in it.
func (s *span[T]) window() []cell[T] { return s.cells[s.head:s.tail] }

// windowAt returns the cells that are in the window of another tick.
func (s *span[T]) windowAt(g *grid, tick int64) []cell[T] {
	from := 0
	for from < len(s.cells) && g.leaves(s.cells[from].at) <= tick {
		from++
	}
	to := from
	for to < len(s.cells) && g.enters(s.cells[to].at) <= tick {
		to++
	}
	return s.cells[from:to]
}
