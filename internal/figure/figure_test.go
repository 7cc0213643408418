package figure

import (
	"math"
	"math/big"
	"math/rand/v2"
	"strings"
	"testing"
)

func TestApart(t *testing.T) {
	t.Parallel()
	tests := []struct {
		unit   string
		values []float64
		want   string
	}{
		{"", []float64{25, 3}, "25 3"},
		{"", []float64{math.Nextafter(0.3, 1), 0.3}, "0.30000000000000004 0.3"},
		{"", []float64{9.2e12, 1}, "9200000000000 1"},
		{"", []float64{1e15 + 2, 1e15}, "1000000000000002 1000000000000000"},
		{"", []float64{1e-7, 2e-7}, "1e-07 2e-07"},
		{"", []float64{9.9999999e-7, 1e-6}, "9.9999999e-07 0.000001"},
		{"", []float64{math.NaN(), 1}, "n/a 1"},
		{"", []float64{math.Inf(1), 1}, "+Inf 1"},
		{"jobs", []float64{2, 2.5}, "2 jobs 2.5 jobs"},
		{Percent, []float64{0.99998, 0.99999}, "99.998% 99.999%"},
		{Percent, []float64{0, 0.99999}, "0% 99.999%"},
		{Percent, []float64{1.0 / 3, 0.2}, "33.33% 20%"},
		{Percent, []float64{0.25, 0.2}, "25% 20%"},
		{Percent, []float64{0.2, 0.2}, "20% 20%"},
		{Percent, []float64{0.1999996, 0.2}, "19.99996% 20%"},
		{Percent, []float64{0.57, 0.5}, "57% 50%"},
		{Percent, []float64{-0.00012, 0}, "-0.012% 0%"},
		{Percent, []float64{0.0000001234, 0.5}, "0.000012% 50%"},
		{Percent, []float64{12, 0.5}, "1200% 50%"},
		{Seconds, []float64{1.4, 1.2}, "1.4s 1.2s"},
		{Seconds, []float64{0.3, 0.25}, "300ms 250ms"},
		{Seconds, []float64{0.99999, 0.5}, "1s 500ms"},
		{Seconds, []float64{0.0009999999, 0.5}, "1ms 500ms"},
		{Seconds, []float64{0.99996, 1}, "999.96ms 1s"},
		{Seconds, []float64{59.97123, 10}, "1m 10s"},
		{Seconds, []float64{59.97, 60}, "59.97s 1m"},
		{Seconds, []float64{12.34567, 1.2345}, "12.3s 1.2345s"},
		{Seconds, []float64{3900, 60}, "1h 5m 1m"},
		{Seconds, []float64{3910.3, 60}, "1h 5m 10s 1m"},
		{Seconds, []float64{3900.25, 3900}, "1h 5m 0.2s 1h 5m"},
		{Seconds, []float64{-90, 1e-12}, "-1m 30s 1e-12s"},
		{Seconds, []float64{0, 1e300}, "0s 1e+300s"},
		{Bytes, []float64{1048575, 1000000}, "1MiB 976.6KiB"},
		{Bytes, []float64{1048575, 1048576}, "1023.999KiB 1MiB"},
		{Bytes, []float64{1000001, 1000000}, "976.563KiB 976.562KiB"},
		{Bytes, []float64{3 << 20, 512}, "3MiB 512B"},
		{Bytes, []float64{math.Ldexp(1, 70), 1}, "1024EiB 1B"},
		{Times, []float64{761.904762, 14.4}, "762 14.4"},
		{Times, []float64{14.42, 14.4}, "14.42 14.4"},
		{Times, []float64{15, 14.4}, "15 14.4"},
		{Times, []float64{12345.678, 6}, "12346 6"},
		{Times, []float64{0.0123456, 1}, "0.0123 1"},
		{Times, []float64{0, 1}, "0 1"},
	}
	for _, tt := range tests {
		if got := strings.Join(Apart(tt.unit, tt.values...), " "); got != tt.want {
			t.Errorf("Apart(%q, %v) = %q, want %q", tt.unit, tt.values, got, tt.want)
		}
	}
}

