package httpcount

import (
	"context"
	"net/http"
	"sync/atomic"
)

// Track returns a handler that serves with next and tells the Middleware
// around it which pattern matched. It is for stacks in which the request is
// copied between the two (WithContext, StripPrefix, TimeoutHandler), so that
// the pattern never reaches the one that the Middleware holds.
//
// From the first Track on, every request through this Meter's middleware
// carries a slot in its context, at the price of two allocations.
//
// A nil Meter returns next. A nil next is [http.DefaultServeMux].
func (m *Meter) Track(next http.Handler) http.Handler {
	if next == nil {
		next = http.DefaultServeMux
	}
	if m == nil {
		return next
	}
	m.tracked.Store(true)
	return &tracker{meter: m, next: next}
}

type tracker struct {
	meter *Meter
	next  http.Handler
}

func (h *tracker) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s, ok := r.Context().Value(slotKey{h.meter}).(*slot)
	if !ok {
		h.next.ServeHTTP(w, r)
		return
	}
	if mux, ok := h.next.(*http.ServeMux); ok {
		// Before it serves: a TimeoutHandler in between may answer first.
		_, pattern := mux.Handler(r)
		s.note(r, pattern)
	} else {
		s.note(r, r.Pattern)
	}
	defer func() { s.note(r, r.Pattern) }()
	h.next.ServeHTTP(w, r)
}

// slot is where a Track handler leaves the route for the Middleware around
// it. It is a context, so that it is carried at no further price.
type slot struct {
	context.Context
	key  slotKey
	name atomic.Pointer[string] // the handler may still run when it is read
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

func (s *slot) note(r *http.Request, pattern string) {
	route := PatternRoute(pattern)
	if route == "" || (r.Method == http.MethodConnect && madeUp(r, pattern)) {
		return
	}
	s.name.Store(&route)
}

func (s *slot) route() string {
	if name := s.name.Load(); name != nil {
		return *name
	}
	return ""
}
