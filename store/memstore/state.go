package memstore

import (
	"cmp"
	"slices"
	"time"

	"github.com/go-batteries/hawkeye/store"
)

// nameGrace is how much longer than the last bucket a name that nobody
// mentions any more is kept.
const nameGrace = 24 * time.Hour

// state is what a state file holds: the whole Store, in a fixed order.
// Lifetimes are what is left of them when it was written.
type state struct {
	written time.Time
	tick    time.Duration
	ticks   []tickState
	names   []nameState
	ledger  ledgerState

	// What it holds, of the process that wrote it. This isn't in the file.
	entries uint64 // of the journal
	unsaved uint64 // as in Store
}

type tickState struct {
	key     tickKey
	left    time.Duration
	buckets []bucket
}

type nameState struct {
	id   uint64
	text string
	left time.Duration
}

type ledgerState struct {
	epoch   store.ID
	offered bool
	head    mark
	records []keyed // with a value
	deleted []keyed
	base    mark
	from    uint64
	commits []change
}

type keyed struct {
	key string
	record
}

// snapshot collects the state. Only the references are copied under the lock.
func (s *Store) snapshot(now time.Time) *state {
	st := &state{written: now, tick: s.cfg.tick}
	s.mu.Lock()
	s.samples.expire(now)
	st.ticks, st.names = s.samples.snapshot(now)
	st.ledger = s.ledger.save()
	st.unsaved = s.unsaved
	if s.file != nil {
		st.entries = s.file.journal.mark()
	}
	s.mu.Unlock()

	slices.SortFunc(st.ticks, func(a, b tickState) int {
		return cmp.Or(cmp.Compare(a.key.tier, b.key.tier), cmp.Compare(a.key.tick, b.key.tick))
	})
	slices.SortFunc(st.names, func(a, b nameState) int { return cmp.Compare(a.id, b.id) })
	byKey := func(a, b keyed) int { return cmp.Compare(a.key, b.key) }
	slices.SortFunc(st.ledger.records, byKey)
	slices.SortFunc(st.ledger.deleted, byKey)
	return st
}

// adopt fills a new Store with what a state file held, but for what expired
// since.
func (s *Store) adopt(st *state, now time.Time) {
	if st.tick != s.cfg.tick {
		s.file.logger.Warn("state file has fine ticks of another width, which are dropped", "width", st.tick, "tick", s.cfg.tick)
	}
	// A clock that went back must not prolong a life beyond what was left.
	away := max(now.Sub(st.written), 0)
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, t := range st.ticks {
		if t.left <= away || t.key.tier == store.TierFine && st.tick != s.cfg.tick {
			continue
		}
		expires := now.Add(t.left - away)
		s.samples.keep(&tick{key: t.key, buckets: t.buckets, expires: expires}, expires)
	}
	for _, n := range st.names {
		if n.left > away {
			s.samples.names[n.id] = &name{text: n.text, until: now.Add(n.left - away)}
		}
	}
	s.ledger.load(&st.ledger)
}

func (s *samples) snapshot(now time.Time) ([]tickState, []nameState) {
	ticks := make([]tickState, 0, len(s.ticks))
	last := now.Add(s.retention)
	for _, t := range s.ticks {
		ticks = append(ticks, tickState{t.key, t.expires.Sub(now), t.buckets})
		if t.expires.After(last) {
			last = t.expires
		}
	}
	names := make([]nameState, 0, len(s.names))
	for id, n := range s.names {
		if n.used {
			n.until = last.Add(nameGrace)
		}
		names = append(names, nameState{id, n.text, n.until.Sub(now)})
	}
	return ticks, names
}

func (l *ledger) save() ledgerState {
	saved := ledgerState{
		epoch:   l.epoch,
		offered: l.offered,
		head:    l.head,
		records: make([]keyed, 0, len(l.records)),
		deleted: make([]keyed, 0, len(l.deleted)),
		base:    l.history.base,
		from:    l.history.from,
		// A copy, because the keys of old commits are dropped in place.
		commits: slices.Clone(l.history.commits),
	}
	for key, r := range l.records {
		saved.records = append(saved.records, keyed{key, r})
	}
	for key, m := range l.deleted {
		saved.deleted = append(saved.deleted, keyed{key, record{mark: m}})
	}
	return saved
}

func (l *ledger) load(saved *ledgerState) {
	l.epoch, l.offered, l.head = saved.epoch, saved.offered, saved.head
	for _, r := range saved.records {
		l.records[r.key] = r.record
	}
	for _, d := range saved.deleted {
		l.deleted[d.key] = d.mark
	}
	l.history = newHistory(saved.base)
	l.history.from = saved.from
	l.history.commits = saved.commits
	for i, c := range saved.commits {
		l.history.byID[c.id] = saved.base.rev + uint64(i) + 1
		l.history.named += len(c.keys)
	}
}
