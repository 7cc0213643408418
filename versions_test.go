package hawkeye_test

import (
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/go-batteries/hawkeye"
	"github.com/go-batteries/hawkeye/internal/bucket"
	"github.com/go-batteries/hawkeye/internal/ledger"
	"github.com/go-batteries/hawkeye/store"
)

// changes returns what the ledger holds.
func (f *fleet) changes() store.Changes {
	f.t.Helper()
	ch, err := f.store().Changes(f.t.Context(), store.Cursor{})
	if err != nil {
		f.t.Fatal(err)
	}
	return ch
}

// records returns the records of the ledger, by key.
func (f *fleet) records() map[string]string {
	f.t.Helper()
	records := make(map[string]string)
	for _, r := range f.changes().Records {
		records[r.Key] = string(r.Value)
	}
	return records
}

// put writes records as somebody does of whom the replicas know nothing. An
// empty one is deleted.
func (f *fleet) put(records map[string]string) {
	f.t.Helper()
	c := store.Commit{ID: store.NewID(), Epoch: f.changes().Cursor.Epoch}
	for key, value := range records {
		if value == "" {
			c.Delete = append(c.Delete, key)
		} else {
			c.Put = append(c.Put, store.Entry{Key: key, Value: []byte(value)})
		}
	}
	if _, err := f.store().Commit(f.t.Context(), c); err != nil {
		f.t.Fatal(err)
	}
}

// A replica of a newer version has written the state of an alert in a format
// that these don't know: they leave it as it is and tell nothing of it, and
// everything else goes on.
func TestAlertOfANewerVersionIsLeftAlone(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := newFleet(t)
		replicas := f.startN(3, olderFile)
		key, future := ledger.AlertKey("errors"), `{"monitor":"errors","state":{"v":2,"phase":"exotic"},"snapshot":{}}`
		f.put(map[string]string{key: future})
		after(2 * tick)
		count(replicas[0].Hawkeye, "errors", 10)
		count(replicas[0].Hawkeye, "old", 10)
		after(4 * tick)
		want(t, "of what this version knows", f.box.lines(), oldFired)
		f.kill(f.evaluator())
		after(10 * tick)
		want(t, "after another one took over", f.box.lines())
		if got := f.records()[key]; got != future {
			t.Errorf("the record is %s, want %s", got, future)
		}
		if n := f.logs.count("leaving ledger records of a newer version alone"); n < 1 || n > len(replicas) {
			t.Errorf("%d warnings, want at least one and at most one a replica", n)
		}
	})
}

// A bucket that can't be read counts for nothing, and Stats says so.
func TestBadBucketsAreShown(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := newFleet(t)
		f.startN(2, errorsFile)
		now, writer := time.Now().UnixNano()/int64(tick), store.NewID()
		if _, err := f.store().Publish(t.Context(), store.Publication{Writer: writer, Buckets: []store.Bucket{
			{Tick: now, Writer: writer, Data: []byte("of a newer version")},
			{Tick: now + 1, Writer: writer, Data: nil},
		}}); err != nil {
			t.Fatal(err)
		}
		after(5 * tick)
		if st := f.evaluator().Stats(); st.BadBuckets != 2 || st.PartialTicks < 2 {
			t.Errorf("Stats() has %d bad buckets and %d partial ticks, want 2 and at least as many", st.BadBuckets, st.PartialTicks)
		}
		want(t, "of buckets that can't be read", f.box.lines())
	})
}

// escalating is olderFile with somebody who is told after five seconds.
var escalating = strings.Replace(strings.Replace(olderFile, "receivers:\n", "receivers:\n  boss: {email: {to: [boss@example.com]}}\n", 1),
	"notify: [ops]}", "notify: [ops], escalate: [{after: 5s, notify: [boss]}]}", 1)

const escalated = "boss@example.com: [critical] errors escalated in shop (test)"

