package storetest

import (
	"context"
	"slices"
	"time"

	"github.com/go-batteries/hawkeye/store"
)

func brokenSamples() []broken {
	return []broken{
		{name: "has no name", fails: []string{"Traits"}, breakIt: onTraits(func(t *store.Traits) { t.Name = "" })},
		{name: "has ticks of a millisecond", fails: []string{"Traits"}, breakIt: onTraits(func(t *store.Traits) { t.Tick = time.Millisecond })},
		{name: "has a clock that stands still", fails: []string{"Samples/NowAdvances", "Samples/KeepIsKept"}, breakIt: standingClock},
		{name: "has a clock of another unit", fails: []string{"Samples/NowAdvances"}, breakIt: onPublish(nil, func(_ store.Publication, r *store.PublishReply) { r.Now = time.UnixMilli(r.Now.Unix()) })},

		{name: "edits a closed bucket", fails: []string{"Races/AReaderNeverSeesABucketChange", "Samples/FirstPublicationWins"}, breakIt: editsBuckets},
		{name: "loses the last bucket of several", fails: []string{"Bulk/ManyBuckets", "Samples/AnswersInTheOrderOfQuestions", "Faults/LostAndPublishedAgain"}, breakIt: onPublish(func(p *store.Publication) {
			if n := len(p.Buckets); n > 1 {
				p.Buckets = p.Buckets[:n-1]
			}
		}, nil)},
		{name: "loses empty buckets", fails: []string{"Samples/AnEmptyBucketIsABucket", "Samples/Missing"}, breakIt: onPublish(func(p *store.Publication) {
			p.Buckets = slices.DeleteFunc(slices.Clone(p.Buckets), func(b store.Bucket) bool { return len(b.Data) == 0 })
		}, nil)},
		{name: "duplicates buckets", fails: []string{"Races/APublicationCountsOnce", "Samples/WhatIsPublishedIsRead"}, breakIt: onRead(func(q []store.TickQuery, all []store.TickBuckets) []store.TickBuckets {
			for i, a := range all {
				if len(a.Buckets) > 0 {
					all[i].Count++
					all[i].Buckets = append(a.Buckets, a.Buckets[0])
				}
			}
			return all
		})},
		{name: "keeps what is published again as another bucket", fails: []string{"Races/APublicationCountsOnce", "Samples/FirstPublicationWins", "Samples/RepublicationChangesNothing"}, breakIt: keepsRepublications},
		{name: "answers in order of ticks", fails: []string{"Samples/AnswersInTheOrderOfQuestions"}, breakIt: onRead(func(q []store.TickQuery, all []store.TickBuckets) []store.TickBuckets {
			slices.SortFunc(all, func(a, b store.TickBuckets) int { return int(a.Tick - b.Tick) })
			return all
		})},
		{name: "has no answer for a tick with nothing in it", fails: []string{"Samples/WhatIsPublishedIsRead"}, breakIt: onRead(func(q []store.TickQuery, all []store.TickBuckets) []store.TickBuckets {
			return slices.DeleteFunc(all, func(a store.TickBuckets) bool { return a.Count == 0 })
		})},
		{name: "sends what is known", fails: []string{"Samples/Known"}, breakIt: sendsWhatIsKnown},
		{name: "takes Known for how many buckets to skip", fails: []string{"Samples/Known"}, breakIt: onRead(func(q []store.TickQuery, all []store.TickBuckets) []store.TickBuckets {
			for i := range all {
				all[i].Buckets = all[i].Buckets[min(q[i].Known, len(all[i].Buckets)):]
			}
			return all
		})},
		{name: "takes all tiers for one", fails: []string{"Samples/AnswersInTheOrderOfQuestions", "Samples/TiersAreApart", "Samples/Missing"}, breakIt: oneTier},
		{name: "takes writers for the same by their first byte", fails: []string{"Samples/WritersAreApart"}, breakIt: onPublish(func(p *store.Publication) {
			p.Buckets = slices.Clone(p.Buckets)
			for i := range p.Buckets {
				p.Buckets[i].Writer = store.ID{p.Buckets[i].Writer[0]}
			}
		}, nil)},
		{name: "lets the shortest life end a whole tick", fails: []string{"Samples/KeepIsKept"}, breakIt: wholeTickExpires},
		{name: "drops what is older than the retention", fails: []string{"Samples/KeepIsKept"}, breakIt: dropsOld},
		{name: "has another set of names each time", fails: []string{"Names/TheSetStays"}, breakIt: onPublish(nil, func(_ store.Publication, r *store.PublishReply) { r.Names = store.NewID() })},
		{name: "refuses nothing", fails: []string{"Samples/Refused"}, breakIt: onPublish(nil, func(_ store.Publication, r *store.PublishReply) { r.Refused = nil })},
		{name: "refuses what was there", fails: []string{"Samples/Refused"}, breakIt: refusesRepublications},
		{name: "forgets Missing", fails: []string{"Samples/Missing", "Faults/LostAndPublishedAgain"}, breakIt: onPublish(nil, func(_ store.Publication, r *store.PublishReply) { r.Missing = nil })},
		{name: "misses everything", fails: []string{"Bulk/ManyBuckets", "Samples/AnEmptyBucketIsABucket", "Samples/Missing"}, breakIt: onPublish(nil, func(p store.Publication, r *store.PublishReply) { r.Missing = slices.Sorted(slices.Values(p.Check)) })},
		{name: "tells Missing as it was asked", fails: []string{"Samples/Missing", "Faults/LostAndPublishedAgain"}, breakIt: onPublish(nil, func(p store.Publication, r *store.PublishReply) {
			missing := r.Missing
			r.Missing = slices.DeleteFunc(slices.Clone(p.Check), func(n int64) bool { return !slices.Contains(missing, n) })
		})},
		{name: "sorts Check in place", fails: []string{"Aliases/ArgumentsAreLeftAlone"}, breakIt: onPublish(func(p *store.Publication) { slices.Sort(p.Check) }, nil)},

		{name: "lets the last name win", fails: []string{"Names/TheFirstTextStays"}, breakIt: lastNameWins},
		{name: "keeps quiet about clashes", fails: []string{"Names/TheFirstTextStays"}, breakIt: onPublish(nil, func(_ store.Publication, r *store.PublishReply) { r.Clashes = nil })},
		{name: "tells the stored text as the clash", fails: []string{"Names/TheFirstTextStays"}, breakIt: storedTextClashes},
		{name: "takes ids for signed", fails: []string{"Names/AnyIdAndText", "Names/Many"}, breakIt: signedIDs},
		{name: "knows 1,000 names at a time", fails: []string{"Names/Many"}, breakIt: thousandNames},
		{name: "makes up names", fails: []string{"Names/KnownOnesAreToldUnknownOnesAbsent"}, breakIt: makesUpNames},

		{name: "swallows read errors as empty", fails: []string{"Faults/CtxIsHonoured", "Faults/UnreachableIsAnError"}, breakIt: swallowsReadErrors},
		{name: "ignores ctx", fails: []string{"Faults/CtxIsHonoured"}, breakIt: ignoresCtx},
		{name: "loses publications that run into each other", fails: []string{"Races/AReaderNeverSeesABucketChange"}, breakIt: racyPublish},
		{name: "keeps the bytes that it was given", fails: []string{"Aliases/WhatWasPublished"}, breakIt: keepsBytes},
		{name: "returns the bytes that it keeps", fails: []string{"Aliases/WhatWasRead"}, breakIt: returnsBytes},
		{name: "loses large buckets", fails: []string{"Bulk/LargeValues"}, breakIt: onPublish(func(p *store.Publication) {
			p.Buckets = slices.DeleteFunc(slices.Clone(p.Buckets), func(b store.Bucket) bool { return len(b.Data) > mebibyte/2 })
		}, nil)},
		{name: "brings back what was lost", fails: []string{"Faults/LostAndPublishedAgain"}, breakIt: bringsBackLost},
	}
}

