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
// [Hawkeye.Route], or name the route by [WithRoute].
//
// A method that no RFC lists is OTHER. A panic is a 500 with the tag
// panic=true and goes on up; one with [http.ErrAbortHandler] is
// http.response.aborted. So is a request whose client hung up before there was
// a status, whatever status the handler, a reverse proxy say, wrote after
// that: it is no success and no failure of the service. A hijacked connection
// is a 101. Neither it nor an event stream (text/event-stream, flushed) has a
// duration, for it ends when both sides like.
//
// An exchange is counted when next returns. If next has written nothing by
// then, and the ResponseWriter is not the server's own, a framework may still
// answer for it, as echo does for a handler that returns an error: then it is
// counted by that answer, or when the request is over.
//
// What the ResponseWriter can do beyond the interface, the one that next gets
// can do too, by type assertion and by [http.ResponseController]: Flusher and
// Hijacker if they are there, ReaderFrom, deadlines and the rest always. It
// belongs to its request for good: what is written through it late, if the
// server lets it, goes to the client of that request and to no other.
//
// Put it outermost, and once; who counts http.response.* by hand would count
// twice. A request costs one small allocation, and two more if there is a
// Route. A nil next is [http.DefaultServeMux]; a nil *Hawkeye returns next.
func (h *Hawkeye) Middleware(next http.Handler) http.Handler {
	if h == nil {
		return (*httpcount.Meter)(nil).Middleware(next, nil)
	}
	return h.meter.Middleware(next, h.cfg.route)
}

// Route returns a handler that serves with next and tells the
// [Hawkeye.Middleware] around it which pattern matched:
//
//	h.Middleware(http.TimeoutHandler(h.Route(mux), time.Second, "too slow"))
//
// next is a mux, or a handler within one. A nil next is
// [http.DefaultServeMux]; a nil *Hawkeye returns next.
func (h *Hawkeye) Route(next http.Handler) http.Handler {
	if h == nil {
		return (*httpcount.Meter)(nil).Track(next)
	}
	return h.meter.Track(next)
}

// HTTPExchange is what an adapter for a web framework tells
// [Hawkeye.RecordHTTP] about a request and its response.
type HTTPExchange struct {
	Method string // as in the request
	Route  string // the pattern that matched, without method and host; "" is "unmatched"
	Status int    // the final status code; what is not in 100..999 counts as 200

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
