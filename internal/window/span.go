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
		i = s.insert(i, at, g, now)
	}
	return &s.cells[i].v, s.head <= i && i < s.tail
}

// insert makes a cell before that at i, and returns where it is.
func (s *span[T]) insert(i int, at int64, g *grid, now int64) int {
	if len(s.cells) == cap(s.cells) {
		i -= s.makeRoom(g)
	}
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
	return i
}

// makeRoom makes room for one cell more: that of old ones, if there are
// enough, or new room. It returns how many were dropped.
func (s *span[T]) makeRoom(g *grid) (dropped int) {
	if old := s.old(g); old > len(s.cells)/8 {
		s.drop(old)
		return old
	}
	grown := make([]cell[T], len(s.cells), max(2*min(len(s.cells), 16), len(s.cells)*5/4, 1))
	copy(grown, s.cells)
	s.cells = grown
	return 0
}

// old returns how many cells are not needed any more, not even for what comes
// late; of a series with few samples, perhaps too few.
func (s *span[T]) old(g *grid) int { return max(s.head-g.spare, 0) }

func (s *span[T]) drop(n int) {
	kept := copy(s.cells, s.cells[n:])
	clear(s.cells[kept:])
	s.cells = s.cells[:kept]
	s.head -= n
	s.tail -= n
}

// slide moves the window on to tick now and tells enter and leave of each
// cell that passes its edges.
func (s *span[T]) slide(g *grid, now int64, enter, leave func(*T)) {
	for s.tail < len(s.cells) && g.enters(s.cells[s.tail].at) <= now {
		enter(&s.cells[s.tail].v)
		s.tail++
	}
	for s.head < s.tail && g.leaves(s.cells[s.head].at) <= now {
		leave(&s.cells[s.head].v)
		s.head++
	}
	if old := s.old(g); old > len(s.cells)/4 {
		s.drop(old)
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
