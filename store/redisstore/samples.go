package redisstore

import (
	"cmp"
	"context"
	"fmt"
	"log/slog"
	"slices"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/go-batteries/hawkeye/store"
)

const (
	// slack is how much longer than asked a bucket key is made to live, so
	// that only the first of a tick's writers sets the lifetime.
	slack = 15 * time.Second
	// renewEvery is how often a process renews the lifetimes of the keys
	// that are to live as long as anybody uses them.
	renewEvery = time.Minute
	// readAtOnce bounds the ticks of a pipeline, and so how long the server
	// is busy for one reader.
	readAtOnce = 32
)

// Publish implements [store.Samples], in one round trip (with a Cluster: one
// to each of its masters that is concerned, at the same time).
//
// A bucket whose key holds foreign data is skipped and counted; it shows up
// among the missing when it is checked.
func (s *Store) Publish(ctx context.Context, p store.Publication) (store.PublishReply, error) {
	const op = "publish"
	var reply store.PublishReply
	if s.invalid != nil {
		return reply, s.invalid
	}
	pipe := s.client.Pipeline()
	puts := s.queueBuckets(ctx, pipe, p)
	names := s.queueNames(ctx, pipe, p.Names, s.keep(p))
	set := s.queueNamesSet(ctx, pipe, len(p.Names) > 0)
	checks, writer := make([]*redis.BoolCmd, len(p.Check)), string(p.Writer[:])
	for i, tick := range p.Check {
		checks[i] = pipe.HExists(ctx, s.keys.bucket(store.TierFine, tick), writer)
	}
	s.queueRenewal(ctx, pipe)
	status := s.queueStatus(ctx, pipe)
	if err := s.exec(ctx, op, pipe); err != nil {
		return reply, err
	}

	for i, put := range puts {
		s.skipForeign(ctx, s.keys.bucket(p.Buckets[i].Tier, p.Buckets[i].Tick), put)
	}
	clashes, err := s.clashes(ctx, names, p.Names)
	if err != nil {
		return reply, fmt.Errorf("%s: %w", op, err)
	}
	if reply.Refused, err = s.refused(ctx, op, p.Buckets, puts); err != nil {
		return store.PublishReply{}, err
	}
	for i, check := range checks {
		if !check.Val() {
			reply.Missing = append(reply.Missing, p.Check[i])
		}
	}
	slices.Sort(reply.Missing)
	reply.Missing = slices.Compact(reply.Missing)
	reply.Clashes, reply.Names = clashes, s.readNamesSet(set)
	reply.Now, reply.Ledger, err = s.readStatus(ctx, status)
	if err != nil {
		return store.PublishReply{}, fmt.Errorf("%s: %w", op, err)
	}
	return reply, nil
}

// queueBuckets adds the buckets; the first publication of each wins.
func (s *Store) queueBuckets(ctx context.Context, pipe redis.Pipeliner, p store.Publication) []*redis.BoolCmd {
	keep := s.keep(p)
	puts := make([]*redis.BoolCmd, len(p.Buckets))
	for i, b := range p.Buckets {
		key := s.keys.bucket(b.Tier, b.Tick)
		// The conversions copy: the command may outlive this call.
		puts[i] = pipe.HSetNX(ctx, key, string(b.Writer[:]), string(b.Data))
		s.queueExtend(ctx, pipe, key, keep+time.Millisecond, keep+slack)
	}
	return puts
}

// keep is how long the buckets of p must stay readable.
func (s *Store) keep(p store.Publication) time.Duration { return cmp.Or(p.Keep, s.config.retention) }

// queueExtend makes a hash live for set, unless it lives for least anyhow.
func (s *Store) queueExtend(ctx context.Context, pipe redis.Pipeliner, key string, least, set time.Duration) {
	pipe.Eval(ctx, extendText, []string{key}, least.Milliseconds(), set.Milliseconds())
}

// queueRenewal renews, now and then, the lifetimes of the names and of the
// ledger, if they were ours when we last looked, and lets go of names.
func (s *Store) queueRenewal(ctx context.Context, pipe redis.Pipeliner) {
	if !every(&s.lastRenewal, renewEvery) {
		return
	}
	if s.namesSeen.Load() {
		s.queueNamesPart(ctx, pipe, nil, 0)
	}
	if s.ledgerSeen.Load() {
		s.queueExtend(ctx, pipe, s.keys.ledger, s.config.ledgerTTL-renewEvery, s.config.ledgerTTL)
	}
}

// skipForeign tells of a key that isn't ours.
func (s *Store) skipForeign(ctx context.Context, key string, cmd redis.Cmder) {
	if isWrongType(cmd.Err()) {
		s.skipped(ctx, key, "another type")
	}
}

