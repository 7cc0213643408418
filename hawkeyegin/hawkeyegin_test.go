package hawkeyegin

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/gin-gonic/gin"
	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/go-batteries/hawkeye"
)

func TestMain(m *testing.M) {
	gin.SetMode(gin.ReleaseMode)
	os.Exit(m.Run())
}

// notes is a recorder that keeps what it is told.
type notes struct {
	mu        sync.Mutex
	exchanges []hawkeye.HTTPExchange
}

func (n *notes) RecordHTTP(e hawkeye.HTTPExchange) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.exchanges = append(n.exchanges, e)
}

func recovery() gin.HandlerFunc { return gin.RecoveryWithWriter(io.Discard) }

func TestMiddleware(t *testing.T) {
	t.Parallel()
	type exchange = hawkeye.HTTPExchange
	route := "/users/:id"
	one := func(e exchange) []exchange { return []exchange{e} }
	for _, tt := range []struct {
		name    string
		handler gin.HandlerFunc // of GET /users/:id
		request string          // default "GET /users/7"
		outside []gin.HandlerFunc
		inside  []gin.HandlerFunc
		setUp   func(*gin.Engine)
		want    []exchange
	}{
		{name: "nothing written", handler: func(*gin.Context) {}, want: one(exchange{Method: "GET", Route: route, Status: 200})},
		{name: "status", handler: func(c *gin.Context) { c.Status(204) }, want: one(exchange{Method: "GET", Route: route, Status: 204})},
		{name: "JSON", handler: func(c *gin.Context) { c.JSON(409, nil) }, want: one(exchange{Method: "GET", Route: route, Status: 409})},
		{name: "abort", handler: func(c *gin.Context) { c.AbortWithStatus(401) }, want: one(exchange{Method: "GET", Route: route, Status: 401})},
		{
			name: "aborted by a middleware", inside: []gin.HandlerFunc{func(c *gin.Context) { c.AbortWithStatus(403) }},
			want: one(exchange{Method: "GET", Route: route, Status: 403}),
		},
		{
			name: "status after the body", want: one(exchange{Method: "GET", Route: route, Status: 200}),
			handler: func(c *gin.Context) { c.String(200, "hi"); c.Status(500) },
		},
		{
			name: "103 before 201", want: one(exchange{Method: "GET", Route: route, Status: 201}),
			handler: func(c *gin.Context) { c.Status(103); c.Status(201) },
		},
		{
			name: "method overwritten", want: one(exchange{Method: "GET", Route: route, Status: 200}),
			handler: func(c *gin.Context) { c.Request.Method = "PUT" },
		},
		{name: "unmatched", request: "GET /nowhere/7", want: one(exchange{Method: "GET", Status: 404})},
		{
			name: "unmatched with a handler", request: "GET /nowhere/7", want: one(exchange{Method: "GET", Status: 410}),
			setUp: func(e *gin.Engine) { e.NoRoute(func(c *gin.Context) { c.Status(410) }) },
		},
		{
			name: "method not allowed", request: "PUT /users/7", want: one(exchange{Method: "PUT", Status: 405}),
			setUp: func(e *gin.Engine) { e.HandleMethodNotAllowed = true },
		},
		{name: "unknown method", request: "BREW /users/7", want: one(exchange{Method: "BREW", Status: 404})},
		{name: "redirect to a path without a slash", request: "GET /users/7/"},
		{
			name: "group", request: "GET /v1/things/3", want: one(exchange{Method: "GET", Route: "/v1/things/*rest", Status: 200}),
			setUp: func(e *gin.Engine) { e.Group("/v1").GET("/things/*rest", func(*gin.Context) {}) },
		},
		{
			name: "routed anew", request: "GET /old", want: one(exchange{Method: "GET", Route: route, Status: 202}),
			handler: func(c *gin.Context) { c.Status(202) },
			setUp: func(e *gin.Engine) {
				e.GET("/old", func(c *gin.Context) { c.Request.URL.Path = "/users/7"; e.HandleContext(c) })
			},
		},
		{
			name: "a middleware that keeps its Writer", want: one(exchange{Method: "GET", Route: route, Status: 202}),
			handler: func(c *gin.Context) { c.Status(202) },
			inside:  []gin.HandlerFunc{func(c *gin.Context) { c.Writer = struct{ gin.ResponseWriter }{c.Writer}; c.Next() }},
		},

		{
			name: "panic", handler: func(*gin.Context) { panic("oh") },
			want: one(exchange{Method: "GET", Route: route, Status: 200, Panicked: true}),
		},
		{
			name: "panic after 201", handler: func(c *gin.Context) { c.String(201, "hi"); panic("oh") },
			want: one(exchange{Method: "GET", Route: route, Status: 201, Panicked: true}),
		},
		{
			name: "panic, Recovery outside", handler: func(*gin.Context) { panic("oh") }, outside: []gin.HandlerFunc{recovery()},
			want: one(exchange{Method: "GET", Route: route, Status: 200, Panicked: true}),
		},
		{
			name: "panic, Recovery inside", handler: func(*gin.Context) { panic("oh") }, inside: []gin.HandlerFunc{recovery()},
			want: one(exchange{Method: "GET", Route: route, Status: 500}),
		},
		{
			name: "ErrAbortHandler", handler: func(*gin.Context) { panic(http.ErrAbortHandler) },
			want: one(exchange{Method: "GET", Route: route, Status: 200, Aborted: true}),
		},
		{
			name: "ErrAbortHandler, Recovery outside", handler: func(*gin.Context) { panic(http.ErrAbortHandler) }, outside: []gin.HandlerFunc{recovery()},
			want: one(exchange{Method: "GET", Route: route, Status: 200, Aborted: true}),
		},
		{
			name: "ErrAbortHandler, Recovery inside", handler: func(*gin.Context) { panic(http.ErrAbortHandler) }, inside: []gin.HandlerFunc{recovery()},
			want: one(exchange{Method: "GET", Route: route, Status: 200, Aborted: true}),
		},
		{
			name: "panic after 201, own Recovery inside", handler: func(c *gin.Context) { c.String(201, "hi"); panic("oh") },
			inside: []gin.HandlerFunc{gin.CustomRecoveryWithWriter(io.Discard, func(c *gin.Context, _ any) { c.JSON(503, nil) })},
			want:   one(exchange{Method: "GET", Route: route, Status: 201, Panicked: true}),
		},
		{
			name: "panic after 201, Recovery and compression inside", handler: func(c *gin.Context) { c.String(201, "hi"); panic("oh") },
			inside: []gin.HandlerFunc{recovery(), compress},
			want:   one(exchange{Method: "GET", Route: route, Status: 201, Panicked: true}),
		},
		{
			name: "own Recovery inside answers 400", handler: func(*gin.Context) { panic("oh") },
			inside: []gin.HandlerFunc{gin.CustomRecoveryWithWriter(io.Discard, func(c *gin.Context, _ any) { c.AbortWithStatus(400) })},
			want:   one(exchange{Method: "GET", Route: route, Status: 400}),
		},
		{
			name: "abort after the body", handler: func(c *gin.Context) { c.String(200, "hi"); c.AbortWithStatus(500) },
			want: one(exchange{Method: "GET", Route: route, Status: 200}),
		},
		{
			name: "upstream's error", handler: func(c *gin.Context) { c.AbortWithError(502, syscall.ECONNRESET) },
			want: one(exchange{Method: "GET", Route: route, Status: 502}),
		},

		{name: "103 alone", handler: func(c *gin.Context) { c.Status(103) }, want: one(exchange{Method: "GET", Route: route, Status: 200})},

		{
			name: "events", want: one(exchange{Method: "GET", Route: route, Status: 200, Streamed: true}),
			handler: func(c *gin.Context) { c.SSEvent("tick", 1) },
		},
		{
			name: "failed events", want: one(exchange{Method: "GET", Route: route, Status: 503}),
			handler: func(c *gin.Context) { c.Header("Content-Type", "text/event-stream"); c.String(503, "") },
		},

		{
			name: "client left, nothing written", handler: func(c *gin.Context) { hangUp(c) }, outside: []gin.HandlerFunc{left},
			want: one(exchange{Method: "GET", Route: route, Status: 200, Aborted: true}),
		},
		{
			name: "client left before 502", handler: func(c *gin.Context) { hangUp(c); c.JSON(502, nil) }, outside: []gin.HandlerFunc{left},
			want: one(exchange{Method: "GET", Route: route, Status: 502, Aborted: true}),
		},
		{
			name: "client left before a status without a body", handler: func(c *gin.Context) { hangUp(c); c.AbortWithStatus(500) }, outside: []gin.HandlerFunc{left},
			want: one(exchange{Method: "GET", Route: route, Status: 500, Aborted: true}),
		},
		{
			name: "client left after 503", handler: func(c *gin.Context) { c.String(503, "hi"); hangUp(c); c.String(200, "hi") }, outside: []gin.HandlerFunc{left},
			want: one(exchange{Method: "GET", Route: route, Status: 503}),
		},
		{
			name: "client left before a flush", handler: func(c *gin.Context) { hangUp(c); c.Writer.Flush() }, outside: []gin.HandlerFunc{left},
			want: one(exchange{Method: "GET", Route: route, Status: 200, Aborted: true}),
		},
		{
			name: "out of time", handler: func(c *gin.Context) { <-c.Request.Context().Done(); c.Status(503) }, outside: []gin.HandlerFunc{outOfTime},
			want: one(exchange{Method: "GET", Route: route, Status: 503}),
		},

		{
			name: "routed anew behind a Writer that stays", request: "GET /old", want: one(exchange{Method: "GET", Route: route, Status: 202}),
			inside: []gin.HandlerFunc{compress}, handler: func(c *gin.Context) { c.Status(202) },
			setUp: func(e *gin.Engine) {
				e.GET("/old", func(c *gin.Context) { c.Request.URL.Path = "/users/7"; e.HandleContext(c) })
			},
		},
		{
			name: "Writers that can't be compared", handler: func(c *gin.Context) { c.Status(202) },
			outside: []gin.HandlerFunc{odd}, inside: []gin.HandlerFunc{odd},
			want: one(exchange{Method: "GET", Route: route, Status: 202}),
		},

		{
			name: "hijacked by assertion", want: one(exchange{Method: "GET", Route: route, Status: 200, Hijacked: true}),
			handler: func(c *gin.Context) { hangUpOn(c.Writer.Hijack()) },
		},
		{
			name: "hijacked by controller", want: one(exchange{Method: "GET", Route: route, Status: 200, Hijacked: true}),
			handler: func(c *gin.Context) { hangUpOn(http.NewResponseController(c.Writer).Hijack()) },
		},
		{
			name: "panic after 201, Recovery inside", want: one(exchange{Method: "GET", Route: route, Status: 201, Panicked: true}),
			handler: func(c *gin.Context) { c.String(201, "hi"); panic("oh") }, inside: []gin.HandlerFunc{recovery()},
		},
		{
			name: "runtime error after 200, custom Recovery inside", want: one(exchange{Method: "GET", Route: route, Status: 200, Panicked: true}),
			handler: func(c *gin.Context) { c.String(200, "hi"); _ = []int{}[c.Writer.Size()] },
			inside:  []gin.HandlerFunc{gin.CustomRecoveryWithWriter(io.Discard, func(c *gin.Context, _ any) { c.String(503, "oh") })},
		},
		{
			name: "error after a panic that was over", want: one(exchange{Method: "GET", Route: route, Status: 200}),
			handler: func(c *gin.Context) {
				func() { defer func() { _ = recover() }(); panic("oh") }()
				c.String(200, "hi")
				c.Status(500)
			},
		},
		{
			name: "103 sent before 201", want: one(exchange{Method: "GET", Route: route, Status: 201}),
			handler: func(c *gin.Context) {
				c.Writer.(interface{ Unwrap() http.ResponseWriter }).Unwrap().(interface{ Unwrap() http.ResponseWriter }).Unwrap().WriteHeader(103)
				c.String(201, "hi")
			},
		},
		{
			name: "103 by gin's own means", want: one(exchange{Method: "GET", Route: route, Status: 200}),
			handler: func(c *gin.Context) {
				c.Status(103)
				c.Writer.WriteHeaderNow()
				c.String(201, "hi")
			},
		},
		{
			name: "event stream", want: one(exchange{Method: "GET", Route: route, Status: 200, Streamed: true}),
			handler: func(c *gin.Context) {
				c.Stream(func(io.Writer) bool { c.SSEvent("tick", 1); return false })
			},
		},
		{
			name: "a writer that stays, routed anew", want: one(exchange{Method: "GET", Route: route, Status: 200}), request: "GET /old",
			inside: []gin.HandlerFunc{func(c *gin.Context) { c.Writer = staying{c.Writer}; c.Next() }},
			setUp: func(e *gin.Engine) {
				e.GET("/old", func(c *gin.Context) { c.Request.URL.Path = "/users/7"; e.HandleContext(c) })
			},
		},
		{
			name: "a writer that stays, unmatched", want: one(exchange{Method: "GET", Status: 404}), request: "GET /nowhere",
			inside: []gin.HandlerFunc{func(c *gin.Context) { c.Writer = staying{c.Writer}; c.Next() }},
		},
		{
			name: "failed hijack", want: one(exchange{Method: "GET", Route: route, Status: 200}),
			handler: func(c *gin.Context) {
				c.String(200, "hi")
				if _, _, err := c.Writer.Hijack(); err == nil {
					t.Error("Hijack() after the body = nil, want an error")
				}
			},
		},
		{
			name: "deadline and flush by controller", want: one(exchange{Method: "GET", Route: route, Status: 200}),
			handler: func(c *gin.Context) {
				rc := http.NewResponseController(c.Writer)
				if err := rc.SetWriteDeadline(time.Now().Add(time.Minute)); err != nil {
					t.Errorf("SetWriteDeadline() = %v", err)
				}
				if err := rc.Flush(); err != nil {
					t.Errorf("Flush() = %v", err)
				}
			},
		},
		{
			name: "stream", want: one(exchange{Method: "GET", Route: route, Status: 200}),
			handler: func(c *gin.Context) {
				c.Stream(func(w io.Writer) bool { io.WriteString(w, "hi"); return false })
			},
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			var got notes
			engine := gin.New()
			engine.Use(tt.outside...)
			engine.Use(count(&got))
			engine.Use(tt.inside...)
			if tt.setUp != nil {
				tt.setUp(engine)
			}
			handler := tt.handler
			if handler == nil {
				handler = func(*gin.Context) {}
			}
			engine.GET("/users/:id", handler)
			exchangeWith(t, engine, tt.request)
			if diff := cmp.Diff(tt.want, got.exchanges, cmpopts.IgnoreFields(exchange{}, "Duration")); diff != "" {
				t.Errorf("recorded (-want +got)\n%s", diff)
			}
		})
	}
}