// taken is what a reader takes a printed number for, exactly. It knows nothing
// of how it was printed.
func taken(t *testing.T, unit, text string) *big.Rat {
	t.Helper()
	total := new(big.Rat)
	for _, word := range strings.Fields(strings.TrimPrefix(strings.TrimSuffix(text, " jobs"), "-")) {
		n := strings.TrimRight(word, "%smhdµKMGTPEiB")
		of := big.NewRat(1, 1)
		switch suffix := word[len(n):]; suffix {
		case "", "B", "s", "%":
		case "ms":
			of = big.NewRat(1, 1e3)
		case "µs":
			of = big.NewRat(1, 1e6)
		case "m":
			of = big.NewRat(60, 1)
		case "h":
			of = big.NewRat(3600, 1)
		case "d":
			of = big.NewRat(86400, 1)
		default:
			prefix, binary := strings.CutSuffix(suffix, "iB")
			i := strings.Index("KMGTPE", prefix)
			if !binary || i < 0 {
				t.Fatalf("%q of %q isn't known", suffix, text)
			}
			of = big.NewRat(1<<(10*(i+1)), 1)
		}
		v, ok := new(big.Rat).SetString(n)
		if !ok {
			t.Fatalf("%q of %q is no number", n, text)
		}
		total.Add(total, v.Mul(v, of))
	}
	if strings.HasPrefix(text, "-") {
		total.Neg(total)
	}
	return total
}

// TestNoContradiction prints values and thresholds at random, far apart and a
// hair's breadth, and reads them again: the verdict must be the same.
func TestNoContradiction(t *testing.T) {
	t.Parallel()
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	rnd := rand.New(rand.NewPCG(seed, 1))
	for range 50_000 {
		unit := []string{"", "jobs", Percent, Seconds, Bytes, Times}[rnd.IntN(6)]
		value, threshold := near(rnd)
		texts := Apart(unit, value, threshold)
		a, b := taken(t, unit, texts[0]), taken(t, unit, texts[1])
		// With the same order every comparison has the same verdict.
		if a.Cmp(b) != compare(value, threshold) {
			t.Fatalf("%v and %v are printed as %s and %s (seed %d)", value, threshold, texts[0], texts[1], seed)
		}
		shown, _ := a.Float64()
		if unit == Percent {
			if shown /= 100; math.Abs(value) < 0.01 { // two decimals will do
				continue
			}
		}
		if math.Abs(shown-value) > 0.02*math.Abs(value) && math.Abs(value) > 1e-7 {
			t.Fatalf("%v %s is printed as %s", value, unit, texts[0])
		}
	}
}

// near returns a threshold as people write them, or any number, and a value
// that may be very close.
func near(rnd *rand.Rand) (value, threshold float64) {
	round := []float64{0, 0.01, 0.2, 0.5, 0.999, 0.99999, 1, 1.2, 14.4, 20, 60, 90, 100, 300, 1000, 1024, 3600, 86400, 1e6, 1 << 20, 1e9, 1 << 30, 9e12, 1e15, 0.001, 1e-6}
	threshold = round[rnd.IntN(len(round))]
	if rnd.IntN(3) == 0 {
		threshold = math.Exp(rnd.Float64()*60-25) * float64(1-2*rnd.IntN(2))
	}
	switch rnd.IntN(6) {
	case 0:
		return threshold, threshold
	case 1:
		return math.Nextafter(threshold, math.Inf(1-2*rnd.IntN(2))), threshold
	case 2:
		return threshold * (1 + math.Exp(-rnd.Float64()*35)*float64(1-2*rnd.IntN(2))), threshold
	case 3:
		return threshold + math.Exp(-rnd.Float64()*30), threshold
	case 4:
		return round[rnd.IntN(len(round))], threshold
	}
	return math.Exp(rnd.Float64()*60-25) * float64(1-2*rnd.IntN(2)), threshold
}
