package exact

import (
	"math"
	"math/big"
	"math/rand/v2"
	"testing"
)

func (a Int) big() *big.Int {
	n := new(big.Int).Lsh(big.NewInt(a.hi), 64)
	return n.Add(n, new(big.Int).SetUint64(a.lo))
}

func random(rng *rand.Rand) Int {
	n := Int{int64(rng.Uint64()), rng.Uint64()}
	for range rng.IntN(128) { // of all sizes
		n.lo = n.lo>>1 | uint64(n.hi)<<63
		n.hi >>= 1
	}
	return n
}

func TestIntIsAWholeNumber(t *testing.T) {
	t.Parallel()
	rng := rand.New(rand.NewPCG(1, 2))
	modulus := new(big.Int).Lsh(big.NewInt(1), 128)
	same := func(got Int, want *big.Int) bool {
		d := new(big.Int).Sub(got.big(), want)
		return d.Mod(d, modulus).Sign() == 0
	}
	for range 20_000 {
		a, b := random(rng), random(rng)
		n, m := int64(b.lo), int64(a.lo)
		d := max(n&math.MaxInt64, 1)
		A, B := a.big(), b.big()
		for what, ok := range map[string]bool{
			"New":      same(New(n), big.NewInt(n)),
			"Mul":      same(Mul(n, m), new(big.Int).Mul(big.NewInt(n), big.NewInt(m))),
			"NewUint":  same(NewUint(a.lo), new(big.Int).SetUint64(a.lo)),
			"MulUint":  same(MulUint(a.lo, b.lo), new(big.Int).Mul(new(big.Int).SetUint64(a.lo), new(big.Int).SetUint64(b.lo))),
			"Add":      same(a.Add(b), new(big.Int).Add(A, B)),
			"AddInt64": same(a.AddInt64(n), new(big.Int).Add(A, big.NewInt(n))),
			"Sub":      same(a.Sub(b), new(big.Int).Sub(A, B)),
			"Cmp":      a.Cmp(b) == A.Cmp(B) && a.Cmp(a) == 0,
		} {
			if !ok {
				t.Fatalf("%s of %v and %v is wrong", what, A, B)
			}
		}
		quo, rem := a.QuoRem(d)
		wantQuo, wantRem := new(big.Int).QuoRem(A, big.NewInt(d), new(big.Int))
		if !same(quo, wantQuo) || wantRem.Int64() != rem {
			t.Fatalf("(%v).QuoRem(%d) = %v, %d, want %v, %v", A, d, quo.big(), rem, wantQuo, wantRem)
		}
		if got, ok := a.Int64(); ok != A.IsInt64() || ok && got != A.Int64() {
			t.Fatalf("(%v).Int64() = %d, %t", A, got, ok)
		}
		parts := new(big.Int)
		for _, part := range a.Parts() {
			whole, _ := new(big.Float).SetFloat64(part).Int(nil)
			parts.Add(parts, whole)
		}
		if parts.Cmp(A) != 0 {
			t.Fatalf("(%v).Parts() add up to %v", A, parts)
		}
		if want, _ := new(big.Float).SetInt(A).Float64(); a.Float64() != want {
			t.Fatalf("(%v).Float64() = %v, want %v", A, a.Float64(), want)
		}
	}
}

func TestIntRoundsHalvesToEven(t *testing.T) {
	t.Parallel()
	two53 := int64(1) << 53
	for _, n := range []Int{
		New(two53 + 1), New(two53 + 3), New(-two53 - 1), Mul(two53+1, 1<<40), Mul(two53+3, 1<<40),
		Mul(two53+1, 1<<40).AddInt64(1), Mul(two53+1, 1<<40).AddInt64(-1), {math.MaxInt64, math.MaxUint64}, {math.MinInt64, 0},
	} {
		if want, _ := new(big.Float).SetInt(n.big()).Float64(); n.Float64() != want {
			t.Errorf("(%v).Float64() = %v, want %v", n.big(), n.Float64(), want)
		}
	}
}

func TestClamp(t *testing.T) {
	t.Parallel()
	most := Mul(1e18, 1e6)
	for _, tt := range []struct{ in, want Int }{
		{most, most}, {most.AddInt64(1), most}, {Int{}.Sub(most), Int{}.Sub(most)},
		{Int{}.Sub(most).AddInt64(-1), Int{}.Sub(most)}, {New(7), New(7)}, {Int{}, Int{}},
	} {
		if got := tt.in.Clamp(most); got != tt.want {
			t.Errorf("(%v).Clamp(1e24) = %v, want %v", tt.in.big(), got.big(), tt.want.big())
		}
	}
}

// TestSumRoundsOnce adds numbers of all sizes, and takes some away again: the
// sum of what is left must be as near as if it had been added up without
// limits.
func TestSumRoundsOnce(t *testing.T) {
	t.Parallel()
	rng := rand.New(rand.NewPCG(3, 4))
	for range 200 {
		var s Sum
		var want big.Float
		want.SetPrec(2000)
		add := func(v float64) {
			s.Add(v)
			want.Add(&want, new(big.Float).SetFloat64(v))
		}
		var old []float64
		for range 2000 {
			v := math.Ldexp(rng.Float64(), rng.IntN(60)-30)
			add(v)
			if old = append(old, v); len(old) > 50 {
				add(-old[0])
				old = old[1:]
			}
		}
		exactly, _ := want.Float64()
		if got := s.Float64(); math.Abs(got-exactly) > exactly*0x1p-52 {
			t.Fatalf("sum = %v, want %v", got, exactly)
		}
		v, rest := s.Parts()
		if v != s.Float64() || NewSum(v, rest).Float64() != v {
			t.Fatalf("Parts of %v are %v and %v", s, v, rest)
		}
	}
}

func TestSumOfSumsIsTheSumOfAll(t *testing.T) {
	t.Parallel()
	rng := rand.New(rand.NewPCG(5, 6))
	var all, parts Sum
	var taken []Sum
	for range 100 {
		var part Sum
		for range 100 {
			v := rng.NormFloat64() * 1e9
			all.Add(v)
			part.Add(v)
		}
		taken = append(taken, part)
		parts.AddSum(part)
	}
	if got, want := parts.Float64(), all.Float64(); got != want {
		t.Errorf("sum of sums = %v, want %v", got, want)
	}
	for _, part := range taken[1:] {
		parts.SubSum(part)
	}
	if got, want := parts.Float64(), taken[0].Float64(); math.Abs(got-want) > math.Abs(want)*0x1p-52 {
		t.Errorf("what is left = %v, want %v", got, want)
	}
}

func TestSumStaysFinite(t *testing.T) {
	t.Parallel()
	var s Sum
	for range 3 {
		s.Add(math.MaxFloat64)
	}
	if got := s.Float64(); got != math.MaxFloat64 {
		t.Errorf("sum = %v, want the greatest number", got)
	}
	s.Add(-math.MaxFloat64)
	if got := s.Float64(); got != 0 {
		t.Errorf("less the greatest number = %v, want 0", got)
	}
}
