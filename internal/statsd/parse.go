package statsd

import (
	"bytes"
	"math"
)

// Parse reads one line, without its newline, into s. It returns nil or a
// [Reason]; after a Reason what s holds means nothing.
//
// It allocates nothing once s.Values has grown to the most values that a line
// has. It keeps no reference to line but those in s.
func Parse(line []byte, s *Sample) error {
	if r := parse(line, s); r != ok {
		return r
	}
	return nil
}

func parse(line []byte, s *Sample) Reason {
	if len(line) > 0 && line[0] == '_' {
		if r := foreign(line); r != ok {
			return r
		}
	}
	colon := bytes.IndexByte(line, ':')
	if colon < 0 || bytes.IndexByte(line[:colon], '|') >= 0 {
		return NoValue
	}
	if colon == 0 {
		return NoName
	}
	s.Name = line[:colon]
	s.Values = s.Values[:0]
	s.Member, s.Tags = nil, nil
	s.Rate = 1
	s.Timestamp = 0

	rest := line[colon+1:]
	v, n := leadingNumber(rest)
	if n > 0 && n < len(rest) && rest[n] == '|' {
		s.Values = append(s.Values, Value{V: v})
		return s.parseFromType(rest[n+1:], rest[:n])
	}
	pipe := bytes.IndexByte(rest, '|')
	if pipe < 0 {
		return NoType
	}
	return s.parseFromType(rest[pipe+1:], rest[:pipe])
}

// foreign recognises the lines of DogStatsD that are no metrics.
func foreign(line []byte) Reason {
	switch {
	case bytes.HasPrefix(line, []byte("_e{")):
		return Event
	case bytes.HasPrefix(line, []byte("_sc|")):
		return ServiceCheck
	}
	return ok
}

// parseFromType reads what follows the first '|'. raw is the text of the
// values; s.Values holds them if they were read already.
func (s *Sample) parseFromType(rest, raw []byte) Reason {
	n := 0
	for n < len(rest) && rest[n] != '|' {
		n++
	}
	s.Type = typeOf(rest[:n])
	if s.Type == 0 {
		if n == 0 {
			return NoType
		}
		return BadType
	}
	if s.Type == Set {
		if len(raw) == 0 {
			return NoValue
		}
		s.Values = s.Values[:0]
		s.Member = raw
	} else if len(s.Values) == 0 {
		if r := s.parseValues(raw); r != ok {
			return r
		}
	}
	if n == len(rest) {
		return ok
	}
	if r := s.parseFields(rest[n+1:]); r != ok {
		return r
	}
	if s.Rate < 1 {
		return s.checkScaled()
	}
	return ok
}

func typeOf(text []byte) Type {
	if len(text) == 1 {
		switch text[0] {
		case 'c':
			return Counter
		case 'g':
			return Gauge
		case 'h':
			return Histogram
		case 'd':
			return Distribution
		case 's':
			return Set
		}
	}
	if len(text) == 2 && text[0] == 'm' && text[1] == 's' {
		return Timing
	}
	return 0
}

// parseValues reads "1:2:3". Empty ones between colons are skipped, as the
// DataDog agent does.
func (s *Sample) parseValues(raw []byte) Reason {
	for len(raw) > 0 {
		one := raw
		if colon := bytes.IndexByte(raw, ':'); colon >= 0 {
			one, raw = raw[:colon], raw[colon+1:]
		} else {
			raw = nil
		}
		if len(one) == 0 {
			continue
		}
		v, r := number(one)
		if r != ok {
			return r
		}
		s.Values = append(s.Values, Value{V: v, Signed: one[0] == '+' || one[0] == '-'})
	}
	if len(s.Values) == 0 {
		return NoValue
	}
	return ok
}

// parseFields reads the fields after the type.
func (s *Sample) parseFields(rest []byte) Reason {
	for {
		field := rest
		pipe := bytes.IndexByte(rest, '|')
		if pipe >= 0 {
			field = rest[:pipe]
		}
		if r := s.parseField(field); r != ok {
			return r
		}
		if pipe < 0 {
			return ok
		}
		rest = rest[pipe+1:]
	}
}

func (s *Sample) parseField(field []byte) Reason {
	if len(field) == 0 {
		return ok
	}
	switch field[0] {
	case '#':
		s.Tags = field[1:]
	case '@':
		rate, r := number(field[1:])
		if r != ok || !(rate > 0 && rate <= 1) {
			return BadRate
		}
		s.Rate = rate
	case 'T':
		seconds, valid := positive(field[1:])
		if !valid {
			return BadTimestamp
		}
		s.Timestamp = seconds
	}
	return ok // c:, e:, card: and whatever comes after DogStatsD 1.6
}

// checkScaled makes sure that what the rate does to the values stays finite,
// and that a weight can be counted.
func (s *Sample) checkScaled() Reason {
	switch s.Type {
	case Counter:
		for i := range s.Values {
			if math.IsInf(s.Values[i].V/s.Rate, 0) {
				return NotFinite
			}
		}
	case Histogram, Timing, Distribution:
		if 1/s.Rate >= maxWeight {
			return NotFinite
		}
	}
	return ok
}
