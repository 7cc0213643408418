package memstore

import (
	"bytes"
	"encoding/binary"
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"testing"

	"github.com/go-batteries/hawkeye/store"
)

// exampleEntries lead from an empty ledger to revision 14.
func exampleEntries() []entry {
	id := func(n byte) store.ID { return store.ID{0: n, 15: n} }
	return []entry{
		{kind: kindOpen, epoch: id(9), after: mark{12, id(12)}, records: []keyed{
			{"alert/a", record{mark{4, id(4)}, []byte("firing")}},
			{"empty", record{mark{12, id(12)}, []byte{}}},
		}},
		{
			kind: kindCommit, epoch: id(9), after: mark{12, id(12)}, id: id(13),
			puts:    []store.Entry{{Key: "binary \x00\xff", Value: []byte{0, 255}}, {Key: "ünïcödé", Value: []byte{}}},
			deletes: []string{"alert/a", "not there"},
		},
		{kind: kindCommit, epoch: id(9), after: mark{13, id(13)}, id: id(14), puts: []store.Entry{}, deletes: []string{}},
	}
}

func journalOf(entries ...entry) []byte {
	out := []byte(journalHeader)
	for i := range entries {
		out = appendEntry(out, &entries[i])
	}
	return out
}

func TestGoldenJournal(t *testing.T) {
	t.Parallel()
	path := filepath.Join("testdata", "journal-v1.golden")
	want := exampleEntries()
	encoded := journalOf(want...)
	if *update {
		if err := os.WriteFile(path, encoded, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	golden, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(encoded, golden) {
		t.Errorf("the journal is %q, want the golden file's %q", encoded, golden)
	}
	var got []entry
	for rest := golden[len(journalHeader):]; len(rest) > 0; {
		var e entry
		if e, rest, err = nextEntry(rest); err != nil {
			t.Fatal(err)
		}
		got = append(got, e)
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("nextEntry() = %+v, want %+v", got, want)
	}
	l := newLedger()
	if done := l.replay(golden); done.err != nil || done.applied != 3 || len(l.records) != 3 || l.head.rev != 14 {
		t.Errorf("replay() = %+v, and the ledger is %+v", done, l)
	}
	if done := l.replay(golden); done.err != nil || done.applied != 0 {
		t.Errorf("replay() of what is there = %+v, want nothing", done)
	}
}

// FuzzReplay takes entries without their frames, since no mutation would pass
// the checksum: each is its length in two bytes, and its body. Whatever they
// are, a ledger goes on from where it was or stays there, the part that could
// be read leads to the same place, and the Store works.
func FuzzReplay(f *testing.F) {
	for _, entries := range [][]entry{exampleEntries(), exampleEntries()[1:], nil} {
		var bodies []byte
		for i := range entries {
			body := appendBody(nil, &entries[i])
			bodies = append(binary.LittleEndian.AppendUint16(bodies, uint16(len(body))), body...)
		}
		f.Add(bodies)
	}
	example := encodeState(exampleState())
	f.Fuzz(func(t *testing.T, bodies []byte) {
		raw := newLedger()
		raw.replay(bodies)
		raw.replay(append([]byte(journalHeader), bodies...))
		framed := frame(bodies)
		for _, begin := range []func() ledger{newLedger, func() ledger { return loaded(t, example) }} {
			l := begin()
			before := l.head
			done := l.replay(framed)
			if err := done.err; err != nil && !errors.Is(err, errTorn) && !errors.Is(err, errCorrupt) && !errors.Is(err, errGap) && !errors.Is(err, errForeign) {
				t.Errorf("replay() = %v", err)
			}
			if l.head.rev < before.rev || done.applied == 0 && l.head != before {
				t.Errorf("replay() = %+v led from %+v to %+v", done, before, l.head)
			}
			again := begin()
			if part := again.replay(framed[:done.valid]); part.err != nil || part.applied != done.applied || again.head != l.head {
				t.Errorf("replay() of %d bytes = %+v at %+v, want %d entries to %+v", done.valid, part, again.head, done.applied, l.head)
			}
			saved := l.save()
			if err := saved.check(); err != nil {
				t.Errorf("after replay() = %+v the ledger can't be saved: %v", done, err)
			}
			useStore(t, &state{ledger: saved})
		}
	})
}

func frame(bodies []byte) []byte {
	out := []byte(journalHeader)
	for len(bodies) >= 2 {
		n := min(int(binary.LittleEndian.Uint16(bodies)), len(bodies)-2)
		body := bodies[2 : 2+n]
		bodies = bodies[2+n:]
		length := binary.LittleEndian.AppendUint32(nil, uint32(n))
		out = append(out, length...)
		out = binary.LittleEndian.AppendUint32(out, entrySum(length, body))
		out = append(out, body...)
	}
	return append(out, bodies...)
}

func loaded(t *testing.T, data []byte) ledger {
	st, err := decodeState(data)
	if err != nil {
		t.Fatal(err)
	}
	l := newLedger()
	l.load(&st.ledger)
	return l
}
