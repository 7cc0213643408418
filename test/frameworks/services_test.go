package frameworks

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"connectrpc.com/connect"
	"github.com/gin-contrib/gzip"
	"github.com/gin-contrib/timeout"
	"github.com/gin-gonic/gin"
	"github.com/go-chi/chi/v5"
	"github.com/gorilla/mux"
	"github.com/julienschmidt/httprouter"
	"github.com/labstack/echo/v5"
	echomiddleware "github.com/labstack/echo/v5/middleware"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"github.com/go-batteries/hawkeye"
	"github.com/go-batteries/hawkeye/hawkeyegin"
)

func init() { gin.SetMode(gin.ReleaseMode) }

// soon is how long a timeout allows, and slow is longer.
const (
	soon = 2 * time.Second
	slow = 10 * time.Second
)

// what a panic that reaches the server leaves to count.
var panics = map[string]string{"panic": "500", "late": "500", "hijack": "101", "slow": "404", "unrouted": "404"}

var frameworks = []framework{
	{name: "net/http", build: stdlib, counted: panics},
	{name: "net/http with http.TimeoutHandler", build: stdlibTimeout, counted: map[string]string{"panic": "500", "late": "500", "unrouted": "404"}},
	{name: "net/http with errors answered outside", build: stdlibErrors, counted: panics},
	{
		name: "chi, Use", counted: panics,
		build: func(h *hawkeye.Hawkeye) http.Handler { return chiRouter(h.Middleware) },
	},
	{
		name: "chi, outermost", counted: panics,
		build: func(h *hawkeye.Hawkeye) http.Handler { return h.Middleware(chiRouter(h.TrackRoute)) },
	},
	{
		name: "chi, sub-router", counted: panics, unseen: []string{"unrouted", "slow"},
		build: func(h *hawkeye.Hawkeye) http.Handler {
			r := chi.NewRouter()
			r.Group(func(r chi.Router) { chiRoutes(r, h.Middleware) })
			return r
		},
	},
	{
		name: "gorilla/mux, Use", counted: panics, unseen: []string{"unrouted", "slow"}, // no middleware runs for these
		options: []hawkeye.Option{hawkeye.WithRouteName(func(r *http.Request) string {
			template, _ := mux.CurrentRoute(r).GetPathTemplate()
			return template
		})},
		build: func(h *hawkeye.Hawkeye) http.Handler {
			r := mux.NewRouter()
			r.Use(h.Middleware)
			for kind, serve := range handlers {
				r.Handle("/"+kind+"/{id}", serve)
			}
			return r
		},
	},
	{
		name: "gorilla/mux, outermost", counted: panics, route: unmatched,
		build: func(h *hawkeye.Hawkeye) http.Handler {
			r := mux.NewRouter()
			for kind, serve := range handlers {
				r.Handle("/"+kind+"/{id}", serve)
			}
			return h.Middleware(r)
		},
	},
	{
		name: "httprouter", counted: panics, unseen: []string{"unrouted", "slow"},
		build: func(h *hawkeye.Hawkeye) http.Handler {
			r := httprouter.New()
			for kind, serve := range handlers {
				// It doesn't say which route matched, so each route says it itself.
				r.Handler(http.MethodGet, "/"+kind+"/:id", h.Middleware(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
					r.Pattern = "/" + kind + "/{id}"
					serve(w, r)
				})))
			}
			return r
		},
	},
	{
		name: "httprouter, outermost", counted: panics, route: unmatched,
		build: func(h *hawkeye.Hawkeye) http.Handler {
			r := httprouter.New()
			for kind, serve := range handlers {
				r.Handler(http.MethodGet, "/"+kind+"/:id", serve)
			}
			return h.Middleware(r)
		},
	},
	{
		name: "echo, WrapMiddleware", counted: panics, route: echoRoute,
		build: func(h *hawkeye.Hawkeye) http.Handler { return echoService(echo.WrapMiddleware(h.Middleware)) },
	},
	{
		name: "echo, WrapMiddleware inside a slow middleware", counted: panics, route: echoRoute,
		build: func(h *hawkeye.Hawkeye) http.Handler {
			return echoService(slowly, echo.WrapMiddleware(h.Middleware))
		},
	},
	{
		name: "echo, WrapMiddleware inside Recover", counted: map[string]string{"late": "500", "hijack": "101"}, route: echoRoute,
		build: func(h *hawkeye.Hawkeye) http.Handler {
			return echoService(echomiddleware.Recover(), echo.WrapMiddleware(h.Middleware))
		},
	},
	{
		name: "echo, outermost", counted: panics, route: echoRoute,
		build: func(h *hawkeye.Hawkeye) http.Handler { return h.Middleware(echoService()) },
	},
	{
		name: "gin", counted: panics, route: ginRoute,
		build: func(h *hawkeye.Hawkeye) http.Handler { return ginService(hawkeyegin.Middleware(h)) },
	},
	{
		name: "gin, Recovery inside", counted: map[string]string{"late": "500", "hijack": "101"}, route: ginRoute,
		build: func(h *hawkeye.Hawkeye) http.Handler {
			return ginService(hawkeyegin.Middleware(h), gin.RecoveryWithWriter(io.Discard))
		},
	},
	{
		name: "gin, Recovery outside", counted: panics, route: ginRoute,
		build: func(h *hawkeye.Hawkeye) http.Handler {
			return ginService(gin.RecoveryWithWriter(io.Discard), hawkeyegin.Middleware(h))
		},
	},
	{
		name: "gin, gzip", counted: panics, route: ginRoute,
		build: func(h *hawkeye.Hawkeye) http.Handler {
			return ginService(hawkeyegin.Middleware(h), gzip.Gzip(gzip.DefaultCompression))
		},
	},
	{
		name: "gin, gzip outside", counted: panics, route: ginRoute,
		build: func(h *hawkeye.Hawkeye) http.Handler {
			return ginService(gzip.Gzip(gzip.DefaultCompression), hawkeyegin.Middleware(h))
		},
	},
	{
		name: "gin, a writer that stays", counted: panics, route: ginRoute,
		build: func(h *hawkeye.Hawkeye) http.Handler {
			return ginService(hawkeyegin.Middleware(h), func(c *gin.Context) { c.Writer = shouting{c.Writer}; c.Next() })
		},
	},
	{
		// The timeout's writer makes a 200 of gin's own 404, with and without hawkeye.
		name: "gin, timeout", route: ginRoute, counted: map[string]string{"unrouted": "404", "slow": "404"},
		build: func(h *hawkeye.Hawkeye) http.Handler { return ginTimeout(hawkeyegin.Middleware(h)) },
	},
	{
		name: "connect", counted: map[string]string{}, route: func(kind string) string {
			if kind == "unrouted" || kind == "slow" {
				return "unmatched"
			}
			return "/" + kind + "/"
		},
		build: connectService,
	},
}

