package httpcount

import (
	"context"
	"net/http"
	"reflect"
	"strings"
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
	x := exchange{middleware: h, request: r, method: r.Method} // now: there are handlers that write another method into r
	if h.meter.tracked.Load() {
		x.slot, x.request = h.meter.withSlot(r)
	}
	x.response = &response{ResponseWriter: w, request: r.Context()}
	x.start = time.Since(start)
	defer x.end()
	h.next.ServeHTTP(x.response.as(w), x.request)
	x.returned = true
}

// exchange is one request on its way through. Nobody else sees it.
type exchange struct {
	*middleware
	request  *http.Request
	response *response
	method   string
	slot     *slot // nil unless routes are tracked
	start    time.Duration
	returned bool
}

// end counts the exchange. It is deferred, and sends a panic on its way.
func (x *exchange) end() {
	e := Exchange{Method: x.method, Duration: time.Since(start) - x.start}
	var panicked any
	if !x.returned {
		panicked = recover() // nil if it is runtime.Goexit
		e.Aborted = panicked == nil || panicked == http.ErrAbortHandler
		e.Panicked = !e.Aborted
	}
	switch {
	case e.Panicked || e.Aborted || x.response.fill(&e):
		x.meter.record(x.route(e.Status), &e)
	default:
		x.unanswered(&e)
	}
	if panicked != nil {
		panic(panicked)
	}
}

// unanswered counts an exchange whose handler returned without an answer.
// net/http makes that a 200, unless a framework around the handler answers
// after it: so if the writer isn't net/http's own the exchange is counted by
// the answer that follows, or at the end of the request.
func (x *exchange) unanswered(e *Exchange) {
	w := x.response
	e.Status, e.Aborted = http.StatusOK, w.gone()
	if e.Aborted || w.request.Done() == nil || own(w.ResponseWriter) {
		x.meter.record(x.route(e.Status), e)
		return
	}
	w.await(&pending{meter: x.meter, route: x.route(0), exchange: *e})
}

// own says whether a writer is of a server, behind which nothing else answers.
func own(w http.ResponseWriter) bool {
	t := reflect.TypeOf(w)
	if t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	return strings.HasPrefix(t.PkgPath(), "net/http") || t.PkgPath() == "golang.org/x/net/http2"
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

// pending is an exchange that is counted when it is answered, or over: then
// net/http has answered by a 200.
type pending struct {
	meter    *Meter
	route    *routeCells
	exchange Exchange
	counted  atomic.Bool
}

// count counts the exchange, the first time.
func (p *pending) count(w *response) {
	if p.counted.Swap(true) {
		return
	}
	w.fill(&p.exchange)
	p.meter.record(p.route, &p.exchange)
}

// await counts p by the answer that w is yet to give, or else when the request
// is over, which its context tells.
func (w *response) await(p *pending) {
	w.pending.Store(p)
	if w.state.Load() != 0 { // the answer came in between
		p.count(w)
		return
	}
	context.AfterFunc(w.request, func() { p.count(w) })
}