// staying is a writer that a middleware leaves in the context.
type staying struct{ gin.ResponseWriter }

// shouting is a writer that changes what goes through it, as compression does.
type shouting struct{ gin.ResponseWriter }

func (s shouting) Write(p []byte) (int, error) { return s.ResponseWriter.Write(bytes.ToUpper(p)) }

// TestUnmatchedBehindAWriterThatStays: gin answers what it can't route after
// all middlewares have returned, through the writer that they left.
func TestUnmatchedBehindAWriterThatStays(t *testing.T) {
	t.Parallel()
	for request, want := range map[string]string{"/nowhere": "404 PAGE NOT FOUND", "/users/7": "405 METHOD NOT ALLOWED"} {
		engine := gin.New()
		engine.HandleMethodNotAllowed = true
		engine.Use(count(&notes{}), func(c *gin.Context) { c.Writer = shouting{c.Writer}; c.Next() })
		engine.POST("/users/:id", func(*gin.Context) {})
		w := httptest.NewRecorder()
		engine.ServeHTTP(w, httptest.NewRequest("GET", request, nil))
		if got := w.Body.String(); got != want {
			t.Errorf("GET %s = %q, want %q", request, got, want)
		}
	}
}

// TestWriterBelongsToItsRequest: a handler may keep its writer; no other
// request gets it.
func TestWriterBelongsToItsRequest(t *testing.T) {
	t.Parallel()
	seen := make(map[gin.ResponseWriter]bool)
	engine := gin.New()
	engine.Use(count(&notes{}))
	engine.GET("/", func(c *gin.Context) {
		if seen[c.Writer] {
			t.Error("two requests got the same writer")
		}
		seen[c.Writer] = true
	})
	for range 100 {
		engine.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest("GET", "/", nil))
	}
}

