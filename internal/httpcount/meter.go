// Package httpcount counts HTTP exchanges: how many, with which status, how
// long they took, by method and route. It holds what the net/http middleware
// and the adapters for web frameworks share.
//
// A [Meter] writes these metrics:
//
//	http.requests              counter    method, route
//	http.response.<code>       counter    method, route [, panic=true]
//	http.response.<class>xx    counter    method, route [, panic=true]
//	http.response.aborted      counter    method, route
//	http.request.duration      histogram  method, route, status=<class>xx or aborted; seconds
package httpcount

import (
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/go-batteries/hawkeye/internal/series"
)

// Unmatched is the route of a request that no pattern matched.
const Unmatched = "unmatched"

// maxRoutes bounds the routes whose cells a Meter remembers. Patterns are a
// program's own text and far fewer; a caller's route function may return
// anything. A route beyond the bound is looked up in the registry each time,
// which has a limit of its own.
const maxRoutes = 4096

// Exchange is what there is to count about one request and its response.
type Exchange struct {
	Method string // as in the request; one that RFC 9110 and 5789 don't list counts as OTHER
	Route  string // a route's name; "" is Unmatched
	Status int    // the final status code; what is none, 1xx but 101 among it, counts as 200

	Duration time.Duration
	Hijacked bool // counts as 101, whatever Status says, and has no duration
	Streamed bool // an event stream: it has no duration
	Panicked bool // counts as 500 with panic=true, whatever Status says
	Aborted  bool // no status at all: http.ErrAbortHandler, or the client had gone before there was one
}

// Meter counts exchanges into a registry. A nil *Meter does nothing. It is
// safe for concurrent use, and allocates only for what it sees first.
type Meter struct {
	reg *series.Registry

	// tracked says that some Track handler exists, so that routes may have to
	// be carried in the request's context.
	tracked atomic.Bool

	// routes is replaced as a whole, under mu, when a route is added.
	routes atomic.Pointer[map[string]*routeCells]
	mu     sync.Mutex

	waiting sync.Mutex // guards what follows
	pending []*pending
	sweepAt int // how many there are before it is looked for those that are over
}

// New returns a Meter that counts into reg.
func New(reg *series.Registry) *Meter {
	m := &Meter{reg: reg}
	m.routes.Store(&map[string]*routeCells{})
	return m
}

// Record counts e.
func (m *Meter) Record(e *Exchange) {
	if m != nil {
		m.record(m.route(e.Route), e)
	}
}

func (m *Meter) record(route *routeCells, e *Exchange) {
	cells := route.method(m.reg, indexMethod(e.Method))
	cells.requests.Inc()

	o := cells.outcome(m.reg, e)
	o.code.Inc()
	o.class.Inc()
	if !e.Hijacked && !e.Streamed {
		o.duration.Observe(float64(e.Duration) / float64(time.Second))
	}
}

// route returns the cells of a route, and makes them if it is new.
func (m *Meter) route(name string) *routeCells {
	if name == "" {
		name = Unmatched
	}
	if cells, ok := (*m.routes.Load())[name]; ok {
		return cells
	}
	return m.addRoute(name)
}

func (m *Meter) addRoute(name string) *routeCells {
	m.mu.Lock()
	defer m.mu.Unlock()
	old := *m.routes.Load()
	if cells, ok := old[name]; ok {
		return cells
	}
	name = strings.Clone(name) // it may be a part of a request's buffer
	cells := &routeCells{name: name}
	if len(old) >= maxRoutes {
		return cells
	}
	grown := make(map[string]*routeCells, len(old)+1)
	for k, v := range old {
		grown[k] = v
	}
	grown[name] = cells
	m.routes.Store(&grown)
	return cells
}

// PatternRoute returns the route that an [net/http.ServeMux] pattern names:
// "[METHOD ][HOST]/[PATH]" without method and host. What has no path names no
// route, and the answer is "".
func PatternRoute(pattern string) string {
	if i := strings.IndexByte(pattern, '/'); i >= 0 {
		return pattern[i:]
	}
	return ""
}
