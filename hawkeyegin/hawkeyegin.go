// Package hawkeyegin counts the requests of a gin engine.
//
//	router := gin.New()
//	router.Use(hawkeyegin.Middleware(h), gin.Recovery())
//
// It is a module of its own, so that who imports hawkeye doesn't inherit gin.
package hawkeyegin

import (
	"errors"
	"net/http"
	"reflect"
	"time"

	"github.com/gin-gonic/gin"

	"github.com/go-batteries/hawkeye"
)

// Middleware returns a handler that counts every request that comes through
// it, with the metrics and tags of [hawkeye.Hawkeye.Middleware], when the
// handlers after it have returned. The route is [gin.Context.FullPath], or
// "unmatched".
//
// Put it first: what a handler before it answers isn't counted. A panic that
// reaches it is a 500 with panic=true and goes on up. So is one that a
// gin.Recovery after it has caught when something had been written; else that
// is the plain 500 that Recovery answers with. An [http.ErrAbortHandler] that
// Recovery has caught is http.response.aborted, and so is a request whose
// client hung up before there was a status. A request that is routed anew by
// HandleContext counts once, under its last route. The redirects to a path
// with or without a slash gin answers before any middleware: they don't count.
//
// A request costs one small allocation: its Writer, which handlers may keep. A
// middleware after this one may leave a Writer of its own in the context; it
// stays there. A nil *hawkeye.Hawkeye counts nothing.
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
		x := exchange{
			recorder: h,
			context:  c,
			writer:   &writer{ResponseWriter: c.Writer, ctx: c.Request.Context()},
			method:   c.Request.Method, // now: there are handlers that write another one into the request
		}
		c.Writer = x.writer
		x.start = time.Since(start)
		defer x.end()
		c.Next()
		x.returned = true
	}
}

// start is what the clock is read against: the difference of two readings
// needs the monotonic clock alone, half the price of time.Now.
var start = time.Now()

// exchange is one request on its way through, on the stack.
type exchange struct {
	recorder recorder
	context  *gin.Context
	writer   *writer
	method   string
	start    time.Duration
	returned bool
}

// end counts the exchange. It is deferred, and sends a panic on its way.
func (x *exchange) end() {
	e := x.writer.exchange()
	e.Method, e.Route = x.method, x.context.FullPath()
	e.Duration = time.Since(start) - x.start
	var panicked any
	if !x.returned {
		panicked = recover() // nil if it is runtime.Goexit
		e.Aborted = panicked == nil || panicked == http.ErrAbortHandler
		e.Panicked = !e.Aborted
	} else if x.abortCaught() {
		e.Aborted = true
	}
	if !x.leave() {
		x.recorder.RecordHTTP(e)
	}
	if panicked != nil {
		panic(panicked)
	}
}

// abortCaught says whether a Recovery has caught an [http.ErrAbortHandler]: it
// leaves that among the context's errors.
func (x *exchange) abortCaught() bool {
	last := x.context.Errors.Last()
	return last != nil && x.context.IsAborted() && errors.Is(last.Err, http.ErrAbortHandler)
}

// countedKey is where a context says that its request was counted.
type countedKey struct{ recorder recorder }

// leave puts back the Writer that was there before, if ours still is. It says
// whether the request was counted already: HandleContext makes a context new,
// gin's own Writer included, and runs this middleware once more.
func (x *exchange) leave() (counted bool) {
	c := x.context
	now, ours := c.Writer.(*writer)
	if ours && now == x.writer {
		c.Writer = x.writer.ResponseWriter
		return false
	}
	if same(c.Writer, x.writer.ResponseWriter) {
		return true
	}
	// A middleware has left its own, which may well write through ours, later:
	// gin answers 404 and 405 after all middlewares have returned.
	key := countedKey{x.recorder}
	_, counted = c.Get(key)
	c.Set(key, true)
	return counted
}

// same is a == b also for what can't be compared.
func same(a, b gin.ResponseWriter) bool {
	return reflect.TypeOf(a) == reflect.TypeOf(b) && reflect.ValueOf(a).Comparable() && a == b
}
