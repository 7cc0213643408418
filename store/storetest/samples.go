package storetest

import (
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/go-batteries/hawkeye/store"
)

var sampleChecks = []check{
	{name: "Traits", run: traits},
	{name: "Samples/NowAdvances", run: nowAdvances},
	{name: "Samples/WhatIsPublishedIsRead", run: whatIsPublishedIsRead},
	{name: "Samples/AnswersInTheOrderOfQuestions", run: answersInOrder},
	{name: "Samples/FirstPublicationWins", run: firstPublicationWins},
	{name: "Samples/RepublicationChangesNothing", run: republicationChangesNothing},
	{name: "Samples/Refused", run: refused},
	{name: "Samples/Known", run: known},
	{name: "Samples/TiersAreApart", run: tiersAreApart},
	{name: "Samples/WritersAreApart", run: writersAreApart},
	{name: "Samples/AnEmptyBucketIsABucket", run: emptyBucket},
	{name: "Samples/KeepIsKept", run: keepIsKept},
	{name: "Samples/Missing", run: missing},
}

var allTiers = []store.Tier{
	store.TierFine, store.Tier5s, store.Tier15s, store.Tier1m, store.Tier5m, store.Tier15m, store.Tier1h,
}

func bucket(tick int64, data string) store.Bucket {
	return store.Bucket{Tick: tick, Writer: store.NewID(), Data: []byte(data)}
}

func traits(e *env) {
	first := e.here.Traits()
	if first.Tick < 10*time.Millisecond {
		e.Errorf("Traits().Tick = %v, want 10ms at least", first.Tick)
	}
	if first.Retention < time.Minute {
		e.Errorf("Traits().Retention = %v, want a minute at least", first.Retention)
	}
	if first.Name == "" {
		e.Error("Traits().Name is empty")
	}
	if len(e.Stores) > 1 && !first.Shared && e.here != e.there {
		e.Log("several handles on a Store that is not Shared: taken for handles within one process")
	}
	e.open()
	for i, s := range e.Stores {
		if got := s.Traits(); got != first {
			e.Errorf("Traits() of handle %d = %+v, want those of handle 0, %+v", i, got, first)
		}
	}
}

func nowAdvances(e *env) {
	began, first := time.Now(), e.now(e.here)
	if first.Year() < 2000 {
		e.Errorf("Now() = %v, want a time", first)
	}
	last := first
	for time.Since(began) < patience && !last.After(first) {
		time.Sleep(time.Millisecond)
		last = e.now(e.there)
	}
	if !last.After(first) {
		e.Errorf("Now() = %v, and %v later %v", first, patience, last)
	}
	const rough = 10 * time.Second
	if went, real := last.Sub(first), time.Since(began); (went - real).Abs() > rough {
		e.Errorf("Now() went on by %v in %v", went, real)
	}
	if reply := e.publish(e.here, store.Publication{Writer: store.NewID()}); reply.Now.Sub(last).Abs() > rough {
		e.Errorf("Publish() reply has Now %v, and Now() was %v", reply.Now, last)
	}
}

func whatIsPublishedIsRead(e *env) {
	b := bucket(e.tick(1), "binary \x00\xff\r\n data")
	e.publishOne(e.here, b)
	for _, s := range e.Stores {
		e.wantBucket(s, b)
	}
	tick := e.read(e.there, store.TickQuery{Tick: b.Tick})[0]
	if tick.Count != 1 {
		e.Errorf("Read() has Count %d, want 1", tick.Count)
	}
	nothing := e.read(e.there, store.TickQuery{Tick: b.Tick - 1})[0]
	if nothing.Count != 0 || len(nothing.Buckets) != 0 {
		e.Errorf("Read() of a tick with nothing in it = %+v, want Count 0", nothing)
	}
	if none := e.read(e.there); len(none) != 0 {
		e.Errorf("Read() of no ticks = %+v", none)
	}
}

func answersInOrder(e *env) {
	base := e.tick(20)
	p := store.Publication{Writer: store.NewID(), Keep: time.Hour}
	var asked []store.TickQuery
	for i := range int64(20) {
		p.Buckets = append(p.Buckets, store.Bucket{
			Tier: allTiers[i%2], Tick: base + i, Writer: p.Writer, Data: fmt.Appendf(nil, "bucket %d", i),
		})
		// Backwards, twice, and between them ticks that hold nothing.
		q := store.TickQuery{Tier: allTiers[i%2], Tick: base + i}
		asked = append([]store.TickQuery{q, {Tier: store.Tier1h, Tick: base + i}}, append(asked, q)...)
	}
	e.publish(e.here, p)
	for i, a := range e.read(e.there, asked...) {
		want := ""
		if a.Tier != store.Tier1h {
			want = fmt.Sprintf("bucket %d", a.Tick-base)
		}
		if got := joined(a.Buckets); got != want {
			e.Errorf("answer %d, for tick base+%d of tier %d, holds %q, want %q", i, a.Tick-base, a.Tier, got, want)
		}
	}
}

func joined(buckets []store.Bucket) (all string) {
	for _, b := range buckets {
		all += string(b.Data)
	}
	return all
}

