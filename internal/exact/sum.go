package exact

import "math"

// Sum adds up floating-point numbers. What rounding takes from the sum is
// kept (Neumaier, 1974), so that neither their number nor their order
// matters: the result is as if the sum was rounded once, unless nearly all of
// it cancels out. The zero Sum is 0.
type Sum struct{ sum, lost float64 }

// NewSum returns a sum of two parts.
func NewSum(v, rest float64) Sum { return Sum{v, rest} }

// Add adds v. A sum that would be infinite stays at the greatest number there
// is.
func (s *Sum) Add(v float64) {
	sum := s.sum + v
	if sum-sum != 0 {
		*s = Sum{sum: math.Copysign(math.MaxFloat64, sum)}
		return
	}
	if math.Abs(s.sum) >= math.Abs(v) {
		s.lost += s.sum - sum + v
	} else {
		s.lost += v - sum + s.sum
	}
	s.sum = sum
}

// AddSum adds what was added to another sum.
func (s *Sum) AddSum(o Sum) {
	s.Add(o.sum)
	s.lost += o.lost
}

// SubSum takes away what was added to another sum.
func (s *Sum) SubSum(o Sum) {
	s.Add(-o.sum)
	s.lost -= o.lost
}

// Float64 returns the sum.
func (s Sum) Float64() float64 { return s.sum + s.lost }

// Parts returns the sum, and what is missing in that number.
func (s Sum) Parts() (v, rest float64) {
	v = s.sum + s.lost
	return v, s.sum - v + s.lost
}