// Three replicas meet a record of a newer version, of each kind. They leave it as
// it is, say so once, don't go round in circles, tell of everything else, and
// shut down in time; and when the record can be read again, they go on.
func TestNewerRecordsInAFleet(t *testing.T) {
	t.Parallel()
	kept := "1 alerts are kept by a newer version"
	for _, c := range []struct {
		name    string
		records map[string]string // a + at the end of a key stands for what the first key that begins so has
		told    []string          // of a breach of errors and old, while the record is there
		then    []string          // of what fires on, when it is gone
		health  string            // the problem that Health has meanwhile; empty for none
		after   bool              // the breach comes before the record
	}{
		{name: "head", records: map[string]string{"head": `{"v":2,"tick":7}`}, then: []string{escalated, fired, oldFired}, health: "evaluation is left to others"},
		{name: "damaged head", records: map[string]string{"head": `{"tick":"x"}`}, then: []string{escalated, fired, oldFired}, health: "evaluation is left to others"},
		{name: "configuration", records: map[string]string{"c/+": `{"v":2,"first":9}`}, told: []string{escalated, fired, oldFired}},
		{name: "fleet", records: map[string]string{"fleet": `{"v":2,"writers":[]}`}, told: []string{escalated, fired, oldFired}},
		{name: "alert", records: map[string]string{"a/errors": `{"state":{"v":2}}`}, told: []string{oldFired}, then: []string{escalated, fired}, health: kept},
		{name: "thread", records: map[string]string{"t/6/errors/ops": `{"v":2}`}, told: []string{oldFired}, then: []string{escalated, fired}, health: kept},
		{name: "thread of a firing alert", records: map[string]string{"t/6/errors/boss": `{"v":2}`}, then: []string{escalated}, health: kept, after: true},
		{name: "thread, and a row of this version", records: map[string]string{
			"t/6/errors/ops": `{"v":2}`,
			"o/x":            `{"v":1,"id":"x","incident":"i","alert":"errors","monitor":"errors","receiver":"ops","seq":1,"kind":"firing","created":"2000-01-01T00:00:00Z"}`,
		}, told: []string{oldFired}, then: []string{escalated, fired}, health: kept},
		{name: "row", records: map[string]string{"o/x": `{"v":2,"id":"x","alert":"errors","receiver":"ops"}`}, told: []string{escalated, fired, oldFired}},
		{name: "claimed row", records: map[string]string{"o/x": `{"v":2,"id":"x","alert":"errors","receiver":"ops","claim":{"writer":"w"}}`}, told: []string{escalated, fired, oldFired}},
		{name: "group", records: map[string]string{"g/3/ops/": `{"v":2}`}, told: []string{escalated, fired, oldFired}},
		{name: "silence", records: map[string]string{"q/x": `{"v":2,"id":"x","matchers":["monitor=errors"]}`}, told: []string{escalated, fired, oldFired}},
		{name: "ack", records: map[string]string{"k/x": `{"v":2,"incident":"x"}`}, told: []string{escalated, fired, oldFired}},
		{name: "others", records: map[string]string{"d/x": `{"v":2}`, "s/x": `{"v":2}`, "h/x": `{"v":2}`}, told: []string{escalated, fired, oldFired}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				f := newFleet(t)
				replicas := f.startN(3, strings.Replace(escalating, "window: 10s", "window: 10m", 1))
				breach := func() {
					count(replicas[0].Hawkeye, "errors", 10)
					count(replicas[0].Hawkeye, "old", 10)
				}
				if c.after {
					breach()
					after(3 * tick)
					want(t, "before", f.box.lines(), fired, oldFired)
				}
				before, records := f.records(), make(map[string]string)
				for key, value := range c.records {
					if begin, any := strings.CutSuffix(key, "+"); any {
						for k := range before {
							if strings.HasPrefix(k, begin) {
								key = k
							}
						}
					}
					records[key] = value
				}
				f.put(records)
				rev, lines := f.changes().Cursor.Rev, f.logs.count("")
				if !c.after {
					breach()
				}
				length := 50 * tick
				if records["head"] != "" { // it stands still: for longer than that replicas would look at their own counts
					length = 20 * tick
				}
				after(length)
				began := time.Now()
				f.stop(replicas[1])
				if took := time.Since(began); took > 5*time.Second {
					t.Errorf("Shutdown() took %v, want at most 5 s", took)
				}
				after(5 * tick)
				want(t, "meanwhile", f.box.lines(), c.told...)
				f.wantHealth(c.health)
				got, back := f.records(), make(map[string]string)
				for key, value := range records {
					if got[key] != value {
						t.Errorf("%s is %s, want %s", key, got[key], value)
					}
					back[key] = before[key]
				}
				if n := f.changes().Cursor.Rev - rev; n > 60+20 {
					t.Errorf("%d commits in a minute, want about one a second", n)
				}
				if n := f.logs.count("") - lines; n > 2*len(replicas)+1 {
					t.Errorf("%d lines in the log:\n%s", n, strings.Join(f.logs.lines, "\n"))
				}
				f.put(back)
				after(15 * tick)
				want(t, "when it is gone", f.box.lines(), c.then...)
				f.wantHealth("")
				after(11 * time.Minute)
				want(t, "the end", f.box.lines(), escalatedEnd, ended, oldEnded)
			})
		})
	}
}