func standingClock(f *faulty) store.Store {
	now := time.Now()
	return &altered{faulty: f, nowFunc: func(context.Context) (time.Time, error) { return now, nil }}
}

type bucketKey struct {
	tier   store.Tier
	tick   int64
	writer store.ID
}

func keyOf(b store.Bucket) bucketKey { return bucketKey{b.Tier, b.Tick, b.Writer} }

// rewriting answers with the data that get has for a bucket.
func rewriting(f *faulty, get func(bucketKey) ([]byte, bool)) func(context.Context, []store.TickQuery) ([]store.TickBuckets, error) {
	return func(ctx context.Context, q []store.TickQuery) ([]store.TickBuckets, error) {
		answers, err := f.Read(ctx, q)
		for _, a := range answers {
			for i, b := range a.Buckets {
				if data, ok := get(keyOf(b)); ok {
					a.Buckets[i].Data = data
				}
			}
		}
		return answers, err
	}
}

func editsBuckets(f *faulty) store.Store {
	latest := newMemo[bucketKey, []byte]()
	return &altered{faulty: f,
		publish: func(ctx context.Context, p store.Publication) (store.PublishReply, error) {
			for _, b := range p.Buckets {
				latest.put(keyOf(b), slices.Clone(b.Data))
			}
			return f.Publish(ctx, p)
		},
		read: rewriting(f, latest.get),
	}
}

