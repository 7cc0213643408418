package publish

import (
	"github.com/go-batteries/hawkeye/internal/series"
	"github.com/go-batteries/hawkeye/store"
)

// batchNames is how many names one publication carries at most.
const batchNames = 2000

// names are the texts of series that are still to be published. It belongs to
// the goroutine that sends.
type names struct {
	cursor  int
	pending []store.Name
	renewed int64 // the tick at which all were published again
}

// take returns the names that the next publication carries. They stay pending
// until settle.
func (n *names) take(r *series.Registry) []store.Name {
	fresh, cursor := r.Names(n.cursor)
	n.cursor = cursor
	n.pending = append(n.pending, fresh...)
	return n.pending[:min(len(n.pending), batchNames)]
}

// settle takes note that the first count of the pending names are stored.
func (n *names) settle(count int) {
	n.pending = n.pending[count:]
	if len(n.pending) == 0 {
		n.pending = nil
	}
}

// again makes all names pending, as of tick now.
func (n *names) again(r *series.Registry, now int64) {
	n.pending, n.cursor = r.Names(0)
	n.renewed = now
}