const escalatedEnd = "boss@example.com: [ended] errors in shop (test)"

// wantHealth fails unless each replica has just a problem that begins so, or
// none.
func (f *fleet) wantHealth(problem string) {
	f.t.Helper()
	for i, r := range f.up() {
		h := r.Health()
		if h.OK != (problem == "") || problem != "" && !slices.ContainsFunc(h.Problems, func(p string) bool { return strings.HasPrefix(p, problem) }) {
			f.t.Errorf("replica %d: Health() = %+v, want the problem %q", i, h, problem)
		}
	}
}

func TestNewerRecordsByHand(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := newFleet(t)
		h := f.startN(1, olderFile)[0].Hawkeye
		count(h, "old", 10)
		after(3 * tick)
		want(t, "a breach", f.box.lines(), oldFired)
		incident := ""
		for _, a := range h.Alerts() {
			if a.Key == "old" {
				incident = a.Incident
			}
		}
		future := map[string]string{
			"a/errors": `{"state":{"v":2,"incident":"i"}}`, "q/x": `{"v":2,"id":"x"}`, "k/" + incident: `{"v":2,"incident":"i"}`,
		}
		f.put(future)
		after(3 * tick)
		for _, c := range []struct {
			name     string
			do       func() error
			notFound bool
		}{
			{"Ack of an alert", func() error { return h.Ack(t.Context(), "errors", hawkeye.AckOptions{Author: "ada"}) }, false},
			{"Ack of what may be its incident", func() error { return h.Ack(t.Context(), "i", hawkeye.AckOptions{Author: "ada"}) }, true},
			{"Ack of what was acknowledged", func() error { return h.Ack(t.Context(), "old", hawkeye.AckOptions{Author: "ada"}) }, false},
			{"ExpireSilence", func() error { return h.ExpireSilence(t.Context(), "x") }, false},
			{"EditSilence", func() error {
				_, err := h.EditSilence(t.Context(), "x", hawkeye.Silence{Matchers: []string{"monitor=old"}, End: time.Now().Add(time.Hour)})
				return err
			}, false},
		} {
			err := c.do()
			if err == nil || !strings.Contains(err.Error(), "record is of a newer version") || errors.Is(err, hawkeye.ErrNotFound) != c.notFound {
				t.Errorf("%s = %v, want an error about the newer version (and %v: %v)", c.name, err, hawkeye.ErrNotFound, c.notFound)
			}
		}
		got := f.records()
		for key, value := range future {
			if got[key] != value {
				t.Errorf("%s is %s, want %s", key, got[key], value)
			}
		}
	})
}

