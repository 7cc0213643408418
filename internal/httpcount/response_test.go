package httpcount

import (
	"bufio"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-batteries/hawkeye/internal/series"
)

// Writers that can do one thing more, and say so in their log.
type (
	logged   struct{ calls *[]string }
	plain    struct{ logged }
	flusher  struct{ logged }
	hijacker struct{ logged }
	both     struct {
		logged
	}
	full    struct{ logged }
	wrapper struct{ http.ResponseWriter }
)

func (l logged) add(call string)              { *l.calls = append(*l.calls, call) }
func (l logged) Header() http.Header          { return http.Header{} }
func (l logged) WriteHeader(int)              { l.add("WriteHeader") }
func (l logged) Write(p []byte) (int, error)  { l.add("Write"); return len(p), nil }
func (w wrapper) Unwrap() http.ResponseWriter { return w.ResponseWriter }

func (w flusher) Flush() { w.add("Flush") }
func (w both) Flush()    { w.add("Flush") }
func (w full) Flush()    { w.add("Flush") }

func (w hijacker) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	w.add("Hijack")
	return nil, nil, nil
}
func (w both) Hijack() (net.Conn, *bufio.ReadWriter, error) { w.add("Hijack"); return nil, nil, nil }
func (w full) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	w.add("Hijack")
	return nil, nil, errFull
}

var errFull = errors.New("full")

func (w full) FlushError() error                    { w.add("FlushError"); return errFull }
func (w full) SetReadDeadline(time.Time) error      { w.add("SetReadDeadline"); return errFull }
func (w full) SetWriteDeadline(time.Time) error     { w.add("SetWriteDeadline"); return errFull }
func (w full) EnableFullDuplex() error              { w.add("EnableFullDuplex"); return errFull }
func (w full) Push(string, *http.PushOptions) error { w.add("Push"); return errFull }
func (w full) ReadFrom(r io.Reader) (int64, error)  { w.add("ReadFrom"); return io.Copy(io.Discard, r) }
func (w full) WriteString(s string) (int, error)    { w.add("WriteString"); return len(s), nil }
func (w full) CloseNotify() <-chan bool             { w.add("CloseNotify"); return nil }

// serve gives the writer that a handler gets, for below.
func serve(below http.ResponseWriter, handler http.HandlerFunc) {
	h := New(series.New(series.Limits{})).Middleware(handler, nil)
	h.ServeHTTP(below, httptest.NewRequest("GET", "/", nil))
}

func TestResponseCanWhatIsBelow(t *testing.T) {
	t.Parallel()
	l := logged{new([]string)}
	for _, tt := range []struct {
		name          string
		below         http.ResponseWriter
		flush, hijack bool
	}{
		{"plain", plain{l}, false, false},
		{"flusher", flusher{l}, true, false},
		{"hijacker", hijacker{l}, false, true},
		{"both", both{l}, true, true},
		{"flusher below a wrapper", wrapper{flusher{l}}, true, false},
		{"both below two wrappers", wrapper{wrapper{both{l}}}, true, true},
		{"plain below a wrapper", wrapper{plain{l}}, false, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			serve(tt.below, func(w http.ResponseWriter, _ *http.Request) {
				if _, ok := w.(http.Flusher); ok != tt.flush {
					t.Errorf("Flusher is there: %v, want %v", ok, tt.flush)
				}
				if _, ok := w.(http.Hijacker); ok != tt.hijack {
					t.Errorf("Hijacker is there: %v, want %v", ok, tt.hijack)
				}
				rc := http.NewResponseController(w)
				if err := rc.Flush(); (err == nil) != tt.flush || (err != nil && !errors.Is(err, http.ErrNotSupported)) {
					t.Errorf("Flush() of the controller = %v, want support: %v", err, tt.flush)
				}
				if _, _, err := rc.Hijack(); (err == nil) != tt.hijack || (err != nil && !errors.Is(err, http.ErrNotSupported)) {
					t.Errorf("Hijack() of the controller = %v, want support: %v", err, tt.hijack)
				}
				if err := rc.SetReadDeadline(time.Time{}); !errors.Is(err, http.ErrNotSupported) {
					t.Errorf("SetReadDeadline() = %v, want not supported", err)
				}
				if err := w.(http.Pusher).Push("/x", nil); !errors.Is(err, http.ErrNotSupported) {
					t.Errorf("Push() = %v, want not supported", err)
				}
			})
		})
	}
}