// Read implements [store.Samples]. It asks for the count where the caller
// knows something, and a second time only where there is more.
func (s *Store) Read(ctx context.Context, q []store.TickQuery) ([]store.TickBuckets, error) {
	const op = "read buckets"
	if s.invalid != nil {
		return nil, s.invalid
	}
	answers := make([]store.TickBuckets, 0, len(q))
	for part := range slices.Chunk(q, readAtOnce) {
		got, err := s.readSome(ctx, op, part)
		if err != nil {
			return nil, err
		}
		answers = append(answers, got...)
	}
	return answers, nil
}

func (s *Store) readSome(ctx context.Context, op string, q []store.TickQuery) ([]store.TickBuckets, error) {
	answers := make([]store.TickBuckets, len(q))
	counts := make([]*redis.IntCmd, len(q))
	full := newFetch(s)
	for i, t := range q {
		answers[i] = store.TickBuckets{Tier: t.Tier, Tick: t.Tick}
		if t.Known > 0 {
			counts[i] = full.pipe.HLen(ctx, s.keys.bucket(t.Tier, t.Tick))
		} else {
			full.add(ctx, i, t)
		}
	}
	if err := full.run(ctx, op, q, answers); err != nil {
		return nil, err
	}
	more := newFetch(s)
	for i, t := range q {
		if counts[i] == nil {
			continue
		}
		s.skipForeign(ctx, s.keys.bucket(t.Tier, t.Tick), counts[i])
		answers[i].Count = int(counts[i].Val())
		if answers[i].Count > t.Known {
			more.add(ctx, i, t)
		}
	}
	if err := more.run(ctx, op, q, answers); err != nil {
		return nil, err
	}
	return answers, nil
}

// fetch reads whole ticks.
type fetch struct {
	store *Store
	pipe  redis.Pipeliner
	index []int // in the questions
	all   []*redis.MapStringStringCmd
	ttl   []*redis.DurationCmd
}

func newFetch(s *Store) *fetch { return &fetch{store: s, pipe: s.client.Pipeline()} }

func (f *fetch) add(ctx context.Context, i int, q store.TickQuery) {
	key := f.store.keys.bucket(q.Tier, q.Tick)
	f.index = append(f.index, i)
	f.all = append(f.all, f.pipe.HGetAll(ctx, key))
	f.ttl = append(f.ttl, f.pipe.PTTL(ctx, key))
}

func (f *fetch) run(ctx context.Context, op string, q []store.TickQuery, answers []store.TickBuckets) error {
	if f.pipe.Len() == 0 {
		return nil
	}
	if err := f.store.exec(ctx, op, f.pipe); err != nil {
		return err
	}
	immortal := f.store.client.Pipeline()
	for n, i := range f.index {
		t, key := q[i], f.store.keys.bucket(q[i].Tier, q[i].Tick)
		f.store.skipForeign(ctx, key, f.all[n])
		buckets := f.store.buckets(ctx, key, t, f.all[n].Val())
		answers[i].Count = len(buckets)
		if len(buckets) > t.Known {
			answers[i].Buckets = buckets
		}
		// A writer that died between its bucket and the lifetime left a key
		// that would stay for ever.
		if len(buckets) > 0 && f.ttl[n].Val() == -1 {
			lifetime := f.store.lifetime(t.Tier)
			f.store.queueExtend(ctx, immortal, key, lifetime, lifetime+slack)
		}
	}
	if immortal.Len() > 0 {
		if err := f.store.exec(ctx, op, immortal); err != nil {
			f.store.warn(ctx, "could not set the lifetime of a bucket", slog.Any("error", err))
		}
	}
	return nil
}

// lifetime is what a tick gets whose writer's wish isn't known.
func (s *Store) lifetime(tier store.Tier) time.Duration {
	if tier == store.TierFine {
		return s.config.retention
	}
	return s.config.ledgerTTL
}

// buckets sorts the fields of a tick by writer and skips those that are no
// writer's.
func (s *Store) buckets(ctx context.Context, key string, q store.TickQuery, fields map[string]string) []store.Bucket {
	buckets := make([]store.Bucket, 0, len(fields))
	for field, data := range fields {
		var writer store.ID
		if len(field) != len(writer) {
			s.skipped(ctx, key, "a field that names no writer")
			continue
		}
		copy(writer[:], field)
		buckets = append(buckets, store.Bucket{Tier: q.Tier, Tick: q.Tick, Writer: writer, Data: []byte(data)})
	}
	slices.SortFunc(buckets, func(a, b store.Bucket) int {
		return slices.Compare(a.Writer[:], b.Writer[:])
	})
	return buckets
}
