package publish

import (
	"context"
	"log/slog"
	"slices"
	"time"

	"github.com/go-batteries/hawkeye/internal/bucket"
	"github.com/go-batteries/hawkeye/internal/series"
	"github.com/go-batteries/hawkeye/store"
)

const (
	// batchNames is how many names one publication carries at most.
	batchNames = 2000
	// nameRounds is how many publications of names go ahead of one with
	// buckets, before others get their turn.
	nameRounds = 16
)

// names are the texts of series that are still to be published. It belongs to
// the goroutine that sends.
//
// New ones go ahead of the buckets that use their ids: in the Store an id may
// stand for another series already, and a bucket can't be edited once it is
// stored. That is a round trip more only when there are new series.
type names struct {
	cursor  int
	fresh   []store.Name // never published so far
	known   []store.Name // to be published once more
	renewed int64        // the tick at which all were published again
	set     store.ID     // as the Store said last
	lost    bool         // names were lost, and weren't published again since
	tell    bool         // they are now, and OnFlush is to be told
	pause   int64        // ticks between two publications of all, while the Store loses them
	recent  []datedName  // published for the first time a short time ago
}

// datedName is a name and the tick at which it was published.
type datedName struct {
	store.Name
	tick int64
}

// recentNames bounds what is remembered of new names, and recentFor how long:
// a server that takes over may lack them.
const (
	recentNames = 10_000
	recentFor   = time.Minute
)

// follow takes note of which set of names the Store has: with another one than
// before, names were lost.
func (n *names) follow(set store.ID) {
	n.lost = n.lost || !n.set.IsZero() && set != n.set
	n.set = set
}

// due says whether names were lost and it is time to publish all again: at
// once, then with pauses that double up to most, so that a Store that loses them
// all the time isn't flooded.
func (n *names) due(now, most int64) bool {
	return n.lost && (now-n.renewed >= n.pause || now-n.renewed >= most)
}

// longer makes the next pause longer, unless nothing was lost for a while.
func (n *names) longer(now, most int64) {
	if now-n.renewed >= 2*most {
		n.pause = 0
	}
	n.pause = max(1, 2*n.pause)
}

// added takes note of names that were published for the first time.
func (n *names) added(names []store.Name, now, keep int64) {
	for _, name := range names {
		n.recent = append(n.recent, datedName{name, now})
	}
	old := max(len(n.recent)-recentNames, 0)
	for old < len(n.recent) && n.recent[old].tick < now-keep {
		old++
	}
	n.recent = slices.Delete(n.recent, 0, old)
}

// doubt has the recent names published once more.
func (n *names) doubt() {
	if len(n.known) > 0 {
		return // those among them, or all
	}
	for _, name := range n.recent {
		n.known = append(n.known, name.Name)
	}
}

// ahead returns the names that must be stored before the next bucket. They
// stay until settle.
func (n *names) ahead(r *series.Registry) []store.Name {
	fresh, cursor := r.Names(n.cursor)
	n.cursor = cursor
	n.fresh = append(n.fresh, fresh...)
	return batch(n.fresh)
}

func batch(names []store.Name) []store.Name { return names[:min(len(names), batchNames)] }

// settle takes note that names of ahead, or of known, are stored.
func settle(names *[]store.Name, count int) {
	*names = (*names)[count:]
	if len(*names) == 0 {
		*names = nil
	}
}

// again has all names published once more, as of tick now.
func (n *names) again(r *series.Registry, now int64) {
	n.known, _ = r.Names(0)
	n.renewed, n.lost, n.recent = now, false, nil
}

// salt gives the series of names that clash other ids, also in the buckets
// that wait. It is not called while some are under way.
func (p *Publisher) salt(clashes []store.Name) {
	if len(clashes) == 0 {
		return
	}
	for _, clash := range clashes {
		p.log.LogAttrs(context.Background(), slog.LevelWarn, "two series have the same id, ours gets another",
			slog.String("series", clash.Text))
	}
	p.collecting.Lock()
	defer p.collecting.Unlock()
	ids := make(map[uint64]uint64)
	for _, clash := range clashes {
		if id, ok := p.cfg.Registry.Salt(clash.ID); ok {
			ids[clash.ID] = id
		}
	}
	p.names.known = slices.DeleteFunc(p.names.known, func(n store.Name) bool { return ids[n.ID] != 0 })
	p.names.recent = slices.DeleteFunc(p.names.recent, func(n datedName) bool { return ids[n.ID] != 0 })
	p.mu.Lock()
	defer p.mu.Unlock()
	p.stats.Clashes += int64(len(clashes))
	p.ring.rename(ids)
}

// rename replaces ids in the backlog, no part of which may have been sent
// with one of them.
func (r *ring) rename(ids map[uint64]uint64) {
	var b bucket.Bucket
	for i := range r.backlog {
		e := &r.backlog[i]
		if err := bucket.Decode(e.data, &b); err == nil && renameIn(&b, ids) {
			e.data = bucket.Append(nil, &b) // as long as before; others may have the old one
		}
	}
}

func renameIn(b *bucket.Bucket, ids map[uint64]uint64) (renamed bool) {
	rename := func(id *uint64) {
		if to, ok := ids[*id]; ok {
			*id, renamed = to, true
		}
	}
	for i := range b.Counters {
		rename(&b.Counters[i].ID)
	}
	for i := range b.Beyond {
		rename(&b.Beyond[i].ID)
	}
	for i := range b.Gauges {
		rename(&b.Gauges[i].ID)
	}
	for i := range b.Histograms {
		rename(&b.Histograms[i].ID)
	}
	for i := range b.Sets {
		rename(&b.Sets[i].ID)
	}
	return renamed
}
