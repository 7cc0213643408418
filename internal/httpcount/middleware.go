package httpcount

import (
	"net/http"
	"sync"
	"time"
)

// start is what the clock is read against: the difference of two readings
// needs the monotonic clock alone, half the price of time.Now.
var start = time.Now()

// Middleware returns a handler that serves with next and counts what it did
// when it returns. The route is, in this order, the answer of name (asked
// after next has served; may be nil), what a Track handler inside noted, the
// request's pattern.
//
// A nil Meter returns next. A nil next is [http.DefaultServeMux].
func (m *Meter) Middleware(next http.Handler, name func(*http.Request) string) http.Handler {
	if next == nil {
		next = http.DefaultServeMux
	}
	if m == nil {
		return next
	}
	return &middleware{meter: m, next: next, name: name}
}

type middleware struct {
	meter *Meter
	next  http.Handler
	name  func(*http.Request) string
}

func (h *middleware) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	x := exchanges.Get().(*exchange)
	x.middleware = h
	x.request = r
	x.method = r.Method // now: there are handlers that write another one into r
	x.slot = nil
	if h.meter.tracked.Load() {
		x.slot, x.request = h.meter.withSlot(r)
	}
	x.returned = false
	x.start = time.Since(start)
	defer x.end()
	h.next.ServeHTTP(x.writer(w), x.request)
	x.returned = true
}

// exchange is one request on its way through. They are pooled, for a handler
// may not use a ResponseWriter after it returned; one that panicked or was
// hijacked is left to the garbage collector.
type exchange struct {
	*middleware
	request  *http.Request
	method   string
	slot     *slot // nil unless routes are tracked
	start    time.Duration
	returned bool

	// What a pattern led to the last time: patterns repeat, and their texts
	// are mostly the very same string.
	lastMeter   *Meter
	lastPattern string
	last        *routeCells

	response  response
	flushing  flushing
	hijacking hijacking
	streaming streaming
}

var exchanges = sync.Pool{New: func() any {
	x := new(exchange)
	x.flushing.response = &x.response
	x.hijacking.response = &x.response
	x.streaming.response = &x.response
	return x
}}

// writer puts the response before w and returns it in the form that can do
// what w can.
func (x *exchange) writer(w http.ResponseWriter) http.ResponseWriter {
	x.response.ResponseWriter = w
	x.response.status = 0
	x.response.hijacked = false
	switch flush, hijack := can(w); {
	case flush && hijack:
		return &x.streaming
	case flush:
		return &x.flushing
	case hijack:
		return &x.hijacking
	default:
		return &x.response
	}
}

// end counts the exchange. It is deferred, and sends a panic on its way.
func (x *exchange) end() {
	e := Exchange{
		Method:   x.method,
		Duration: time.Since(start) - x.start,
		Status:   x.response.status,
		Hijacked: x.response.hijacked,
	}
	var panicked any
	if !x.returned {
		panicked = recover() // nil if it is runtime.Goexit
		e.Aborted = panicked == nil || panicked == http.ErrAbortHandler
		e.Panicked = !e.Aborted
	}
	x.meter.record(x.route(e.Status), &e)
	if panicked != nil {
		panic(panicked)
	}
	if x.returned && !e.Hijacked {
		x.release()
	}
}

// release gives x back, with nothing in it that would keep the request.
func (x *exchange) release() {
	x.middleware, x.request, x.slot, x.method = nil, nil, nil, ""
	x.response.ResponseWriter = gone{}
	exchanges.Put(x)
}

func (x *exchange) route(status int) *routeCells {
	if x.name != nil {
		if route := x.name(x.request); route != "" {
			return x.meter.route(route)
		}
	}
	if x.slot != nil {
		if route := x.slot.route(); route != "" {
			return x.meter.route(route)
		}
	}
	pattern := x.request.Pattern
	if x.method == http.MethodConnect && status == http.StatusTemporaryRedirect && madeUp(x.request, pattern) {
		pattern = ""
	}
	if x.lastMeter != x.meter || x.lastPattern != pattern {
		x.last = x.meter.route(PatternRoute(pattern))
		x.lastMeter, x.lastPattern = x.meter, pattern
	}
	return x.last
}

// madeUp says that pattern is none: for a CONNECT that it redirects to a path
// with a slash, ServeMux gives that path itself.
func madeUp(r *http.Request, pattern string) bool { return pattern == r.URL.Path+"/" }

// gone is the writer of a handler that uses its own after it returned.
type gone struct{}

func (gone) Header() http.Header       { return http.Header{} }
func (gone) WriteHeader(int)           {}
func (gone) Write([]byte) (int, error) { return 0, http.ErrHandlerTimeout }