func keepsRepublications(f *faulty) store.Store {
	seen := newMemo[bucketKey, int]()
	return &altered{faulty: f, publish: func(ctx context.Context, p store.Publication) (store.PublishReply, error) {
		for _, b := range p.Buckets {
			n, _ := seen.get(keyOf(b))
			seen.put(keyOf(b), n+1)
			if n > 0 {
				b.Writer[14] ^= byte(n)
				p.Buckets = append(slices.Clone(p.Buckets), b)
			}
		}
		return f.Publish(ctx, p)
	}}
}

func refusesRepublications(f *faulty) store.Store {
	seen := newMemo[bucketKey, int]()
	return &altered{faulty: f, publish: func(ctx context.Context, p store.Publication) (store.PublishReply, error) {
		reply, err := f.Publish(ctx, p)
		reply.Refused = nil
		for i, b := range p.Buckets {
			if n, _ := seen.get(keyOf(b)); n > 0 {
				reply.Refused = append(reply.Refused, i)
			}
			seen.put(keyOf(b), 1)
		}
		return reply, err
	}}
}

func sendsWhatIsKnown(f *faulty) store.Store {
	return &altered{faulty: f, read: func(ctx context.Context, q []store.TickQuery) ([]store.TickBuckets, error) {
		q = slices.Clone(q)
		for i := range q {
			q[i].Known = 0
		}
		return f.Read(ctx, q)
	}}
}

func oneTier(f *faulty) store.Store {
	return &altered{faulty: f,
		publish: func(ctx context.Context, p store.Publication) (store.PublishReply, error) {
			p.Buckets = slices.Clone(p.Buckets)
			for i := range p.Buckets {
				p.Buckets[i].Tier = store.TierFine
			}
			return f.Publish(ctx, p)
		},
		read: func(ctx context.Context, q []store.TickQuery) ([]store.TickBuckets, error) {
			fine := slices.Clone(q)
			for i := range fine {
				fine[i].Tier = store.TierFine
			}
			answers, err := f.Read(ctx, fine)
			for i := range answers {
				answers[i].Tier = q[i].Tier
				for j := range answers[i].Buckets {
					answers[i].Buckets[j].Tier = q[i].Tier
				}
			}
			return answers, err
		},
	}
}

func wholeTickExpires(f *faulty) store.Store {
	ends := newMemo[bucketKey, time.Time]()
	return &altered{faulty: f,
		publish: func(ctx context.Context, p store.Publication) (store.PublishReply, error) {
			for _, b := range p.Buckets {
				if p.Keep > 0 && p.Keep < time.Second {
					ends.put(bucketKey{tier: b.Tier, tick: b.Tick}, time.Now().Add(p.Keep))
				}
			}
			return f.Publish(ctx, p)
		},
		read: func(ctx context.Context, q []store.TickQuery) ([]store.TickBuckets, error) {
			answers, err := f.Read(ctx, q)
			for i, a := range answers {
				if end, ok := ends.get(bucketKey{tier: a.Tier, tick: a.Tick}); ok && time.Now().After(end) {
					answers[i].Count, answers[i].Buckets = 0, nil
				}
			}
			return answers, err
		},
	}
}

func dropsOld(f *faulty) store.Store {
	traits := f.Traits()
	return onPublish(func(p *store.Publication) {
		oldest := time.Now().Add(-traits.Retention).UnixNano() / int64(traits.Tick)
		p.Buckets = slices.DeleteFunc(slices.Clone(p.Buckets), func(b store.Bucket) bool {
			return b.Tier == store.TierFine && b.Tick < oldest
		})
	}, nil)(f)
}

func lastNameWins(f *faulty) store.Store {
	texts := newMemo[uint64, string]()
	return &altered{faulty: f,
		publish: func(ctx context.Context, p store.Publication) (store.PublishReply, error) {
			for _, n := range p.Names {
				texts.put(n.ID, n.Text)
			}
			return f.Publish(ctx, p)
		},
		names: func(ctx context.Context, ids []uint64) (map[uint64]string, error) {
			known, err := f.Names(ctx, ids)
			for id := range known {
				known[id], _ = texts.get(id)
			}
			return known, err
		},
	}
}

