package memstore

import (
	"bytes"
	"encoding/binary"
	"errors"
	"flag"
	"hash/crc32"
	"os"
	"path/filepath"
	"reflect"
	"testing"
	"time"

	"github.com/go-batteries/hawkeye/store"
)

var update = flag.Bool("update", false, "write testdata anew")

// exampleState has something of everything.
func exampleState() *state {
	id := func(n byte) store.ID { return store.ID{0: n, 15: n} }
	return &state{
		written: time.Unix(1_700_000_000, 123),
		tick:    200 * time.Millisecond,
		ticks: []tickState{
			{tickKey{store.TierFine, -1}, time.Second, []bucket{{id(1), []byte{}}}},
			{tickKey{store.TierFine, 8_500_000_000}, 5 * time.Minute, []bucket{{id(1), []byte("one")}, {id(2), []byte("two \x00\xff")}}},
			{tickKey{store.Tier1h, 472_222}, 30 * 24 * time.Hour, []bucket{{id(1), []byte("coarse")}}},
		},
		names: []nameState{{0, "", time.Hour}, {7, "c|http.requests|route=/x", 24 * time.Hour}, {1<<64 - 1, "g|ünïcödé", -time.Second}},
		ledger: ledgerState{
			epoch:   id(9),
			offered: true,
			head:    mark{13, id(13)},
			records: []keyed{
				{"alert/a", record{mark{4, id(4)}, []byte("firing")}},
				{"binary \x00\xff", record{mark{13, id(13)}, []byte{}}},
			},
			deleted: []keyed{{"gone", record{mark: mark{12, id(12)}}}},
			base:    mark{10, id(10)},
			from:    11,
			commits: []change{{id(11), []string{}}, {id(12), []string{"gone"}}, {id(13), []string{"binary \x00\xff"}}},
		},
	}
}

func TestGoldenFile(t *testing.T) {
	t.Parallel()
	path := filepath.Join("testdata", "state-v1.golden")
	want := exampleState()
	encoded := encodeState(want)
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
		t.Errorf("encodeState() = %q, want the golden file's %q", encoded, golden)
	}
	got, err := decodeState(golden)
	if err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("decodeState() = %+v, want %+v", got, want)
	}
}

func TestEmptyStateIsRead(t *testing.T) {
	t.Parallel()
	s := mustNew(t)
	st, err := decodeState(encodeState(s.snapshot(time.Now())))
	if err != nil || len(st.ticks)+len(st.names)+len(st.ledger.records) != 0 || !st.ledger.epoch.IsZero() {
		t.Errorf("decodeState() of an empty Store = %+v, %v", st, err)
	}
}

func TestDecodeStateRefuses(t *testing.T) {
	t.Parallel()
	good := encodeState(exampleState())
	for n := range good {
		if _, err := decodeState(good[:n]); !errors.Is(err, errCorrupt) {
			t.Errorf("decodeState() of the first %d bytes = %v, want errCorrupt", n, err)
		}
		// Also with a checksum that holds, as a bug might write it.
		if n > headerBytes && n < len(good)-sumBytes {
			if _, err := decodeState(sealed(good[:n])); !errors.Is(err, errCorrupt) {
				t.Errorf("decodeState() of the first %d bytes and their checksum = %v, want errCorrupt", n, err)
			}
		}
		flipped := bytes.Clone(good)
		flipped[n] ^= 0x40
		if _, err := decodeState(flipped); err == nil {
			t.Errorf("decodeState() with another byte %d = nil, want an error", n)
		}
	}
	version := func(v byte) []byte {
		other := bytes.Clone(good[:len(good)-sumBytes])
		other[len(magic)] = v
		return sealed(other)
	}
	changed := func(change func(*ledgerState)) []byte {
		st := exampleState()
		change(&st.ledger)
		return encodeState(st)
	}
	for _, row := range []struct {
		name string
		data []byte
		want error
	}{
		{"nothing", nil, errCorrupt},
		{"another file", []byte("version: 1\nmonitors:\n  - metric: http.response.400\n"), errCorrupt},
		{"zeros", make([]byte, 4096), errCorrupt},
		{"version 0", version(0), errCorrupt},
		{"version 2", version(2), errNewer},
		{"version 2 of another form", append([]byte(magic+"\x02"), "whatever it holds"...), errNewer},
		{"bytes after the end", sealed(append(good[:len(good)-sumBytes:len(good)-sumBytes], 0)), errCorrupt},
		{"a head beyond the history", changed(func(l *ledgerState) { l.head.rev++ }), errCorrupt},
		{"a head of another commit", changed(func(l *ledgerState) { l.head.commit = store.ID{} }), errCorrupt},
		{"a history without its base", changed(func(l *ledgerState) { l.base.rev-- }), errCorrupt},
		{"followed from before the history", changed(func(l *ledgerState) { l.from = 9 }), errCorrupt},
		{"followed from after the history", changed(func(l *ledgerState) { l.from = 14 }), errCorrupt},
		{"a revision that wraps around", changed(func(l *ledgerState) { l.base.rev, l.from, l.head.rev = 1<<64-2, 1<<64-2, 1 }), errCorrupt},
		{"a long list", sealed(append([]byte(magic+"\x01\x00\x00"), binary.AppendUvarint(nil, 1<<62)...)), errCorrupt},
	} {
		if _, err := decodeState(row.data); !errors.Is(err, row.want) {
			t.Errorf("decodeState() of %s = %v, want %v", row.name, err, row.want)
		}
	}
}

func sealed(body []byte) []byte {
	return binary.LittleEndian.AppendUint32(bytes.Clone(body), crc32.Checksum(body, castagnoli))
}

// FuzzDecodeState takes the payload, since no mutation would pass the
// checksum. What is decoded must come back from its encoding, and be a Store
// that works.
func FuzzDecodeState(f *testing.F) {
	f.Fuzz(func(t *testing.T, payload []byte) {
		_, _ = decodeState(payload)
		st, err := decodePayload(payload)
		if err != nil {
			if !errors.Is(err, errCorrupt) {
				t.Errorf("decodePayload() = %v, want errCorrupt", err)
			}
			return
		}
		again, err := decodeState(encodeState(st))
		if err != nil || !reflect.DeepEqual(again, st) {
			t.Fatalf("decodeState(encodeState()) = %+v, %v, want %+v", again, err, st)
		}
		useStore(t, st)
	})
}

func useStore(t *testing.T, st *state) {
	s := mustNew(t, WithTick(max(st.tick, minTick)), WithRetention(max(minRetentionTicks*st.tick, DefaultRetention)))
	s.file = newStateFile("unused", s.cfg.logger)
	s.adopt(st, st.written)
	epoch := st.ledger.epoch
	for _, after := range []store.Cursor{{}, {Epoch: epoch, Rev: st.ledger.base.rev, Commit: st.ledger.base.commit}, {Epoch: epoch, Rev: st.ledger.from}} {
		changes(t, s, after)
	}
	if err := s.Restore(t.Context(), store.Offer{Open: store.NewID()}); (err == nil) != epoch.IsZero() {
		t.Errorf("Restore() = %v with the epoch %v", err, epoch)
	}
	put(t, s, s.ledger.epoch, "key")
	publish(t, s, time.Hour, store.Bucket{Tick: 1})
	s.snapshot(time.Now())
}
