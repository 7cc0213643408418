// Package hawkeyegin counts the requests of a gin engine.
//
//	router := gin.New()
//	router.Use(hawkeyegin.Middleware(h), gin.Recovery())
//
// It is a module of its own, so that who imports hawkeye doesn't inherit gin.
package hawkeyegin

import (
	"bufio"
	"net"
	"net/http"
	"sync"
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
// up; one that a gin.Recovery after it has caught is the plain 500 that it
// answers with. (A Recovery also catches http.ErrAbortHandler, and leaves the
// status as it was.) A request that is routed anew by HandleContext counts
// once, under its last route. The redirects to a path with or without a slash
// gin answers before any middleware: they don't count.
//
// A request costs no allocation. A nil *hawkeye.Hawkeye counts nothing.
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
		x := exchanges.Get().(*exchange)
		x.recorder, x.context, x.ResponseWriter = h, c, c.Writer
		x.method = c.Request.Method // now: there are handlers that write another one into the request
		x.hijacked, x.returned = false, false
		c.Writer = x
		x.start = time.Since(start)
		defer x.end()
		c.Next()
		x.returned = true
	}
}

// start is what the clock is read against: the difference of two readings
// needs the monotonic clock alone, half the price of time.Now.
var start = time.Now()

// exchange is one request on its way through, and the Writer of its context:
// gin's own doesn't tell whether its connection was hijacked. They are
// pooled, as gin's contexts are; one that panicked or was hijacked is left to
// the garbage collector.
type exchange struct {
	gin.ResponseWriter
	recorder recorder
	context  *gin.Context
	method   string
	start    time.Duration
	hijacked bool
	returned bool
}

var exchanges = sync.Pool{New: func() any { return new(exchange) }}

// Hijack implements [http.Hijacker].
func (x *exchange) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	conn, rw, err := x.ResponseWriter.Hijack()
	if err == nil {
		x.hijacked = true
	}
	return conn, rw, err
}

// Unwrap serves [http.ResponseController].
func (x *exchange) Unwrap() http.ResponseWriter { return x.ResponseWriter }

// end counts the exchange. It is deferred, and sends a panic on its way.
func (x *exchange) end() {
	e := hawkeye.HTTPExchange{
		Method:   x.method,
		Route:    x.context.FullPath(),
		Status:   x.Status(),
		Duration: time.Since(start) - x.start,
		Hijacked: x.hijacked,
	}
	var panicked any
	if !x.returned {
		panicked = recover() // nil if it is runtime.Goexit
		e.Aborted = panicked == nil || panicked == http.ErrAbortHandler
		e.Panicked = !e.Aborted
	}
	// HandleContext puts gin's own Writer back, and has been counted.
	if rerouted := x.context.Writer == x.ResponseWriter; !rerouted {
		x.recorder.RecordHTTP(e)
		x.context.Writer = x.ResponseWriter
	}
	if panicked != nil {
		panic(panicked)
	}
	if x.returned && !x.hijacked {
		*x = exchange{}
		exchanges.Put(x)
	}
}