// TestClientGone: a request whose client left before there was a status is
// neither a success nor a failure.
func TestClientGone(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		before, after gin.HandlerFunc
		aborted       bool
	}{
		"nothing written":       {aborted: true},
		"error written":         {after: func(c *gin.Context) { c.AbortWithStatus(502) }, aborted: true},
		"body written":          {after: func(c *gin.Context) { c.String(200, "late") }, aborted: true},
		"JSON written":          {after: func(c *gin.Context) { c.JSON(200, 1) }, aborted: true},
		"status set, not sent":  {before: func(c *gin.Context) { c.Status(202) }, aborted: true},
		"status written before": {before: func(c *gin.Context) { c.Status(202); c.Writer.WriteHeaderNow() }},
		"flushed before":        {before: func(c *gin.Context) { c.Writer.Flush() }},
	} {
		var got notes
		waiting, served := make(chan struct{}), make(chan struct{})
		engine := gin.New()
		engine.Use(count(&got), recovery())
		engine.GET("/", func(c *gin.Context) {
			if tt.before != nil {
				tt.before(c)
			}
			close(waiting)
			<-c.Request.Context().Done()
			if tt.after != nil {
				tt.after(c)
			}
		})
		srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			defer close(served)
			engine.ServeHTTP(w, r)
		}))
		conn, err := net.Dial("tcp", srv.Listener.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		fmt.Fprint(conn, "GET / HTTP/1.1\r\nHost: example.com\r\n\r\n")
		<-waiting
		conn.Close()
		<-served
		srv.Close()
		if len(got.exchanges) != 1 || got.exchanges[0].Aborted != tt.aborted {
			t.Errorf("%s: recorded %+v, want one exchange, aborted: %v", name, got.exchanges, tt.aborted)
		}
	}
}

