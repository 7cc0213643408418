package intake

import (
	"bytes"
	"io"
	"log/slog"
	"net"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/go-batteries/hawkeye/internal/series"
)

func TestDetect(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name, first string
		want        framing
	}{
		{"nothing", "", unknown},
		{"one byte", "a", unknown},
		{"a brace may be a length", "{", unknown},
		{"two bytes may be a length", "{}", unknown},
		{"length 123 so far", "{\x00\x00", unknown},
		{"length 123", "{\x00\x00\x00", frames},
		{"length 10", "\n\x00\x00\x00", frames},
		{"length 65535", "\xff\xff\x00\x00", frames},
		{"a first frame of 64 KiB is not known as one", "\x00\x00\x01\x00", lines},
		{"document", "{}\n", rpc},
		{"batch", "[{\"", rpc},
		{"document after white space", " \n\t{", rpc},
		{"only white space", "\n\r\n", noFrames},
		{"line", "a:1", lines},
		{"line after white space", "\r\n a", lines},
		{"unicode", "\xc3\xa9:", lines},
	}
	for _, tt := range tests {
		if got := detect([]byte(tt.first)); got != tt.want {
			t.Errorf("%s: detect(%q) = %d, want %d", tt.name, tt.first, got, tt.want)
		}
	}
}

// Each conversation is sent at once, and byte by byte.
var conversations = []struct {
	name, sent string
	total      float64
	reply      string
}{
	{"lines", "a:1|c\nb:2|c\r\n\nc:3|c\n", 6, ""},
	{"last line without newline", "a:1|c\nb:2|c", 3, ""},
	{"shortest line, no newline", "a:1|c", 1, ""},
	{"too short for a framing", "a:", 0, ""},
	{"blank lines first", "\n\n\n\n\na:1|c\n", 1, ""},
	{"broken lines between", "a:1|c\noops\n{}\na:x|c\na:1|c\n", 2, ""},
	{"NUL and garbage", "a:1|c\n\x00\xff\x00\x00\n\x01:\x02|\x03\na:1|c\n", 2, ""},
	{"a line that is too long", "a:1|c\n" + strings.Repeat("x", 20000) + ":1|c\na:1|c\n", 2, ""},
	{"a line that is too long comes first", strings.Repeat("x", 20000) + ":1|c\na:1|c\n", 1, ""},
	{"a line that is too long and never ends", "a:1|c\n" + strings.Repeat("x", 20000), 1, ""},
	{"frames", frame("a:1|c\nb:2|c") + frame("") + frame("c:3|c\n"), 6, ""},
	{"a frame as long as a brace", frame("a:1|c|#" + strings.Repeat("x", '{'-7)), 1, ""},
	{"a frame cut off", frame("a:1|c") + "\x40\x00\x00\x00b:1|c", 1, ""},
	{"a frame that is too long", frame("a:1|c") + "\x01\x00\x10\x00b:1|c", 1, ""},
	{"JSON-RPC 1.0", `{"method":"Metric.Handle","params":[{"Text":"a:1|c"}],"id":0}`, 1, `{"id":0,"result":0,"error":null}` + "\n"},
	{"JSON-RPC 2.0 after white space", "\n\t" + `{"jsonrpc":"2.0","method":"Metric.Handle","params":["a:1|c"],"id":"x"}` + "\n", 1, `{"jsonrpc":"2.0","id":"x","result":0}` + "\n"},
	{"the empty batch", "[]", 0, `{"jsonrpc":"2.0","id":null,"error":{"code":-32600,"message":"invalid request: the batch is empty"}}` + "\n"},
	{"a document cut off", `{"method":"Metric.Ha`, 0, `{"id":null,"result":null,"error":"parse error: the document is not complete"}` + "\n"},
	{"HTTP", "GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n", 0, httpReply},
	{"HTTP with a body", "POST / HTTP/1.0\n\na:1|c\n", 0, httpReply},
	{"HTTP in a later line", "a:1|c\nGET / HTTP/1.1\nb:1|c\n", 2, ""},
	{"a sample that looks like HTTP", "GET a:1|c|#p: HTTP/1.1\nb:1|c\n", 2, ""},
	{"words", "GET /\nA B C\nb:1|c\n", 1, ""},
	{"names with blanks and doubled tags", " a :1|c|##x:1,x:2\n", 1, ""},
	{"names of other dialects", "a,t=1:1|c\na;t=1:1|c\na[t=1]:1|c\na#t=1:1|c\na{t=1}:1|c\na=b:1|c\n", 1, ""},
	{"broken, then served", "{oops\n" + `{"method":"Metric.Handle","params":[{"Text":"a:1|c"}],"id":1}` + "\n", 1,
		`{"jsonrpc":"2.0","id":null,"error":{"code":-32700,"message":"parse error: unexpected \"o\" at byte 1"}}` + "\n" +
			`{"id":1,"result":0,"error":null}` + "\n"},
}

