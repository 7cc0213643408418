package publish

import (
	"slices"
	"time"

	"github.com/go-batteries/hawkeye/store"
)

// What one publication carries at most. The rest follows in the next.
const (
	batchBuckets = 64
	batchBytes   = 1 << 20
	batchChecks  = 256
)

// Of the buckets that were published, these are looked for in each round: the
// newest, which a failover loses first; the one of settledAfter ago, by when
// the servers of a Store have agreed on who of them is alive; and some of the
// others in turn, so that each is looked for twice in its life. A bucket that
// is missing has all looked for, and so has a ledger that was lost or rolled
// back; a round trip that failed, the recent ones.
const (
	settledAfter = 15 * time.Second
	checkOthers  = 2
	checkRecent  = batchBuckets
	// checkTwice is how often the recent ones are looked for after a failure:
	// what was published when the Store came back can be lost, too.
	checkTwice = 2
)

// verifyEvery is how often more is looked for than in each round, at most: a
// Store that evicts, or fails, all the time isn't flooded.
const verifyEvery = 5 * time.Second

// entry is one closed tick.
type entry struct {
	seq    int64 // counts closed ticks, from 1
	tick   int64
	writer store.ID
	data   []byte
	series int  // with samples in it
	lost   bool // was published, and the Store no longer has it
}

// ring holds this writer's last minutes: the backlog that isn't published
// yet, oldest first, and, if the Store can lose data, what was published.
// Publisher.mu guards it.
type ring struct {
	retention   int64 // in ticks
	verifyEvery int64 // in ticks
	settled     int   // in ticks
	maxBytes    int64
	keeps       bool

	backlog []entry
	kept    []entry
	bytes   int64
	sending int // the first of backlog are under way and can't be dropped

	closed    int64 // the latest seq
	published int64 // the latest seq that is stored; they are stored in order
	dropped   int64 // the latest seq that was dropped
	newest    int64 // the newest tick that is stored

	missing int          // how many of kept are lost
	losing  bool         // a loss was found, and all is not yet known to be there again
	ledger  store.Cursor // where it stood in the latest reply

	looks looks
	// answered is looks as of the latest answer: a failed round trip hasn't
	// looked for anything.
	answered looks

	droppedTicks, droppedSeries int64
}

// looks is what is still to be looked for.
type looks struct {
	next     int   // where in kept the next check goes on
	suspect  bool  // the Store has lost something, so maybe more
	doubts   int   // how often the recent ones are to be looked for
	verify   int   // how many of kept are to be looked for at once
	verified int64 // the tick at which that was begun
	formerly int64 // the tick at which buckets under former ids were looked for
	former   int64 // up to which seq, if not all fitted
}

// add appends a tick that was closed, and makes room for it.
func (r *ring) add(e entry) {
	r.closed++
	e.seq = r.closed
	r.backlog = append(r.backlog, e)
	r.bytes += int64(len(e.data))
	r.expire(e.tick)
}

// expire lets go of what is older than the retention at tick now, and of the
// oldest beyond the bytes.
func (r *ring) expire(now int64) {
	// What is about to expire in the Store isn't looked for any more.
	n, fading := 0, r.retention/20
	for n < len(r.kept) && (r.kept[n].tick < now-r.retention+fading || r.bytes > r.maxBytes) {
		r.release(&r.kept[n])
		n++
	}
	r.kept = r.kept[n:]
	for _, l := range []*looks{&r.looks, &r.answered} {
		l.next, l.verify = max(l.next-n, 0), min(l.verify, len(r.kept))
	}

	n = r.sending
	for n < len(r.backlog) && (r.backlog[n].tick < now-r.retention || r.bytes > r.maxBytes) {
		e := &r.backlog[n]
		r.dropped = e.seq
		r.droppedTicks++
		r.droppedSeries += int64(e.series)
		r.release(e)
		n++
	}
	r.backlog = slices.Delete(r.backlog, r.sending, n)
}

func (r *ring) release(e *entry) {
	r.bytes -= int64(len(e.data))
	if e.lost {
		r.missing--
	}
	e.data = nil
}

// renumber moves the ticks of the backlog by shift: they were numbered by
// this machine's clock, before the Store's was known.
func (r *ring) renumber(shift int64) {
	for i := range r.backlog {
		r.backlog[i].tick += shift
	}
}

// take returns what the next publication carries: first what the Store lost,
// then the backlog, and fills in what it checks. fresh is how many of the
// buckets are from the backlog; they stay there until settle.
func (r *ring) take(p *store.Publication) (fresh int) {
	size := 0
	add := func(e *entry, buckets, bytes int) bool {
		if len(p.Buckets) >= buckets || size+len(e.data) > bytes {
			return false
		}
		size += len(e.data)
		p.Buckets = append(p.Buckets, store.Bucket{Tick: e.tick, Writer: e.writer, Data: e.data})
		return true
	}
	// What was lost gets half of the room, so that it can't hold up what is
	// new; and a bucket that is too large for its room goes alone.
	for i := 0; i < len(r.kept) && r.missing > 0; i++ {
		if e := &r.kept[i]; e.lost && !add(e, batchBuckets/2, max(batchBytes/2, len(e.data))) {
			break
		}
	}
	for ; fresh < len(r.backlog); fresh++ {
		e, bytes := &r.backlog[fresh], batchBytes
		if fresh == 0 {
			bytes = size + len(e.data)
		}
		if !add(e, batchBuckets, max(bytes, batchBytes)) {
			break
		}
	}
	r.sending = fresh
	r.check(p)
	return fresh
}