func firstPublicationWins(e *env) {
	first := bucket(e.tick(1), "first")
	e.publishOne(e.here, first)
	for i, later := range []string{"second, and longer than the first", "", "x", "first!"} {
		edited := first
		edited.Data = []byte(later)
		e.publish(e.handle(i+1), store.Publication{Writer: first.Writer, Buckets: []store.Bucket{edited}, Keep: time.Hour})
		e.wantBucket(e.handle(i), first)
	}

	twice := bucket(first.Tick, "once")
	again := twice
	again.Data = []byte("once more")
	e.publish(e.here, store.Publication{Writer: twice.Writer, Buckets: []store.Bucket{twice, again}})
	got := e.buckets(e.there, store.TierFine, first.Tick)
	if len(got) != 2 || got[twice.Writer] != "once" && got[twice.Writer] != "once more" {
		e.Errorf("Read() after a bucket was twice in one Publication = %q", got)
	}
}

// refused are the buckets of a process whose copy was faster.
func refused(e *env) {
	base, writer := e.tick(10), store.NewID()
	publication := func(tier store.Tier, data ...string) store.Publication {
		p := store.Publication{Writer: writer, Keep: time.Hour}
		for i, d := range data {
			p.Buckets = append(p.Buckets, store.Bucket{Tier: tier, Tick: base + int64(i), Writer: writer, Data: []byte(d)})
		}
		return p
	}
	for _, tier := range []store.Tier{store.TierFine, store.Tier1m} {
		for i, row := range []struct {
			why  string
			data []string
			want []int
		}{
			{"the first publication", []string{"a", "", "c"}, nil},
			{"the same again", []string{"a", "", "c"}, nil},
			{"other data in the place of one", []string{"a", "", "x"}, []int{2}},
			{"and of others, before new ones", []string{"x", "b", "c", "d", "e"}, []int{0, 1}},
			{"the new ones are there", []string{"a", "", "c", "d", "f"}, []int{4}},
			{"a beginning, and an end", []string{"aa", "", "", "d", "e"}, []int{0, 2}},
		} {
			if reply := e.publish(e.handle(i), publication(tier, row.data...)); !slices.Equal(reply.Refused, row.want) {
				e.Errorf("%s: Refused is %v, want %v", row.why, reply.Refused, row.want)
			}
		}
		other := publication(tier, "x", "x", "x")
		for i := range other.Buckets {
			other.Buckets[i].Writer[0]++
		}
		if reply := e.publish(e.there, other); len(reply.Refused) > 0 {
			e.Errorf("of another writer's buckets are Refused %v, want none", reply.Refused)
		}
	}
}

func republicationChangesNothing(e *env) {
	base := e.tick(10)
	var all []store.Publication
	var ticks []store.TickQuery
	for _, tier := range []store.Tier{store.TierFine, store.Tier5s, store.Tier1h} {
		for i := range int64(8) {
			p := store.Publication{Writer: store.NewID(), Keep: time.Hour}
			p.Names = []store.Name{{ID: uint64(i), Text: fmt.Sprint("series ", i)}}
			p.Buckets = []store.Bucket{{Tier: tier, Tick: base + i, Writer: p.Writer, Data: fmt.Appendf(nil, "%d %d", tier, i)}}
			all = append(all, p)
			ticks = append(ticks, store.TickQuery{Tier: tier, Tick: base + i})
		}
	}
	for _, p := range all {
		e.publish(e.here, p)
	}
	before := e.read(e.here, ticks...)
	for round, s := range append([]store.Store{e.here}, e.Stores...) {
		for _, p := range slices.Backward(all) {
			if reply := e.publish(s, p); len(reply.Clashes) > 0 {
				e.Errorf("Publish() again has the clashes %v", reply.Clashes)
			}
		}
		for i, after := range e.read(s, ticks...) {
			if after.Count != before[i].Count || joined(after.Buckets) != joined(before[i].Buckets) {
				e.Errorf("after %d republications: %+v, want %+v", round+1, after, before[i])
			}
		}
	}
}

func known(e *env) {
	tick := e.tick(1)
	for range 3 {
		e.publishOne(e.here, bucket(tick, "data"))
	}
	for _, row := range []struct{ known, want int }{{0, 3}, {1, 3}, {2, 3}, {3, 0}, {4, 0}, {1 << 20, 0}} {
		a := e.read(e.there, store.TickQuery{Tick: tick, Known: row.known})[0]
		if a.Count != 3 || len(a.Buckets) != row.want {
			e.Errorf("Read() with Known %d has Count %d and %d buckets, want 3 and %d", row.known, a.Count, len(a.Buckets), row.want)
		}
	}
	e.publishOne(e.there, bucket(tick, "late"))
	if a := e.read(e.here, store.TickQuery{Tick: tick, Known: 3})[0]; a.Count != 4 || len(a.Buckets) != 4 {
		e.Errorf("Read() with Known 3 after a late bucket has Count %d and %d buckets, want 4 and 4", a.Count, len(a.Buckets))
	}
}

