package statsd

import (
	"errors"
	"math"
	"strconv"
	"strings"
)

// reference is the grammar again, slow and obvious, for Parse to be compared
// with.
func reference(line string) (Sample, Reason) {
	if strings.HasPrefix(line, "_e{") {
		return Sample{}, Event
	}
	if strings.HasPrefix(line, "_sc|") {
		return Sample{}, ServiceCheck
	}
	fields := strings.Split(line, "|")
	name, raw, found := strings.Cut(fields[0], ":")
	if !found {
		return Sample{}, NoValue
	}
	if name == "" {
		return Sample{}, NoName
	}
	if len(fields) == 1 || fields[1] == "" {
		return Sample{}, NoType
	}
	types := map[string]Type{"c": Counter, "g": Gauge, "h": Histogram, "ms": Timing, "d": Distribution, "s": Set}
	s := Sample{Name: []byte(name), Type: types[fields[1]], Rate: 1}
	if s.Type == 0 {
		return Sample{}, BadType
	}
	if s.Type == Set {
		if raw == "" {
			return Sample{}, NoValue
		}
		s.Member = []byte(raw)
	} else {
		for text := range strings.SplitSeq(raw, ":") {
			if text == "" {
				continue
			}
			v, reason := referenceNumber(text)
			if reason != ok {
				return Sample{}, reason
			}
			s.Values = append(s.Values, Value{V: v, Signed: strings.ContainsAny(text[:1], "+-")})
		}
		if len(s.Values) == 0 {
			return Sample{}, NoValue
		}
	}
	for _, field := range fields[2:] {
		switch {
		case strings.HasPrefix(field, "#"):
			s.Tags = []byte(field[1:])
		case strings.HasPrefix(field, "@"):
			rate, reason := referenceNumber(field[1:])
			if reason != ok || rate <= 0 || rate > 1 {
				return Sample{}, BadRate
			}
			s.Rate = rate
		case strings.HasPrefix(field, "T"):
			seconds, err := strconv.ParseUint(field[1:], 10, 63)
			if err != nil || seconds == 0 || len(field) > 19 {
				return Sample{}, BadTimestamp
			}
			s.Timestamp = int64(seconds)
		}
	}
	for _, v := range s.Values {
		if s.Type == Counter && math.IsInf(v.V/s.Rate, 0) {
			return Sample{}, NotFinite
		}
	}
	if s.Type != Counter && s.Type != Gauge && s.Type != Set && 1/s.Rate >= math.MaxInt64 {
		return Sample{}, NotFinite
	}
	return s, ok
}

func referenceNumber(text string) (float64, Reason) {
	v, err := strconv.ParseFloat(text, 64)
	if math.IsNaN(v) || math.IsInf(v, 0) {
		if err == nil || errors.Is(err, strconv.ErrRange) && !strings.ContainsAny(text, "xXpP_") {
			return 0, NotFinite
		}
		return 0, BadValue
	}
	if err != nil || strings.ContainsAny(text, "xXpP_") {
		return 0, BadValue
	}
	return v, ok
}