func unmatched(string) string { return "unmatched" }

// handlers are net/http's way to do what each kind is.
var handlers = map[string]http.HandlerFunc{
	"ok":    func(w http.ResponseWriter, r *http.Request) { fmt.Fprintf(w, "ok %s\n", r.URL.Path) },
	"empty": func(http.ResponseWriter, *http.Request) {},
	"fail": func(w http.ResponseWriter, r *http.Request) {
		http.Error(w, "no "+r.URL.Path, http.StatusTeapot)
	},
	"panic": func(_ http.ResponseWriter, r *http.Request) { panic("meant " + r.URL.Path) },
	"late": func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprintf(w, "a part of %s\n", r.URL.Path)
		flush(w)
		panic("meant " + r.URL.Path)
	},
	"stream": func(w http.ResponseWriter, r *http.Request) {
		for i := range 3 {
			fmt.Fprintf(w, "%d of %s\n", i, r.URL.Path)
			flush(w)
		}
	},
	"events": func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/event-stream")
		fmt.Fprintf(w, "data: %s\n\n", r.URL.Path)
		flush(w)
	},
	"hijack": hijack,
	"copy": func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(w, io.LimitReader(repeating(r.URL.Path), 100_000))
	},
	"redirect": func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, strings.Replace(r.URL.Path, "redirect", "ok", 1), http.StatusFound)
	},
	"hints": func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Link", "</style.css>; rel=preload")
		w.WriteHeader(http.StatusEarlyHints)
		fmt.Fprintf(w, "after hints %s\n", r.URL.Path)
	},
}

func flush(w http.ResponseWriter) { _ = http.NewResponseController(w).Flush() }

func hijack(w http.ResponseWriter, r *http.Request) {
	conn, rw, err := http.NewResponseController(w).Hijack()
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	defer conn.Close()
	body := "by hand " + r.URL.Path
	fmt.Fprintf(rw, "HTTP/1.1 202 Accepted\r\nContent-Length: %d\r\nConnection: close\r\n\r\n%s", len(body), body)
	rw.Flush()
}

type repeating string

func (r repeating) Read(p []byte) (int, error) {
	return copy(p, bytes.Repeat([]byte(r), 1+len(p)/len(r))), nil
}

func stdlib(h *hawkeye.Hawkeye) http.Handler { return h.Middleware(stdlibMux(nil)) }

func stdlibMux(more map[string]http.HandlerFunc) *http.ServeMux {
	m := http.NewServeMux()
	for kind, serve := range handlers {
		m.Handle("GET /"+kind+"/{id}", serve)
	}
	for kind, serve := range more {
		m.Handle("GET /"+kind+"/{id}", serve)
	}
	return m
}

func stdlibTimeout(h *hawkeye.Hawkeye) http.Handler {
	m := stdlibMux(map[string]http.HandlerFunc{"slow": func(w http.ResponseWriter, r *http.Request) {
		select {
		case <-r.Context().Done():
		case <-time.After(slow):
		}
		fmt.Fprint(w, "too late")
	}})
	return h.Middleware(http.TimeoutHandler(h.TrackRoute(m), soon, "too slow"))
}

