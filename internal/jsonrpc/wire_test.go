package jsonrpc

import (
	"bytes"
	"errors"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/go-batteries/hawkeye/internal/statsd"
)

var update = flag.Bool("update", false, "write the answers into testdata/*.wire")

// lines is a Recorder that keeps what it is given.
type lines struct {
	statsd.Applier
	got []string
}

func (l *lines) Apply(text []byte) error {
	if bytes.HasPrefix(text, []byte("panic")) {
		panic("recorder")
	}
	l.got = append(l.got, string(text))
	return l.Applier.Apply(text)
}

// feed gives a session the input in pieces, as a connection would, and
// returns all answers and what is left.
func feed(s *Session, input []byte, piece int) (out, rest []byte) {
	for len(input) > 0 {
		n := min(piece, len(input))
		rest = append(rest, input[:n]...)
		input = input[n:]
		for {
			var done int
			done, out = s.Next(rest, out)
			if done == 0 {
				break
			}
			rest = rest[done:]
		}
	}
	return out, rest
}

// A wire file holds a conversation: lines after "> " are sent, lines after
// "< " are what has to come back before the next is sent, '#' begins a remark.
func TestWire(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob("testdata/*.wire")
	if err != nil || len(files) < 4 {
		t.Fatalf("Glob = %v, %v, want the wire files", files, err)
	}
	for _, file := range files {
		t.Run(filepath.Base(file), func(t *testing.T) {
			t.Parallel()
			want, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			got := converse(t, want)
			if *update {
				if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			if diff := cmp.Diff(string(want), got); diff != "" && !*update {
				t.Errorf("%s (-want +got):\n%s", file, diff)
			}
		})
	}
}

// converse returns the file with the answers of a new session.
func converse(t *testing.T, file []byte) string {
	t.Helper()
	var got strings.Builder
	var sent, rest []byte
	s := &Session{Recorder: &lines{}}
	for line := range strings.Lines(string(file)) {
		if strings.HasPrefix(line, "< ") {
			continue
		}
		got.WriteString(line)
		text, found := strings.CutPrefix(line, "> ")
		if !found {
			continue
		}
		sent = append(sent, text...)
		var out []byte
		out, rest = feed(s, append(rest, text...), 1<<20)
		for reply := range bytes.Lines(out) {
			got.WriteString("< ")
			got.Write(reply)
		}
	}
	if len(rest) > 0 {
		t.Errorf("%q is left", rest)
	}
	whole, _ := feed(&Session{Recorder: &lines{}}, sent, len(sent))
	for _, piece := range []int{1, 7} {
		pieces, _ := feed(&Session{Recorder: &lines{}}, sent, piece)
		if diff := cmp.Diff(string(whole), string(pieces)); diff != "" {
			t.Errorf("in pieces of %d (-whole +pieces):\n%s", piece, diff)
		}
	}
	return got.String()
}

func TestUnescapedTextReachesTheRecorder(t *testing.T) {
	t.Parallel()
	tests := []struct{ json, want string }{
		{`"a:1|c"`, "a:1|c"},
		{`"a:1|c\nb:2|c\tx\"\\\/\b\f\r"`, "a:1|c\nb:2|c\tx\"\\/\b\f\r"},
		{`"\u00e9\ud83d\ude00:1|c"`, "é😀:1|c"},
		{`"é:1|c"`, "é:1|c"},
		{"\"\xff:1|c\"", "\ufffd:1|c"},
		{`""`, ""},
	}
	for _, tt := range tests {
		for _, frame := range []string{
			`{"method":"Metric.Handle","params":[{"Text":%}],"id":1}`,
			`{"jsonrpc":"2.0","method":"Metric.Handle","params":{"text":%},"id":1}`,
			`{"jsonrpc":"2.0","method":"Metric.Handle","params":[%],"id":1}`,
		} {
			l := &lines{}
			feed(&Session{Recorder: l}, []byte(strings.Replace(frame, "%", tt.json, 1)), 1<<20)
			if diff := cmp.Diff([]string{tt.want}, l.got); diff != "" {
				t.Errorf("Text %s in %s (-want +got):\n%s", tt.json, frame, diff)
			}
		}
	}
}

func TestLongDocumentIsRefusedAndTheNextServed(t *testing.T) {
	t.Parallel()
	long := `{"jsonrpc":"2.0","method":"Metric.Handle","params":{"Text":"` + strings.Repeat("a:1|c ", 300) + `"},"id":1}` + "\n"
	next := `{"jsonrpc":"2.0","method":"Metric.Ping","id":2}` + "\n"
	for _, piece := range []int{1, 100, 1 << 20} {
		s := &Session{Recorder: &lines{}, MaxDocument: 1000}
		out, rest := feed(s, []byte(long+next), piece)
		want := `{"jsonrpc":"2.0","id":null,"error":{"code":-32600,"message":"invalid request: the document is too long"}}` + "\n" +
			`{"jsonrpc":"2.0","id":2,"result":"pong"}` + "\n"
		if diff := cmp.Diff(want, string(out)); diff != "" || len(rest) > 0 {
			t.Errorf("in pieces of %d (-want +got), %q left:\n%s", piece, rest, diff)
		}
	}
}

func TestTruncate(t *testing.T) {
	t.Parallel()
	s := &Session{Recorder: &lines{}}
	if out := s.Truncate(nil, nil); out != nil {
		t.Errorf("Truncate(nothing) = %q, want nothing", out)
	}
	_, rest := feed(s, []byte(`{"method":"Metric.Handle","par`), 4)
	want := `{"id":null,"result":null,"error":"parse error: the document is not complete"}` + "\n"
	if out := s.Truncate(rest, nil); string(out) != want {
		t.Errorf("Truncate = %q, want %q", out, want)
	}
}

func TestPanicIsReportedAndCounted(t *testing.T) {
	t.Parallel()
	var seen any
	var stack []byte
	s := &Session{Recorder: &lines{}, OnPanic: func(v any, st []byte) { seen, stack = v, st }}
	feed(s, []byte(`{"method":"Metric.Handle","params":[{"Text":"panic"}],"id":1}`), 1<<20)
	if seen != "recorder" || !bytes.Contains(stack, []byte("Apply")) || s.Stats.Panics != 1 {
		t.Errorf("OnPanic saw %v, stack %q; Panics = %d, want recorder, a stack, 1", seen, stack, s.Stats.Panics)
	}
}

func TestHugeBatchIsRefused(t *testing.T) {
	t.Parallel()
	out, _ := feed(&Session{Recorder: &lines{}}, []byte("["+strings.Repeat("1,", maxBatch)+"1]"), 1<<20)
	if !bytes.Contains(out, []byte("too many requests")) || len(out) > 200 {
		t.Errorf("answer to a huge batch = %.200q, want one error", out)
	}
}

func TestOneCallTakesTheShortWayAndAllocatesNothing(t *testing.T) {
	s := &Session{Recorder: quiet{}}
	var out []byte
	for _, doc := range []string{
		`{"method":"Metric.Handle","params":[{"Text":"a:1|c|#k:v"}],"id":1}`,
		`{"jsonrpc": "2.0", "id": "x", "method": "Metric.Handle", "params": {"Text": "a:1|c\nb:1|c"}}`,
	} {
		text := []byte(doc)
		before := s.Stats.FastCalls
		allocs := testing.AllocsPerRun(100, func() { _, out = s.Next(text, out[:0]) })
		if allocs != 0 || s.Stats.FastCalls == before {
			t.Errorf("Next(%s) allocates %v times, FastCalls %d → %d", doc, allocs, before, s.Stats.FastCalls)
		}
	}
}

// quiet is a Recorder that does nothing.
type quiet struct{}

func (quiet) Apply([]byte) error { return nil }

// refusing is a Recorder that returns an error of its own.
type refusing struct{}

func (refusing) Apply([]byte) error { return errors.New(`no "room"`) }

func TestErrorOfTheRecorderIsQuoted(t *testing.T) {
	t.Parallel()
	out, _ := feed(&Session{Recorder: refusing{}}, []byte(`{"method":"Metric.Handle","params":["a"],"id":1}`), 1<<20)
	want := `{"id":1,"result":null,"error":"invalid params: no \"room\""}` + "\n"
	if string(out) != want {
		t.Errorf("answer = %q, want %q", out, want)
	}
}

func BenchmarkNext(b *testing.B) {
	one := `{"method":"Metric.Handle","params":[{"Text":"http.requests:1|c|#method:GET"}],"id":1234}` + "\n"
	for name, piece := range map[string]string{"short": one, "general": strings.Replace(one, `"id"`, `"x":0,"id"`, 1)} {
		b.Run(name, func(b *testing.B) {
			s := &Session{Recorder: quiet{}}
			text := []byte(piece)
			var out []byte
			b.ReportAllocs()
			for b.Loop() {
				_, out = s.Next(text, out[:0])
			}
		})
	}
}
