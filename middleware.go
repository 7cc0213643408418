package hawkeye

import (
	"net/http"
	"time"

	"github.com/go-batteries/hawkeye/internal/httpcount"
)

// Middleware returns a handler that serves with next and counts it:
//
//   - http.requests, with the tags method and route
//   - http.response.<code> and http.response.<class>xx, such as
//     http.response.404 and http.response.4xx, with the same tags
//   - http.request.duration, a histogram of seconds, with the same tags and
//     status, which is 2xx, 4xx and so on
//
// The route is the pattern that matched, as [http.ServeMux] and routers like
// it leave it in the request, without method and host: "/users/{id}". It is
// "unmatched" if there is none, and never the path, of which there is no end.
// Where the request is copied on the way to the mux (WithContext, StripPrefix,
// TimeoutHandler) the pattern doesn't come back: wrap the mux in
// [Hawkeye.TrackRoute], or name the route by [WithRouteName].
//
// A method that no RFC lists is OTHER. A panic is a 500 with the tag
// panic=true and goes on up, whatever was written before; so is one that a
// handler within next catches after the first byte, and answers with a status
// that comes too late. A request that nobody waits for any more is
// http.response.aborted, no success and no failure: its context was cancelled
// before a status was written, or the handler panicked with
// [http.ErrAbortHandler]. A hijacked connection is a 101. That and a stream of
// server-sent events have no duration, for they end when both sides like.
//
// An exchange is counted when next returns. If that wrote nothing, a framework
// may still answer through the ResponseWriter that it was given, as echo does
// with errors: then the exchange is counted when that happens or, as the 200
// that net/http answers by itself, when the request is over. What a handler
// outside writes past that ResponseWriter isn't seen.
//
// What the ResponseWriter can do beyond the interface, the one that next gets
// can do too, by type assertion and by [http.ResponseController]: Flusher and
// Hijacker if they are there, ReaderFrom, deadlines and the rest always. It
// belongs to its request for good; what is written after next has returned
// goes to the ResponseWriter below.
//
// Put it outermost, and once; who counts http.response.* by hand would count
// twice. docs/http.md says how with each framework. A request costs one small
// allocation, and three if there is a Route. A nil next is
// [http.DefaultServeMux]; a nil *Hawkeye returns next.
func (h *Hawkeye) Middleware(next http.Handler) http.Handler {
	if h == nil {
		return (*httpcount.Meter)(nil).Middleware(next, nil)
	}
	return h.meter.Middleware(next, h.cfg.route)
}

// TrackRoute returns a handler that serves with next and tells the
// [Hawkeye.Middleware] around it which pattern matched:
//
//	h.Middleware(http.TimeoutHandler(h.TrackRoute(mux), time.Second, "too slow"))
//
// next is a mux, or a handler within one. [WithRouteName] is asked with the
// request that next got, too. A nil next is [http.DefaultServeMux]; a nil
// *Hawkeye returns next.
func (h *Hawkeye) TrackRoute(next http.Handler) http.Handler {
	if h == nil {
		return (*httpcount.Meter)(nil).Track(next, nil)
	}
	return h.meter.Track(next, h.cfg.route)
}

// HTTPExchange is what an adapter for a web framework tells
// [Hawkeye.RecordHTTP] about a request and its response.
type HTTPExchange struct {
	Method string // as in the request
	Route  string // the pattern that matched, without method and host; "" is "unmatched"
	Status int    // the final status code; what is none, 1xx but 101 among it, counts as 200

	Duration time.Duration
	Hijacked bool // counts as 101 and has no duration
	Streamed bool // an event stream: has no duration
	Panicked bool // counts as 500 with panic=true
	Aborted  bool // ended by [http.ErrAbortHandler], or the client went before there was a status: counts as aborted
}

// RecordHTTP counts an exchange as [Hawkeye.Middleware] does. It is for
// adapters, such as module hawkeyegin; it is a method, and the counting isn't
// a package that they import, so that an adapter and hawkeye of different
// versions work together.
func (h *Hawkeye) RecordHTTP(e HTTPExchange) {
	if h != nil {
		h.meter.Record((*httpcount.Exchange)(&e))
	}
}
