package httpcount

import (
	"bufio"
	"context"
	"io"
	"net"
	"net/http"
	"sync/atomic"
	"time"
)

// response stands before a handler's ResponseWriter and notes the status.
//
// It belongs to one request for good: a framework may write through it after
// the handler has returned, and it is never given to another request. What is
// noted is atomic, so that it is no race of ours where writers are used by
// several goroutines; everything else goes straight to the writer below.
//
// What a ResponseWriter can do beyond the interface, a caller asks by type
// assertion or through [http.ResponseController]. Both get the same answer
// here as from the writer below. Flusher and Hijacker change what a handler
// does, so they are there only if they are below: see flushing, hijacking and
// streaming. The other methods have an answer that is true of any writer.
type response struct {
	http.ResponseWriter
	meter   *Meter
	noted   noted           // by a Track handler that found no slot
	ctx     context.Context // of the request
	state   atomic.Uint32   // a status
	pending *pending        // set before state is awaited
}

func (w *response) own() *response { return w }

// like returns w in the form that can do what below can.
func (w *response) like(below http.ResponseWriter) http.ResponseWriter {
	switch flush, hijack := can(below); {
	case flush && hijack:
		return streaming{w}
	case flush:
		return flushing{w}
	case hijack:
		return hijacking{w}
	default:
		return w
	}
}

// WriteHeader notes the first status that is final.
func (w *response) WriteHeader(code int) {
	w.ResponseWriter.WriteHeader(code) // first: it panics if code is no status
	if isFinal(code) {
		w.note(code)
	}
}

func (w *response) Write(p []byte) (int, error) {
	w.note(http.StatusOK)
	return w.ResponseWriter.Write(p)
}

// WriteString implements [io.StringWriter].
func (w *response) WriteString(s string) (int, error) {
	w.note(http.StatusOK)
	return io.WriteString(w.ResponseWriter, s)
}

// ReadFrom implements [io.ReaderFrom], so that sendfile stays in reach.
func (w *response) ReadFrom(src io.Reader) (int64, error) {
	w.note(http.StatusOK)
	return io.Copy(w.ResponseWriter, src)
}

// FlushError serves [http.ResponseController]; its Flush looks for it first.
func (w *response) FlushError() error {
	w.note(http.StatusOK)
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

func (w *response) flush() { _ = w.FlushError() } // Flusher has no way to say it

func (w *response) hijack() (net.Conn, *bufio.ReadWriter, error) {
	conn, rw, err := http.NewResponseController(w.ResponseWriter).Hijack()
	if err == nil {
		w.add(hijacked)
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
