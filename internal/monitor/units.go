package monitor

import (
	"errors"
	"fmt"
	"math"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// unitError says why a text is no duration or number, and what was meant.
type unitError struct{ message, suggestion string }

func (e *unitError) Error() string { return e.message }

var (
	durationParts = regexp.MustCompile(`^(?:\d+(?:\.\d+)?(?:ms|[smhdw]))+$`)
	durationPart  = regexp.MustCompile(`(\d+(?:\.\d+)?)(ms|[smhdw])`)
	bareNumber    = regexp.MustCompile(`^\d+(\.\d+)?$`)
	longUnit      = regexp.MustCompile(`(?i)^(\d+(?:\.\d+)?) *(milliseconds?|millis|msecs?|seconds?|secs?|s|minutes?|mins?|m|hours?|hrs?|h|days?|d|weeks?|w)$`)
	sizeText      = regexp.MustCompile(`^(-?\d+(?:\.\d+)?)([kKMGTP]?)(i?)B$`)
)

var durationUnits = map[string]time.Duration{
	"ms": time.Millisecond, "s": time.Second, "m": time.Minute,
	"h": time.Hour, "d": 24 * time.Hour, "w": 7 * 24 * time.Hour,
}

const expectedDuration = "expected a duration such as 30s, 5m, 4h, 7d or 1w"

// maxDuration keeps sums of a few durations from overflowing.
const maxDuration = 10 * 365 * 24 * time.Hour

// parseDuration reads numbers with the units ms s m h d w: 30s, 1h30m, 1.5d.
func parseDuration(s string) (time.Duration, error) {
	text := strings.TrimSpace(s)
	if strings.HasPrefix(text, "-") {
		return 0, &unitError{expectedDuration + ", and none is negative", ""}
	}
	if bareNumber.MatchString(text) {
		return 0, &unitError{"the duration " + text + " has no unit", text + "s"}
	}
	if !durationParts.MatchString(text) {
		return 0, &unitError{expectedDuration, likelyDuration(text)}
	}
	var sum float64
	for _, part := range durationPart.FindAllStringSubmatch(text, -1) {
		v, err := strconv.ParseFloat(part[1], 64)
		if err != nil {
			return 0, &unitError{expectedDuration, ""}
		}
		sum += v * float64(durationUnits[part[2]])
	}
	if sum > float64(maxDuration) {
		return 0, &unitError{"the duration is longer than ten years", ""}
	}
	return time.Duration(math.Round(sum)), nil
}

// likelyDuration is what a misspelt duration was meant to be.
func likelyDuration(s string) string {
	m := longUnit.FindStringSubmatch(s)
	if m == nil {
		return ""
	}
	unit := strings.ToLower(m[2])
	if strings.HasPrefix(unit, "mil") || strings.HasPrefix(unit, "ms") {
		return m[1] + "ms"
	}
	return m[1] + unit[:1]
}

// formatDuration writes a duration as files do.
func formatDuration(d time.Duration) string {
	if d == 0 {
		return "0s"
	}
	var b strings.Builder
	for _, unit := range []string{"d", "h", "m", "s", "ms"} {
		if n := d / durationUnits[unit]; n > 0 {
			fmt.Fprintf(&b, "%d%s", n, unit)
			d -= n * durationUnits[unit]
		}
	}
	if b.Len() == 0 { // see AtOnce
		return "0s"
	}
	return b.String()
}

var errNotFinite = errors.New("numbers must be finite")

// parseNumber reads a plain decimal number.
func parseNumber(s string) (float64, error) {
	v, err := strconv.ParseFloat(strings.TrimSpace(s), 64)
	if math.IsInf(v, 0) || math.IsNaN(v) {
		return 0, errNotFinite
	}
	if err != nil || strings.ContainsAny(s, "xXpP_") {
		return 0, &unitError{"expected a number", ""}
	}
	return v, nil
}

// parsePercent reads "2%" as 0.02, and plain fractions.
func parsePercent(s string) (float64, error) {
	digits, ok := strings.CutSuffix(strings.TrimSpace(s), "%")
	if !ok {
		return parseNumber(s)
	}
	v, err := parseNumber(digits)
	if err != nil {
		return 0, err
	}
	// Shift the decimal point in the text: 99.9% is 0.999 exactly as written.
	if shifted, err := strconv.ParseFloat(strings.TrimSpace(digits)+"e-2", 64); err == nil {
		return shifted, nil
	}
	return v / 100, nil
}

const expectedThreshold = "expected a number, a percentage (2%), a duration (300ms) or a size (10MB)"

// parseQuantity reads what a threshold can be: a number, a percentage as a
// fraction, a duration in seconds, a size in bytes.
func parseQuantity(s string) (float64, error) {
	text := strings.TrimSpace(s)
	if v, err := parsePercent(text); err == nil || errors.Is(err, errNotFinite) {
		return v, err
	}
	if durationParts.MatchString(text) {
		d, err := parseDuration(text)
		return d.Seconds(), err
	}
	if m := sizeText.FindStringSubmatch(text); m != nil {
		return parseSize(m)
	}
	return 0, &unitError{expectedThreshold, likelyQuantity(text)}
}

func parseSize(m []string) (float64, error) {
	v, err := parseNumber(m[1])
	if err != nil {
		return 0, err
	}
	base := 1000.0
	if m[3] == "i" {
		base = 1024
	}
	if m[2] == "" && m[3] == "i" {
		return 0, &unitError{expectedThreshold, m[1] + "B"}
	}
	return v * math.Pow(base, float64(strings.Index("kMGTP", strings.Replace(m[2], "K", "k", 1))+sizeStep(m[2]))), nil
}

// sizeStep makes the index of a prefix its power; no prefix is the power 0.
func sizeStep(prefix string) int {
	if prefix == "" {
		return 0
	}
	return 1
}

// likelyQuantity is what a misspelt quantity was meant to be.
func likelyQuantity(s string) string {
	m := regexp.MustCompile(`^(\d+(?:\.\d+)?)([kKMGTP]i?)$`).FindStringSubmatch(s)
	if m != nil {
		return m[1] + m[2] + "B"
	}
	if compact := strings.ReplaceAll(s, " ", ""); compact != s {
		if _, err := parseQuantity(compact); err == nil {
			return compact
		}
	}
	number := respelled(s, func(text string) bool {
		_, err := parseQuantity(text)
		return err == nil
	})
	if number != "" {
		return number
	}
	return likelyDuration(s)
}

var (
	grouped     = regexp.MustCompile(`^\s*(-?\d{1,3}(?:[,_' ]\d{3})+(?:\.\d+)?)(\D.*)?$`)
	groupedDots = regexp.MustCompile(`^\s*(-?\d{1,3}(?:\.\d{3}){2,})(,\d+)?(\D.*)?$`)
	underscores = regexp.MustCompile(`^\s*-?\d[\d_]*(?:\.\d+)?\D*$`)
	comparison  = regexp.MustCompile(`^\s*(?:>=|<=|==|!=|>|<|=)\s*(\S.*)$`)
)

// ungrouped returns a number without what separates its thousands, empty if
// nothing does.
func ungrouped(s string) string {
	separators := strings.NewReplacer(",", "", "_", "", "'", "", " ", "")
	if m := grouped.FindStringSubmatch(s); m != nil {
		return separators.Replace(m[1]) + strings.TrimSpace(m[2])
	}
	if m := groupedDots.FindStringSubmatch(s); m != nil {
		return strings.ReplaceAll(m[1], ".", "") + strings.Replace(m[2], ",", ".", 1) + strings.TrimSpace(m[3])
	}
	if strings.Contains(s, "_") && underscores.MatchString(s) {
		return strings.ReplaceAll(strings.TrimSpace(s), "_", "")
	}
	return ""
}

// respell looks for what a text that isn't understood was meant to be, if the
// error doesn't say.
func respell[T any](s string, err error, parse func(string) (T, error)) error {
	e, ok := err.(*unitError)
	if !ok || e.suggestion != "" {
		return err
	}
	return &unitError{e.message, respelled(s, func(text string) bool {
		_, err := parse(text)
		return err == nil
	})}
}

// respelled returns a number without what separates its thousands, with a
// decimal point for a comma, or without the comparison before it, whichever
// is understood.
func respelled(s string, understood func(string) bool) string {
	if len(s) > 100 {
		return ""
	}
	likely := []string{ungrouped(s), strings.Replace(s, ",", ".", 1)}
	if m := comparison.FindStringSubmatch(s); m != nil {
		likely = append(likely, m[1])
	}
	for _, text := range likely {
		if text != "" && text != s && understood(text) {
			return text
		}
	}
	return ""
}