// stdlibErrors answers for handlers that fail, after all middlewares have
// returned, through the writer that the innermost one was given.
func stdlibErrors(h *hawkeye.Hawkeye) http.Handler {
	type failure struct {
		writer http.ResponseWriter
		err    error
	}
	type key struct{}
	m := stdlibMux(nil)
	inner := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		f := r.Context().Value(key{}).(*failure)
		f.writer = w
		if strings.HasPrefix(r.URL.Path, "/fail/") {
			_, r.Pattern = m.Handler(r)
			f.err = errors.New("no " + r.URL.Path)
			return
		}
		m.ServeHTTP(w, r)
	})
	counted := h.Middleware(inner)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		f := &failure{}
		counted.ServeHTTP(&plain{w}, r.WithContext(context.WithValue(r.Context(), key{}, f)))
		time.Sleep(time.Millisecond)
		if f.err != nil {
			http.Error(f.writer, f.err.Error(), http.StatusTeapot)
		}
	})
}

// plain is a framework's writer.
type plain struct{ http.ResponseWriter }

func (p *plain) Unwrap() http.ResponseWriter { return p.ResponseWriter }

func chiRouter(middleware func(http.Handler) http.Handler) http.Handler {
	r := chi.NewRouter()
	chiRoutes(r, middleware)
	return r
}

func chiRoutes(r chi.Router, middleware func(http.Handler) http.Handler) {
	r.Use(middleware)
	for kind, serve := range handlers {
		r.Get("/"+kind+"/{id}", serve)
	}
}

func echoRoute(kind string) string {
	if kind == "unrouted" || kind == "slow" {
		return "unmatched"
	}
	return "/" + kind + "/:id"
}

func slowly(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c *echo.Context) error {
		err := next(c)
		time.Sleep(time.Millisecond)
		return err
	}
}

func echoService(middlewares ...echo.MiddlewareFunc) http.Handler {
	e := echo.New()
	e.Use(middlewares...)
	for kind, serve := range handlers {
		handler := echo.WrapHandler(serve)
		if kind == "fail" {
			handler = func(c *echo.Context) error {
				return echo.NewHTTPError(http.StatusTeapot, "no "+c.Request().URL.Path)
			}
		}
		e.GET("/"+kind+"/:id", handler)
	}
	return e
}

func ginRoute(kind string) string {
	if kind == "unrouted" || kind == "slow" {
		return "unmatched"
	}
	return "/" + kind + "/:id"
}

func ginService(middlewares ...gin.HandlerFunc) http.Handler {
	e := gin.New()
	e.Use(middlewares...)
	for kind, serve := range handlers {
		e.GET("/"+kind+"/:id", ginHandler(kind, serve))
	}
	return e
}

func ginHandler(kind string, serve http.HandlerFunc) gin.HandlerFunc {
	switch kind {
	case "fail":
		return func(c *gin.Context) {
			c.AbortWithStatusJSON(http.StatusTeapot, gin.H{"error": "no " + c.Request.URL.Path})
		}
	case "hints": // gin's own writer takes 103 for the final status
		return func(c *gin.Context) { c.String(http.StatusOK, "no hints %s", c.Request.URL.Path) }
	}
	return gin.WrapF(serve)
}

// ginTimeout has a timeout around its handlers, which buffers their answers.
func ginTimeout(first gin.HandlerFunc) http.Handler {
	e := gin.New()
	e.Use(gin.RecoveryWithWriter(io.Discard), first, timeout.New(timeout.WithTimeout(soon), timeout.WithResponse(func(c *gin.Context) {
		c.String(http.StatusGatewayTimeout, "too slow")
	})))
	for kind, serve := range handlers {
		switch kind {
		case "stream", "events", "late", "hijack": // what its writer can't do
			serve = handlers["ok"]
		}
		e.GET("/"+kind+"/:id", ginHandler(kind, serve))
	}
	return e
}

// shouting is a writer that changes what goes through it, as compression does.
type shouting struct{ gin.ResponseWriter }

func (s shouting) Write(p []byte) (int, error) { return s.ResponseWriter.Write(bytes.ToUpper(p)) }

// connectService has a procedure for each kind, which is asked by GET.
func connectService(h *hawkeye.Hawkeye) http.Handler {
	m := http.NewServeMux()
	for kind := range handlers {
		m.Handle("/"+kind+"/", connect.NewUnaryHandler("/"+kind+"/call",
			func(_ context.Context, r *connect.Request[wrapperspb.StringValue]) (*connect.Response[wrapperspb.StringValue], error) {
				if kind == "fail" {
					return nil, connect.NewError(connect.CodeNotFound, errors.New("nobody"))
				}
				return connect.NewResponse(wrapperspb.String(kind)), nil
			}, connect.WithIdempotency(connect.IdempotencyNoSideEffects)))
	}
	return h.Middleware(connectGET(m))
}

// connectGET makes a GET of Connect's protocol of any other.
func connectGET(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		r.URL.RawQuery = "connect=v1&encoding=json&message=%22x%22"
		next.ServeHTTP(w, r)
	})
}
