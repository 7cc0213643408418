package httpcount

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/go-batteries/hawkeye/internal/bucket"
	"github.com/go-batteries/hawkeye/internal/series"
)

// countersOf collects, and returns the counters that aren't 0, by name.
func countersOf(reg *series.Registry) map[string]int64 {
	var b bucket.Bucket
	reg.Collect(&b, true)
	texts := make(map[uint64]string)
	names, _ := reg.Names(0)
	for _, n := range names {
		texts[n.ID] = n.Text
	}
	got := make(map[string]int64)
	for _, c := range b.Counters {
		_, name, _, _ := series.ParseCanonical(texts[c.ID])
		got[name] += c.Delta / 1e6
	}
	return got
}

// served makes a request that net/http seems to serve until over is called.
func served() (r *http.Request, over func()) {
	ctx := context.WithValue(context.Background(), http.ServerContextKey, &http.Server{})
	ctx, over = context.WithCancel(ctx)
	return httptest.NewRequest("GET", "/", nil).WithContext(ctx), over
}

// locked is a writer that several goroutines may use.
type locked struct {
	mu   sync.Mutex
	head http.Header
	code int
	body strings.Builder
}

func (l *locked) Header() http.Header { return l.head }
func (l *locked) WriteHeader(code int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.code == 0 {
		l.code = code
	}
}
func (l *locked) Write(p []byte) (int, error) {
	l.WriteHeader(200)
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.body.Write(p)
}

// TestLateWritesGoThrough keeps the writers of many requests until all of
// them have been served, and uses them then, at once and several times.
func TestLateWritesGoThrough(t *testing.T) {
	t.Parallel()
	reg := series.New(series.Limits{})
	m := New(reg)
	const requests, writers = 200, 4
	below := make([]*locked, requests)
	kept := make([]http.ResponseWriter, requests)
	var late sync.WaitGroup
	for i := range requests {
		below[i] = &locked{head: http.Header{}}
		r, over := served()
		m.Middleware(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			kept[i] = w
			for range writers { // some before the middleware's end, some after it
				late.Go(func() {
					w.WriteHeader(404)
					fmt.Fprintf(w, "of %d;", i)
				})
			}
		}), nil).ServeHTTP(below[i], r)
		defer over()
	}
	late.Wait()
	for i, l := range below {
		if l.code != 404 || l.body.String() != strings.Repeat(fmt.Sprintf("of %d;", i), writers) {
			t.Errorf("request %d is answered with %d %q, want its own", i, l.code, l.body.String())
		}
	}
	m.Settle()
	got := countersOf(reg)
	if want := map[string]int64{"http.requests": requests, "http.response.404": requests, "http.response.4xx": requests}; fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("counted %v, want %v", got, want)
	}
	if slices.Compact(kept)[0] == nil || len(slices.Compact(kept)) != requests {
		t.Error("a writer was handed out twice")
	}
}

// TestAwaitedEnds is about requests that are over without a status, and some
// that aren't over yet.
func TestAwaitedEnds(t *testing.T) {
	t.Parallel()
	reg := series.New(series.Limits{})
	m := New(reg)
	h := m.Middleware(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}), nil)
	for range 100 {
		r, over := served()
		h.ServeHTTP(httptest.NewRecorder(), r)
		over()
	}
	r, over := served()
	h.ServeHTTP(httptest.NewRecorder(), r)
	m.Settle()
	if got := countersOf(reg)["http.response.200"]; got != 100 {
		t.Errorf("counted %d answers of 200, want the 100 that are over", got)
	}
	over()
	m.Settle()
	m.Settle()
	if got := countersOf(reg); got["http.response.200"] != 1 || len(m.pending) != 0 {
		t.Errorf("counted %v more, and %d are still awaited; want one, and none", got, len(m.pending))
	}
}

// TestAwaitedAreBounded is about requests that never end.
func TestAwaitedAreBounded(t *testing.T) {
	t.Parallel()
	reg := series.New(series.Limits{})
	m := New(reg)
	h := m.Middleware(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}), nil)
	for range maxAwaited + 100 {
		r, over := served()
		defer over()
		h.ServeHTTP(httptest.NewRecorder(), r)
	}
	if len(m.pending) > maxAwaited {
		t.Errorf("%d are awaited, want at most %d", len(m.pending), maxAwaited)
	}
	if got := countersOf(reg)["http.response.200"]; got != 100 {
		t.Errorf("counted %d, want the 100 beyond the bound", got)
	}
}

// TestNobodyAwaitsForeignContexts is about servers other than net/http's,
// whose contexts may last for as long as the process.
func TestNobodyAwaitsForeignContexts(t *testing.T) {
	t.Parallel()
	reg := series.New(series.Limits{})
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	h := New(reg).Middleware(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}), nil)
	h.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest("GET", "/", nil).WithContext(ctx))
	if got := countersOf(reg)["http.response.200"]; got != 1 {
		t.Errorf("counted %d, want 1 at once", got)
	}
}

// TestLateWritesAfterAll is about a writer that is used when its request has
// long been counted: nothing is counted twice.
func TestLateWritesAfterAll(t *testing.T) {
	t.Parallel()
	reg := series.New(series.Limits{})
	m := New(reg)
	var kept http.ResponseWriter
	below := httptest.NewRecorder()
	r, over := served()
	m.Middleware(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { kept = w }), nil).ServeHTTP(below, r)
	over()
	m.Settle()
	kept.Header().Set("a", "b")
	kept.WriteHeader(500)
	io.WriteString(kept, "late")
	kept.(http.Flusher).Flush()
	if below.Code != 500 || below.Body.String() != "late" || below.Result().Header.Get("a") != "b" || !below.Flushed {
		t.Errorf("below are %d %q %v, want what was written late", below.Code, below.Body, below.Result().Header)
	}
	if got := countersOf(reg); got["http.requests"] != 1 || got["http.response.5xx"] != 0 {
		t.Errorf("counted %v, want the one 200", got)
	}
}

// TestTrackedLate is about routers that call Track only when they serve: the
// first request carries no slot yet.
func TestTrackedLate(t *testing.T) {
	t.Parallel()
	reg := series.New(series.Limits{})
	m, other := New(reg), New(series.New(series.Limits{}))
	inner := http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { r.Pattern = "/late" })
	h := m.Middleware(other.Middleware(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		copied := r.WithContext(context.WithValue(r.Context(), http.LocalAddrContextKey, 1))
		m.Track(inner, nil).ServeHTTP(wrapper{w}, copied)
	}), nil), nil)
	for range 2 {
		h.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest("GET", "/", nil))
	}
	if got := (*m.routes.Load()); len(got) != 1 || got["/late"] == nil {
		t.Errorf("routes are %v, want /late alone", got)
	}
	if got := (*other.routes.Load()); len(got) != 1 || got[Unmatched] == nil {
		t.Errorf("routes of the other meter are %v, want none", got)
	}
}
