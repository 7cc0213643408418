package memstore

import (
	"bytes"
	"container/heap"
	"context"
	"slices"
	"time"

	"github.com/go-batteries/hawkeye/store"
)

// samples is what was published. Its methods want Store.mu held.
type samples struct {
	tick      time.Duration
	retention time.Duration
	ticks     map[tickKey]*tick
	expiry    expiryHeap // the same ticks, the first to expire on top
	names     map[uint64]*name
	set       store.ID // of names: that of this Store's life
}

type tickKey struct {
	tier store.Tier
	tick int64
}

// tick holds the buckets of one tick in the order of their arrival. There is
// one writer as a rule, so they are searched one by one. All of them live as
// long as the one that was to be kept longest.
type tick struct {
	key     tickKey
	buckets []bucket // only ever appended to
	expires time.Time
	index   int // in samples.expiry
}

type bucket struct {
	writer store.ID
	data   []byte
}

type name struct {
	text string
	// used says that this process published the name or asked for it, so
	// that buckets still to come may use it. One that is only known from the
	// state file may be forgotten after until.
	used  bool
	until time.Time
}

func newSamples(width, retention time.Duration) samples {
	return samples{
		tick:      width,
		retention: retention,
		ticks:     make(map[tickKey]*tick),
		names:     make(map[uint64]*name),
		set:       store.NewID(),
	}
}

// Publish implements [store.Samples]. It takes about a microsecond for a
// bucket of a small process, and never blocks on the state file.
func (s *Store) Publish(ctx context.Context, p store.Publication) (store.PublishReply, error) {
	if err := ctx.Err(); err != nil {
		return store.PublishReply{}, err
	}
	now := time.Now()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.samples.expire(now)
	if len(p.Buckets)+len(p.Names) > 0 {
		s.unsaved++
	}
	var refused []int
	for i := range p.Buckets {
		if !s.samples.publish(&p.Buckets[i], p.Keep, now) {
			refused = append(refused, i)
		}
	}
	return store.PublishReply{
		Now:     storeTime(now),
		Refused: refused,
		Missing: s.samples.missing(p.Writer, p.Check),
		Clashes: s.samples.addNames(p.Names),
		Ledger:  s.ledger.openCursor(),
		Names:   s.samples.set,
	}, nil
}

// Read implements [store.Samples].
func (s *Store) Read(ctx context.Context, q []store.TickQuery) ([]store.TickBuckets, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	stored := make([][]bucket, len(q))
	s.mu.Lock()
	for i, one := range q {
		if t := s.samples.ticks[tickKey{one.Tier, one.Tick}]; t != nil {
			stored[i] = t.buckets
		}
	}
	s.mu.Unlock()

	answers := make([]store.TickBuckets, len(q))
	for i, one := range q {
		answers[i] = store.TickBuckets{Tier: one.Tier, Tick: one.Tick, Count: len(stored[i])}
		if len(stored[i]) > one.Known {
			answers[i].Buckets = export(one, stored[i])
		}
	}
	return answers, nil
}

// Names implements [store.Samples].
func (s *Store) Names(ctx context.Context, ids []uint64) (map[uint64]string, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	known := make(map[uint64]string, len(ids))
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, id := range ids {
		if n := s.samples.names[id]; n != nil {
			n.used = true
			known[id] = n.text
		}
	}
	return known, nil
}

func export(q store.TickQuery, stored []bucket) []store.Bucket {
	out := make([]store.Bucket, len(stored))
	for i, b := range stored {
		out[i] = store.Bucket{Tier: q.Tier, Tick: q.Tick, Writer: b.writer, Data: bytes.Clone(b.data)}
	}
	return out
}

// publish stores a bucket unless it is there, and returns false if other data
// is there in its place.
func (s *samples) publish(b *store.Bucket, keep time.Duration, now time.Time) bool {
	key := tickKey{b.Tier, b.Tick}
	t := s.ticks[key]
	if t == nil {
		t = &tick{key: key, expires: now}
	} else if stored, ok := t.find(b.Writer); ok {
		return bytes.Equal(stored, b.Data)
	}
	t.buckets = append(t.buckets, bucket{b.Writer, bytes.Clone(b.Data)})
	s.keep(t, s.expires(b, keep, now))
	return true
}

// expires returns until when a bucket must stay: keep from now, and a fine
// one, whose lifetime counts from the end of its tick, for as much longer as
// that end is ahead. A clock that is far ahead gets no more than that twice.
func (s *samples) expires(b *store.Bucket, keep time.Duration, now time.Time) time.Time {
	if keep <= 0 {
		keep = s.retention
	}
	if b.Tier == store.TierFine {
		ahead := b.Tick - now.UnixNano()/int64(s.tick) + 1
		keep += time.Duration(min(max(ahead, 0), int64(s.retention/s.tick))) * s.tick
	}
	return now.Add(keep)
}

// keep makes sure that t is there and stays until expires.
func (s *samples) keep(t *tick, expires time.Time) {
	known := s.ticks[t.key] == t
	if expires.After(t.expires) {
		t.expires = expires
		if known {
			heap.Fix(&s.expiry, t.index)
		}
	}
	if !known {
		s.ticks[t.key] = t
		heap.Push(&s.expiry, t)
	}
}

func (s *samples) expire(now time.Time) {
	for len(s.expiry) > 0 && s.expiry[0].expires.Before(now) {
		t := heap.Pop(&s.expiry).(*tick)
		delete(s.ticks, t.key)
	}
}

func (s *samples) missing(writer store.ID, check []int64) []int64 {
	var missing []int64
	for _, n := range check {
		if t := s.ticks[tickKey{store.TierFine, n}]; !t.holds(writer) {
			missing = append(missing, n)
		}
	}
	slices.Sort(missing)
	return slices.Compact(missing)
}

func (s *samples) addNames(names []store.Name) (clashes []store.Name) {
	for _, n := range names {
		known := s.names[n.ID]
		switch {
		case known == nil:
			s.names[n.ID] = &name{text: n.Text, used: true}
		case known.text != n.Text:
			clashes = append(clashes, n)
		default:
			known.used = true
		}
	}
	return clashes
}

// holds says whether a tick, which may be nil, has a bucket of a writer.
func (t *tick) holds(writer store.ID) bool {
	if t == nil {
		return false
	}
	_, ok := t.find(writer)
	return ok
}

func (t *tick) find(writer store.ID) (data []byte, ok bool) {
	for _, b := range t.buckets {
		if b.writer == writer {
			return b.data, true
		}
	}
	return nil, false
}

// expiryHeap is a [heap.Interface].
type expiryHeap []*tick

func (h expiryHeap) Len() int           { return len(h) }
func (h expiryHeap) Less(i, j int) bool { return h[i].expires.Before(h[j].expires) }
func (h expiryHeap) Swap(i, j int) {
	h[i], h[j] = h[j], h[i]
	h[i].index, h[j].index = i, j
}

func (h *expiryHeap) Push(x any) {
	t := x.(*tick)
	t.index = len(*h)
	*h = append(*h, t)
}

func (h *expiryHeap) Pop() any {
	last := len(*h) - 1
	t := (*h)[last]
	(*h)[last] = nil
	*h = (*h)[:last]
	return t
}
