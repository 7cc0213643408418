package hawkeye

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/go-batteries/hawkeye/internal/bucket"
	"github.com/go-batteries/hawkeye/internal/httpcount"
	"github.com/go-batteries/hawkeye/internal/series"
)

// newRecorder returns a handle that can record and nothing else.
func newRecorder() *Hawkeye {
	reg := series.New(series.Limits{})
	return &Hawkeye{engine: engine{reg: reg, meter: httpcount.New(reg)}}
}

// recorded collects once and returns what it held as lines: "name tags count",
// for a histogram the number of observations.
func recorded(h *Hawkeye) []string {
	h.meter.Settle()
	var lines []string
	line := func(canonical string, n any) {
		_, name, tags, _ := series.ParseCanonical(canonical)
		for _, t := range tags {
			name += " " + t.Key + "=" + t.Value
		}
		lines = append(lines, fmt.Sprint(name, " ", n))
	}
	counters, observed := contents(h.reg)
	for name, n := range counters {
		line(name, n/1e6)
	}
	for name, n := range observed {
		line(name, n)
	}
	slices.Sort(lines)
	return lines
}

// counts is what one exchange adds; its code may be "aborted".
func counts(method, route, code string) []string {
	tags := " method=" + method + " route=" + route + " 1"
	if code == "aborted" {
		return []string{
			"http.request.duration" + tags[:len(tags)-2] + " status=aborted 1",
			"http.requests" + tags, "http.response.aborted" + tags,
		}
	}
	class := code[:1] + "xx"
	return []string{
		"http.request.duration" + tags[:len(tags)-2] + " status=" + class + " 1",
		"http.requests" + tags, "http.response." + code + tags, "http.response." + class + tags,
	}
}

func panicked(method, route string) []string {
	tags := " method=" + method + " panic=true route=" + route
	return []string{
		"http.request.duration" + tags + " status=5xx 1",
		"http.requests method=" + method + " route=" + route + " 1",
		"http.response.500" + tags + " 1", "http.response.5xx" + tags + " 1",
	}
}

func hijacked(method, route string) []string { return untimed(method, route, "101") }

// untimed are the counts of an exchange that has no duration.
func untimed(method, route, code string) []string { return counts(method, route, code)[1:] }

// status answers with a code.
func status(code int) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(code) }
}

// muxOf returns a mux with one pattern.
func muxOf(pattern string, h http.Handler) *http.ServeMux {
	mux := http.NewServeMux()
	mux.Handle(pattern, h)
	return mux
}

// withContext copies the request, as many a middleware does.
func withContext(next http.Handler) http.Handler {
	type key struct{}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		next.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), key{}, 1)))
	})
}

// gaveUp serves with what of makes of a handler that is given up by the
// TimeoutHandler around it as soon as it is reached.
func gaveUp(of func(slow http.Handler) http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		ctx, giveUp := context.WithCancel(r.Context())
		release := make(chan struct{})
		defer close(release)
		slow := http.HandlerFunc(func(http.ResponseWriter, *http.Request) { giveUp(); <-release })
		of(slow).ServeHTTP(w, r.WithContext(outOfTime{ctx}))
	})
}

// outOfTime is a context whose end, whenever it comes, is its deadline.
type outOfTime struct{ context.Context }

func (c outOfTime) Err() error {
	if c.Context.Err() == nil {
		return nil
	}
	return context.DeadlineExceeded
}

// left serves with a request whose client hangs up when the handler says so.
func left(h *Hawkeye, handler func(w http.ResponseWriter, hangUp func())) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		ctx, cancel := context.WithCancel(r.Context())
		defer cancel()
		inner := muxOf("/", http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { handler(w, cancel) }))
		h.Middleware(inner).ServeHTTP(w, r.WithContext(ctx))
	})
}

// late does what is asked for with the writer that a handler got, after that
// handler and the middleware around it have returned.
func late(h *Hawkeye, do http.HandlerFunc) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var kept http.ResponseWriter
		keep := func(w http.ResponseWriter, _ *http.Request) { kept = w }
		h.Middleware(muxOf("/", http.HandlerFunc(keep))).ServeHTTP(w, r)
		do(kept, r)
	})
}

