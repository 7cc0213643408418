package intake

import (
	"bytes"
	"encoding/binary"
	"log/slog"

	"github.com/go-batteries/hawkeye/internal/jsonrpc"
	"github.com/go-batteries/hawkeye/internal/statsd"
)

// framing is how a connection packs what it says.
type framing uint8

const (
	unknown  framing = iota
	noFrames         // text or JSON-RPC: so far there is only white space
	lines            // statsd lines
	frames           // 4 bytes of length, little-endian, and statsd lines
	rpc              // JSON-RPC
)

// frameHeader is the length of a frame's length.
const frameHeader = 4

// detect tells the framing from the first bytes of a connection, and unknown
// if they are too few. The first frame of unixstream:// clients is shorter
// than 64 KiB, so that bytes 2 and 3 are zero, which they are in no text.
func detect(b []byte) framing {
	if len(b) >= 3 && b[2] != 0 || len(b) >= frameHeader && b[3] != 0 {
		return detectText(b)
	}
	if len(b) >= frameHeader {
		return frames
	}
	return unknown
}

// detectText tells lines from JSON-RPC by the first byte that is not white
// space.
func detectText(b []byte) framing {
	b = bytes.TrimLeft(b, " \t\r\n")
	switch {
	case len(b) == 0:
		return noFrames
	case b[0] == '{' || b[0] == '[':
		return rpc
	}
	return lines
}

// take deals with what is complete at the front of in, and returns how many
// bytes that is.
func (c *conn) take(in []byte) (int, error) {
	if c.framing == unknown {
		c.decide(detect(in))
	}
	if c.framing == noFrames {
		c.decide(detectText(in))
	}
	switch c.framing {
	case noFrames:
		return len(in), nil
	case lines:
		return c.takeLines(in)
	case frames:
		return c.takeFrames(in)
	case rpc:
		return c.takeCalls(in)
	}
	return 0, nil
}

func (c *conn) decide(f framing) {
	c.framing = f
	c.first = f == lines
	if f == rpc {
		c.session = &jsonrpc.Session{
			Recorder:    c,
			MaxDocument: c.server.config.Limits.MaxFrame,
			OnPanic: func(recovered any, stack []byte) {
				c.server.limited.warn("panic", "panic while serving a call",
					slog.Any("panic", recovered), slog.String("stack", string(stack)))
			},
		}
	}
}

// takeLines records whole lines. What is behind the last newline waits for
// the next one, unless it is too long already: then it is dropped up to there.
func (c *conn) takeLines(in []byte) (n int, err error) {
	if c.first {
		switch end := bytes.IndexByte(in, '\n'); {
		case end >= 0 && isHTTP(in[:end]):
			return len(in), c.answerHTTP()
		case end >= 0:
			c.first = false
		}
	}
	return c.takeWhole(in), nil
}

// takeWhole is takeLines behind the first line.
func (c *conn) takeWhole(in []byte) (n int) {
	if c.dropping {
		end := bytes.IndexByte(in, '\n')
		if end < 0 {
			return len(in)
		}
		c.dropping = false
		n = end + 1
	}
	if end := bytes.LastIndexByte(in[n:], '\n'); end >= 0 {
		c.record(in[n : n+end+1])
		n += end + 1
	}
	if len(in)-n > c.server.config.Limits.MaxLine {
		c.server.counts.refused[statsd.TooLong].Add(1)
		c.server.logRefused(statsd.TooLong)
		c.dropping, c.first = true, false
		n = len(in)
	}
	return n
}

// takeFrames records whole frames. After a length that is out of bounds
// nobody knows where the next frame begins.
func (c *conn) takeFrames(in []byte) (n int, err error) {
	for len(in)-n >= frameHeader {
		size := int64(binary.LittleEndian.Uint32(in[n:]))
		if size > int64(c.server.config.Limits.MaxFrame) {
			c.server.counts.badFrames.Add(1)
			c.server.limited.warn("frame", "frame is too long; closed the connection",
				slog.Int64("bytes", size), slog.Int("limit", c.server.config.Limits.MaxFrame))
			return n, errGarbled
		}
		end := n + frameHeader + int(size)
		if len(in) < end {
			break
		}
		c.record(in[n+frameHeader : end])
		c.server.counts.frames.Add(1)
		n = end
	}
	return n, nil
}

// takeCalls answers whole documents, and writes the replies whenever they
// have become many.
func (c *conn) takeCalls(in []byte) (n int, err error) {
	for {
		var done int
		done, c.work.out = c.session.Next(in[n:], c.work.out)
		if done == 0 {
			return n, nil
		}
		n += done
		if len(c.work.out) >= flushSize {
			if err := c.flush(); err != nil {
				return n, err
			}
		}
	}
}

// takeLast deals with what is left at the end. The last line needs no newline
// if the other side has closed properly; if it was cut off by a timeout or a
// stop, nobody knows what its end would have said.
func (c *conn) takeLast(in []byte, closed bool) {
	if c.framing == unknown && len(in) > 0 {
		c.decide(detectText(in))
	}
	switch c.framing {
	case lines:
		if closed && !c.dropping {
			c.record(in)
		}
	case frames:
		if len(in) > 0 {
			c.server.counts.badFrames.Add(1)
		}
	case rpc:
		n, err := c.takeCalls(in)
		if err == nil {
			c.work.out = c.session.Truncate(in[n:], c.work.out)
		}
	}
}

// record records statsd lines whose sender expects no answer.
func (c *conn) record(text []byte) { c.server.logRefused(c.work.applier.Apply(text)) }

// Apply records the lines of a JSON-RPC call, whose sender is told.
func (c *conn) Apply(text []byte) error { return c.work.applier.Apply(text) }

// logRefused says now and then what clients get wrong.
func (s *Server) logRefused(err error) {
	if err != nil {
		s.limited.warn("line", "line refused", slog.Any("error", err))
	}
}
