package window

// Newest returns the newest tick of a query's window in which something was
// counted, to the width of a cell; false if there is none. Of gauges, which
// stand until their process is gone, that is the present one.
func (e *Engine) Newest(h Handle, g *Group) (tick int64, ok bool) {
	e.settle()
	grid := &e.handles[h].track.grid
	found := func(cell int64) {
		tick, ok = max(tick, min(grid.last(cell), e.now-grid.delay)), true
	}
	newest(g.counter.span.window(), found, func(v *int64) bool { return *v > 0 })
	if g.histogram != nil {
		newest(g.histogram.span.window(), found, func(v *observed) bool { return v.count > 0 })
	}
	if g.set != nil {
		newest(g.set.span.window(), found, func(v *map[uint64]struct{}) bool { return len(*v) > 0 })
	}
	if g.gauge != nil && g.gauge.live() {
		return e.now - grid.delay, true
	}
	return tick, ok
}

// newest tells found of the newest of the cells that hold something.
func newest[T any](cells []cell[T], found func(cell int64), holds func(*T) bool) {
	for i := len(cells) - 1; i >= 0; i-- {
		if holds(&cells[i].v) {
			found(cells[i].at)
			return
		}
	}
}

// live says whether any of the gauges stands.
func (g *gauge) live() bool {
	for _, of := range g.members {
		if len(of) > 0 {
			return true
		}
	}
	return false
}
