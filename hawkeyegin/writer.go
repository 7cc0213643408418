package hawkeyegin

import (
	"bufio"
	"context"
	"net"
	"net/http"
	"runtime"
	"strings"
	"sync/atomic"

	"github.com/gin-gonic/gin"

	"github.com/go-batteries/hawkeye"
)

// writer is the Writer of a context while its request is counted. It notes
// what gin's own doesn't tell. It belongs to one request for good, because a
// handler may hold it: it is never given to another one.
type writer struct {
	gin.ResponseWriter
	ctx   context.Context // of the request
	state atomic.Uint32   // what follows
}

const (
	codeBits = 1<<10 - 1 // the final status that was written; 0 if there is none

	hungUp   = 1 << 10 << iota // the client had gone before that
	streamed                   // it begins a stream of server-sent events
	hijacked
	panicked // a panic was caught after it
)

func (w *writer) has(flag uint32) bool { return w.state.Load()&flag != 0 }

// exchange returns what is known of the response when the handlers have
// returned.
func (w *writer) exchange() hawkeye.HTTPExchange {
	s := w.state.Load()
	if s&codeBits == 0 { // gin writes what is set after all middlewares
		s |= w.beginning()
	}
	return hawkeye.HTTPExchange{
		Status:   int(s & codeBits),
		Hijacked: s&hijacked != 0,
		Streamed: s&streamed != 0,
		Aborted:  s&(hungUp|hijacked) == hungUp,
		Panicked: s&panicked != 0,
	}
}

// final returns the status that net/http ends with: a 1xx but 101 is followed
// by another one, which gin doesn't let a handler choose any more.
func final(status int) int {
	if status < 200 && status != http.StatusSwitchingProtocols {
		return http.StatusOK
	}
	return status
}

// clientGone says whether the client hung up. A context that ran out of time
// is none of the client's doing.
func (w *writer) clientGone() bool { return w.ctx.Err() == context.Canceled }

// begin notes that a final status is about to be written.
func (w *writer) begin() {
	if w.has(codeBits) {
		return
	}
	flags := w.beginning()
	for old := w.state.Load(); old&codeBits == 0; old = w.state.Load() {
		if w.state.CompareAndSwap(old, old|flags) {
			return
		}
	}
}

// beginning returns what there is to know of a response that begins now.
func (w *writer) beginning() uint32 {
	status := final(w.Status())
	switch s := uint32(status) & codeBits; {
	case w.clientGone():
		return s | hungUp
	case status == http.StatusOK && isEventStream(w.Header()):
		return s | streamed
	default:
		return s
	}
}

// WriteHeader implements [http.ResponseWriter]. gin writes the status later.
// One of failure that comes too late, from a deferred function of a panic,
// says that a handler failed.
func (w *writer) WriteHeader(code int) {
	if code >= http.StatusBadRequest && w.has(codeBits) && !w.has(panicked) && panicking() {
		w.state.Or(panicked)
	}
	w.ResponseWriter.WriteHeader(code)
}

// WriteHeaderNow implements [gin.ResponseWriter].
func (w *writer) WriteHeaderNow() {
	if status := w.Status(); status == final(status) {
		w.begin()
	}
	w.ResponseWriter.WriteHeaderNow()
}

func (w *writer) Write(p []byte) (int, error) {
	w.begin()
	return w.ResponseWriter.Write(p)
}

// WriteString implements [gin.ResponseWriter].
func (w *writer) WriteString(s string) (int, error) {
	w.begin()
	return w.ResponseWriter.WriteString(s)
}

// Flush implements [http.Flusher].
func (w *writer) Flush() {
	w.begin()
	w.ResponseWriter.Flush()
}

// Hijack implements [http.Hijacker].
func (w *writer) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	conn, rw, err := w.ResponseWriter.Hijack()
	if err == nil {
		w.state.Or(hijacked)
	}
	return conn, rw, err
}

// Unwrap serves [http.ResponseController].
func (w *writer) Unwrap() http.ResponseWriter { return w.ResponseWriter }

// isEventStream says whether a response is a stream of server-sent events,
// which lasts for as long as both sides like.
func isEventStream(header http.Header) bool {
	v := header["Content-Type"]
	if len(v) == 0 {
		return false
	}
	media, _, _ := strings.Cut(v[0], ";")
	return strings.EqualFold(strings.TrimSpace(media), "text/event-stream")
}

// panicking says whether its caller runs as a deferred function of a panic.
func panicking() bool {
	var callers [64]uintptr
	frames := runtime.CallersFrames(callers[:runtime.Callers(2, callers[:])])
	for {
		f, more := frames.Next()
		if f.Function == "runtime.gopanic" {
			return true
		}
		if !more {
			return false
		}
	}
}
