package recording

import (
	"math"
	"strconv"
)

// scan reads a plain line: one object with known keys, each once, texts
// without escapes, a time and a step in seconds. It returns false for
// everything else, which [line.decode] reads, or refuses with a reason.
func scan(data []byte, l *line) bool {
	s := scanner{data: data}
	if !s.take('{') {
		return false
	}
	seen := 0
	for {
		key, ok := s.text()
		if !ok || !s.take(':') {
			return false
		}
		bit, ok := s.field(string(key), l)
		if !ok || seen&bit != 0 {
			return false
		}
		seen |= bit
		if s.take(',') {
			continue
		}
		return s.take('}') && s.at == len(s.data)
	}
}

func (s *scanner) field(key string, l *line) (bit int, ok bool) {
	switch key {
	case "time":
		seconds, ok := s.number()
		l.at, l.hasTime = nanos(seconds), true
		return 1, ok && seconds >= minTime && seconds <= maxTime
	case "metric":
		return 2, s.textInto(&l.metric)
	case "type":
		return 4, s.textInto(&l.kind)
	case "process":
		return 8, s.textInto(&l.process)
	case "tags":
		return 16, s.tags(l)
	case "value":
		l.hasValue = true
		var ok bool
		l.value, ok = s.number()
		return 32, ok
	case "step":
		seconds, ok := s.number()
		l.step = nanos(seconds)
		return 64, ok && seconds > 0 && seconds <= 1e8 && l.step > 0
	case "values":
		return 128, s.values(l)
	}
	return 0, false
}

// scanner stands at a byte of a line.
type scanner struct {
	data []byte
	at   int
}

func (s *scanner) space() {
	for s.at < len(s.data) && (s.data[s.at] == ' ' || s.data[s.at] == '\t') {
		s.at++
	}
}

func (s *scanner) take(c byte) bool {
	s.space()
	if s.at < len(s.data) && s.data[s.at] == c {
		s.at++
		s.space()
		return true
	}
	return false
}

// text reads a text of plain ASCII without escapes.
func (s *scanner) text() ([]byte, bool) {
	if !s.take('"') {
		return nil, false
	}
	s.at = s.begin()
	for i := s.at; i < len(s.data); i++ {
		switch c := s.data[i]; {
		case c == '"':
			text := s.data[s.at:i]
			s.at = i + 1
			s.space()
			return text, true
		case c == '\\' || c < ' ' || c >= 0x80:
			return nil, false
		}
	}
	return nil, false
}

// begin undoes the skipping of spaces behind the quote.
func (s *scanner) begin() int {
	at := s.at
	for s.data[at-1] != '"' {
		at--
	}
	return at
}

func (s *scanner) textInto(dst *[]byte) bool {
	text, ok := s.text()
	*dst = text
	return ok
}

// tags looks whether the value is an object of plain texts; it is read only
// when it is seen for the first time.
func (s *scanner) tags(l *line) bool {
	from := s.at
	if !s.take('{') {
		return false
	}
	for done := s.take('}'); !done; {
		if _, ok := s.text(); !ok || !s.take(':') {
			return false
		}
		if _, ok := s.text(); !ok {
			return false
		}
		if done = s.take('}'); !done && !s.take(',') {
			return false
		}
	}
	l.tags = s.data[from:s.at]
	return true
}

func (s *scanner) values(l *line) bool {
	if !s.take('[') {
		return false
	}
	l.values = make([]float64, 0, (len(s.data)-s.at)/3)
	if s.take(']') {
		return true
	}
	for {
		v := math.NaN()
		if s.at+4 <= len(s.data) && string(s.data[s.at:s.at+4]) == "null" {
			s.at += 4
		} else {
			var ok bool
			if v, ok = s.number(); !ok {
				return false
			}
		}
		l.values = append(l.values, v)
		if s.take(',') {
			continue
		}
		return s.take(']')
	}
}

// number reads a number as JSON writes one; short whole ones are the fast way.
func (s *scanner) number() (float64, bool) {
	s.space()
	from := s.at
	whole, digits := int64(0), 0
	for ; s.at < len(s.data) && s.data[s.at] >= '0' && s.data[s.at] <= '9'; s.at++ {
		whole = whole*10 + int64(s.data[s.at]-'0')
		digits++
		if digits > 15 {
			return 0, false
		}
	}
	if digits > 1 && s.data[from] == '0' {
		return 0, false
	}
	if s.at < len(s.data) {
		switch c := s.data[s.at]; c {
		case '.', '-', '+', 'e', 'E':
			return s.fraction(from)
		}
	}
	return float64(whole), digits > 0
}

func (s *scanner) fraction(from int) (float64, bool) {
	for s.at < len(s.data) {
		c := s.data[s.at]
		if (c < '0' || c > '9') && c != '.' && c != '-' && c != '+' && c != 'e' && c != 'E' {
			break
		}
		s.at++
	}
	text := s.data[from:s.at]
	first := text
	if first[0] == '-' {
		first = first[1:]
	}
	if len(first) == 0 || first[0] < '0' || first[0] > '9' || first[0] == '0' && len(first) > 1 && first[1] >= '0' && first[1] <= '9' {
		return 0, false
	}
	for i, c := range first { // JSON wants a digit behind a point
		if c == '.' && (i+1 == len(first) || first[i+1] < '0' || first[i+1] > '9') {
			return 0, false
		}
	}
	v, err := strconv.ParseFloat(string(text), 64)
	return v, err == nil
}
