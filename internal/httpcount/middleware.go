package httpcount

import (
	"net/http"
	"sync/atomic"
	"time"
	"unsafe"
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
	meter    *Meter
	next     http.Handler
	name     func(*http.Request) string
	patterns patternCache
}

// ServeHTTP makes one small allocation: the response, which belongs to the
// handler from then on. Handlers keep it for as long as their framework does;
// echo, for one, answers failures through it after the handler has returned.
// So it is never used again for another request.
func (h *middleware) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	x := exchange{
		middleware: h,
		response:   &response{ResponseWriter: w, ctx: r.Context(), meter: h.meter},
		request:    r,
		method:     r.Method, // now: there are handlers that write another one into r
	}
	if h.meter.tracked.Load() {
		x.slot, x.request = h.meter.withSlot(r)
	}
	x.start = time.Since(start)
	defer x.end()
	h.next.ServeHTTP(x.response.like(w), x.request)
	x.returned = true
}

// exchange is one request on its way through, on the stack. Nobody else sees
// it: what a handler may hold is the response alone.
type exchange struct {
	*middleware
	response *response
	request  *http.Request
	method   string
	slot     *slot // nil unless routes are tracked
	start    time.Duration
	returned bool
}

// end counts the exchange, unless its status is yet to come. It is deferred,
// and sends a panic on its way.
func (x *exchange) end() {
	took := time.Since(start) - x.start
	if x.returned {
		s := x.response.known()
		if s == 0 && mayFollow(x.request) {
			x.meter.await(&pending{response: x.response, route: x.route(0), method: x.method, took: took})
			return
		}
		x.count(s.exchange(x.method, took))
		return
	}
	v := recover() // nil if it is runtime.Goexit
	e := x.response.known().exchange(x.method, took)
	e.Aborted = v == nil || v == http.ErrAbortHandler
	e.Panicked = !e.Aborted
	x.count(e)
	if v != nil {
		panic(v)
	}
}

func (x *exchange) count(e Exchange) { x.meter.record(x.route(e.Status), &e) }

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
	if route := x.response.noted.route(); route != "" {
		return x.meter.route(route)
	}
	pattern := x.request.Pattern
	if x.method == http.MethodConnect && status == http.StatusTemporaryRedirect && madeUp(x.request, pattern) {
		pattern = ""
	}
	return x.patterns.route(x.meter, pattern)
}

// madeUp says that pattern is none: for a CONNECT that it redirects to a path
// with a slash, ServeMux gives that path itself.
func madeUp(r *http.Request, pattern string) bool { return pattern == r.URL.Path+"/" }

// patternCache remembers what patterns led to: they repeat, and their texts
// are mostly the very same string, whose address finds its place.
type patternCache [64]atomic.Pointer[patternCells]

type patternCells struct {
	pattern string
	cells   *routeCells
}

func (p *patternCache) route(m *Meter, pattern string) *routeCells {
	place := &p[uintptr(unsafe.Pointer(unsafe.StringData(pattern)))>>3%uintptr(len(p))]
	if found := place.Load(); found != nil && found.pattern == pattern {
		return found.cells
	}
	found := &patternCells{pattern, m.route(PatternRoute(pattern))}
	place.Store(found)
	return found.cells
}
