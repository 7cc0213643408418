// Package jsonrpc answers JSON-RPC 1.0, as Go's net/rpc/jsonrpc client speaks
// it, and strict JSON-RPC 2.0 (https://www.jsonrpc.org/specification), each in
// its own dialect, in the order of the requests.
//
// It does no I/O: a [Session] is given the bytes of one connection and appends
// its replies to a buffer.
package jsonrpc

import "bytes"

// The methods.
const (
	methodHandle = "Metric.Handle"      // {"Text": "line\nline"}
	methodBatch  = "Metric.HandleBatch" // {"Lines": ["line", "line"]}
	methodPing   = "Metric.Ping"        // nothing
)

// DefaultMaxDocument is the longest document unless a Session names another.
const DefaultMaxDocument = 1 << 20

// maxBatch is how many requests one document may hold; an answer is several
// times as long as the shortest invalid request.
const maxBatch = 16384

// Recorder records the lines of a call.
type Recorder interface {
	// Apply records the lines of text that it understands, and returns an
	// error for the first one that it does not: a *statsd.LineError, so that
	// the caller is told which one. It keeps no part of text.
	Apply(text []byte) error
}

// dialect is a version of JSON-RPC.
type dialect uint8

const (
	v1 dialect = 1
	v2 dialect = 2
)

// Stats count what a [Session] has done.
type Stats struct {
	Calls      uint64 // requests and notifications, valid or not
	Failed     uint64 // calls that were answered, or would have been, with an error
	Broken     uint64 // documents that are no JSON, or too long
	Panics     uint64 // calls during which the Recorder panicked
	SkipBytes  uint64 // bytes that were dropped to find the next document
	FastCalls  uint64 // calls that took the short way
	BatchCalls uint64 // calls that came in batches
}

// Session is the server's side of one connection. It is not safe for
// concurrent use. Recorder must be set; the rest may be left as it is.
type Session struct {
	Recorder Recorder
	// MaxDocument is the longest document in bytes; 0 is [DefaultMaxDocument].
	MaxDocument int
	// OnPanic is told of a panic of the Recorder, with its stack.
	OnPanic func(recovered any, stack []byte)
	// Stats count.
	Stats Stats

	scan     scanner
	call     fastCall
	last     dialect // of the last request, for answers to what is unreadable
	skipping skipping
	scratch  []byte
}

// skipping is what a session does after a document that was no JSON.
type skipping uint8

const (
	skipNothing skipping = iota
	skipLine             // drop what is left of the line
	skipLines            // drop lines until one begins like a document
)

// Next handles at most one document at the front of buf, appends its reply,
// if it has one, and a newline to out, and returns how many bytes of buf are
// done with. After 0 there is nothing more to do until buf grows: what is in
// it then is the beginning of a document, and comes again with the next call.
//
// A document ends where its JSON ends; white space, newlines among it,
// between documents means nothing. After one that is no JSON the session goes
// on at the next line that begins with '{' or '['. If that is the line of an
// object in which the mistake showed (its predecessor was cut off), it goes
// on there.
func (s *Session) Next(buf, out []byte) (int, []byte) {
	n := 0
	if s.skipping != skipNothing {
		n = s.skip(buf)
	}
	for n < len(buf) && s.skipping == skipNothing && isSpace(buf[n]) {
		n++
	}
	if n > 0 || len(buf) == 0 {
		return n, out
	}
	if c := buf[0]; c != '{' && c != '[' {
		return s.fail(buf, 0, out)
	}
	if s.scan.pos == 0 {
		if n := parseFast(buf, &s.call); n > 0 && n <= s.maxDocument() {
			if reply, done := s.handleFast(out); done {
				return n, reply
			}
		}
	}
	end, state := s.scan.scan(buf)
	switch {
	case end > s.maxDocument():
		return s.tooLong(buf, out)
	case state == broken:
		return s.fail(buf, end, out)
	case state == incomplete:
		return 0, out
	}
	s.scan = scanner{}
	if parseFast(buf[:end], &s.call) == end {
		if reply, done := s.handleFast(out); done {
			return end, reply
		}
	}
	return end, s.handleDocument(buf[:end], out)
}

// Truncate appends the answer to a document whose rest will not come: the
// connection ended, or the time for it did. It returns out as it is if no
// document had begun.
func (s *Session) Truncate(buf, out []byte) []byte {
	if len(buf) == 0 || s.skipping != skipNothing {
		return out
	}
	s.Stats.Broken++
	s.scan = scanner{}
	return appendError(out, s.guess(buf), nil, errParse.because("the document is not complete"))
}

// Forget gives back the memory that the session holds for speed. It is called
// when nothing has come for a while.
func (s *Session) Forget() { s.scratch = nil }

func (s *Session) maxDocument() int {
	if s.MaxDocument > 0 {
		return s.MaxDocument
	}
	return DefaultMaxDocument
}

// fail answers a document that stops being JSON at position at, and finds the
// place from which to go on.
func (s *Session) fail(buf []byte, at int, out []byte) (int, []byte) {
	s.Stats.Broken++
	out = appendError(out, s.guess(buf[:at]), nil, errParse.at(buf, at))
	line := s.scan.newline
	s.scan = scanner{}
	if line > 0 && buf[0] == '{' {
		s.skipping = skipLines
		s.Stats.SkipBytes += uint64(line)
		return line, out
	}
	s.skipping = skipLine
	n := at + s.skip(buf[at:])
	s.Stats.SkipBytes += uint64(at)
	return n, out
}

// tooLong answers a document that goes on behind the limit.
func (s *Session) tooLong(buf, out []byte) (int, []byte) {
	s.Stats.Broken++
	s.scan = scanner{}
	limit := s.maxDocument()
	out = appendError(out, s.guess(buf[:limit]), nil, errInvalidRequest.because("the document is too long"))
	s.skipping = skipLine
	s.Stats.SkipBytes += uint64(limit)
	return limit + s.skip(buf[limit:]), out
}

// skip returns how many bytes of buf to drop on the way to the next document.
func (s *Session) skip(buf []byte) (n int) {
	defer func() { s.Stats.SkipBytes += uint64(n) }()
	for s.skipping != skipNothing && n < len(buf) {
		if s.skipping == skipLines {
			switch c := buf[n]; {
			case isSpace(c):
				n++
				continue
			case c == '{' || c == '[':
				s.skipping = skipNothing
				return n
			}
			s.skipping = skipLine
		}
		end := bytes.IndexByte(buf[n:], '\n')
		if end < 0 {
			return len(buf)
		}
		n += end + 1
		s.skipping = skipLines
	}
	return n
}

// guess tells the dialect of a text that could not be read.
func (s *Session) guess(text []byte) dialect {
	switch {
	case bytes.Contains(text, []byte(`"jsonrpc"`)):
		return v2
	case bytes.Contains(text, []byte(`"method"`)):
		return v1
	case s.last != 0:
		return s.last
	}
	return v2
}
