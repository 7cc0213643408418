package storetest

import (
	"bytes"
	"fmt"
	"strings"

	"github.com/go-batteries/hawkeye/store"
)

var bulkChecks = []check{
	{name: "Bulk/LargeValues", run: largeValues},
	{name: "Bulk/BinaryKeysAndValues", run: binaryKeysAndValues},
	{name: "Bulk/EmptyIsNotDeleted", run: emptyIsNotDeleted},
	{name: "Bulk/ManyRecords", run: manyRecords},
	{name: "Bulk/ManyBuckets", run: manyBuckets},
}

const mebibyte = 1 << 20

func largeValues(e *env) {
	// Every byte value, and no period that a buffer could hide.
	large := make([]byte, mebibyte)
	for i := range large {
		large[i] = byte(i ^ i>>8 ^ i>>16)
	}
	b := bucket(e.tick(1), string(large))
	e.publishOne(e.here, b)
	e.wantBucket(e.there, b)

	epoch := e.open()
	start := e.put(epoch, "before", "")
	e.put(epoch, "large", string(large))
	e.wantRecords(e.there, "before", "", "large", string(large))
	if c := e.changes(e.there, start); len(c.Records) != 1 || !bytes.Equal(c.Records[0].Value, large) {
		e.Errorf("Changes() has %d records, want the large one as it was put", len(c.Records))
	}
	key := strings.Repeat("long key/", 1000)
	e.put(epoch, key, "value")
	e.wantRecords(e.there, "before", "", "large", string(large), key, "value")
}

func binaryKeysAndValues(e *env) {
	epoch := e.open()
	at := store.Cursor{Epoch: epoch}
	var all []string
	for i, text := range []string{
		"\x00", "\x00\x00", "a\x00b", "\xff\xfe", "new\nline\r\n", " ", " leading and trailing ", "{tag}", "a:b", "a*?[b]", "nil", "0", "-1",
		`quote " and \`, "ünïcödé", "%s%d", "outbox/incident/0001", "outbox/incident/0001/", "\x1f\x1e|,;=",
	} {
		all = append(all, text, text+" value "+text)
		c := putting(epoch, text, text+" value "+text, store.Condition{Key: text})
		written := e.commit(e.handle(i), c)
		got := e.changes(e.there, at)
		if len(got.Records) != 1 || got.Records[0].Key != text || string(got.Records[0].Value) != text+" value "+text {
			e.Errorf("Changes() after key %q was put = %q", text, texts(got.Records))
		}
		e.refused(e.there, putting(epoch, text, "x", store.Condition{Key: text}), store.ErrConflict, fmt.Sprintf("demanding that key %q is absent", text))
		at = e.commit(e.there, putting(epoch, text, text+" value "+text, store.Condition{Key: text, Commit: written.Commit}))
	}
	e.wantRecords(e.here, all...)
	for i := 0; i < len(all); i += 2 {
		e.commit(e.here, store.Commit{ID: store.NewID(), Epoch: epoch, Delete: []string{all[i]}})
		e.wantRecords(e.there, all[i+2:]...)
	}
}

func emptyIsNotDeleted(e *env) {
	epoch := e.open()
	start := e.put(epoch, "deleted", "")
	c := store.Commit{ID: store.NewID(), Epoch: epoch, Delete: []string{"deleted"}}
	c.Put = []store.Entry{{Key: "nil", Value: nil}, {Key: "empty", Value: []byte{}}}
	at := e.commit(e.here, c)
	e.wantRecords(e.there, "nil", "", "empty", "")
	for _, r := range e.changes(e.there, start).Records {
		if r.Deleted != (r.Key == "deleted") {
			e.Errorf("record %q has Deleted %v", r.Key, r.Deleted)
		}
	}
	e.refused(e.there, putting(epoch, "x", "", store.Condition{Key: "empty"}), store.ErrConflict, "demanding that an empty record is absent")
	e.commit(e.there, putting(epoch, "x", "", store.Condition{Key: "empty", Commit: at.Commit}))
	e.commit(e.there, putting(epoch, "y", "", store.Condition{Key: "deleted"}))
}

// manyRecords restores 10,000 records, since that is what a fleet does with
// a store that was emptied, and goes on with as many more.
func manyRecords(e *env) {
	const many, batch = 10_000, 1000
	o := offer(many, "restored", many)
	o.Open = store.NewID()
	e.restore(e.here, o)
	e.wantOffer(many, "restored", many)

	at := store.Cursor{Epoch: o.Open, Rev: many, Commit: o.Cursor.Commit}
	for start := 0; start < many; start += batch {
		c := store.Commit{ID: store.NewID(), Epoch: o.Open}
		for i := range batch {
			c.Put = append(c.Put, store.Entry{Key: fmt.Sprint("new ", start+i), Value: fmt.Append(nil, start+i)})
			c.Delete = append(c.Delete, fmt.Sprint("key ", start+i))
		}
		e.commit(e.handle(start/batch), c)
		got := e.changes(e.there, at)
		if got.Reset || len(got.Records) != 2*batch {
			e.Errorf("Changes() after a commit of %d keys has %d records, reset %v", 2*batch, len(got.Records), got.Reset)
		}
		at = got.Cursor
	}
	records, _ := e.snapshot(e.there)
	if len(records) != many {
		e.Errorf("a snapshot has %d records, want %d", len(records), many)
	}
	for i := range many {
		if got := string(records[fmt.Sprint("new ", i)].Value); got != fmt.Sprint(i) {
			e.Fatalf("record %d is %q", i, got)
		}
	}
}

func manyBuckets(e *env) {
	const ticks, writers = 50, 20
	base := e.tick(ticks)
	var asked []store.TickQuery
	for t := range int64(ticks) {
		asked = append(asked, store.TickQuery{Tick: base + t})
	}
	for w := range writers {
		p := store.Publication{Writer: store.NewID()}
		for t := range int64(ticks) {
			p.Buckets = append(p.Buckets, store.Bucket{Tick: base + t, Writer: p.Writer, Data: fmt.Appendf(nil, "%d/%d;", w, t)})
			p.Check = append(p.Check, base+t)
		}
		e.publish(e.handle(w), p)
		if reply := e.publish(e.there, store.Publication{Writer: p.Writer, Check: p.Check}); len(reply.Missing) > 0 {
			e.Errorf("%d of the buckets of writer %d are Missing", len(reply.Missing), w)
		}
	}
	for t, a := range e.read(e.there, asked...) {
		if a.Count != writers {
			e.Errorf("tick %d has Count %d, want %d", t, a.Count, writers)
		}
		for w := range writers {
			if !strings.Contains(";"+joined(a.Buckets), fmt.Sprintf(";%d/%d;", w, t)) {
				e.Errorf("tick %d has no bucket of writer %d", t, w)
			}
		}
	}
}
