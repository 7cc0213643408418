package jsonrpc

// maxDepth is how deep a document may nest. What hawkeye understands nests
// four deep.
const maxDepth = 64

// status is what a scanner knows of a document.
type status uint8

const (
	incomplete status = iota // so far it is fine
	complete                 // it ended
	broken                   // it is no JSON, or nests too deep
)

// A scanner finds the end of a JSON object or array in bytes that arrive
// piecemeal, and the place where it stops being JSON (RFC 8259). It looks at
// each byte once, however small the pieces are: encoding/json can't be asked
// to go on where it stopped.
type scanner struct {
	pos     int    // bytes of the document that were looked at
	step    step   // what may come next
	depth   int    // open objects and arrays
	objects uint64 // bit d is set if the one opened at depth d is an object
	literal string // what is left of true, false or null
	hex     uint8  // hex digits that are left of \uXXXX
	key     bool   // the string that is being read is a key
	newline int    // 1 + position of the last newline between tokens
}

// step is a place in the grammar.
type step uint8

const (
	wantValue      step = iota
	wantValueOrEnd      // after '['
	wantKeyOrEnd        // after '{'
	wantKey             // after ',' in an object
	wantColon
	afterValue
	inString
	inEscape
	inHex
	inLiteral
	inMinus    // after '-'
	inZero     // after a leading 0
	inInteger  // after 1-9
	afterDot   // after '.'
	inFraction // after a digit behind '.'
	afterExp   // after 'e' or 'E'
	afterSign  // after the sign of an exponent
	inExponent
)

// scan goes on with the document, all of which is passed again with what has
// arrived since. Complete comes with the document's length, broken with the
// position of the first byte that can't be there.
func (s *scanner) scan(doc []byte) (int, status) {
	for s.pos < len(doc) {
		if s.step == inString {
			s.pos += plain(doc[s.pos:])
			if s.pos == len(doc) {
				break
			}
		}
		c := doc[s.pos]
		if c == '\n' && s.step != inString {
			s.newline = s.pos + 1
		}
		if !s.next(c) {
			return s.pos, broken
		}
		s.pos++
		if s.depth == 0 {
			return s.pos, complete
		}
	}
	return s.pos, incomplete
}

// plain counts the bytes before the next one that means something in a string.
func plain(b []byte) int {
	for i, c := range b {
		if c == '"' || c == '\\' || c < 0x20 {
			return i
		}
	}
	return len(b)
}

// next takes one byte and reports whether it may be there.
func (s *scanner) next(c byte) bool {
	switch s.step {
	case inString:
		return s.inString(c)
	case inEscape:
		return s.inEscape(c)
	case inHex:
		s.hex--
		if s.hex == 0 {
			s.step = inString
		}
		return isHex(c)
	case inLiteral:
		return s.inLiteral(c)
	}
	if s.step >= inMinus {
		if took, valid := s.inNumber(c); took || !valid {
			return valid
		}
	}
	if isSpace(c) {
		return true
	}
	switch s.step {
	case wantValue:
		return s.value(c)
	case wantValueOrEnd:
		if c == ']' {
			return s.pop()
		}
		return s.value(c)
	case wantKeyOrEnd:
		if c == '}' {
			return s.pop()
		}
		return s.startKey(c)
	case wantKey:
		return s.startKey(c)
	case wantColon:
		s.step = wantValue
		return c == ':'
	default:
		return s.afterValue(c)
	}
}

func (s *scanner) inString(c byte) bool {
	switch c {
	case '"':
		s.step = afterValue
		if s.key {
			s.step = wantColon
		}
	case '\\':
		s.step = inEscape
	default:
		return c >= 0x20
	}
	return true
}

func (s *scanner) inEscape(c byte) bool {
	s.step = inString
	switch c {
	case '"', '\\', '/', 'b', 'f', 'n', 'r', 't':
		return true
	case 'u':
		s.step, s.hex = inHex, 4
		return true
	}
	return false
}

func (s *scanner) inLiteral(c byte) bool {
	if c != s.literal[0] {
		return false
	}
	if s.literal = s.literal[1:]; s.literal == "" {
		s.step = afterValue
	}
	return true
}

// inNumber takes c if it belongs to the number; else the number ended before
// c, which is valid only where a number may end.
func (s *scanner) inNumber(c byte) (took, valid bool) {
	digit := c >= '0' && c <= '9'
	exp := c == 'e' || c == 'E'
	switch {
	case s.step == inMinus && c == '0':
		s.step = inZero
	case s.step == inMinus && digit:
		s.step = inInteger
	case (s.step == inInteger || s.step == inFraction || s.step == inExponent) && digit:
	case (s.step == inZero || s.step == inInteger) && c == '.':
		s.step = afterDot
	case s.step == afterDot && digit:
		s.step = inFraction
	case (s.step == inZero || s.step == inInteger || s.step == inFraction) && exp:
		s.step = afterExp
	case s.step == afterExp && (c == '+' || c == '-'):
		s.step = afterSign
	case (s.step == afterExp || s.step == afterSign) && digit:
		s.step = inExponent
	case s.step == inMinus || s.step == afterDot || s.step == afterExp || s.step == afterSign:
		return false, false
	default:
		s.step = afterValue
		return false, true
	}
	return true, true
}

func (s *scanner) value(c byte) bool {
	switch c {
	case '{':
		return s.push(true)
	case '[':
		return s.push(false)
	case '"':
		s.step, s.key = inString, false
	case '-':
		s.step = inMinus
	case '0':
		s.step = inZero
	case 't':
		s.step, s.literal = inLiteral, "rue"
	case 'f':
		s.step, s.literal = inLiteral, "alse"
	case 'n':
		s.step, s.literal = inLiteral, "ull"
	default:
		s.step = inInteger
		return c >= '1' && c <= '9'
	}
	return true
}

func (s *scanner) startKey(c byte) bool {
	s.step, s.key = inString, true
	return c == '"'
}

func (s *scanner) afterValue(c byte) bool {
	object := s.objects>>(s.depth-1)&1 == 1
	switch {
	case c == ',' && object:
		s.step = wantKey
	case c == ',':
		s.step = wantValue
	case c == '}' && object, c == ']' && !object:
		return s.pop()
	default:
		return false
	}
	return true
}

func (s *scanner) push(object bool) bool {
	if s.depth == maxDepth {
		return false
	}
	if object {
		s.objects |= 1 << s.depth
		s.step = wantKeyOrEnd
	} else {
		s.objects &^= 1 << s.depth
		s.step = wantValueOrEnd
	}
	s.depth++
	return true
}

func (s *scanner) pop() bool {
	s.depth--
	s.step = afterValue
	return true
}

func isSpace(c byte) bool { return c == ' ' || c == '\n' || c == '\r' || c == '\t' }

func isHex(c byte) bool {
	return c >= '0' && c <= '9' || c >= 'a' && c <= 'f' || c >= 'A' && c <= 'F'
}
