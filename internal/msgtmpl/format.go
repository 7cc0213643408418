package msgtmpl

import (
	"math"
	"strconv"
	"strings"
	"time"
)

// missing is how a value prints that isn't there.
const missing = "n/a"

// Format prints a value as a message shows it: numbers without needless
// zeros, durations as 1h 5m, a missing value as n/a, never <no value>.
func Format(v any) string {
	switch v := normal(v).(type) {
	case nil:
		return missing
	case string:
		return v
	case bool:
		return strconv.FormatBool(v)
	case float64:
		return FormatNumber(v)
	case time.Duration:
		return FormatDuration(v)
	case time.Time:
		if v.IsZero() {
			return missing
		}
		return v.Format("2006-01-02 15:04:05 MST")
	case []string:
		return strings.Join(v, ", ")
	case []any:
		return formatList(v)
	case map[string]string:
		var pairs []string
		for _, k := range sortedKeys(v) {
			pairs = append(pairs, k+"="+v[k])
		}
		return strings.Join(pairs, ", ")
	}
	return missing
}

func formatList(list []any) string {
	parts := make([]string, len(list))
	for i, e := range list {
		if _, nested := e.([]any); nested {
			parts[i] = missing
			continue
		}
		parts[i] = Format(e)
	}
	return strings.Join(parts, ", ")
}

// FormatNumber prints a number as people write it: 25, 0.3, 1234567, with at
// most six decimals, and with an exponent only where there is no other way.
func FormatNumber(v float64) string {
	switch a := math.Abs(v); {
	case math.IsNaN(v):
		return missing
	case math.IsInf(v, 0) || a >= 1e15 || a > 0 && a < 1e-6:
		return strconv.FormatFloat(v, 'g', 6, 64)
	}
	return trimZeros(strconv.FormatFloat(v, 'f', 6, 64))
}

func trimZeros(s string) string {
	if strings.Contains(s, ".") {
		s = strings.TrimRight(strings.TrimRight(s, "0"), ".")
	}
	if s == "-0" {
		return "0"
	}
	return s
}

// FormatPercent prints a fraction as a percentage with at most two decimals,
// more if it would be 0 otherwise: 0.0213 is 2.13%.
func FormatPercent(v float64) string {
	if math.IsNaN(v) {
		return missing
	}
	p := v * 100
	if a := math.Abs(p); a > 0 && a < 0.01 {
		return FormatNumber(roundTo(p, 6)) + "%"
	}
	return FormatNumber(roundTo(p, 2)) + "%"
}

func roundTo(v float64, digits int) float64 {
	scale := math.Pow(10, float64(digits))
	if r := math.Round(v*scale) / scale; !math.IsNaN(r) && !math.IsInf(r, 0) {
		return r
	}
	return v
}

// FormatDuration prints a duration by its largest parts: 3d 4h, 1h 5m, 12s,
// 300ms.
func FormatDuration(d time.Duration) string {
	if d < 0 {
		if d == math.MinInt64 {
			d++
		}
		return "-" + FormatDuration(-d)
	}
	if d < time.Second {
		return formatSubsecond(d)
	}
	d = d.Round(time.Second)
	parts := []struct {
		unit time.Duration
		name string
	}{{24 * time.Hour, "d"}, {time.Hour, "h"}, {time.Minute, "m"}, {time.Second, "s"}}
	var out []string
	for i, p := range parts {
		if n := d / p.unit; n > 0 {
			out = append(out, strconv.FormatInt(int64(n), 10)+p.name)
			d -= n * p.unit
		}
		if len(out) > 0 && (i >= 2 && len(out) == 2 || len(out) == 3) {
			break
		}
	}
	return strings.Join(out, " ")
}

func formatSubsecond(d time.Duration) string {
	if d == 0 {
		return "0s"
	}
	if us := roundTo(float64(d)/float64(time.Microsecond), 3); us < 1000 {
		return FormatNumber(us) + "µs"
	}
	if ms := roundTo(float64(d)/float64(time.Millisecond), 1); ms < 1000 {
		return FormatNumber(ms) + "ms"
	}
	return "1s"
}

// humanize prints a number with four digits and a prefix of its size in powers
// of base. What rounds to a whole of the next prefix has that.
func humanize(v, base float64, prefixes string) string {
	if math.IsNaN(v) {
		return missing
	}
	i := -1
	for math.Abs(v) >= base && i+1 < len(prefixes) {
		v /= base
		i++
	}
	s := fourDigits(v)
	if n, err := strconv.ParseFloat(s, 64); err == nil && math.Abs(n) >= base && i+1 < len(prefixes) {
		s = fourDigits(math.Copysign(1, v))
		i++
	}
	if i >= 0 {
		s += prefixes[i : i+1]
	}
	return s
}

func fourDigits(v float64) string {
	a := math.Abs(v)
	switch {
	case v == 0:
		return "0"
	case a >= 1e-6 && a < 1e15:
		return trimZeros(strconv.FormatFloat(v, 'f', max(0, 3-int(math.Floor(math.Log10(a)))), 64))
	}
	return strconv.FormatFloat(v, 'g', 4, 64)
}

// describe names a value's type for an error, in the file's words.
func describe(v any) string {
	switch v.(type) {
	case nil:
		return "nothing"
	case string:
		return "text"
	case float64:
		return "a number"
	case bool:
		return "true or false"
	case time.Time:
		return "a time"
	case time.Duration:
		return "a duration"
	case []any, []string, []map[string]any:
		return "a list"
	case map[string]any, map[string]string:
		return "a group of fields"
	}
	return "a value it doesn't know"
}
