package bucket

import (
	"bytes"
	"errors"
	"flag"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/go-batteries/hawkeye/internal/exact"
	"github.com/go-batteries/hawkeye/store"
)

var update = flag.Bool("update", false, "write the golden file of this version")

// equal compares buckets: NaN is NaN, and an empty slice is none.
var equal = cmp.Options{cmpopts.EquateNaNs(), cmpopts.EquateEmpty()}

// everything has something of each kind, and the edges of each.
func everything() Bucket {
	return Bucket{
		Final:    true,
		Keyframe: true,
		Counters: []Counter{
			{1, Unit}, {2, -Unit}, {3, 0}, {4, 1}, {5, -1}, {6, 1_500_000}, {math.MaxUint64, 1000 * Unit},
			{8, math.MaxInt64}, {9, math.MinInt64}, {10, math.MaxInt64 / Unit * Unit}, {11, math.MinInt64 / Unit * Unit},
		},
		Gauges: []Gauge{
			{1, 0}, {2, 17}, {3, -0.1}, {4, math.MaxFloat64}, {5, math.SmallestNonzeroFloat64}, {6, math.Copysign(0, -1)},
		},
		Histograms: []Histogram{
			{ID: 1, Sum: 12.5, Buckets: []HistBucket{{-4096, 1}, {-1, 2}, {0, 3}, {1, 4}, {2049, 300}, {4096, math.MaxUint64}}},
			{ID: 2, Sum: 0.25},
			{ID: 3, Buckets: []HistBucket{{math.MinInt32, 1}, {math.MaxInt32, 1}}},
		},
		Sets:   []Set{{ID: 1, Hashes: []uint64{0, 1, math.MaxUint64}}, {ID: 2}},
		Notes:  [][]byte{[]byte("sent"), {}, {0, 255}},
		Taken:  []Taken{{Tick: 1_700_000_000, Writers: []store.ID{{1}, {15: 2}}}, {Tick: -1}, {Tick: math.MinInt64}},
		Folded: []FoldedGauge{{ID: 1, Last: 1, Min: -2, Max: 3.5, Sum: 2.5, N: 3}, {ID: 2, N: math.MaxUint64}},
	}
}

func TestRoundTrip(t *testing.T) {
	t.Parallel()
	for name, in := range map[string]Bucket{
		"empty":      {},
		"hello":      {Keyframe: true},
		"final":      {Final: true},
		"everything": everything(),
	} {
		var out Bucket
		if err := Decode(Append(nil, &in), &out); err != nil {
			t.Fatalf("%s: Decode(Append) = %v", name, err)
		}
		if diff := cmp.Diff(in, out, equal); diff != "" {
			t.Errorf("%s: Decode(Append) (-want +got):\n%s", name, diff)
		}
	}
}

func TestRoundTripOfRandomBucketsInReusedMemory(t *testing.T) {
	t.Parallel()
	rng := rand.New(rand.NewPCG(1, 2))
	var data []byte
	var out Bucket
	for range 150 {
		in := randomBucket(rng)
		data = Append(data[:0], &in)
		if err := Decode(data, &out); err != nil {
			t.Fatalf("Decode(Append) = %v of %+v", err, in)
		}
		if diff := cmp.Diff(in, out, equal); diff != "" {
			t.Fatalf("Decode(Append) (-want +got):\n%s", diff)
		}
		if slow, ok := reference(data); !ok || cmp.Diff(in, slow, equal) != "" {
			t.Fatalf("reference(Append) = %+v, %v, want %+v", slow, ok, in)
		}
	}
}