func tiersAreApart(e *env) {
	writer, tick := store.NewID(), e.tick(1)
	var all []store.Bucket
	for i, tier := range allTiers {
		all = append(all, store.Bucket{Tier: tier, Tick: tick, Writer: writer, Data: fmt.Appendf(nil, "tier %d", tier)})
		e.publish(e.handle(i), store.Publication{Writer: writer, Buckets: all[i:], Keep: time.Hour})
		if i+1 < len(allTiers) {
			if left := e.buckets(e.there, allTiers[i+1], tick); len(left) > 0 {
				e.Errorf("tier %d has %q, published in tier %d", allTiers[i+1], left, tier)
			}
		}
	}
	for _, b := range all {
		e.wantBucket(e.there, b)
	}
}

func writersAreApart(e *env) {
	tick := e.tick(1)
	want := make(map[store.ID]string)
	for i := range 100 {
		b := bucket(tick, fmt.Sprint("writer ", i))
		// Ids that differ in one byte only.
		b.Writer = store.ID{byte(i % 16 * 16), 15: byte(i + 1)}
		want[b.Writer] = string(b.Data)
		e.publishOne(e.handle(i), b)
	}
	if got := e.buckets(e.there, store.TierFine, tick); !maps.Equal(got, want) {
		e.Errorf("Read() has %d buckets of 100 writers, or other data: %q", len(got), got)
	}
}

func emptyBucket(e *env) {
	tick := e.tick(1)
	e.publishOne(e.here, store.Bucket{Tick: tick, Writer: store.ID{1}, Data: nil})
	e.publishOne(e.here, store.Bucket{Tick: tick, Writer: store.ID{2}, Data: []byte{}})
	if got := e.buckets(e.there, store.TierFine, tick); len(got) != 2 || got[store.ID{1}] != "" || got[store.ID{2}] != "" {
		e.Errorf("Read() of two empty buckets = %q, want them", got)
	}
	if reply := e.publish(e.here, store.Publication{Writer: store.ID{1}, Check: []int64{tick}}); len(reply.Missing) > 0 {
		e.Error("an empty bucket is Missing")
	}
}

// keepIsKept gives short lives to the neighbours of buckets with long ones;
// the short may end when they like, the long must stay.
func keepIsKept(e *env) {
	const short = time.Millisecond
	tick := e.tick(1)
	long := []store.Bucket{
		bucket(tick, "shares its tick with a short life before it"),
		bucket(tick-1, "shares its tick with a short life after it"),
		bucket(tick-2, "published again for a short life"),
		bucket(tick-int64(2*e.here.Traits().Retention/e.here.Traits().Tick), "older than the retention"),
		{Tier: store.Tier1m, Tick: tick, Writer: store.NewID(), Data: []byte("coarse")},
	}
	publish := func(keep time.Duration, buckets ...store.Bucket) {
		for _, b := range buckets {
			e.publish(e.here, store.Publication{Writer: b.Writer, Buckets: []store.Bucket{b}, Keep: keep})
		}
	}
	publish(short, bucket(tick, "short"))
	publish(time.Hour, long[:3]...)
	publish(0, long[3:]...)
	publish(short, bucket(tick-1, "short"), long[2])
	e.wait(5 * short)
	publish(0, bucket(tick-4, "gives the store a chance to tidy up"))
	for _, b := range long {
		e.wantBucket(e.there, b)
	}
}

func missing(e *env) {
	writer, other, base := store.NewID(), store.NewID(), e.tick(10)
	p := store.Publication{Writer: writer, Keep: time.Hour}
	for _, n := range []int64{1, 3, 4, 7} {
		p.Buckets = append(p.Buckets, store.Bucket{Tick: base + n, Writer: writer})
	}
	p.Buckets = append(p.Buckets,
		store.Bucket{Tick: base + 5, Writer: other},
		store.Bucket{Tier: store.Tier5s, Tick: base + 6, Writer: writer})
	e.publish(e.here, p)
	for _, row := range []struct {
		why         string
		writer      store.ID
		check, want []int64
	}{
		{"nothing asked", writer, nil, nil},
		{"all there", writer, []int64{1, 3, 4, 7}, nil},
		{"never published", writer, []int64{1, 2, 3, 8}, []int64{2, 8}},
		{"asked out of order", writer, []int64{8, 7, 2, 1}, []int64{2, 8}},
		{"another writer's", writer, []int64{5}, []int64{5}},
		{"another tier's", writer, []int64{6}, []int64{6}},
		{"asked by the other writer", other, []int64{1, 5}, []int64{1}},
		{"asked by a stranger", store.NewID(), []int64{1, 5}, []int64{1, 5}},
	} {
		reply := e.publish(e.there, store.Publication{Writer: row.writer, Check: plus(base, row.check)})
		if want := plus(base, row.want); !slices.Equal(reply.Missing, want) {
			e.Errorf("%s: Missing is %v, want %v", row.why, plus(-base, reply.Missing), row.want)
		}
	}
}

func plus(base int64, ticks []int64) []int64 {
	out := make([]int64, len(ticks))
	for i, n := range ticks {
		out[i] = base + n
	}
	return out
}
