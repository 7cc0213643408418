package storetest

import (
	"slices"

	"github.com/go-batteries/hawkeye/store"
)

var aliasChecks = []check{
	{name: "Aliases/WhatWasPublished", run: publishedIsCopied},
	{name: "Aliases/WhatWasRead", run: readIsCopied},
	{name: "Aliases/WhatWasCommitted", run: committedIsCopied},
	{name: "Aliases/WhatWasRestored", run: restoredIsCopied},
	{name: "Aliases/WhatWasFollowed", run: followedIsCopied},
	{name: "Aliases/ArgumentsAreLeftAlone", run: argumentsAreLeftAlone},
}

func scribble(b []byte) {
	for i := range b {
		b[i] = '!'
	}
	_ = append(b[:0:cap(b)], "!!!!!!!!"[:min(8, cap(b))]...)
}

func publishedIsCopied(e *env) {
	b := bucket(e.tick(1), "published")
	p := store.Publication{Writer: b.Writer, Buckets: []store.Bucket{b}, Names: []store.Name{{ID: 1, Text: "one"}}}
	e.publish(e.here, p)
	scribble(b.Data)
	p.Buckets[0] = store.Bucket{}
	p.Names[0] = store.Name{}
	b.Data = []byte("published")
	e.wantBucket(e.here, b)
	e.wantNames(e.here, map[uint64]string{1: "one"}, 1)
}

func readIsCopied(e *env) {
	b := bucket(e.tick(1), "published")
	p := store.Publication{Writer: b.Writer, Buckets: []store.Bucket{b}, Names: []store.Name{{ID: 1, Text: "one"}}}
	e.publish(e.here, p)
	first := e.read(e.here, store.TickQuery{Tick: b.Tick})
	for i := range first[0].Buckets {
		scribble(first[0].Buckets[i].Data)
		first[0].Buckets[i] = store.Bucket{}
	}
	names, err := e.here.Names(e.ctx, []uint64{1})
	if err != nil {
		e.Fatalf("Names() = %v", err)
	}
	if names != nil {
		names[1], names[2] = "scribbled", "scribbled"
	}
	e.wantBucket(e.here, b)
	e.wantNames(e.here, map[uint64]string{1: "one"}, 1, 2)
}

func committedIsCopied(e *env) {
	epoch := e.open()
	c := putting(epoch, "key", "committed")
	e.commit(e.here, c)
	scribble(c.Put[0].Value)
	c.Put[0].Key = "scribbled"
	e.wantRecords(e.here, "key", "committed")
}

func restoredIsCopied(e *env) {
	o := offer(3, "restored", 2)
	e.restore(e.here, o)
	for i := range o.Records {
		scribble(o.Records[i].Value)
		o.Records[i] = store.Record{}
	}
	e.wantOffer(3, "restored", 2)
	e.open()
	e.wantOffer(3, "restored", 2)
}

func followedIsCopied(e *env) {
	epoch := e.open()
	start := e.put(epoch, "old", "committed")
	e.put(epoch, "new", "committed")
	for _, after := range []store.Cursor{{}, start} {
		c := e.changes(e.here, after)
		for i := range c.Records {
			scribble(c.Records[i].Value)
			c.Records[i] = store.Record{}
		}
		e.wantRecords(e.here, "old", "committed", "new", "committed")
		if c := e.changes(e.here, start); !slices.Equal(texts(c.Records), []string{"new=committed"}) {
			e.Errorf("Changes() after its earlier answer was scribbled over = %q", texts(c.Records))
		}
	}
}

// argumentsAreLeftAlone passes lists that a Store might like to sort.
func argumentsAreLeftAlone(e *env) {
	base := e.tick(10)
	writer := store.NewID()
	p := store.Publication{Writer: writer, Check: []int64{base + 2, base, base + 1}, Names: []store.Name{{ID: 2, Text: "b"}, {ID: 1, Text: "a"}}}
	for _, n := range []int64{2, 0, 1} {
		p.Buckets = append(p.Buckets, store.Bucket{Tick: base + n, Writer: writer, Data: []byte("data")})
	}
	e.publish(e.here, p)
	if !slices.Equal(p.Check, []int64{base + 2, base, base + 1}) || p.Names[0].ID != 2 || p.Buckets[0].Tick != base+2 || p.Buckets[1].Tick != base {
		e.Error("Publish() changed its argument")
	}
	q := []store.TickQuery{{Tick: base + 1}, {Tick: base}}
	e.read(e.here, q...)
	if q[0].Tick != base+1 || q[1].Tick != base {
		e.Error("Read() changed its argument")
	}
	c := store.Commit{ID: store.NewID(), Epoch: e.open(), Require: []store.Condition{{Key: "b"}, {Key: "a"}}}
	c.Put = []store.Entry{{Key: "b"}, {Key: "a"}}
	c.Delete = []string{"d", "c"}
	e.commit(e.here, c)
	if c.Require[0].Key != "b" || c.Put[0].Key != "b" || c.Delete[0] != "d" {
		e.Error("Commit() changed its argument")
	}
}