func TestConversations(t *testing.T) {
	t.Parallel()
	for _, tt := range conversations {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			f := newFixture(t, nil)
			f.run(t)
			if got := f.say(t, tt.sent); got != tt.reply {
				t.Errorf("reply = %q, want %q", got, tt.reply)
			}
			if got := f.total(); got != tt.total {
				t.Errorf("total = %v, want %v", got, tt.total)
			}
		})
	}
}

func TestConversationsByteByByte(t *testing.T) {
	t.Parallel()
	for _, tt := range conversations {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			f := newFixture(t, nil)
			script := &scriptConn{in: iotest.OneByteReader(strings.NewReader(tt.sent))}
			f.newConn(script).serve()
			if got := script.out.String(); got != tt.reply {
				t.Errorf("reply = %q, want %q", got, tt.reply)
			}
			if got := f.total(); got != tt.total {
				t.Errorf("total = %v, want %v", got, tt.total)
			}
		})
	}
}

const httpReply = "HTTP/1.1 400 Bad Request\r\nContent-Type: text/plain; charset=utf-8\r\nConnection: close\r\nContent-Length: 210\r\n\r\n" + httpText

// scriptConn is a connection of which the other side is known beforehand.
type scriptConn struct {
	net.Conn
	in  io.Reader
	out bytes.Buffer
}

func (c *scriptConn) Read(b []byte) (int, error)       { return c.in.Read(b) }
func (c *scriptConn) Write(b []byte) (int, error)      { return c.out.Write(b) }
func (c *scriptConn) SetReadDeadline(time.Time) error  { return nil }
func (c *scriptConn) SetWriteDeadline(time.Time) error { return nil }
func (c *scriptConn) Close() error                     { return nil }

func TestStatsSayWhatWasWrong(t *testing.T) {
	t.Parallel()
	f := newFixture(t, nil)
	f.run(t)
	f.say(t, "a:1:2|c\na:x|c\na|c\n_e{1,1}:a|b\n"+strings.Repeat("x", 9000))
	f.say(t, " :1|g\n\t:x|s\n\x01:1|h\na,t=1:1|c\na;t=1:1|g\na[t=1]:1|h\na#t=1:1|s\na{t=1}:1|ms\n")
	f.say(t, frame("a:1|c")+"\xff\xff\xff\xff")
	f.say(t, "GET / HTTP/1.1\n\n")
	f.say(t, `{"method":"Metric.Nope","params":[],"id":1}{]`)
	got := f.Stats()
	got.Conns = 0 // the last one may not have been forgotten yet
	want := Stats{
		Accepted: 5, Bytes: got.Bytes, Lines: 2, Samples: 3, Frames: 1, BadFrames: 1,
		Refused: map[string]uint64{"bad_value": 1, "no_value": 1, "event": 1, "too_long": 1, "no_name": 3,
			"tags_influxdb": 1, "tags_graphite": 1, "tags_signalfx": 1, "tags_librato": 1, "labels_prometheus": 1},
		Calls: 1, FailedCalls: 1, BadDocuments: 2,
	}
	if diff := cmp.Diff(want, got); diff != "" || got.Bytes < 9000 {
		t.Errorf("Stats (-want +got):\n%s", diff)
	}
	if logs := f.logs.String(); strings.Count(logs, "line refused") != 1 {
		t.Errorf("logs = %s, want bad lines to be told once", logs)
	}
}

// maxSent is how much FuzzConn sends: long inputs take the fuzzer minutes to
// make short.
const maxSent = 1500

func FuzzConn(f *testing.F) {
	for _, c := range conversations {
		f.Add([]byte(c.sent[:min(len(c.sent), maxSent)]), 3)
	}
	// Few series: what is looked at are totals, and names without end would
	// make each look slower than the one before.
	fx := newFixture(f, func(c *Config) {
		c.Registry = series.New(series.Limits{MaxSeries: 8})
		c.Logger = slog.New(slog.DiscardHandler)
		c.Limits.MaxLine, c.Limits.MaxFrame = 100, 500 // which short inputs reach
	})
	f.Fuzz(func(t *testing.T, sent []byte, piece int) {
		if len(sent) > maxSent {
			return
		}
		talk := func(piece int) (string, float64) {
			script := &scriptConn{in: &pieceReader{sent, max(piece, 1)}}
			fx.newConn(script).serve()
			if n := fx.Stats().Panics; n > 0 {
				t.Fatalf("%q panics", sent)
			}
			return script.out.String(), fx.total()
		}
		whole, total := talk(len(sent))
		pieces, total2 := talk(piece)
		if whole != pieces || total != total2 {
			t.Errorf("%q at once: %q, %v; in pieces of %d: %q, %v", sent, whole, total, piece, pieces, total2)
		}
	})
}

// pieceReader reads in pieces of a size.
type pieceReader struct {
	rest  []byte
	piece int
}

func (r *pieceReader) Read(b []byte) (int, error) {
	if len(r.rest) == 0 {
		return 0, io.EOF
	}
	n := copy(b[:min(len(b), r.piece)], r.rest)
	r.rest = r.rest[n:]
	return n, nil
}
