package memstore

import (
	"slices"

	"github.com/go-batteries/hawkeye/store"
)

// history is the ledger's latest commits: their ids, for commits that are
// repeated, and the keys that they changed, for followers.
type history struct {
	base    mark // the state before commits[0]
	commits []change
	byID    map[store.ID]uint64 // the revision of each of commits
	// from is the oldest revision that can be followed: the keys of it and
	// of those before it were dropped.
	from  uint64
	named int // keys in all of commits
}

type change struct {
	id   store.ID
	keys []string // sorted, each once
}

func newHistory(base mark) history {
	return history{base: base, from: base.rev, byID: make(map[store.ID]uint64)}
}

func (h *history) find(id store.ID) (rev uint64, ok bool) {
	rev, ok = h.byID[id]
	return rev, ok
}

// follows says whether all that changed since m is known.
func (h *history) follows(m mark) bool {
	if m.rev < h.from || m.rev > h.base.rev+uint64(len(h.commits)) {
		return false
	}
	if m.rev == h.base.rev {
		return m == h.base
	}
	return h.at(m.rev).id == m.commit
}

// keys returns what the commit of rev changed; rev is after from.
func (h *history) keys(rev uint64) []string { return h.at(rev).keys }

func (h *history) at(rev uint64) *change { return &h.commits[rev-h.base.rev-1] }

// add appends a commit, drops what is too old, and returns the keys that it
// dropped.
func (h *history) add(id store.ID, keys []string) (dropped []string) {
	h.commits = append(h.commits, change{id, keys})
	h.byID[id] = h.base.rev + uint64(len(h.commits))
	h.named += len(keys)
	for h.named > keepKeys {
		h.from++
		dropped = append(dropped, h.dropKeys(h.from)...)
	}
	if len(h.commits) < 2*keepCommits {
		return dropped
	}
	return append(dropped, h.trim(len(h.commits)-keepCommits)...)
}

// trim forgets the oldest n commits. It is called once in keepCommits
// commits, so that the copying costs next to nothing.
func (h *history) trim(n int) (dropped []string) {
	base := mark{h.base.rev + uint64(n), h.commits[n-1].id}
	for rev := h.base.rev + 1; rev <= base.rev; rev++ {
		delete(h.byID, h.at(rev).id)
		dropped = append(dropped, h.dropKeys(rev)...)
	}
	h.commits = slices.Clone(h.commits[n:])
	h.base = base
	h.from = max(h.from, base.rev)
	return dropped
}

func (h *history) dropKeys(rev uint64) []string {
	c := h.at(rev)
	keys := c.keys
	c.keys = nil
	h.named -= len(keys)
	return keys
}
