package httpcount

import (
	"bufio"
	"context"
	"io"
	"net"
	"net/http"
	"strings"
	"sync/atomic"
	"time"
)

// response stands before a handler's ResponseWriter and notes the status.
//
// What a ResponseWriter can do beyond the interface, a caller asks by type
// assertion or through [http.ResponseController]. Both get the same answer
// here as from the writer below. Flusher and Hijacker change what a handler
// does, so they are there only if they are below: see flushing, hijacking and
// streaming. The other methods have an answer that is true of any writer.
//
// It is for one request and never used again: who has it may go on writing for
// as long as the writer below lets them.
type response struct {
	http.ResponseWriter
	request context.Context // of the request: it ends when the client goes
	// state is the final status, 0 until that is known, and flags. It is
	// atomic because handlers may still write while the exchange is counted.
	state   atomic.Uint32
	pending atomic.Pointer[pending] // set if the exchange is counted by what follows
}

// The parts of response.state.
const (
	statusMask uint32 = 1<<10 - 1
	hijacked   uint32 = 1 << (iota + 9)
	streamed          // an event stream: it lasts for as long as the client likes
	unheard           // the client was gone before there was a status
)

// settle notes the first final status.
func (w *response) settle(code int) {
	if w.state.Load()&statusMask != 0 {
		return
	}
	state := uint32(code) & statusMask
	if w.gone() {
		state |= unheard
	}
	for {
		old := w.state.Load()
		if old&statusMask != 0 {
			return
		}
		if w.state.CompareAndSwap(old, old|state) {
			break
		}
	}
	if p := w.pending.Load(); p != nil {
		p.count(w)
	}
}

// gone says whether the client has hung up. A deadline that an outer handler
// has set is the server's doing.
func (w *response) gone() bool { return w.request.Err() == context.Canceled }

// fill writes the answer into e, and is false if there is none yet.
func (w *response) fill(e *Exchange) bool {
	state := w.state.Load()
	if state&(statusMask|hijacked) == 0 {
		return false
	}
	e.Status = int(state & statusMask)
	e.Hijacked = state&hijacked != 0
	e.Streamed = state&streamed != 0
	e.Aborted = state&unheard != 0 && !e.Hijacked
	return true
}

// WriteHeader notes the first status that is final. 1xx are informational,
// but for 101 (RFC 9110, section 15.2).
func (w *response) WriteHeader(code int) {
	w.ResponseWriter.WriteHeader(code) // first: it panics if code is no status
	if code >= 200 || code == http.StatusSwitchingProtocols {
		w.settle(code)
	}
}

func (w *response) Write(p []byte) (int, error) {
	w.implicitStatus()
	return w.ResponseWriter.Write(p)
}

// WriteString implements [io.StringWriter].
func (w *response) WriteString(s string) (int, error) {
	w.implicitStatus()
	return io.WriteString(w.ResponseWriter, s)
}

// ReadFrom implements [io.ReaderFrom], so that sendfile stays in reach.
func (w *response) ReadFrom(src io.Reader) (int64, error) {
	w.implicitStatus()
	return io.Copy(w.ResponseWriter, src)
}

// FlushError serves [http.ResponseController]; its Flush looks for it first.
func (w *response) FlushError() error {
	w.implicitStatus()
	if mime := w.Header().Get("Content-Type"); strings.HasPrefix(mime, "text/event-stream") {
		w.state.Or(streamed)
	}
	return http.NewResponseController(w.ResponseWriter).Flush()
}

// SetReadDeadline serves [http.ResponseController].
func (w *response) SetReadDeadline(deadline time.Time) error {
	return http.NewResponseController(w.ResponseWriter).SetReadDeadline(deadline)
}

// SetWriteDeadline serves [http.ResponseController].
func (w *response) SetWriteDeadline(deadline time.Time) error {
	return http.NewResponseController(w.ResponseWriter).SetWriteDeadline(deadline)
}

// EnableFullDuplex serves [http.ResponseController].
func (w *response) EnableFullDuplex() error {
	return http.NewResponseController(w.ResponseWriter).EnableFullDuplex()
}

// Push implements [http.Pusher], whose answer for a connection that can't is
// an error.
func (w *response) Push(target string, opts *http.PushOptions) error {
	if p, ok := w.ResponseWriter.(http.Pusher); ok {
		return p.Push(target, opts)
	}
	return http.ErrNotSupported
}

// CloseNotify implements http.CloseNotifier, which is deprecated, but gin's
// Stream asks for it without looking whether it is there. Where it isn't, the
// client never seems to go.
func (w *response) CloseNotify() <-chan bool {
	if n, ok := w.ResponseWriter.(interface{ CloseNotify() <-chan bool }); ok {
		return n.CloseNotify()
	}
	return make(chan bool)
}

// Unwrap serves [http.ResponseController].
func (w *response) Unwrap() http.ResponseWriter { return w.ResponseWriter }

func (w *response) implicitStatus() {
	if w.state.Load()&statusMask == 0 {
		w.settle(http.StatusOK)
	}
}

func (w *response) flush() { _ = w.FlushError() } // Flusher has no way to say it

func (w *response) hijack() (net.Conn, *bufio.ReadWriter, error) {
	conn, rw, err := http.NewResponseController(w.ResponseWriter).Hijack()
	if err == nil {
		w.state.Or(hijacked)
	}
	return conn, rw, err
}

// flushing, hijacking and streaming are a response with a writer below that
// can flush, hijack, or both.
type (
	flushing  struct{ *response }
	hijacking struct{ *response }
	streaming struct{ *response }
)

func (w flushing) Flush()                                        { w.flush() }
func (w hijacking) Hijack() (net.Conn, *bufio.ReadWriter, error) { return w.hijack() }
func (w streaming) Flush()                                       { w.flush() }
func (w streaming) Hijack() (net.Conn, *bufio.ReadWriter, error) { return w.hijack() }

// as returns the response in the form that can do what the writer below can.
func (w *response) as(below http.ResponseWriter) http.ResponseWriter {
	switch flush, hijack := can(below); {
	case flush && hijack:
		return streaming{w}
	case flush:
		return flushing{w}
	case hijack:
		return hijacking{w}
	}
	return w
}

// can says whether w, or what it unwraps to, can flush and hijack.
func can(w http.ResponseWriter) (flush, hijack bool) {
	for {
		if _, ok := w.(http.Flusher); ok {
			flush = true
		}
		if _, ok := w.(http.Hijacker); ok {
			hijack = true
		}
		if flush && hijack {
			return flush, hijack
		}
		below, ok := w.(interface{ Unwrap() http.ResponseWriter })
		if !ok {
			return flush, hijack
		}
		w = below.Unwrap()
	}
}