// check fills p.Check with ticks of p.Writer.
func (r *ring) check(p *store.Publication) {
	n, l := len(r.kept), &r.looks
	if n == 0 {
		return
	}
	others := min(checkOthers, n)
	if l.verify > 0 {
		others = min(batchChecks, l.verify)
	}
	for range others {
		l.next %= n
		r.look(p, l.next)
		l.next++
	}
	l.verify = max(l.verify-others, 0)
	r.look(p, n-1)
	r.look(p, max(n-1-r.settled, 0))
	slices.Sort(p.Check)
	p.Check = slices.Compact(p.Check)
}

// former makes p ask for buckets that this process published before it drew
// its id anew, every verifyEvery while it keeps any: one publication looks for
// those of one writer. It returns false if there are no more for now.
func (r *ring) former(p *store.Publication, now int64) bool {
	l, own := &r.looks, p.Writer
	if now-l.formerly < r.verifyEvery {
		return false
	}
	for i := range r.kept {
		e := &r.kept[i]
		if e.writer == own || e.seq <= l.former {
			continue
		}
		if p.Writer == own {
			p.Writer = e.writer
		}
		if p.Writer != e.writer || len(p.Check) == batchChecks {
			break
		}
		l.former = e.seq
		r.look(p, i)
	}
	if p.Writer == own {
		l.former, l.formerly = 0, now
	}
	if len(p.Check) == 0 {
		p.Writer = own
	}
	return p.Writer != own
}

func (r *ring) look(p *store.Publication, i int) {
	if e := &r.kept[i]; e.writer == p.Writer && !e.lost {
		p.Check = append(p.Check, e.tick)
	}
}

// settle takes note that a publication was stored: its buckets, of which the
// last fresh were from the backlog, are there, and missing are not. It
// returns the entries from the backlog, and how many others were stored
// again.
func (r *ring) settle(p *store.Publication, fresh int, missing []int64) (stored []entry, again int) {
	again = len(p.Buckets) - fresh
	for i := range again {
		if j := r.find(p.Buckets[i].Writer, p.Buckets[i].Tick); j >= 0 && r.kept[j].lost {
			r.kept[j].lost = false
			r.missing--
		}
	}
	for _, tick := range missing {
		if j := r.find(p.Writer, tick); j >= 0 && !r.kept[j].lost {
			r.kept[j].lost = true
			r.missing++
		}
	}
	// Where one is lost there are more; and what was found in its place may
	// be lost by the next accident. So all is looked for until all is there.
	r.looks.suspect = r.looks.suspect || len(missing) > 0
	r.answered = r.looks
	r.losing = len(missing) > 0 || r.losing && (r.missing > 0 || r.looks.suspect || r.looks.verify > 0)
	stored = slices.Clone(r.backlog[:fresh])
	for i := range stored {
		r.published = stored[i].seq
		r.newest = max(r.newest, stored[i].tick)
	}
	r.backlog = slices.Delete(r.backlog, 0, fresh)
	r.sending = 0
	if r.keeps {
		r.kept = append(r.kept, stored...)
	} else {
		for i := range stored {
			r.bytes -= int64(len(stored[i].data))
		}
	}
	return stored, again
}

// find returns where in kept a bucket is, -1 if it isn't. Ticks ascend but
// where the writer's id was drawn anew, so it is searched from the end.
func (r *ring) find(writer store.ID, tick int64) int {
	for i := len(r.kept) - 1; i >= 0; i-- {
		if e := &r.kept[i]; e.tick == tick && e.writer == writer {
			return i
		}
	}
	return -1
}

// failed takes note that a round trip had no answer: whatever was the matter
// may have cost the Store its latest writes.
func (r *ring) failed() {
	r.sending = 0
	r.looks = r.answered
	r.looks.doubts = checkTwice
	r.answered = r.looks
}

// follow takes note of where the ledger stands. Where it was lost or rolled
// back, buckets were, too.
func (r *ring) follow(now store.Cursor) {
	was := r.ledger
	r.ledger = now
	if was.Epoch.IsZero() {
		return
	}
	if now.Epoch != was.Epoch || now.Rev < was.Rev || now.Rev == was.Rev && now.Commit != was.Commit {
		r.looks.suspect = true
		r.answered = r.looks
	}
}

// lookBack begins to look for more than in each round, if there is a reason to
// and the last time is long enough ago. It says whether that is everything.
func (r *ring) lookBack(now int64) (all bool) {
	l := &r.looks
	if l.verify > 0 || now-l.verified < r.verifyEvery {
		return false
	}
	switch {
	case l.suspect:
		l.suspect, l.verify, all = false, len(r.kept), true
	case l.doubts > 0:
		l.doubts--
		l.verify = min(checkRecent, len(r.kept))
		l.next = len(r.kept) - l.verify
	default:
		return false
	}
	l.verified = now
	return all
}

// busy says that another round is due at once.
func (r *ring) busy() bool { return len(r.backlog) > 0 || r.missing > 0 || r.looks.verify > 0 }
