package window

// wheel says which groups have a cell that passes an edge at a tick.
type wheel map[int64][]*Group

func (w wheel) add(tick int64, g *Group) { w[tick] = append(w[tick], g) }

// due calls f for the groups of each tick after from, up to and with to.
func (w wheel) due(from, to int64, f func(*Group)) {
	run := func(tick int64) {
		groups, ok := w[tick]
		if !ok {
			return
		}
		delete(w, tick)
		for _, g := range groups {
			f(g)
		}
	}
	if span := to - from; span > 0 && span <= int64(len(w)) {
		for tick := from + 1; tick <= to; tick++ {
			run(tick)
		}
		return
	}
	for tick := range w { // a leap: fewer entries than ticks
		if tick <= to {
			run(tick)
		}
	}
}