// left makes a request whose client hangs up when hangUp is called.
func left(c *gin.Context) {
	ctx, cancel := context.WithCancel(c.Request.Context())
	defer cancel()
	c.Request = c.Request.WithContext(ctx)
	c.Set("hang up", cancel)
	c.Next()
}

func hangUp(c *gin.Context) { c.MustGet("hang up").(context.CancelFunc)() }

// outOfTime makes a request whose time is over.
func outOfTime(c *gin.Context) {
	ctx, cancel := context.WithTimeout(c.Request.Context(), 0)
	defer cancel()
	c.Request = c.Request.WithContext(ctx)
	c.Next()
}

// odd leaves a Writer that can't be compared.
func odd(c *gin.Context) {
	c.Writer = struct {
		gin.ResponseWriter
		more []int
	}{c.Writer, nil}
	c.Next()
}

func hangUpOn(conn net.Conn, _ *bufio.ReadWriter, err error) {
	if err != nil {
		panic(err)
	}
	conn.Close()
}

// exchangeWith sends one request over a real connection, and returns when the
// engine has.
func exchangeWith(t *testing.T, handler http.Handler, request string) {
	t.Helper()
	if request == "" {
		request = "GET /users/7"
	}
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

func TestNilHandle(t *testing.T) {
	t.Parallel()
	engine := gin.New()
	engine.Use(Middleware(nil))
	engine.GET("/", func(c *gin.Context) { c.Status(204) })
	w := httptest.NewRecorder()
	engine.ServeHTTP(w, httptest.NewRequest("GET", "/", nil))
	if w.Code != 204 {
		t.Errorf("status is %d, want 204", w.Code)
	}
}

// TestInFrontOfAHandle goes the whole way into a hawkeye.Hawkeye. It is not
// parallel, for it counts allocations.
func TestInFrontOfAHandle(t *testing.T) {
	h, err := hawkeye.New(hawkeye.WithoutSocket())
	if err != nil {
		t.Fatal(err)
	}
	engine := gin.New()
	engine.Use(Middleware(h))
	engine.GET("/users/:id", func(c *gin.Context) { c.Status(404) })
	request := httptest.NewRequest("GET", "/users/7", nil)
	w := &blank{header: http.Header{}}
	engine.ServeHTTP(w, request)
	if n := testing.AllocsPerRun(1000, func() { engine.ServeHTTP(w, request) }); n > poolMisses {
		t.Errorf("a request allocates %v times, want %v", n, poolMisses)
	}
}

// blank is the cheapest writer there is.
type blank struct{ header http.Header }

func (b *blank) Header() http.Header       { return b.header }
func (*blank) WriteHeader(int)             {}
func (*blank) Write(p []byte) (int, error) { return len(p), nil }

func BenchmarkMiddleware(b *testing.B) {
	h, err := hawkeye.New(hawkeye.WithoutSocket())
	if err != nil {
		b.Fatal(err)
	}
	for _, tt := range []struct {
		name string
		use  []gin.HandlerFunc
	}{{"none", nil}, {"counted", []gin.HandlerFunc{Middleware(h)}}} {
		b.Run(tt.name, func(b *testing.B) {
			engine := gin.New()
			engine.Use(tt.use...)
			engine.GET("/users/:id", func(c *gin.Context) { c.Status(204) })
			request := httptest.NewRequest("GET", "/users/7", nil)
			w := &blank{header: http.Header{}}
			b.ReportAllocs()
			for b.Loop() {
				engine.ServeHTTP(w, request)
			}
		})
	}
}
