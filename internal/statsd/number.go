package statsd

import (
	"bytes"
	"errors"
	"math"
	"strconv"
	"unsafe"
)

// exactDigits is how many decimal digits always fit into a float64's 53 bits.
const exactDigits = 15

// powersOfTen are exact as float64, so that dividing an exact integer by one
// of them rounds once, and gives what strconv.ParseFloat gives.
var powersOfTen = [exactDigits + 1]float64{
	1, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15,
}

// leadingNumber reads the plain decimal number that b begins with, and returns
// how many bytes it has; 0 if there is none or strconv has to look at it.
func leadingNumber(b []byte) (v float64, n int) {
	var mantissa uint64
	i, dot := 0, -1
	for ; i < len(b) && i <= exactDigits+1; i++ {
		d := b[i] - '0'
		if d <= 9 {
			mantissa = mantissa*10 + uint64(d)
			continue
		}
		if b[i] != '.' || dot >= 0 {
			break
		}
		dot = i
	}
	digits := i
	if dot >= 0 {
		digits--
	}
	if digits == 0 || digits > exactDigits {
		return 0, 0
	}
	v = float64(mantissa)
	if dot >= 0 {
		v /= powersOfTen[i-dot-1]
	}
	return v, i
}

// number reads all of b as a decimal number with an optional sign and
// exponent. What strconv knows beyond that (hexadecimal, underscores, words)
// is no number here.
func number(b []byte) (float64, Reason) {
	if v, n := leadingNumber(b); n > 0 && n == len(b) {
		return v, ok
	}
	for _, c := range b {
		if (c < '0' || c > '9') && c != '.' && c != '-' && c != '+' && c != 'e' && c != 'E' {
			return 0, wordReason(b)
		}
	}
	v, err := strconv.ParseFloat(unsafe.String(unsafe.SliceData(b), len(b)), 64)
	if err != nil {
		if errors.Is(err, strconv.ErrRange) && math.IsInf(v, 0) {
			return 0, NotFinite
		}
		return 0, BadValue
	}
	return v, ok
}

// wordReason tells the words for numbers that are not finite from other text.
func wordReason(b []byte) Reason {
	if bytes.EqualFold(b, []byte("nan")) {
		return NotFinite
	}
	if b[0] == '+' || b[0] == '-' {
		b = b[1:]
	}
	if bytes.EqualFold(b, []byte("inf")) || bytes.EqualFold(b, []byte("infinity")) {
		return NotFinite
	}
	return BadValue
}

// positive reads all of b as a whole number above 0 that fits into an int64.
func positive(b []byte) (int64, bool) {
	if len(b) == 0 || len(b) > 18 {
		return 0, false
	}
	var v int64
	for _, c := range b {
		if c < '0' || c > '9' {
			return 0, false
		}
		v = v*10 + int64(c-'0')
	}
	return v, v > 0
}
