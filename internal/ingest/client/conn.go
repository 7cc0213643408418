package client

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net"
	"strconv"
	"time"
)

// DialFunc makes a connection to the server.
type DialFunc func(ctx context.Context) (net.Conn, error)

// dialTimeout bounds the wait of a socket whose server accepts nobody.
const dialTimeout = 2 * time.Second

func Dial(path string) DialFunc {
	return func(ctx context.Context) (net.Conn, error) {
		return (&net.Dialer{Timeout: dialTimeout}).DialContext(ctx, "unix", path)
	}
}

// chunk is one call's statsd lines, as the inside of a JSON string.
type chunk struct {
	text     []byte
	line     []byte // scratch
	lines    int
	samples  uint64
	attempts int // that were written whole and got no answer
}

func (c *chunk) empty() bool { return c.lines == 0 }

func (c *chunk) reset() { *c = chunk{text: c.text[:0], line: c.line} }

// fill takes lines until there is enough for a call.
func (c *chunk) fill(w *lineWriter) {
	for len(c.text) < maxChunkBytes {
		var samples uint64
		c.line, samples = w.next(c.line[:0])
		if len(c.line) == 0 {
			return
		}
		c.text = appendJSONText(c.text, c.line)
		c.text = append(c.text, `\n`...)
		c.lines++
		c.samples += samples
	}
}

// appendJSONText appends what stands between the quotes of a JSON string.
// text is valid UTF-8 without control characters: the registry sees to it.
func appendJSONText(dst, text []byte) []byte {
	for _, b := range text {
		if b == '"' || b == '\\' {
			dst = append(dst, '\\')
		}
		dst = append(dst, b)
	}
	return dst
}

// serverConn makes JSON-RPC 2.0 calls, one at a time. It has no deadlines: a
// server that is slow, or stopped for a while, still counts what it was sent,
// and to give it up would mean to send that twice. It ends with ctx.
type serverConn struct {
	net.Conn
	reader *bufio.Reader
	frame  []byte
	id     uint64
	unwind func() bool
}

func newConn(ctx context.Context, conn net.Conn) *serverConn {
	return &serverConn{
		Conn:   conn,
		reader: bufio.NewReaderSize(conn, 4<<10),
		unwind: context.AfterFunc(ctx, func() { conn.Close() }),
	}
}

// Close closes the connection.
func (c *serverConn) Close() error {
	c.unwind()
	return c.Conn.Close()
}

// serverReply is an answer of the server.
type serverReply struct {
	ID     uint64          `json:"id"`
	Result json.RawMessage `json:"result"`
	Error  *struct {
		Code    int    `json:"code"`
		Message string `json:"message"`
		Data    struct {
			Rejected int `json:"rejected"`
		} `json:"data"`
	} `json:"error"`
}

// rejected returns how many of a call's lines the server refused.
func (r *serverReply) rejected(lines int) int {
	switch {
	case r.Error == nil:
		return 0
	case r.Error.Data.Rejected > 0:
		return min(r.Error.Data.Rejected, lines)
	default:
		return lines
	}
}

// call hands over lines. Its whole says, of a call that failed, whether it
// was written to its end, so that the server may have counted it.
func (c *serverConn) call(text []byte) (reply serverReply, whole bool, err error) {
	return c.roundTrip("Metric.Handle", `,"params":{"Text":"`, text, `"}`)
}

// ping asks for an answer and nothing else.
func (c *serverConn) ping() error {
	reply, _, err := c.roundTrip("Metric.Ping", "", nil, "")
	if err == nil && reply.Error != nil {
		err = fmt.Errorf("server refuses a ping: %d %s", reply.Error.Code, reply.Error.Message)
	}
	return err
}

func (c *serverConn) roundTrip(method, before string, text []byte, after string) (reply serverReply, whole bool, err error) {
	c.id++
	c.frame = append(c.frame[:0], `{"jsonrpc":"2.0","method":"`...)
	c.frame = append(append(c.frame, method...), '"')
	c.frame = append(append(append(c.frame, before...), text...), after...)
	c.frame = append(strconv.AppendUint(append(c.frame, `,"id":`...), c.id, 10), "}\n"...)
	if n, err := c.Write(c.frame); err != nil {
		// All but the newline, which nobody waits for, makes it whole.
		return reply, n >= len(c.frame)-1, fmt.Errorf("write: %w", err)
	}
	line, err := c.reader.ReadSlice('\n')
	if err != nil {
		return reply, true, fmt.Errorf("read answer: %w", err)
	}
	if err := json.Unmarshal(bytes.TrimSpace(line), &reply); err != nil {
		return reply, true, fmt.Errorf("read answer: %w", err)
	}
	if reply.ID != c.id {
		return reply, true, fmt.Errorf("read answer: it is to call %d, not %d", reply.ID, c.id)
	}
	return reply, true, nil
}