// recovering catches panics, as the middlewares of many routers do.
func recovering(next http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		defer func() {
			if recover() != nil {
				w.WriteHeader(500)
			}
		}()
		next(w, r)
	}
}

// events answers with a type and a body that is sent before the handler ends.
func events(code int, contentType string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", contentType)
		if code != 200 {
			w.WriteHeader(code)
		}
		io.WriteString(w, "data: 1\n\n")
		w.(http.Flusher).Flush()
	}
}

func TestMiddleware(t *testing.T) {
	t.Parallel()
	ok := status(200)
	for _, tt := range []struct {
		name    string
		stack   func(h *Hawkeye) http.Handler // default: Middleware around a mux with pattern and handler
		pattern string
		handler http.HandlerFunc
		request string // default "GET /users/7"
		route   func(*http.Request) string
		want    []string
	}{
		{name: "path", pattern: "/users/7", handler: ok, want: counts("GET", "/users/7", "200")},
		{name: "wildcard", pattern: "/users/{id}", handler: ok, want: counts("GET", "/users/{id}", "200")},
		{name: "method", pattern: "GET /users/{id}", handler: ok, want: counts("GET", "/users/{id}", "200")},
		{name: "host", pattern: "example.com/users/", handler: ok, want: counts("GET", "/users/", "200")},
		{name: "method and host", pattern: "GET example.com/{rest...}", handler: ok, want: counts("GET", "/{rest...}", "200")},
		{name: "unmatched", pattern: "/orders", handler: ok, want: counts("GET", "unmatched", "404")},
		{name: "method not allowed", pattern: "POST /users/{id}", handler: ok, want: counts("GET", "unmatched", "405")},
		{name: "redirect to a slash", pattern: "/users/{id}/", handler: ok, want: counts("GET", "/users/{id}/", "307")},
		{name: "CONNECT redirected to a slash", pattern: "/users/{id}/", handler: ok, request: "CONNECT /users/7", want: counts("CONNECT", "unmatched", "307")},
		{name: "CONNECT", pattern: "/users/{id}", handler: ok, request: "CONNECT /users/7", want: counts("CONNECT", "/users/{id}", "200")},
		{name: "asterisk", pattern: "/", handler: ok, request: "GET *", want: counts("GET", "unmatched", "400")},

		{name: "unknown method", pattern: "/", handler: ok, request: "BREW /", want: counts("OTHER", "/", "200")},
		{name: "method in lower case", pattern: "/", handler: ok, request: "get /", want: counts("OTHER", "/", "200")},
		{
			name: "method overwritten", pattern: "/", handler: func(_ http.ResponseWriter, r *http.Request) { r.Method = "PUT" },
			request: "POST /", want: counts("POST", "/", "200"),
		},

		{name: "nothing written", pattern: "/", handler: func(http.ResponseWriter, *http.Request) {}, want: counts("GET", "/", "200")},
		{
			name: "body only", pattern: "/", handler: func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, "hi") },
			want: counts("GET", "/", "200"),
		},
		{
			name: "status after the body", pattern: "/", want: counts("GET", "/", "200"),
			handler: func(w http.ResponseWriter, _ *http.Request) { w.Write([]byte("hi")); w.WriteHeader(500) },
		},
		{
			name: "status after a flush", pattern: "/", want: counts("GET", "/", "200"),
			handler: func(w http.ResponseWriter, _ *http.Request) { w.(http.Flusher).Flush(); w.WriteHeader(500) },
		},
		{
			name: "two statuses", pattern: "/", want: counts("GET", "/", "404"),
			handler: func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(404); w.WriteHeader(500) },
		},
		{
			name: "103 before 201", pattern: "/", want: counts("GET", "/", "201"),
			handler: func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(103); w.WriteHeader(201) },
		},
		{name: "103 alone", pattern: "/", handler: status(103), want: counts("GET", "/", "200")},
		{name: "unusual status", pattern: "/", handler: status(799), want: counts("GET", "/", "799")},

		{name: "panic", pattern: "/", handler: func(http.ResponseWriter, *http.Request) { panic("oh") }, want: panicked("GET", "/")},
		{
			name: "panic with what can't be compared", pattern: "/", want: panicked("GET", "/"),
			handler: func(http.ResponseWriter, *http.Request) { panic([]int{1}) },
		},
		{
			name: "panic after 200", pattern: "/", want: panicked("GET", "/"),
			handler: func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(200); panic("oh") },
		},
		{name: "status that is none", pattern: "/", handler: status(0), want: panicked("GET", "/")},
		{name: "aborted", pattern: "/", handler: func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }, want: counts("GET", "/", "aborted")},
		{name: "goroutine ended", pattern: "/", handler: func(http.ResponseWriter, *http.Request) { runtime.Goexit() }, want: counts("GET", "/", "aborted")},
		{
			name: "hijacked by assertion", pattern: "/", want: hijacked("GET", "/"),
			handler: func(w http.ResponseWriter, _ *http.Request) { hangUpOn(w.(http.Hijacker).Hijack()) },
		},
		{
			name: "hijacked by controller", pattern: "/", want: hijacked("GET", "/"),
			handler: func(w http.ResponseWriter, _ *http.Request) { hangUpOn(http.NewResponseController(w).Hijack()) },
		},

		{
			name: "panic after 200, caught within", pattern: "/", want: panicked("GET", "/"),
			handler: recovering(func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, "hi"); panic("oh") }),
		},
		{
			name: "panic before a status, caught within", pattern: "/", want: counts("GET", "/", "500"),
			handler: recovering(func(http.ResponseWriter, *http.Request) { panic("oh") }),
		},
		{
			name: "deferred status after 200", pattern: "/", want: counts("GET", "/", "200"),
			handler: func(w http.ResponseWriter, _ *http.Request) { defer w.WriteHeader(500); w.WriteHeader(200) },
		},

		{name: "events", pattern: "/", handler: events(200, "text/event-stream"), want: untimed("GET", "/", "200")},
		{name: "events in UTF-8", pattern: "/", handler: events(200, "Text/Event-Stream; charset=utf-8"), want: untimed("GET", "/", "200")},
		{name: "failed events", pattern: "/", handler: events(503, "text/event-stream"), want: counts("GET", "/", "503")},
		{name: "no events", pattern: "/", handler: events(200, "text/plain"), want: counts("GET", "/", "200")},

		{
			name: "client left, nothing written", want: counts("GET", "/", "aborted"),
			stack: func(h *Hawkeye) http.Handler {
				return left(h, func(_ http.ResponseWriter, hangUp func()) { hangUp() })
			},
		},
		{
			name: "client left before 502", want: counts("GET", "/", "aborted"),
			stack: func(h *Hawkeye) http.Handler {
				return left(h, func(w http.ResponseWriter, hangUp func()) { hangUp(); w.WriteHeader(502) })
			},
		},
		{
			name: "client left before the body", want: counts("GET", "/", "aborted"),
			stack: func(h *Hawkeye) http.Handler {
				return left(h, func(w http.ResponseWriter, hangUp func()) { hangUp(); io.WriteString(w, "hi") })
			},
		},
		{
			name: "client left after 103", want: counts("GET", "/", "aborted"),
			stack: func(h *Hawkeye) http.Handler {
				return left(h, func(w http.ResponseWriter, hangUp func()) { w.WriteHeader(103); hangUp(); w.WriteHeader(200) })
			},
		},
		{
			name: "client left after 503", want: counts("GET", "/", "503"),
			stack: func(h *Hawkeye) http.Handler {
				return left(h, func(w http.ResponseWriter, hangUp func()) { w.WriteHeader(503); hangUp(); w.WriteHeader(200) })
			},
		},
		{
			name: "client left, panic", want: panicked("GET", "/"),
			stack: func(h *Hawkeye) http.Handler {
				return left(h, func(_ http.ResponseWriter, hangUp func()) { hangUp(); panic("oh") })
			},
		},
		{
			name: "client left, hijacked", want: hijacked("GET", "/"),
			stack: func(h *Hawkeye) http.Handler {
				return left(h, func(w http.ResponseWriter, hangUp func()) { hangUp(); hangUpOn(w.(http.Hijacker).Hijack()) })
			},
		},

		{
			name: "late status", want: counts("GET", "/", "418"),
			stack: func(h *Hawkeye) http.Handler { return late(h, status(418)) },
		},
		{
			name: "late body", want: counts("GET", "/", "200"),
			stack: func(h *Hawkeye) http.Handler {
				return late(h, func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, "hi") })
			},
		},
		{
			name: "late events", want: untimed("GET", "/", "200"),
			stack: func(h *Hawkeye) http.Handler { return late(h, events(200, "text/event-stream")) },
		},
		{
			name: "two late statuses", want: counts("GET", "/", "404"),
			stack: func(h *Hawkeye) http.Handler {
				return late(h, func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(404); w.WriteHeader(500) })
			},
		},
		{
			name: "late 103", want: counts("GET", "/", "200"),
			stack: func(h *Hawkeye) http.Handler { return late(h, status(103)) },
		},
		{
			name: "late hijack", want: hijacked("GET", "/"),
			stack: func(h *Hawkeye) http.Handler {
				return late(h, func(w http.ResponseWriter, _ *http.Request) { hangUpOn(w.(http.Hijacker).Hijack()) })
			},
		},
		{
			name: "nothing late either", want: counts("GET", "/", "200"),
			stack: func(h *Hawkeye) http.Handler { return late(h, func(http.ResponseWriter, *http.Request) {}) },
		},

		{
			name:  "WithContext",
			stack: func(h *Hawkeye) http.Handler { return h.Middleware(withContext(muxOf("/users/{id}", ok))) },
			want:  counts("GET", "unmatched", "200"),
		},
		{
			name: "WithContext and Route",
			stack: func(h *Hawkeye) http.Handler {
				return h.Middleware(withContext(h.TrackRoute(muxOf("/users/{id}", ok))))
			},
			want: counts("GET", "/users/{id}", "200"),
		},
		{
			name: "WithContext and Route within the mux",
			stack: func(h *Hawkeye) http.Handler {
				return h.Middleware(withContext(muxOf("/users/{id}", h.TrackRoute(ok))))
			},
			want: counts("GET", "/users/{id}", "200"),
		},
		{
			name: "WithContext between Route and mux",
			stack: func(h *Hawkeye) http.Handler {
				return h.Middleware(withContext(h.TrackRoute(withContext(muxOf("/users/{id}", ok)))))
			},
			want: counts("GET", "unmatched", "200"),
		},
		{
			name: "panic under Route",
			stack: func(h *Hawkeye) http.Handler {
				inner := h.TrackRoute(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
					muxOf("/users/{id}", http.HandlerFunc(func(http.ResponseWriter, *http.Request) { panic("oh") })).ServeHTTP(w, r)
				}))
				return h.Middleware(withContext(inner))
			},
			want: panicked("GET", "/users/{id}"),
		},
		{
			name:  "StripPrefix",
			stack: func(h *Hawkeye) http.Handler { return h.Middleware(http.StripPrefix("/users", muxOf("/{id}", ok))) },
			want:  counts("GET", "unmatched", "200"),
		},
		{
			name: "StripPrefix and Route",
			stack: func(h *Hawkeye) http.Handler {
				return h.Middleware(http.StripPrefix("/users", h.TrackRoute(muxOf("/{id}", ok))))
			},
			want: counts("GET", "/{id}", "200"),
		},
		{
			name: "mux in a mux",
			stack: func(h *Hawkeye) http.Handler {
				return h.Middleware(muxOf("/users/", http.StripPrefix("/users", muxOf("/{id}", ok))))
			},
			want: counts("GET", "/users/", "200"),
		},
		{
			name: "mux in a mux and Route",
			stack: func(h *Hawkeye) http.Handler {
				return h.Middleware(muxOf("/users/", http.StripPrefix("/users", h.TrackRoute(muxOf("/{id}", ok)))))
			},
			want: counts("GET", "/{id}", "200"),
		},
		{
			name: "TimeoutHandler",
			stack: func(h *Hawkeye) http.Handler {
				return h.Middleware(http.TimeoutHandler(muxOf("/{any...}", ok), time.Minute, ""))
			},
			want: counts("GET", "unmatched", "200"),
		},
		{
			name: "TimeoutHandler and Route",
			stack: func(h *Hawkeye) http.Handler {
				return h.Middleware(http.TimeoutHandler(h.TrackRoute(muxOf("/users/{id}", ok)), time.Minute, ""))
			},
			want: counts("GET", "/users/{id}", "200"),
		},
		{
			name: "TimeoutHandler and Route, too slow",
			stack: func(h *Hawkeye) http.Handler {
				return gaveUp(func(slow http.Handler) http.Handler {
					return h.Middleware(http.TimeoutHandler(h.TrackRoute(muxOf("/users/{id}", slow)), time.Hour, ""))
				})
			},
			want: counts("GET", "/users/{id}", "503"),
		},
		{
			name: "TimeoutHandler within the mux, too slow",
			stack: func(h *Hawkeye) http.Handler {
				return gaveUp(func(slow http.Handler) http.Handler {
					return h.Middleware(muxOf("/users/{id}", http.TimeoutHandler(slow, time.Hour, "")))
				})
			},
			want: counts("GET", "/users/{id}", "503"),
		},
		{
			name:    "TimeoutHandler and Route, CONNECT redirected",
			request: "CONNECT /users/7",
			stack: func(h *Hawkeye) http.Handler {
				return h.Middleware(http.TimeoutHandler(h.TrackRoute(muxOf("/users/{id}/", ok)), time.Minute, ""))
			},
			want: counts("CONNECT", "unmatched", "307"),
		},
		{
			name:  "Route without Middleware",
			stack: func(h *Hawkeye) http.Handler { return h.TrackRoute(muxOf("/", ok)) },
		},
		{
			name: "Route of another handle",
			stack: func(h *Hawkeye) http.Handler {
				return h.Middleware(withContext(newRecorder().TrackRoute(muxOf("/users/{id}", ok))))
			},
			want: counts("GET", "unmatched", "200"),
		},
		{
			name:    "WithRouteName",
			pattern: "/users/{id}", handler: ok,
			route: func(r *http.Request) string { return "of " + r.Pattern },
			want:  counts("GET", "of /users/{id}", "200"),
		},
		{
			name:    "WithRouteName that doesn't know",
			pattern: "/users/{id}", handler: ok,
			route: func(*http.Request) string { return "" },
			want:  counts("GET", "/users/{id}", "200"),
		},
		{
			name: "WithRouteName that knows the request within",
			stack: func(h *Hawkeye) http.Handler {
				return h.Middleware(withContext(h.TrackRoute(muxOf("/users/{id}", ok))))
			},
			route: func(r *http.Request) string {
				if r.Pattern == "" {
					return ""
				}
				return "of " + r.Pattern
			},
			want: counts("GET", "of /users/{id}", "200"),
		},
		{
			name:  "no handler",
			stack: func(h *Hawkeye) http.Handler { return h.Middleware(nil) },
			want:  counts("GET", "unmatched", "404"),
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			h := newRecorder()
			h.cfg.route = tt.route
			stack := tt.stack
			if stack == nil {
				stack = func(h *Hawkeye) http.Handler { return h.Middleware(muxOf(tt.pattern, tt.handler)) }
			}
			request := tt.request
			if request == "" {
				request = "GET /users/7"
			}
			exchange(t, stack(h), request)
			if diff := cmp.Diff(tt.want, recorded(h)); diff != "" {
				t.Errorf("recorded (-want +got)\n%s", diff)
			}
		})
	}
}