func randomBucket(rng *rand.Rand) (b Bucket) {
	float := func() float64 { return math.Float64frombits(rng.Uint64() << (rng.IntN(2) * 40)) }
	integer := func() int64 { return int64(rng.Uint64()) >> rng.IntN(64) }
	b.Final, b.Keyframe = rng.IntN(2) == 0, rng.IntN(2) == 0
	for range rng.IntN(20) {
		b.Counters = append(b.Counters, Counter{rng.Uint64(), integer()}, Counter{rng.Uint64(), int64(rng.IntN(100)) * Unit})
		b.Gauges = append(b.Gauges, Gauge{rng.Uint64(), float()})
	}
	for range rng.IntN(4) {
		h := Histogram{ID: rng.Uint64(), Sum: float()}
		for range rng.IntN(9) {
			h.Buckets = append(h.Buckets, HistBucket{rng.Int32() - rng.Int32(), uint64(integer())})
		}
		b.Histograms = append(b.Histograms, h)
		s := Set{ID: rng.Uint64()}
		for range rng.IntN(5) {
			s.Hashes = append(s.Hashes, rng.Uint64())
		}
		b.Sets = append(b.Sets, s)
		b.Covers = append(b.Covers, rng.Uint64())
		b.Beyond = append(b.Beyond, Beyond{rng.Uint64(), integer()})
		b.Rests = append(b.Rests, Rest{rng.Uint64(), float()})
		if n := len(b.Gauges); n > len(b.Ages) {
			b.Ages = append(b.Ages, Age{len(b.Ages), int64(rng.Uint32() >> 1)})
		}
		b.Notes = append(b.Notes, bytes.Repeat([]byte{byte(rng.Uint32())}, rng.IntN(300)))
		b.Taken = append(b.Taken, Taken{Tick: integer(), Writers: make([]store.ID, rng.IntN(4))})
		b.Folded = append(b.Folded, FoldedGauge{rng.Uint64(), float(), float(), float(), float(), rng.Uint64()})
	}
	return b
}

// TestGolden says that data of each format, written once, is still read, and
// that what has nothing new is still written like this.
func TestGolden(t *testing.T) {
	t.Parallel()
	covering := everything()
	covering.Covers = []uint64{0, MetricHash("http.requests"), math.MaxUint64}
	wide := covering
	wide.Beyond = []Beyond{{8, 1}, {9, math.MinInt64}, {10, math.MaxInt64}}
	wide.Rests = []Rest{{1, 1e-17}, {2, -math.SmallestNonzeroFloat64}}
	for name, want := range map[string]Bucket{
		"v1.bucket":        everything(), // as before there was Covers
		"v1-covers.bucket": covering,
		"v1-beyond.bucket": wide,
	} {
		golden(t, filepath.Join("testdata", name), want)
	}
}

