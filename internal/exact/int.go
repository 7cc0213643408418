// Package exact adds numbers up without losing any of them: whole ones in 128
// bits, others with what rounding takes from their sum kept beside it.
package exact

import (
	"math"
	"math/bits"
)

// Int is a whole number of 128 bits. The zero Int is 0. Two Ints are equal if
// == says so.
type Int struct {
	hi int64
	lo uint64
}

// New returns n.
func New(n int64) Int { return Int{n >> 63, uint64(n)} }

// NewUint returns n.
func NewUint(n uint64) Int { return Int{0, n} }

// Mul returns a * b, which always fits.
func Mul(a, b int64) Int {
	hi, lo := bits.Mul64(uint64(a), uint64(b))
	// The product of the unsigned readings, less what the signs are worth in it.
	return Int{int64(hi) - a>>63&b - b>>63&a, lo}
}

// MulUint returns a * b, modulo 2^128.
func MulUint(a, b uint64) Int {
	hi, lo := bits.Mul64(a, b)
	return Int{int64(hi), lo}
}

// Add returns a + b, modulo 2^128.
func (a Int) Add(b Int) Int {
	lo, carry := bits.Add64(a.lo, b.lo, 0)
	return Int{a.hi + b.hi + int64(carry), lo}
}

// AddInt64 returns a + b.
func (a Int) AddInt64(b int64) Int {
	lo, carry := bits.Add64(a.lo, uint64(b), 0)
	return Int{a.hi + b>>63 + int64(carry), lo}
}

// Sub returns a - b, modulo 2^128.
func (a Int) Sub(b Int) Int {
	lo, borrow := bits.Sub64(a.lo, b.lo, 0)
	return Int{a.hi - b.hi - int64(borrow), lo}
}

// Cmp returns -1 if a < b, 0 if they are equal, 1 if a > b.
func (a Int) Cmp(b Int) int {
	switch {
	case a == b:
		return 0
	case a.hi < b.hi || a.hi == b.hi && a.lo < b.lo:
		return -1
	}
	return 1
}

// Clamp returns the number from -most to most that is nearest to a.
func (a Int) Clamp(most Int) Int {
	least := Int{}.Sub(most)
	switch {
	case a.Cmp(most) > 0:
		return most
	case a.Cmp(least) < 0:
		return least
	}
	return a
}

// Int64 returns a, and whether an int64 can hold it.
func (a Int) Int64() (n int64, ok bool) {
	n = int64(a.lo)
	return n, a.hi == n>>63
}

// abs returns how far a is from 0, and whether it is below it.
func (a Int) abs() (hi, lo uint64, negative bool) {
	if a.hi < 0 {
		a, negative = Int{}.Sub(a), true
	}
	return uint64(a.hi), a.lo, negative
}

// QuoRem returns a / d, rounded toward 0, and what is left, which has the sign
// of a. d is positive.
func (a Int) QuoRem(d int64) (quo Int, rem int64) {
	hi, lo, negative := a.abs()
	qhi, r := bits.Div64(0, hi, uint64(d))
	qlo, r := bits.Div64(r, lo, uint64(d))
	quo, rem = Int{int64(qhi), qlo}, int64(r)
	if negative {
		return Int{}.Sub(quo), -rem
	}
	return quo, rem
}

// Float64 returns the float64 that is nearest to a, the even one of two.
func (a Int) Float64() float64 {
	if n, ok := a.Int64(); ok {
		return float64(n)
	}
	hi, lo, negative := a.abs()
	// The highest 64 bits, the last of which says whether anything is lost, so
	// that a half is known from more than a half.
	shift := bits.LeadingZeros64(hi)
	top := hi<<shift | lo>>(64-shift)
	if lo<<shift != 0 {
		top |= 1
	}
	v := math.Ldexp(float64(top), 64-shift)
	if negative {
		return -v
	}
	return v
}

// Parts returns numbers that add up to a exactly.
func (a Int) Parts() [3]float64 {
	const bits, mask = 43, 1<<43 - 1
	middle := a.lo>>bits | uint64(a.hi)<<(64-bits)&mask
	return [3]float64{
		float64(a.hi>>(2*bits-64)) * (1 << (2 * bits)),
		float64(middle) * (1 << bits),
		float64(a.lo & mask),
	}
}
