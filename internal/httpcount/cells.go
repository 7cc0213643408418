package httpcount

import (
	"net/http"
	"strconv"
	"sync/atomic"

	"github.com/go-batteries/hawkeye/internal/series"
)

// methods are the names that may become the value of a tag. Others become
// the last one, so that a caller can't make up series.
var methods = [...]string{
	http.MethodGet, http.MethodHead, http.MethodPost, http.MethodPut, http.MethodPatch,
	http.MethodDelete, http.MethodConnect, http.MethodOptions, http.MethodTrace, "OTHER",
}

const otherMethod = len(methods) - 1

// indexMethod returns the place of a method in methods. Methods are case
// sensitive (RFC 9110, section 9.1); an empty one is GET, as in net/http.
func indexMethod(method string) int {
	switch method {
	case http.MethodGet, "":
		return 0
	case http.MethodHead:
		return 1
	case http.MethodPost:
		return 2
	case http.MethodPut:
		return 3
	case http.MethodPatch:
		return 4
	case http.MethodDelete:
		return 5
	case http.MethodConnect:
		return 6
	case http.MethodOptions:
		return 7
	case http.MethodTrace:
		return 8
	default:
		return otherMethod
	}
}

// routeCells, methodCells and classCells are one tree: route, method, status
// class, code. Each level is made when it is first seen. Two goroutines may
// make the same one; both then hold handles of the same series.
type routeCells struct {
	name    string
	methods [len(methods)]atomic.Pointer[methodCells]
}

func (r *routeCells) method(reg *series.Registry, method int) *methodCells {
	if cells := r.methods[method].Load(); cells != nil {
		return cells
	}
	tags := []series.Tag{{Key: "method", Value: methods[method]}, {Key: "route", Value: r.name}}
	cells := &methodCells{tags: tags, requests: reg.Counter("http.requests", tags...)}
	r.methods[method].Store(cells)
	return cells
}

// outcome is what one end of an exchange adds to, beside http.requests.
type outcome struct {
	code     *series.Counter
	class    *series.Counter // nil, which counts nothing, where there is no class
	duration *series.Histogram
}

type methodCells struct {
	tags     []series.Tag
	requests *series.Counter
	panicked atomic.Pointer[outcome]
	aborted  atomic.Pointer[outcome]
	classes  [10]atomic.Pointer[classCells] // by the first digit of the status
}

type classCells struct {
	codes [100]atomic.Pointer[outcome] // by the last two digits of the status
}

// outcome returns what e adds to.
func (c *methodCells) outcome(reg *series.Registry, e *Exchange) *outcome {
	switch {
	case e.Panicked:
		if o := c.panicked.Load(); o != nil {
			return o
		}
		o := c.newOutcome(reg, "500", "5xx", series.Tag{Key: "panic", Value: "true"})
		c.panicked.Store(o)
		return o
	case e.Aborted:
		if o := c.aborted.Load(); o != nil {
			return o
		}
		o := c.newOutcome(reg, "aborted", "aborted")
		o.class = nil
		c.aborted.Store(o)
		return o
	case e.Hijacked:
		return c.status(reg, http.StatusSwitchingProtocols)
	default:
		return c.status(reg, e.Status)
	}
}

func (c *methodCells) status(reg *series.Registry, status int) *outcome {
	if !isFinal(status) || status > 999 {
		status = http.StatusOK
	}
	class := c.classes[status/100].Load()
	if class == nil {
		c.classes[status/100].CompareAndSwap(nil, new(classCells))
		class = c.classes[status/100].Load()
	}
	if o := class.codes[status%100].Load(); o != nil {
		return o
	}
	o := c.newOutcome(reg, strconv.Itoa(status), strconv.Itoa(status/100)+"xx")
	class.codes[status%100].Store(o)
	return o
}

func (c *methodCells) newOutcome(reg *series.Registry, code, class string, more ...series.Tag) *outcome {
	tags := append(c.tags[:len(c.tags):len(c.tags)], more...)
	timed := append(tags[:len(tags):len(tags)], series.Tag{Key: "status", Value: class})
	return &outcome{
		code:     reg.Counter("http.response."+code, tags...),
		class:    reg.Counter("http.response."+class, tags...),
		duration: reg.Histogram("http.request.duration", timed...),
	}
}