func storedTextClashes(f *faulty) store.Store {
	return onPublish(nil, func(_ store.Publication, r *store.PublishReply) {
		for i, n := range r.Clashes {
			stored, _ := f.Names(context.Background(), []uint64{n.ID})
			r.Clashes[i].Text = stored[n.ID]
		}
	})(f)
}

func signedIDs(f *faulty) store.Store {
	return &altered{faulty: f, names: func(ctx context.Context, ids []uint64) (map[uint64]string, error) {
		ids = slices.DeleteFunc(slices.Clone(ids), func(id uint64) bool { return int64(id) < 0 })
		return f.Names(ctx, ids)
	}}
}

func thousandNames(f *faulty) store.Store {
	return onPublish(func(p *store.Publication) { p.Names = p.Names[:min(len(p.Names), 1000)] }, nil)(f)
}

func makesUpNames(f *faulty) store.Store {
	return &altered{faulty: f, names: func(ctx context.Context, ids []uint64) (map[uint64]string, error) {
		known, err := f.Names(ctx, ids)
		for _, id := range ids {
			if _, ok := known[id]; !ok && err == nil {
				known[id] = ""
			}
		}
		return known, err
	}}
}

func swallowsReadErrors(f *faulty) store.Store {
	return &altered{faulty: f,
		read: func(ctx context.Context, q []store.TickQuery) ([]store.TickBuckets, error) {
			answers, err := f.Read(ctx, q)
			if err != nil {
				answers = make([]store.TickBuckets, len(q))
				for i, one := range q {
					answers[i].Tier, answers[i].Tick = one.Tier, one.Tick
				}
			}
			return answers, nil
		},
		changes: func(ctx context.Context, after store.Cursor) (store.Changes, error) {
			c, err := f.Changes(ctx, after)
			if err != nil {
				c.Reset = true
			}
			return c, nil
		},
	}
}

func ignoresCtx(f *faulty) store.Store {
	return &altered{faulty: f,
		publish: func(ctx context.Context, p store.Publication) (store.PublishReply, error) {
			return f.Publish(context.WithoutCancel(ctx), p)
		},
		commit: func(ctx context.Context, c store.Commit) (store.Cursor, error) {
			return f.Commit(context.WithoutCancel(ctx), c)
		},
	}
}

// racyPublish looks whether a bucket is there and then stores it: in
// between another may have done so.
func racyPublish(f *faulty) store.Store {
	latest := newMemo[bucketKey, []byte]()
	return &altered{faulty: f,
		publish: func(ctx context.Context, p store.Publication) (store.PublishReply, error) {
			for _, b := range p.Buckets {
				if _, ok := latest.get(keyOf(b)); !ok {
					reply, err := f.Publish(ctx, p)
					time.Sleep(time.Millisecond)
					latest.put(keyOf(b), slices.Clone(b.Data))
					return reply, err
				}
			}
			return f.Publish(ctx, p)
		},
		read: rewriting(f, func(k bucketKey) ([]byte, bool) {
			data, ok := latest.get(k)
			return slices.Clone(data), ok
		}),
	}
}

func keepsBytes(f *faulty) store.Store {
	given := newMemo[bucketKey, []byte]()
	return &altered{faulty: f,
		publish: func(ctx context.Context, p store.Publication) (store.PublishReply, error) {
			for _, b := range p.Buckets {
				given.put(keyOf(b), b.Data)
			}
			return f.Publish(ctx, p)
		},
		read: rewriting(f, func(k bucketKey) ([]byte, bool) {
			data, ok := given.get(k)
			return slices.Clone(data), ok
		}),
	}
}

func returnsBytes(f *faulty) store.Store {
	kept := newMemo[bucketKey, []byte]()
	return onRead(func(q []store.TickQuery, all []store.TickBuckets) []store.TickBuckets {
		for _, a := range all {
			for i, b := range a.Buckets {
				if data, ok := kept.get(keyOf(b)); ok {
					a.Buckets[i].Data = data
				} else {
					kept.put(keyOf(b), b.Data)
				}
			}
		}
		return all
	})(f)
}

// bringsBackLost answers Check from what it once saw.
func bringsBackLost(f *faulty) store.Store {
	seen := newMemo[bucketKey, bool]()
	return onPublish(func(p *store.Publication) {
		for _, b := range p.Buckets {
			seen.put(keyOf(b), true)
		}
	}, func(p store.Publication, r *store.PublishReply) {
		r.Missing = slices.DeleteFunc(r.Missing, func(n int64) bool {
			ok, _ := seen.get(bucketKey{tick: n, writer: p.Writer})
			return ok
		})
	})(f)
}
