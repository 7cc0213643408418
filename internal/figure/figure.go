// Package figure prints measured values and thresholds so that a reader comes
// to the same verdict as the program: what differs is printed with as many
// digits as tell it apart, and what rounding makes a whole of the next unit is
// printed in that.
package figure

import (
	"math"
	"slices"

	"github.com/go-batteries/hawkeye/internal/msgtmpl"
)

// The units that are printed as such. Any other text stands behind the number.
const (
	Percent = "percent" // of fractions: 0.02 is 2%
	Seconds = "seconds"
	Bytes   = "bytes"
	// Times is how many times as much something is.
	Times = "times"
)

// maxDigits is how many digits more than usual are tried before a number is
// printed in full.
const maxDigits = 12

// Apart prints numbers of a unit, with as few digits as let two of them that
// differ look different, and in the same order. Missing ones (NaN) print as
// n/a.
func Apart(unit string, values ...float64) []string {
	for digits := 0; ; digits++ {
		if digits > maxDigits {
			digits = full
		}
		texts, shown := make([]string, len(values)), make([]float64, len(values))
		for i, v := range values {
			texts[i], shown[i] = render(unit, v, digits)
		}
		if digits == full || ordered(values, shown) {
			return texts
		}
	}
}

// Number prints one number of a unit.
func Number(unit string, v float64) string { return Apart(unit, v)[0] }

// full, as a number of digits, is all that there are.
const full = math.MaxInt

// ordered says whether any two of the values are as what is shown of them.
func ordered(values, shown []float64) bool {
	for i := range values {
		for j := range i {
			if compare(values[i], values[j]) != compare(shown[i], shown[j]) {
				return false
			}
		}
	}
	return true
}

func compare(a, b float64) int {
	switch {
	case a < b:
		return -1
	case a > b:
		return 1
	}
	return 0
}

// render prints a number with so many digits more than usual, and returns what
// a reader takes it for.
func render(unit string, v float64, digits int) (text string, shown float64) {
	switch {
	case math.IsNaN(v):
		return msgtmpl.Format(nil), v
	case math.IsInf(v, 0):
		return msgtmpl.FormatNumber(v) + behind(unit), v
	}
	switch unit {
	case Percent:
		return percent(v, digits)
	case Seconds:
		return duration(v, digits)
	case Bytes:
		return bytes(v, digits)
	case Times:
		return times(v, digits)
	}
	text, shown = number(v, digits)
	return text + behind(unit), shown
}

// behind is what stands behind the number.
func behind(unit string) string {
	switch {
	case unit == "" || unit == Times:
		return ""
	case slices.Contains([]string{Percent, Seconds, Bytes}, unit):
		return map[string]string{Percent: "%", Seconds: "s", Bytes: "B"}[unit]
	}
	return " " + unit
}
