package storetest

import (
	"errors"
	"fmt"
	"maps"
	"strconv"
	"sync"
	"sync/atomic"

	"github.com/go-batteries/hawkeye/store"
)

var raceChecks = []check{
	{name: "Races/APublicationCountsOnce", run: publicationCountsOnce},
	{name: "Races/AReaderNeverSeesABucketChange", run: bucketsNeverChange},
	{name: "Races/OneOpens", run: oneOpens},
	{name: "Races/OneCommitARoundWins", run: oneCommitWins},
	{name: "Races/NoUpdateIsLost", run: noUpdateIsLost},
	{name: "Races/ARepeatedCommitAppliesOnce", run: repeatedAppliesOnce},
	{name: "Races/ReadersSeeWholeCommits", run: readersSeeWholeCommits},
}

// publicationCountsOnce has every process publish everything, as if all of
// them repeated what was delayed, in other orders.
func publicationCountsOnce(e *env) {
	const processes, writers, ticks = 8, 6, 5
	base := e.tick(ticks)
	want := make(map[store.ID]string)
	var all []store.Bucket
	for i := range writers * ticks {
		b := store.Bucket{Tick: base + int64(i%ticks), Writer: store.ID{byte(i/ticks + 1)}, Data: fmt.Append(nil, "writer ", i/ticks)}
		all = append(all, b)
		want[b.Writer] = string(b.Data)
	}
	together(processes, func(p int) {
		for i := range all {
			b := all[(i*7+p*11)%len(all)]
			pub := store.Publication{
				Writer: b.Writer, Buckets: []store.Bucket{b}, Check: []int64{b.Tick},
				Names: []store.Name{{ID: 1, Text: fmt.Sprint("of process ", p)}},
			}
			if _, err := e.handle(p).Publish(e.ctx, pub); err != nil {
				e.Errorf("Publish() = %v", err)
			}
		}
	})
	for t := range int64(ticks) {
		if got := e.buckets(e.there, store.TierFine, base+t); !maps.Equal(got, want) {
			e.Errorf("tick base+%d holds %q, want %q", t, got, want)
		}
	}
	if names, err := e.there.Names(e.ctx, []uint64{1}); err != nil || len(names) != 1 {
		e.Errorf("Names() = %v, %v, want the text of one process", names, err)
	}
}

// bucketsNeverChange has writers disagree about one bucket, while readers
// look: whatever is seen first is what everybody sees for ever.
func bucketsNeverChange(e *env) {
	const writers, readers, rounds = 4, 3, 5
	base := e.tick(rounds)
	for round := range int64(rounds) {
		contested := store.Bucket{Tick: base + round, Writer: store.NewID()}
		var seen sync.Map
		look := func(s store.Store) bool {
			answers, err := s.Read(e.ctx, []store.TickQuery{{Tick: contested.Tick}})
			if err != nil || len(answers) != 1 || answers[0].Count > 1 {
				e.Errorf("Read() = %+v, %v, want one bucket at most", answers, err)
				return false
			}
			if answers[0].Count == 1 {
				seen.Store(joined(answers[0].Buckets), true)
			}
			return answers[0].Count == 1
		}
		var writing atomic.Int32
		writing.Store(writers)
		together(writers+readers, func(i int) {
			s := e.handle(i)
			if i >= writers {
				for writing.Load() > 0 {
					look(s)
				}
				return
			}
			defer writing.Add(-1)
			b := contested
			b.Data = fmt.Append(nil, "by writer ", i)
			if _, err := s.Publish(e.ctx, store.Publication{Writer: b.Writer, Buckets: []store.Bucket{b}}); err != nil {
				e.Errorf("Publish() = %v", err)
			}
			if !look(s) {
				e.Error("a bucket is not there after it was published")
			}
		})
		look(e.there)
		var all []any
		seen.Range(func(data, _ any) bool { all = append(all, data); return true })
		if len(all) != 1 {
			e.Errorf("one bucket was seen as %q", all)
		}
	}
}

func oneOpens(e *env) {
	const processes = 8
	var opened [processes]store.ID
	var won atomic.Int32
	together(processes, func(i int) {
		o := offer(uint64(i+1), fmt.Sprint("of process ", i), 2)
		o.Open = store.NewID()
		switch err := e.handle(i).Restore(e.ctx, o); {
		case err == nil:
			won.Add(1)
			opened[i] = o.Open
		case !errors.Is(err, store.ErrOpen):
			e.Errorf("Restore() = %v, want nil or ErrOpen", err)
		}
	})
	if won.Load() != 1 {
		e.Fatalf("%d processes opened the ledger, want 1", won.Load())
	}
	_, at := e.snapshot(e.there)
	for i, epoch := range opened {
		if !epoch.IsZero() {
			if at.Epoch != epoch {
				e.Errorf("the ledger has the epoch %v, want that of process %d, %v", at.Epoch, i, epoch)
			}
			e.wantOffer(uint64(i+1), fmt.Sprint("of process ", i), 2)
		}
	}
}

