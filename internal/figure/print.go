package figure

import (
	"math"
	"strconv"
	"strings"

	"github.com/go-batteries/hawkeye/internal/msgtmpl"
)

// written is how many decimals people write: a number that has no more of them
// is printed with all, so that a threshold is the one of the file.
const written = 4

// read returns what a reader takes a plain decimal number for.
func read(text string) float64 {
	v, err := strconv.ParseFloat(text, 64)
	if err != nil {
		return math.NaN()
	}
	return v
}

// number prints a plain number: at most six decimals, more of a small one, or
// six digits where an exponent is needed.
func number(v float64, digits int) (string, float64) {
	a := math.Abs(v)
	text := msgtmpl.FormatNumber(v)
	switch {
	case v == 0 || digits == 0 && (a >= 1e-3 || a < 1e-6):
	case digits == full && (a >= 1e21 || a < 1e-6):
		text = strconv.FormatFloat(v, 'e', -1, 64)
	case digits == full:
		text = strconv.FormatFloat(v, 'f', -1, 64)
	case a >= 1e15 || a < 1e-6:
		text = strconv.FormatFloat(v, 'g', 6+digits, 64)
	default:
		text = decimals(v, max(6, places(v, 3))+digits)
	}
	return text, read(text)
}

// decimals prints a number with so many decimals, less the zeros at the end,
// and no more than the number has.
func decimals(v float64, n int) string {
	exact := strconv.FormatFloat(v, 'f', -1, 64)
	if _, part, _ := strings.Cut(exact, "."); len(part) <= n {
		return exact
	}
	return trimmed(strconv.FormatFloat(v, 'f', n, 64))
}

func trimmed(s string) string {
	if strings.Contains(s, ".") {
		s = strings.TrimRight(strings.TrimRight(s, "0"), ".")
	}
	if s == "-0" {
		return "0"
	}
	return s
}

// percent prints a fraction as a percentage. The point is moved in the text,
// because a multiplication rounds.
func percent(v float64, digits int) (string, float64) {
	exact := moved(strconv.FormatFloat(v, 'f', -1, 64))
	text, ok := strings.CutSuffix(msgtmpl.FormatPercent(v), "%")
	switch _, part, _ := strings.Cut(exact, "."); {
	case digits == full, len(part) <= written:
		text = exact
	case !ok, digits > 0:
		text = moved(decimals(v, 4+digits))
	}
	return text + "%", read(text)
}

// moved moves the point of a decimal number by two places.
func moved(s string) string {
	sign := ""
	if strings.HasPrefix(s, "-") {
		sign, s = "-", s[1:]
	}
	whole, part, _ := strings.Cut(s, ".")
	part += "00"[min(len(part), 2):]
	whole = strings.TrimLeft(whole+part[:2], "0")
	if whole == "" {
		whole = "0"
	}
	return trimmed(sign + whole + "." + part[2:] + "0")
}

// times prints a factor with three digits, and its whole part in full.
func times(v float64, digits int) (string, float64) {
	if digits == full || math.Abs(v) >= 1e15 {
		return number(v, digits)
	}
	text := decimals(v, places(v, 3+digits))
	if v != 0 && read(text) == 0 {
		text = strconv.FormatFloat(v, 'g', 3+digits, 64)
	}
	return text, read(text)
}

// places returns how many decimals show so many digits of a number, none for
// those that have as many before the point, and not without end for small ones.
func places(v float64, digits int) int {
	if v == 0 {
		return 0
	}
	return min(max(digits-1-int(math.Floor(math.Log10(math.Abs(v)))), 0), digits+6)
}

// bytes prints a size with a binary prefix and four digits. What rounds to a
// whole of the next prefix has that.
func bytes(v float64, digits int) (string, float64) {
	const prefixes = "KMGTPE"
	if digits == full {
		text := trimmed(strconv.FormatFloat(v, 'f', -1, 64))
		return text + "B", v
	}
	scaled, i := v, 0
	for i < len(prefixes) && math.Abs(scaled) >= 1024 {
		scaled /= 1024
		i++
	}
	text := digitsOf(scaled, 4+digits)
	if math.Abs(read(text)) >= 1024 && i < len(prefixes) {
		text, i = strconv.FormatFloat(math.Copysign(1, v), 'f', 0, 64), i+1
	}
	shown := math.Ldexp(read(text), 10*i)
	if i == 0 {
		return text + "B", shown
	}
	return text + prefixes[i-1:i] + "iB", shown
}

// digitsOf prints a number with so many digits.
func digitsOf(v float64, digits int) string {
	if a := math.Abs(v); a > 0 && a < 1e-6 || a >= 1e15 {
		return strconv.FormatFloat(v, 'g', digits, 64)
	}
	return decimals(v, places(v, digits))
}

// step is a unit of durations under a minute.
type step struct {
	name string
	unit float64 // in seconds
}

// duration prints seconds: 300µs, 12.5ms, 1.4s, 12.3s, 1h 5m.
func duration(v float64, digits int) (string, float64) {
	if v < 0 {
		text, shown := duration(-v, digits)
		return "-" + text, -shown
	}
	switch {
	case v == 0:
		return "0s", 0
	case digits == full || v > 9e9 || v < 1e-9:
		text, shown := number(v, digits)
		return text + "s", shown
	}
	for _, s := range []step{{"µs", 1e-6}, {"ms", 1e-3}} {
		if v < 1000*s.unit {
			text := decimals(v/s.unit, places(v/s.unit, written)+digits)
			if n := read(text); n < 1000 && n > 0 {
				return text + s.name, n * s.unit
			}
		}
	}
	if v < 60 {
		n := places(v, 3) + digits
		if _, part, _ := strings.Cut(strconv.FormatFloat(v, 'f', -1, 64), "."); len(part) <= written {
			n = max(n, len(part))
		}
		if text := decimals(v, n); read(text) < 60 {
			return text + "s", read(text)
		}
	}
	return long(v, digits)
}

// long prints a minute or more by its parts.
func long(v float64, digits int) (string, float64) {
	seconds := strconv.FormatFloat(v, 'f', max(digits-1, 0), 64)
	whole, part, dotted := strings.Cut(seconds, ".")
	n, err := strconv.ParseInt(whole, 10, 64)
	if err != nil {
		return seconds + "s", read(seconds)
	}
	var parts []string
	for _, p := range []struct {
		name string
		in   int64
	}{{"d", 24 * 60 * 60}, {"h", 60 * 60}, {"m", 60}} {
		if n >= p.in {
			parts = append(parts, strconv.FormatInt(n/p.in, 10)+p.name)
			n %= p.in
		}
	}
	last := strconv.FormatInt(n, 10)
	if dotted {
		last = trimmed(last + "." + part)
	}
	if last != "0" {
		parts = append(parts, last+"s")
	}
	return strings.Join(parts, " "), read(seconds)
}
