package jsonrpc

import (
	"bytes"
	"unicode/utf8"
)

// fastCall is a call of Metric.Handle in the shape in which clients send it:
//
//	{"method":"Metric.Handle","params":[{"Text":"name:1|c"}],"id":1}
//	{"jsonrpc":"2.0","method":"Metric.Handle","params":{"Text":"name:1|c"},"id":"a"}
//
// with keys and white space in any order. Whatever differs in the least
// (another method, an escape \u, an unknown or doubled key) is left to the
// general decoder, which decides what it means.
type fastCall struct {
	dialect dialect
	id      []byte // as sent; nil if there is none
	text    []byte // the string between its quotes
	escaped bool   // text holds escapes
}

// Keys that were seen.
const (
	sawVersion = 1 << iota
	sawMethod
	sawParams
	sawID
)

// cursor walks over a document. A false from any of its methods means that
// the fast way ends here.
type cursor struct {
	b []byte
	i int
}

// parseFast reads the call that b begins with and returns its length; 0 if
// it is not of the shape, or not all there.
func parseFast(b []byte, call *fastCall) int {
	c := cursor{b: b}
	*call = fastCall{dialect: v1}
	named, saw := false, 0
	if !c.take('{') {
		return 0
	}
	for {
		key, valid := c.plainString()
		if !valid || !c.take(':') {
			return 0
		}
		bit := 0
		switch string(key) {
		case "jsonrpc":
			bit, valid = sawVersion, c.takeString("2.0")
			call.dialect = v2
		case "method":
			bit, valid = sawMethod, c.takeString(methodHandle)
		case "params":
			bit = sawParams
			named, valid = c.params(call)
		case "id":
			bit = sawID
			call.id, valid = c.simpleID()
		}
		if bit == 0 || saw&bit != 0 || !valid {
			return 0
		}
		saw |= bit
		if c.take(',') {
			continue
		}
		if !c.take('}') || saw|sawVersion|sawID != sawVersion|sawMethod|sawParams|sawID {
			return 0
		}
		if named && call.dialect == v1 {
			return 0
		}
		return c.i
	}
}

// take skips white space and then one byte, if it is this one.
func (c *cursor) take(want byte) bool {
	for c.i < len(c.b) && isSpace(c.b[c.i]) {
		c.i++
	}
	if c.i == len(c.b) || c.b[c.i] != want {
		return false
	}
	c.i++
	return true
}

// plainString reads a string without escapes.
func (c *cursor) plainString() ([]byte, bool) {
	text, escaped, valid := c.stringToken()
	return text, valid && !escaped
}

func (c *cursor) takeString(want string) bool {
	text, valid := c.plainString()
	return valid && string(text) == want
}

// stringToken reads a string and returns what stands between its quotes.
func (c *cursor) stringToken() (text []byte, escaped, valid bool) {
	if !c.take('"') {
		return nil, false, false
	}
	start, high := c.i, byte(0)
	for ; c.i < len(c.b); c.i++ {
		ch := c.b[c.i]
		switch {
		case ch == '"':
			text = c.b[start:c.i]
			c.i++
			return text, escaped, high < utf8.RuneSelf || utf8.Valid(text)
		case ch == '\\':
			escaped = true
			c.i++ // whatever comes next, it is not the closing quote
		case ch < 0x20:
			return nil, false, false
		default:
			high |= ch
		}
	}
	return nil, false, false
}

// params reads {"Text":"..."}, or the same as the only one of an array.
func (c *cursor) params(call *fastCall) (named, valid bool) {
	named = !c.take('[')
	if !c.take('{') || !c.takeString("Text") || !c.take(':') {
		return named, false
	}
	if call.text, call.escaped, valid = c.stringToken(); !valid {
		return named, false
	}
	return named, c.take('}') && (named || c.take(']'))
}

// simpleID reads a whole number, a string without escapes, or null.
func (c *cursor) simpleID() ([]byte, bool) {
	for c.i < len(c.b) && isSpace(c.b[c.i]) {
		c.i++
	}
	start := c.i
	rest := c.b[start:]
	switch {
	case len(rest) == 0:
		return nil, false
	case rest[0] == '"':
		_, valid := c.plainString()
		return c.b[start:c.i], valid
	case bytes.HasPrefix(rest, []byte("null")):
		c.i += len("null")
		return c.b[start:c.i], true
	case rest[0] == '0':
		c.i++
		return c.b[start:c.i], true
	}
	for c.i < len(c.b) && c.b[c.i] >= '0' && c.b[c.i] <= '9' {
		c.i++
	}
	return c.b[start:c.i], c.i > start
}

// unescape appends text without its escapes to dst. It knows those of one
// character; at any other it gives up.
func unescape(dst, text []byte) ([]byte, bool) {
	for {
		i := bytes.IndexByte(text, '\\')
		if i < 0 {
			return append(dst, text...), true
		}
		if i+1 == len(text) {
			return dst, false
		}
		dst = append(dst, text[:i]...)
		switch text[i+1] {
		case '"', '\\', '/':
			dst = append(dst, text[i+1])
		case 'n':
			dst = append(dst, '\n')
		case 't':
			dst = append(dst, '\t')
		case 'r':
			dst = append(dst, '\r')
		case 'b':
			dst = append(dst, '\b')
		case 'f':
			dst = append(dst, '\f')
		default:
			return dst, false
		}
		text = text[i+2:]
	}
}