func oneCommitWins(e *env) {
	const processes, rounds = 6, 20
	epoch := e.open()
	var base store.ID
	for round := range rounds {
		var won [processes]store.ID
		together(processes, func(i int) {
			// The others' records are there to find half-applied losers.
			c := putting(epoch, "state", fmt.Sprint(round), store.Condition{Key: "state", Commit: base})
			c.Put = append(c.Put, store.Entry{Key: fmt.Sprint(round, " won by ", i)})
			switch at, err := e.handle(i).Commit(e.ctx, c); {
			case err == nil:
				won[i] = at.Commit
			case !errors.Is(err, store.ErrConflict):
				e.Errorf("Commit() = %v, want nil or ErrConflict", err)
			}
		})
		winners := 0
		for i, id := range won {
			if !id.IsZero() {
				winners++
				base = id
				if records, _ := e.snapshot(e.there); records["state"].Commit != id || records[fmt.Sprint(round, " won by ", i)].Commit != id {
					e.Errorf("round %d: process %d won, and its records are not there", round, i)
				}
			}
		}
		if winners != 1 {
			e.Fatalf("round %d: %d processes won, want 1", round, winners)
		}
	}
	if records, at := e.snapshot(e.there); len(records) != rounds+1 || at.Rev != rounds {
		e.Errorf("after %d rounds there are %d records at rev %d, want %d at rev %d", rounds, len(records), at.Rev, rounds+1, rounds)
	}
}

func noUpdateIsLost(e *env) {
	const processes, updates = 6, 20
	epoch := e.open()
	together(processes, func(i int) {
		for range updates {
			if !e.increment(e.handle(i), epoch, "counter", processes*updates) {
				return
			}
		}
	})
	e.wantRecords(e.there, "counter", strconv.Itoa(processes*updates))
	if _, at := e.snapshot(e.there); at.Rev != processes*updates {
		e.Errorf("the ledger is at rev %d, want %d", at.Rev, processes*updates)
	}
}

// increment adds one by compare-then-set. It loses at most as often as
// others win.
func (e *env) increment(s store.Store, epoch store.ID, key string, others int) bool {
	e.Helper()
	for range others + 1 {
		c, err := s.Changes(e.ctx, store.Cursor{})
		if err != nil {
			e.Errorf("Changes() = %v", err)
			return false
		}
		old := byKey(c.Records)[key]
		n, _ := strconv.Atoi(string(old.Value)) // "" is 0
		_, err = s.Commit(e.ctx, putting(epoch, key, strconv.Itoa(n+1), store.Condition{Key: key, Commit: old.Commit}))
		if err == nil {
			return true
		}
		if !errors.Is(err, store.ErrConflict) {
			e.Errorf("Commit() = %v, want nil or ErrConflict", err)
			return false
		}
	}
	e.Errorf("Commit() conflicts more often than there are others to conflict with")
	return false
}

func repeatedAppliesOnce(e *env) {
	const processes, rounds = 6, 20
	epoch := e.open()
	for round := range uint64(rounds) {
		c := putting(epoch, fmt.Sprint("key ", round), "value", store.Condition{Key: fmt.Sprint("key ", round)})
		want := store.Cursor{Epoch: epoch, Rev: round + 1, Commit: c.ID}
		together(processes, func(i int) {
			if at, err := e.handle(i).Commit(e.ctx, c); err != nil || at != want {
				e.Errorf("one commit by several at once = %+v, %v, want %+v for all", at, err, want)
			}
		})
		if _, at := e.snapshot(e.there); at != want {
			e.Fatalf("after one commit by several at once the ledger is at %+v, want %+v", at, want)
		}
	}
}

// readersSeeWholeCommits has every commit write two records alike and
// replace a third by a fourth.
func readersSeeWholeCommits(e *env) {
	const writers, readers, rounds = 3, 3, 40
	epoch := e.open()
	e.commit(e.here, pair(epoch, "start", 0))
	var reading atomic.Int32
	reading.Store(readers)
	together(writers+readers, func(i int) {
		for n := 0; i < writers && reading.Load() > 0; n++ {
			if _, err := e.handle(i).Commit(e.ctx, pair(epoch, fmt.Sprint(i, "/", n), i+n)); err != nil {
				e.Errorf("Commit() = %v", err)
				return
			}
		}
		if i < writers {
			return
		}
		defer reading.Add(-1)
		var f follower
		for n := range rounds {
			if n%5 == 0 {
				f = follower{}
			}
			if err := f.follow(e, e.handle(i)); err != nil {
				e.Errorf("Changes() = %v", err)
				return
			}
			left, right := f.records["left"], f.records["right"]
			if string(left.Value) != string(right.Value) || left.Commit != right.Commit || len(f.records) != 3 {
				e.Errorf("a reader sees half a commit: %q", texts([]store.Record{left, right}))
			}
			if f.at.Commit != left.Commit || f.at.Rev != left.Rev {
				e.Errorf("a reader at %+v sees records of rev %d", f.at, left.Rev)
			}
		}
	})
}

func pair(epoch store.ID, value string, n int) store.Commit {
	c := putting(epoch, "left", value)
	odd, even := "odd", "even"
	if n%2 == 0 {
		odd, even = even, odd
	}
	c.Put = append(c.Put, store.Entry{Key: "right", Value: []byte(value)}, store.Entry{Key: odd})
	c.Delete = []string{even}
	return c
}