// hangUpOn closes a connection that was hijacked.
func hangUpOn(conn net.Conn, _ *bufio.ReadWriter, err error) {
	if err != nil {
		panic(err)
	}
	conn.Close()
}

// exchange sends one request over a real connection, and returns when the
// handler has.
func exchange(t *testing.T, handler http.Handler, request string) {
	t.Helper()
	returned := make(chan struct{})
	srv := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		defer close(returned)
		handler.ServeHTTP(w, r)
	}))
	srv.Config.ErrorLog = log.New(io.Discard, "", 0)
	srv.Start()
	defer srv.Close()
	conn, err := net.Dial("tcp", srv.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	fmt.Fprintf(conn, "%s HTTP/1.1\r\nHost: example.com\r\nConnection: close\r\n\r\n", request)
	<-returned
	io.Copy(io.Discard, conn)
}

// TestMiddlewareSendsPanicsOn is about what the handlers outside see.
func TestMiddlewareSendsPanicsOn(t *testing.T) {
	t.Parallel()
	for _, value := range []any{"oh", http.ErrAbortHandler} {
		func() {
			defer func() {
				if got := recover(); got != value {
					t.Errorf("ServeHTTP panics with %v, want %v", got, value)
				}
			}()
			h := newRecorder().Middleware(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { panic(value) }))
			h.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest("GET", "/", nil))
		}()
	}
}