// While the store is away nothing is told of an alert that a newer version
// keeps. What was told of another one is handed in, even if a newer version
// evaluates by now.
func TestBlindUnderNewerRecords(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := newFleet(t)
		h := f.startN(1, olderFile)[0].Hawkeye
		f.put(map[string]string{"a/errors": `{"state":{"v":2}}`})
		after(3 * tick)
		f.away(true)
		head := `{"v":2,"tick":7}`
		f.put(map[string]string{"head": head})
		after(40 * tick)
		count(h, "errors", 12)
		count(h, "old", 12)
		after(5 * tick)
		want(t, "while the store is away", f.box.lines(), oldFired)
		rev := f.changes().Cursor.Rev
		f.away(false)
		after(15 * tick)
		want(t, "when it is back", f.box.lines(), storeBack)
		for _, r := range f.changes().Records {
			switch {
			case r.Key == "head" && (string(r.Value) != head || r.Rev <= rev):
				t.Errorf("the head is %s as of revision %d, want %s, and after %d", r.Value, r.Rev, head, rev)
			case r.Key == "a/old" && !strings.Contains(string(r.Value), `"phase":"firing"`):
				t.Errorf("the alert is %s, want that it fires", r.Value)
			}
		}
		if f.records()["a/old"] == "" {
			t.Error("what was told was not handed in")
		}
	})
}

// reads returns the formats that everybody reads, as the ledger has it.
func (f *fleet) reads() ledger.Formats {
	f.t.Helper()
	var fleet ledger.Fleet
	if err := json.Unmarshal([]byte(f.records()[ledger.FleetKey]), &fleet); err != nil {
		f.t.Fatal(err)
	}
	return fleet.Reads
}

// A version that reads the second formats may not write them as long as
// somebody of the first is there, whoever evaluates; and not again as soon as
// the bucket of such a one is read.
func TestFormatsThatAllReplicasRead(t *testing.T) {
	t.Parallel()
	first, second := ledger.Formats{Bucket: 1, Record: 1, State: 1}, ledger.Formats{Bucket: 2, Record: 2, State: 2}
	synctest.Test(t, func(t *testing.T) {
		f := newFleet(t)
		check := func(when string, want ledger.Formats) {
			t.Helper()
			if got := f.reads(); got != want {
				t.Errorf("%s all read %v, want %v", when, got, want)
			}
		}
		newer := f.startN(2, errorsFile, hawkeye.WithReads(second))
		check("in a fleet of the newer version", second)
		silent := f.startN(1, errorsFile, hawkeye.WithReads(ledger.Formats{}))[0]
		check("with one that doesn't say what it reads", first)
		f.kill(silent)
		after(20 * tick)
		check("when it is gone", second)
		older := f.start(errorsFile)
		after(3 * tick)
		check("with one of the older version", first)
		for _, r := range newer {
			r.link.cut.Store(true)
		}
		after(15 * tick)
		f.wantEvaluator("the newer ones are cut off", older)
		for _, r := range newer {
			r.link.cut.Store(false)
		}
		after(10 * tick)
		check("while the older one evaluates", first)
		f.stop(older)
		after(10 * tick)
		check("as long as it may still read", first)
		after(120 * tick)
		check("when it has left", second)
	})
}

// What a bucket says of its writer is a format, too.
func TestNoteOfABucket(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := newFleet(t)
		f.startN(1, errorsFile)
		var notes []string
		now := time.Now().UnixNano() / int64(tick)
		for n := now - 20; n <= now; n++ {
			answers, err := f.store().Read(t.Context(), []store.TickQuery{{Tick: n}})
			if err != nil {
				t.Fatal(err)
			}
			for _, answer := range answers {
				for _, raw := range answer.Buckets {
					var b bucket.Bucket
					if err := bucket.Decode(raw.Data, &b); err != nil {
						t.Fatal(err)
					}
					for _, note := range b.Notes {
						notes = append(notes, string(note))
					}
				}
			}
		}
		hash := ""
		for key := range f.records() {
			if h, ok := strings.CutPrefix(key, "c/"); ok {
				hash = h
			}
		}
		want := `{"m":{"c":"` + hash + `","a":true,"n":true,"s":"shop (test)","f":{"b":1,"r":1,"s":1}}}`
		if len(notes) == 0 || slices.ContainsFunc(notes, func(n string) bool { return n != want }) {
			t.Errorf("buckets carry %q, want %s", notes, want)
		}
	})
}
