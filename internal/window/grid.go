package window

import (
	"time"

	"github.com/go-batteries/hawkeye/store"
)

// grid is how a window is cut into cells. A tick belongs to the cell in which
// it begins.
type grid struct {
	width time.Duration // of a tick
	tier  store.Tier
	cell  time.Duration // of a cell; width in the fine tier
	// length and delay are those of the window, in ticks.
	length, delay int64
	// spare is how many cells that have left the window are kept for what
	// comes late.
	spare int
}

// The part of a window that a cell may be, and the part that one may be when
// the window lies far in the past: there, cells are kept for the delay too.
const (
	cellsPerWindow  = 30
	cellsIfDelayed  = 5
	cellsPerDelay   = 720
	maxPartialTicks = 4096
)

// newGrid returns the grid of a window. margin is for how many ticks a cell is
// kept after it has left.
func newGrid(width, retention, window, delay time.Duration, margin int64) grid {
	g := grid{width: width, cell: width}
	g.length = max(ceilDiv(int64(window), int64(width)), 1)
	g.delay = max(ceilDiv(int64(delay), int64(width)), 0)
	widest := max(window/cellsPerWindow, min(window/cellsIfDelayed, delay/cellsPerDelay))
	if window+delay > retention { // fine ticks of that age are gone
		widest = max(widest, store.Tier5s.Width())
	}
	for tier := store.Tier5s; tier <= store.Tier1h; tier++ {
		if w := tier.Width(); w > width && w <= widest {
			g.tier, g.cell = tier, w
		}
	}
	g.spare = int(ceilDiv(margin*int64(width), int64(g.cell))) + 1
	return g
}

// of returns the cell of a tick.
func (g *grid) of(tick int64) int64 {
	if g.tier == store.TierFine {
		return tick
	}
	return floorDiv(tick*int64(g.width), int64(g.cell))
}

// first returns the first tick of a cell.
func (g *grid) first(cell int64) int64 {
	if g.tier == store.TierFine {
		return cell
	}
	return ceilDiv(cell*int64(g.cell), int64(g.width))
}

// last returns the last tick of a cell.
func (g *grid) last(cell int64) int64 { return g.first(cell+1) - 1 }

// enters returns the tick from which on a cell is in the window.
func (g *grid) enters(cell int64) int64 { return g.first(cell) + g.delay }

// leaves returns the tick from which on it is in the window no more.
func (g *grid) leaves(cell int64) int64 { return g.last(cell) + g.delay + g.length }

// oldest returns the first tick that the window of tick now holds.
func (g *grid) oldest(now int64) int64 {
	return g.first(g.of(now - g.delay - g.length + 1))
}

func floorDiv(a, b int64) int64 {
	q := a / b
	if a%b < 0 {
		q--
	}
	return q
}

func ceilDiv(a, b int64) int64 { return -floorDiv(-a, b) }