func TestResponsePassesCallsOn(t *testing.T) {
	t.Parallel()
	controller := func(call func(*http.ResponseController) error) func(http.ResponseWriter) error {
		return func(w http.ResponseWriter) error { return call(http.NewResponseController(w)) }
	}
	for _, tt := range []struct {
		call string
		do   func(w http.ResponseWriter) error
		want error
	}{
		{"FlushError", controller((*http.ResponseController).Flush), errFull},
		{"FlushError", func(w http.ResponseWriter) error { w.(http.Flusher).Flush(); return nil }, nil},
		{"SetReadDeadline", controller(func(rc *http.ResponseController) error { return rc.SetReadDeadline(time.Time{}) }), errFull},
		{"SetWriteDeadline", controller(func(rc *http.ResponseController) error { return rc.SetWriteDeadline(time.Time{}) }), errFull},
		{"EnableFullDuplex", controller((*http.ResponseController).EnableFullDuplex), errFull},
		{"Hijack", func(w http.ResponseWriter) error { _, _, err := w.(http.Hijacker).Hijack(); return err }, errFull},
		{"Push", func(w http.ResponseWriter) error { return w.(http.Pusher).Push("/x", nil) }, errFull},
		{"WriteString", func(w http.ResponseWriter) error { _, err := io.WriteString(w, "x"); return err }, nil},
		{"ReadFrom", func(w http.ResponseWriter) error {
			n, err := io.Copy(w, io.LimitReader(strings.NewReader("12345"), 4))
			if n != 4 {
				t.Errorf("Copy() copies %d bytes, want 4", n)
			}
			return err
		}, nil},
		{"CloseNotify", func(w http.ResponseWriter) error {
			w.(interface{ CloseNotify() <-chan bool }).CloseNotify()
			return nil
		}, nil},
	} {
		t.Run(tt.call, func(t *testing.T) {
			l := logged{new([]string)}
			var err error
			serve(full{l}, func(w http.ResponseWriter, _ *http.Request) { err = tt.do(w) })
			if !errors.Is(err, tt.want) {
				t.Errorf("%s = %v, want %v", tt.call, err, tt.want)
			}
			if got := strings.Join(*l.calls, " "); got != tt.call {
				t.Errorf("%s calls %q below, want itself alone", tt.call, got)
			}
		})
	}
}

// TestFailedHijackIsNone counts what was answered instead.
func TestFailedHijackIsNone(t *testing.T) {
	t.Parallel()
	var x *response
	serve(full{logged{new([]string)}}, func(w http.ResponseWriter, _ *http.Request) {
		w.(http.Hijacker).Hijack()
		x = w.(streaming).response
		if x.status()&hijacked != 0 {
			t.Error("a hijack that failed is noted as one")
		}
	})
}

// TestWriterBelongsToItsRequest: what a handler wrote to after it returned once
// went to whoever was served next.
func TestWriterBelongsToItsRequest(t *testing.T) {
	t.Parallel()
	m := New(series.New(series.Limits{}))
	var kept []http.ResponseWriter
	h := m.Middleware(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		for _, k := range kept {
			if k == w {
				t.Error("two requests got the same writer")
			}
		}
		kept = append(kept, w)
	}), nil)
	var calls [20][]string
	for i := range calls {
		h.ServeHTTP(flusher{logged{&calls[i]}}, httptest.NewRequest("GET", "/", nil))
	}
	for i, w := range kept {
		w.WriteHeader(500 + i)
		if n, err := w.Write([]byte("late")); n != 4 || err != nil {
			t.Errorf("Write() after the handler returned = %d, %v, want it to go through", n, err)
		}
		w.(http.Flusher).Flush()
		if got := strings.Join(calls[i], " "); got != "WriteHeader Write Flush" {
			t.Errorf("the writer of request %d got %q, want what was written late to it, and that alone", i, got)
		}
	}
}

// TestLateWritersRace: handlers leave goroutines behind that write on. Nothing
// of ours may race with them.
func TestLateWritersRace(t *testing.T) {
	t.Parallel()
	m := New(series.New(series.Limits{}))
	var all sync.WaitGroup
	h := m.Middleware(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		all.Go(func() {
			w.WriteHeader(http.StatusTeapot)
			_, _ = io.WriteString(w, "late")
			_ = http.NewResponseController(w).Flush()
		})
	}), nil)
	ctx, cancel := context.WithCancel(t.Context())
	for range 200 {
		h.ServeHTTP(silent{http.Header{}}, httptest.NewRequest("GET", "/", nil).WithContext(ctx))
	}
	all.Wait()
	cancel()
}

// silent is a framework's writer, which isn't net/http's.
type silent struct{ header http.Header }

func (s silent) Header() http.Header       { return s.header }
func (silent) WriteHeader(int)             {}
func (silent) Write(p []byte) (int, error) { return len(p), nil }

func TestPatternRoute(t *testing.T) {
	t.Parallel()
	for pattern, want := range map[string]string{
		"": "", "/": "/", "/a/{b}": "/a/{b}", "GET /a": "/a", "GET  \t/a": "/a", "example.com/a": "/a",
		"GET example.com/a/{b...}": "/a/{b...}", "/{$}": "/{$}", "noslash": "",
	} {
		if got := PatternRoute(pattern); got != want {
			t.Errorf("PatternRoute(%q) = %q, want %q", pattern, got, want)
		}
	}
}
