package wire

import (
	"net/http"
	"time"

	"github.com/go-chi/chi/v5"
	chimiddleware "github.com/go-chi/chi/v5/middleware"
	"github.com/gorilla/mux"
	"github.com/julienschmidt/httprouter"

	"github.com/go-batteries/hawkeye"
)

// frameworks are all that is looked at.
var frameworks = append(append(netHTTP, echos...), gins...)

// netHTTP are the standard library's router and those that take its
// middlewares as they are.
var netHTTP = []framework{
	{name: "nethttp", handler: func(h *hawkeye.Hawkeye, all []scenario) http.Handler {
		mux := serveMux(all)
		counted := h.Middleware(mux)
		return writeLate(counted)
	}},
	{
		name: "nethttp/TimeoutHandler",
		handler: func(h *hawkeye.Hawkeye, all []scenario) http.Handler {
			mux := serveMux(all)
			counted := h.Middleware(http.TimeoutHandler(h.TrackRoute(mux), time.Minute, "too slow"))
			return writeLate(counted)
		},
		counted: map[string]string{late: "200"}, // as it answers
	},
	{name: "chi/Use", handler: func(h *hawkeye.Hawkeye, all []scenario) http.Handler {
		r := chi.NewRouter()
		r.Use(h.Middleware)
		return writeLate(chiRoutes(r, all))
	}},
	{name: "chi/outermost", handler: func(h *hawkeye.Hawkeye, all []scenario) http.Handler {
		r := chi.NewRouter()
		r.Use(h.TrackRoute)
		chiRoutes(r, all)
		counted := h.Middleware(r)
		return writeLate(counted)
	}},
	{
		name: "chi/sub-router", unmatched: map[string]string{"GET": "/*", "PUT": "/*", "BREW": "-"},
		handler: func(h *hawkeye.Hawkeye, all []scenario) http.Handler {
			r := chi.NewRouter()
			r.Route("/", func(r chi.Router) {
				r.Use(h.Middleware)
				chiRoutes(r, all)
			})
			return writeLate(r)
		},
	},
	{
		name: "chi/Recoverer inside",
		handler: func(h *hawkeye.Hawkeye, all []scenario) http.Handler {
			r := chi.NewRouter()
			r.Use(quietly, h.Middleware, chimiddleware.Recoverer)
			return writeLate(chiRoutes(r, all))
		},
	},
	{
		name: "chi/Recoverer outside",
		handler: func(h *hawkeye.Hawkeye, all []scenario) http.Handler {
			r := chi.NewRouter()
			r.Use(quietly, chimiddleware.Recoverer, h.Middleware)
			return writeLate(chiRoutes(r, all))
		},
	},
	{
		name: "chi/compressed", skip: late, // its writer is closed by then
		handler: func(h *hawkeye.Hawkeye, all []scenario) http.Handler {
			r := chi.NewRouter()
			r.Use(h.Middleware, chimiddleware.Compress(5))
			return chiRoutes(r, all)
		},
	},
	{
		name: "gorilla/Use", unmatched: notCounted, route: gorillaRoute,
		handler: func(h *hawkeye.Hawkeye, all []scenario) http.Handler {
			r := mux.NewRouter()
			r.Use(h.Middleware)
			return writeLate(gorillaRoutes(r, all))
		},
	},
	{
		name: "gorilla/outermost", route: gorillaRoute,
		handler: func(h *hawkeye.Hawkeye, all []scenario) http.Handler {
			r := mux.NewRouter()
			r.Use(h.TrackRoute)
			gorillaRoutes(r, all)
			counted := h.Middleware(r)
			return writeLate(counted)
		},
	},
	{
		name: "httprouter/each handle", unmatched: notCounted, pattern: "/%s/:id",
		handler: func(h *hawkeye.Hawkeye, all []scenario) http.Handler {
			return writeLate(httpRouter(all, h.Middleware))
		},
	},
	{
		name: "httprouter/outermost", pattern: "/%s/:id",
		handler: func(h *hawkeye.Hawkeye, all []scenario) http.Handler {
			return writeLate(h.Middleware(httpRouter(all, h.TrackRoute)))
		},
	},
}

// notCounted is for middlewares that only see what a route matches.
var notCounted = map[string]string{"GET": "-", "PUT": "-", "BREW": "-"}

func serveMux(all []scenario) http.Handler {
	m := http.NewServeMux()
	for _, s := range all {
		m.HandleFunc(s.verb()+" /"+s.name+"/{id}", func(w http.ResponseWriter, r *http.Request) { s.answer(w, r, r.PathValue("id")) })
	}
	return m
}

func chiRoutes(r chi.Router, all []scenario) http.Handler {
	for _, s := range all {
		r.MethodFunc(s.verb(), "/"+s.name+"/{id}", func(w http.ResponseWriter, r *http.Request) { s.answer(w, r, chi.URLParam(r, "id")) })
	}
	return r
}

// quietly has chi's Recoverer print nothing.
func quietly(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		next.ServeHTTP(w, chimiddleware.WithLogEntry(r, silent{}))
	})
}

type silent struct{ chimiddleware.LogEntry }

func (silent) Panic(any, []byte) {}

func gorillaRoutes(r *mux.Router, all []scenario) http.Handler {
	for _, s := range all {
		r.HandleFunc("/"+s.name+"/{id}", func(w http.ResponseWriter, r *http.Request) { s.answer(w, r, mux.Vars(r)["id"]) }).Methods(s.verb())
	}
	return r
}

func gorillaRoute(r *http.Request) string {
	route := mux.CurrentRoute(r)
	if route == nil {
		return ""
	}
	path, err := route.GetPathTemplate()
	if err != nil {
		return ""
	}
	return path
}

// httpRouter says the pattern by itself: httprouter tells its handles nothing
// of it.
func httpRouter(all []scenario, wrap func(http.Handler) http.Handler) http.Handler {
	router := httprouter.New()
	for _, s := range all {
		handler := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			s.answer(w, r, httprouter.ParamsFromContext(r.Context()).ByName("id"))
		})
		pattern := "/" + s.name + "/:id"
		router.Handler(s.verb(), pattern, wrap(named(pattern, handler)))
	}
	return router
}

func named(pattern string, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		r.Pattern = pattern
		next.ServeHTTP(w, r)
	})
}
