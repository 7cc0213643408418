package window

// wheel says which groups have a cell that passes an edge at a tick.
type wheel struct {
	at    map[int64][]*Group
	spare [][]*Group // lists of ticks that are over, for their memory
}

// maxSpare is how many lists are kept for their memory.
const maxSpare = 4

func (w *wheel) add(tick int64, g *Group) {
	groups, ok := w.at[tick]
	if n := len(w.spare); !ok && n > 0 {
		groups, w.spare = w.spare[n-1], w.spare[:n-1]
	}
	w.at[tick] = append(groups, g)
}

// due calls f for the groups of each tick after from, up to and with to.
func (w *wheel) due(from, to int64, f func(*Group)) {
	if span := to - from; span > 0 && span <= int64(len(w.at)) {
		for tick := from + 1; tick <= to; tick++ {
			w.run(tick, f)
		}
		return
	}
	for tick := range w.at { // a leap: fewer entries than ticks
		if tick <= to {
			w.run(tick, f)
		}
	}
}

func (w *wheel) run(tick int64, f func(*Group)) {
	groups, ok := w.at[tick]
	if !ok {
		return
	}
	delete(w.at, tick)
	for _, g := range groups {
		f(g)
	}
	if len(w.spare) < maxSpare {
		clear(groups)
		w.spare = append(w.spare, groups[:0])
	}
}