func golden(t *testing.T, path string, want Bucket) {
	t.Helper()
	if *update {
		if err := os.WriteFile(path, Append(nil, &want), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var got Bucket
	if err := Decode(data, &got); err != nil {
		t.Fatalf("Decode(%s) = %v", path, err)
	}
	if diff := cmp.Diff(want, got, equal); diff != "" {
		t.Errorf("Decode(%s) (-want +got):\n%s", path, diff)
	}
	if now := Append(nil, &want); !bytes.Equal(now, data) {
		t.Errorf("Append differs from %s: got %x", path, now)
	}
}

func TestDecodeSkipsWhatALaterMinorVersionAdds(t *testing.T) {
	t.Parallel()
	in := Bucket{Counters: []Counter{{1, Unit}}}
	data := Append(nil, &in)
	data[1] |= 0x80                                     // a flag
	data = append(data, 200, 3, 0, 0, 0, 'n', 'e', 'w') // a section
	var out Bucket
	if err := Decode(data, &out); err != nil {
		t.Fatalf("Decode = %v", err)
	}
	if diff := cmp.Diff(in, out, equal); diff != "" {
		t.Errorf("Decode (-want +got):\n%s", diff)
	}
}

func TestDecodeRefuses(t *testing.T) {
	t.Parallel()
	section := func(tag byte, payload ...byte) []byte {
		return append([]byte{Version, 0, tag, byte(len(payload)), 0, 0, 0}, payload...)
	}
	id := []byte{1, 2, 3, 4, 5, 6, 7, 8}
	for _, tt := range []struct {
		what string
		data []byte
		want error
	}{
		{"nothing", nil, ErrCorrupt},
		{"version 0", []byte{0, 0}, ErrCorrupt},
		{"no flags", []byte{Version}, ErrCorrupt},
		{"a newer version", []byte{Version + 1, 0}, ErrVersion},
		{"the newest version", []byte{255, 0, 1, 2, 3}, ErrVersion},
		{"section 0", section(0), ErrCorrupt},
		{"a section without length", []byte{Version, 0, 1, 0}, ErrCorrupt},
		{"a section without payload", section(tagCounters), ErrCorrupt},
		{"a section longer than the data", []byte{Version, 0, 200, 9, 0, 0, 0, 1}, ErrCorrupt},
		{"a section twice", append(section(tagCounters, 0), section(tagCounters, 0)[2:]...), ErrCorrupt},
		{"sections out of order", append(section(tagGauges, 0), section(tagCounters, 0)[2:]...), ErrCorrupt},
		{"bytes after the elements", section(tagCounters, 0, 0), ErrCorrupt},
		{"more elements than bytes", section(tagCounters, 2, 1, 2, 3, 4, 5, 6, 7, 8, 0), ErrCorrupt},
		{"2^63 elements", section(tagNotes, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 1), ErrCorrupt},
		{"a varint too long", section(tagNotes, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 2), ErrCorrupt},
		{"a counter without delta", section(tagCounters, append([]byte{1}, id...)...), ErrCorrupt},
		{"a delta of a form that is not known", section(tagCounters, append(append([]byte{1}, id...), 3)...), ErrCorrupt},
		{"a delta that overflows", section(tagCounters, append(append([]byte{1}, id...), 0xfe, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1)...), ErrCorrupt},
		{"an index that overflows", section(tagHistograms, append(append([]byte{1}, id...), 0, 1, 0xfe, 0xff, 0xff, 0xff, 0x1f, 1)...), ErrCorrupt},
		{"a set cut short", section(tagSets, append(append([]byte{1}, id...), 2, 1, 2, 3, 4, 5, 6, 7, 8)...), ErrCorrupt},
		{"a note cut short", section(tagNotes, 1, 5, 'a'), ErrCorrupt},
		{"writers cut short", section(tagTaken, 1, 0, 1, 'a'), ErrCorrupt},
	} {
		b := everything()
		if err := Decode(tt.data, &b); !errors.Is(err, tt.want) {
			t.Errorf("%s: Decode = %v, want %v", tt.what, err, tt.want)
		}
		if diff := cmp.Diff(Bucket{}, b, equal); diff != "" {
			t.Errorf("%s: the bucket is not empty (-want +got):\n%s", tt.what, diff)
		}
	}
}

func TestDecodeRefusesEveryTruncation(t *testing.T) {
	t.Parallel()
	in := everything()
	data := Append(nil, &in)
	for n := range data {
		var b Bucket
		err := Decode(data[:n], &b)
		slow, ok := reference(data[:n])
		if (err == nil) != ok || cmp.Diff(slow, b, equal) != "" {
			t.Fatalf("Decode of the first %d bytes = %v, %+v, reference %v, %+v", n, err, b, ok, slow)
		}
	}
}

func TestDecodeKeepsNoReferenceToData(t *testing.T) {
	t.Parallel()
	in := everything()
	data := Append(nil, &in)
	var out Bucket
	if err := Decode(data, &out); err != nil {
		t.Fatal(err)
	}
	clear(data)
	if diff := cmp.Diff(in, out, equal); diff != "" {
		t.Errorf("the bucket changed with the data (-want +got):\n%s", diff)
	}
}

func TestReuseDoesNotAllocate(t *testing.T) {
	in := everything()
	data := Append(nil, &in)
	var out Bucket
	if err := Decode(data, &out); err != nil {
		t.Fatal(err)
	}
	if got := testing.AllocsPerRun(100, func() { _ = Decode(data, &out) }); got != 0 {
		t.Errorf("Decode into used memory: %g allocations, want 0", got)
	}
	if got := testing.AllocsPerRun(100, func() { data = Append(data[:0], &in) }); got != 0 {
		t.Errorf("Append to used memory: %g allocations, want 0", got)
	}
}

// TestDecodeIsBoundedInMemory gives Decode data whose counts promise the most.
func TestDecodeIsBoundedInMemory(t *testing.T) {
	for tag := byte(tagCounters); tag <= tagAges; tag++ {
		payload := make([]byte, 1<<20)
		copy(payload, []byte{0xff, 0xff, 0x3f}) // 2^20 - 1 elements
		data := append([]byte{Version, 0, tag, 0, 0, 0x10, 0}, payload...)
		var b Bucket
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		_ = Decode(data, &b)
		runtime.ReadMemStats(&after)
		got := after.TotalAlloc - before.TotalAlloc
		if most := uint64(32 * len(data)); got > most {
			t.Errorf("section %d: Decode of %d bytes allocates %d, want at most %d", tag, len(data), got, most)
		}
	}
}

func FuzzDecode(f *testing.F) {
	all := everything()
	f.Add(Append(nil, &all))
	for _, b := range []Bucket{
		{}, {Final: true}, {Counters: all.Counters}, {Gauges: all.Gauges}, {Histograms: all.Histograms},
		{Sets: all.Sets}, {Notes: all.Notes}, {Taken: all.Taken}, {Folded: all.Folded},
	} {
		f.Add(Append(nil, &b))
	}
	f.Add([]byte{Version, 0, 5, 2, 0, 0, 0, 1, 0, 200, 0, 0, 0, 0})
	f.Fuzz(func(t *testing.T, data []byte) {
		var b, again Bucket
		err := Decode(data, &b)
		slow, ok := reference(data)
		if (err == nil) != ok {
			t.Fatalf("Decode = %v, the reference says %v", err, ok)
		}
		if err != nil {
			if !errors.Is(err, ErrCorrupt) && !errors.Is(err, ErrVersion) {
				t.Errorf("Decode = %v, which is none of the package's errors", err)
			}
			return
		}
		if diff := cmp.Diff(slow, b, equal); diff != "" {
			t.Errorf("Decode (-reference +got):\n%s", diff)
		}
		if err := Decode(Append(nil, &b), &again); err != nil || cmp.Diff(b, again, equal) != "" {
			t.Errorf("Decode(Append(%+v)) = %+v, %v", b, again, err)
		}
	})
}

// TestAddCounter says that what is beyond an int64 is not lost, and that who
// reads Counters alone finds there what the version before would have written.
func TestAddCounter(t *testing.T) {
	t.Parallel()
	whole := func(n int64) exact.Int { return exact.Mul(n, Unit) }
	for _, tt := range []struct {
		units      exact.Int
		delta      int64
		wantBeyond bool
	}{
		{exact.New(0), 0, false},
		{exact.New(-7), -7, false},
		{exact.New(math.MaxInt64), math.MaxInt64, false},
		{exact.New(math.MinInt64), math.MinInt64, false},
		{exact.New(math.MaxInt64).AddInt64(1), maxDelta + 241_855, true},
		{whole(1e15), maxDelta + 306_048, true},
		{whole(-1e15), -maxDelta - 306_048, true},
		{whole(1e18).AddInt64(1), maxDelta + 306_049, true},
	} {
		var b, out Bucket
		b.AddCounter(42, tt.units)
		if err := Decode(Append(nil, &b), &out); err != nil {
			t.Fatal(err)
		}
		if len(out.Counters) != 1 || out.Counters[0].ID != 42 || len(out.Beyond) > 0 != tt.wantBeyond {
			t.Errorf("%v units: counters %v, beyond %v", tt.units.Float64(), out.Counters, out.Beyond)
			continue
		}
		sum := exact.New(out.Counters[0].Delta)
		for i := range out.Beyond {
			sum = sum.Add(out.Beyond[i].Units())
		}
		if sum != tt.units || math.Abs(float64(out.Counters[0].Delta-tt.delta)) > Unit {
			t.Errorf("%v units come back as %v, with a delta of %d, want one near %d", tt.units.Float64(), sum.Float64(), out.Counters[0].Delta, tt.delta)
		}
	}
	var b Bucket
	b.AddCounter(1, exact.Mul(math.MaxInt64, math.MaxInt64))
	if b.Counters[0].Delta < 0 || b.Beyond[0].Whole != math.MaxInt64 {
		t.Errorf("what no int64 holds even in whole numbers is %v and %v", b.Counters, b.Beyond)
	}
}
