// Package hawkeyegin counts the requests of a gin engine.
//
//	router := gin.New()
//	router.Use(hawkeyegin.Middleware(h), gin.Recovery())
//
// It is a module of its own, so that who imports hawkeye doesn't inherit gin.
package hawkeyegin

import (
	"bufio"
	"context"
	"net"
	"net/http"
	"runtime"
	"strings"
	"sync/atomic"
	"time"

	"github.com/gin-gonic/gin"

	"github.com/go-batteries/hawkeye"
)

// Middleware returns a handler that counts every request that comes through
// it, with the metrics and tags of [hawkeye.Hawkeye.Middleware], when the
// handlers after it have returned. The route is [gin.Context.FullPath], or
// "unmatched".
//
// Put it first. A panic that reaches it is a 500 with panic=true and goes on
// up, and so is one that a gin.Recovery after it has caught when a part of the
// answer was out already. One that it caught before is the plain 500 that it
// answers with. (It also catches http.ErrAbortHandler, and leaves the status
// as it was.) A request that is routed anew by HandleContext counts once, under
// its last route. The redirects to a path with or without a slash gin answers
// before any middleware: they don't count.
//
// A request costs one small allocation. A nil *hawkeye.Hawkeye counts nothing.
func Middleware(h *hawkeye.Hawkeye) gin.HandlerFunc {
	if h == nil {
		return func(c *gin.Context) { c.Next() }
	}
	return count(h)
}

// recorder is what is needed of *hawkeye.Hawkeye.
type recorder interface {
	RecordHTTP(hawkeye.HTTPExchange)
}

func count(h recorder) gin.HandlerFunc {
	return func(c *gin.Context) {
		w := &writer{ResponseWriter: c.Writer, request: c.Request.Context()}
		// Now: there are handlers that write another method into the request.
		x := exchange{recorder: h, context: c, writer: w, method: c.Request.Method, route: c.FullPath()}
		c.Writer = w
		x.start = time.Since(start)
		defer x.end()
		c.Next()
		x.returned = true
	}
}

// start is what the clock is read against: the difference of two readings
// needs the monotonic clock alone, half the price of time.Now.
var start = time.Now()

// exchange is one request on its way through. Nobody else sees it.
type exchange struct {
	recorder recorder
	context  *gin.Context
	writer   *writer
	method   string
	route    string
	start    time.Duration
	returned bool
}

// end counts the exchange. It is deferred, and sends a panic on its way.
func (x *exchange) end() {
	e := hawkeye.HTTPExchange{
		Method:   x.method,
		Route:    x.context.FullPath(),
		Duration: time.Since(start) - x.start,
	}
	x.writer.fill(&e)
	var panicked any
	if !x.returned {
		panicked = recover() // nil if it is runtime.Goexit
		e.Aborted = panicked == nil || panicked == http.ErrAbortHandler
		e.Panicked = !e.Aborted
	}
	if !x.rerouted() {
		x.recorder.RecordHTTP(e)
	}
	// Only what is ours is put back. Where a middleware below has left a writer
	// of its own, one that compresses say, gin's answers to what it can't route
	// must still go through that.
	if x.context.Writer == gin.ResponseWriter(x.writer) {
		x.context.Writer = x.writer.ResponseWriter
	}
	if panicked != nil {
		panic(panicked)
	}
}

// rerouted says whether HandleContext has had the request served and counted
// anew: it takes all writers away, and leaves gin's own or what the second run
// has put before it.
func (x *exchange) rerouted() bool {
	switch x.context.Writer {
	case gin.ResponseWriter(x.writer):
		return false
	case x.writer.ResponseWriter:
		return true
	}
	return x.context.FullPath() != x.route
}

// writer is the Writer of a request's context: gin's own doesn't tell whether
// its connection was hijacked, or whether the client had gone. It belongs to
// its request for good.
type writer struct {
	gin.ResponseWriter
	request context.Context
	flags   atomic.Uint32 // atomic because handlers may still write while the exchange is counted
}

// The flags of a writer.
const (
	begun    uint32 = 1 << iota // a part of the answer is out
	unheard                     // the client had gone before that
	hijacked                    // the connection is the handler's
	streamed                    // an event stream
	panicked                    // a panic was caught when a part of the answer was out
)

func (w *writer) has(flag uint32) bool { return w.flags.Load()&flag != 0 }

// fill writes the answer into e.
func (w *writer) fill(e *hawkeye.HTTPExchange) {
	e.Status = w.Status()
	if e.Status < http.StatusOK && e.Status != http.StatusSwitchingProtocols {
		e.Status = http.StatusOK // 1xx is no final status (RFC 9110, section 15.2)
	}
	e.Hijacked, e.Streamed, e.Panicked = w.has(hijacked), w.has(streamed), w.has(panicked)
	e.Aborted = !e.Hijacked && (w.has(unheard) || !w.has(begun) && w.gone())
}

// gone says whether the client has hung up. A deadline that an outer handler
// has set is the server's doing.
func (w *writer) gone() bool { return w.request.Err() == context.Canceled }

// begin notes that the answer begins.
func (w *writer) begin() {
	switch {
	case w.has(begun):
	case w.gone():
		w.flags.Or(begun | unheard)
	default:
		w.flags.Or(begun)
	}
}

// WriteHeader implements [http.ResponseWriter].
func (w *writer) WriteHeader(code int) {
	if code >= http.StatusInternalServerError && w.Written() && recovering() {
		w.flags.Or(panicked)
	}
	w.ResponseWriter.WriteHeader(code)
}

// recovering says whether a deferred function is at work on a panic.
func recovering() bool {
	var pcs [64]uintptr
	frames := runtime.CallersFrames(pcs[:runtime.Callers(3, pcs[:])])
	for {
		frame, more := frames.Next()
		if frame.Function == "runtime.gopanic" {
			return true
		}
		if !more {
			return false
		}
	}
}

// WriteHeaderNow implements [gin.ResponseWriter].
func (w *writer) WriteHeaderNow() {
	if code := w.Status(); code >= http.StatusOK || code == http.StatusSwitchingProtocols {
		w.begin()
	}
	w.ResponseWriter.WriteHeaderNow()
}

// Write implements [http.ResponseWriter].
func (w *writer) Write(p []byte) (int, error) {
	w.begin()
	return w.ResponseWriter.Write(p)
}

// WriteString implements [io.StringWriter].
func (w *writer) WriteString(s string) (int, error) {
	w.begin()
	return w.ResponseWriter.WriteString(s)
}

// Flush implements [http.Flusher].
func (w *writer) Flush() {
	w.begin()
	if strings.HasPrefix(w.Header().Get("Content-Type"), "text/event-stream") {
		w.flags.Or(streamed)
	}
	w.ResponseWriter.Flush()
}

// Hijack implements [http.Hijacker].
func (w *writer) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	conn, rw, err := w.ResponseWriter.Hijack()
	if err == nil {
		w.flags.Or(hijacked)
	}
	return conn, rw, err
}

// Unwrap serves [http.ResponseController].
func (w *writer) Unwrap() http.ResponseWriter { return w.ResponseWriter }
