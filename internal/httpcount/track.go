package httpcount

import (
	"context"
	"net/http"
	"sync/atomic"
)

// Track returns a handler that serves with next and tells the Middleware
// around it which pattern matched. It is for stacks in which the request is
// copied between the two (WithContext, StripPrefix, TimeoutHandler), so that
// the pattern never reaches the one that the Middleware holds. As there, the
// answer of name comes first; it may be nil.
//
// From the first Track on, every request through this Meter's middleware
// carries a slot in its context, at the price of two allocations.
//
// A nil Meter returns next. A nil next is [http.DefaultServeMux].
func (m *Meter) Track(next http.Handler, name func(*http.Request) string) http.Handler {
	if next == nil {
		next = http.DefaultServeMux
	}
	if m == nil {
		return next
	}
	m.tracked.Store(true)
	return &tracker{meter: m, next: next, name: name}
}

type tracker struct {
	meter *Meter
	next  http.Handler
	name  func(*http.Request) string
}

func (h *tracker) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	n := h.noted(w, r)
	if n == nil {
		h.next.ServeHTTP(w, r)
		return
	}
	if mux, ok := h.next.(*http.ServeMux); ok {
		// Before it serves: a TimeoutHandler in between may answer first.
		_, pattern := mux.Handler(r)
		n.note(r, pattern)
	} else {
		n.note(r, r.Pattern)
	}
	defer h.noteAfter(n, r)
	h.next.ServeHTTP(w, r)
}

// noted returns where to note the route of a request: in the slot that it
// carries, or else in the response that the Middleware made. Some routers,
// gorilla's for one, call Track only when they serve, and the first request
// has no slot then.
func (h *tracker) noted(w http.ResponseWriter, r *http.Request) *noted {
	if s, ok := r.Context().Value(slotKey{h.meter}).(*slot); ok {
		return &s.noted
	}
	for {
		if own, ok := w.(interface{ own() *response }); ok && own.own().meter == h.meter {
			return &own.own().noted
		}
		below, ok := w.(interface{ Unwrap() http.ResponseWriter })
		if !ok {
			return nil
		}
		w = below.Unwrap()
	}
}

func (h *tracker) noteAfter(n *noted, r *http.Request) {
	if h.name != nil {
		if route := h.name(r); route != "" {
			n.name.Store(&route)
			return
		}
	}
	n.note(r, r.Pattern)
}

// noted is what a Track handler leaves for the Middleware around it.
type noted struct {
	name atomic.Pointer[string] // the handler may still run when it is read
}

func (n *noted) note(r *http.Request, pattern string) {
	route := PatternRoute(pattern)
	if route == "" || (r.Method == http.MethodConnect && madeUp(r, pattern)) {
		return
	}
	n.name.Store(&route)
}

func (n *noted) route() string {
	if name := n.name.Load(); name != nil {
		return *name
	}
	return ""
}

// slot carries a noted. It is a context, so that it is carried at no further
// price.
type slot struct {
	context.Context
	noted
	key slotKey
}

// slotKey is one Meter's key, so that two of them don't meet.
type slotKey struct{ meter *Meter }

// withSlot returns a copy of r with a new slot in its context.
func (m *Meter) withSlot(r *http.Request) (*slot, *http.Request) {
	s := &slot{Context: r.Context(), key: slotKey{m}}
	return s, r.WithContext(s)
}

// Value implements [context.Context].
func (s *slot) Value(key any) any {
	if key == s.key {
		return s
	}
	return s.Context.Value(key)
}