func TestNilMiddleware(t *testing.T) {
	t.Parallel()
	var h *Hawkeye
	mux := http.NewServeMux()
	if got := h.Middleware(mux); got != http.Handler(mux) {
		t.Errorf("Middleware(mux) of a nil handle = %v, want mux", got)
	}
	if got := h.TrackRoute(mux); got != http.Handler(mux) {
		t.Errorf("Route(mux) of a nil handle = %v, want mux", got)
	}
	if got := h.Middleware(nil); got != http.Handler(http.DefaultServeMux) {
		t.Errorf("Middleware(nil) of a nil handle = %v, want the default mux", got)
	}
	h.RecordHTTP(HTTPExchange{})
}

func TestRecordHTTP(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name string
		give HTTPExchange
		want []string
	}{
		{"zero", HTTPExchange{}, counts("GET", "unmatched", "200")},
		{"status", HTTPExchange{Method: "PUT", Route: "/x", Status: 409}, counts("PUT", "/x", "409")},
		{"status out of range", HTTPExchange{Route: "/x", Status: 1000}, counts("GET", "/x", "200")},
		{"negative status", HTTPExchange{Route: "/x", Status: -1}, counts("GET", "/x", "200")},
		{"panicked", HTTPExchange{Route: "/x", Status: 200, Panicked: true}, panicked("GET", "/x")},
		{"aborted", HTTPExchange{Route: "/x", Status: 200, Aborted: true}, counts("GET", "/x", "aborted")},
		{"informational status", HTTPExchange{Route: "/x", Status: 103}, counts("GET", "/x", "200")},
		{"switching protocols", HTTPExchange{Route: "/x", Status: 101}, counts("GET", "/x", "101")},
		{"streamed", HTTPExchange{Route: "/x", Status: 200, Streamed: true}, untimed("GET", "/x", "200")},
		{"hijacked", HTTPExchange{Route: "/x", Status: 200, Hijacked: true}, hijacked("GET", "/x")},
		{"no duration", HTTPExchange{Route: "/x", Duration: -time.Second}, counts("GET", "/x", "200")},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			h := newRecorder()
			h.RecordHTTP(tt.give)
			if diff := cmp.Diff(tt.want, recorded(h)); diff != "" {
				t.Errorf("recorded (-want +got)\n%s", diff)
			}
		})
	}
}

