package httpcount

import (
	"net/http"
	"testing"

	"github.com/go-batteries/hawkeye/internal/series"
)

// blank is the cheapest writer there is.
type blank struct{ header http.Header }

func (b blank) Header() http.Header       { return b.header }
func (blank) WriteHeader(int)             {}
func (blank) Write(p []byte) (int, error) { return len(p), nil }

func routed(w http.ResponseWriter, r *http.Request) { w.WriteHeader(http.StatusNoContent) }

// TestMiddlewareAllocatesOnce: the writer, which belongs to the handler from
// then on. What was handed out is never handed out again.
func TestMiddlewareAllocatesOnce(t *testing.T) {
	h := New(series.New(series.Limits{})).Middleware(http.HandlerFunc(routed), nil)
	r, _ := http.NewRequest("GET", "/users/7", nil)
	r.Pattern = "GET /users/{id}"
	var w http.ResponseWriter = blank{http.Header{}}
	if n := testing.AllocsPerRun(1000, func() { h.ServeHTTP(w, r) }); n > 1 {
		t.Errorf("ServeHTTP allocates %v times a request, want once", n)
	}
}

func BenchmarkMiddleware(b *testing.B) {
	r, _ := http.NewRequest("GET", "/users/7", nil)
	r.Pattern = "GET /users/{id}"
	var w http.ResponseWriter = blank{http.Header{}}
	b.Run("none", func(b *testing.B) {
		var h http.Handler = http.HandlerFunc(routed)
		for b.Loop() {
			h.ServeHTTP(w, r)
		}
	})
	b.Run("overhead", func(b *testing.B) {
		h := New(nil).Middleware(http.HandlerFunc(routed), nil)
		for b.Loop() {
			h.ServeHTTP(w, r)
		}
	})
	b.Run("counted", func(b *testing.B) {
		h := New(series.New(series.Limits{})).Middleware(http.HandlerFunc(routed), nil)
		b.ReportAllocs()
		for b.Loop() {
			h.ServeHTTP(w, r)
		}
	})
}