// TestMiddlewareBoundsRoutes is about a WithRouteName that returns the path.
func TestMiddlewareBoundsRoutes(t *testing.T) {
	t.Parallel()
	h := newRecorder()
	const requests = 20_000
	for i := range requests {
		h.RecordHTTP(HTTPExchange{Route: "/" + strings.Repeat("x", 10) + fmt.Sprint(i)})
	}
	total := int64(0)
	counters, _ := contents(h.reg)
	for name, n := range counters {
		if strings.HasPrefix(name, "c|http.requests|") {
			total += n / 1e6
		}
	}
	if total != requests || len(counters) > 11_000 {
		t.Errorf("counted %d requests in %d series, want %d in at most 11000", total, len(counters), requests)
	}
}

// contents collects reg once and returns what was counted, in units, and how
// many values were observed, by canonical name.
func contents(reg *series.Registry) (counters map[string]int64, observed map[string]uint64) {
	var b bucket.Bucket
	reg.Collect(&b, true)
	names := make(map[uint64]string)
	all, _ := reg.Names(0)
	for _, n := range all {
		names[n.ID] = n.Text
	}
	counters, observed = make(map[string]int64), make(map[string]uint64)
	for _, c := range b.Counters {
		counters[names[c.ID]] = c.Delta
	}
	for _, h := range b.Histograms {
		for _, hb := range h.Buckets {
			observed[names[h.ID]] += hb.Count
		}
	}
	return counters, observed
}
