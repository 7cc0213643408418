package wire

import (
	"errors"
	"log/slog"
	"net/http"

	"github.com/labstack/echo/v5"
	echomiddleware "github.com/labstack/echo/v5/middleware"

	"github.com/go-batteries/hawkeye"
)

// echos are ways to mount hawkeye in echo, which answers errors when the
// handlers have returned, through the writer that they got.
// A path that it has with another method keeps its route there.
var echos = []framework{
	{
		name: "echo/outermost", pattern: "/%s/:id", unmatched: map[string]string{"PUT": "/fine/:id", "BREW": "/fine/:id"},
		handler: func(h *hawkeye.Hawkeye, all []scenario) http.Handler { return h.Middleware(echoRoutes(newEcho(), all)) },
	},
	{
		name: "echo/WrapMiddleware", pattern: "/%s/:id", unmatched: map[string]string{"PUT": "/fine/:id", "BREW": "/fine/:id"},
		handler: func(h *hawkeye.Hawkeye, all []scenario) http.Handler {
			e := newEcho()
			e.Use(lateEcho)
			wrap(e, h)
			return echoRoutes(e, all)
		},
	},
	{
		name: "echo/WrapMiddleware in Pre", pattern: "/%s/:id", unmatched: map[string]string{"PUT": "/fine/:id", "BREW": "/fine/:id"},
		handler: func(h *hawkeye.Hawkeye, all []scenario) http.Handler {
			e := newEcho()
			if h != nil {
				e.Pre(echo.WrapMiddleware(h.Middleware))
			}
			e.Use(lateEcho)
			return echoRoutes(e, all)
		},
	},
	{
		name: "echo/Recover inside", pattern: "/%s/:id", unmatched: map[string]string{"PUT": "/fine/:id", "BREW": "/fine/:id"},
		handler: func(h *hawkeye.Hawkeye, all []scenario) http.Handler {
			e := newEcho()
			e.Use(lateEcho)
			wrap(e, h)
			e.Use(echomiddleware.Recover())
			return echoRoutes(e, all)
		},
		// Recover makes an error of the panic, and echo sees by itself that it
		// comes too late for an answer.
		counted: map[string]string{latePanics: "200"},
	},
	{
		name: "echo/Recover outside", pattern: "/%s/:id", unmatched: map[string]string{"PUT": "/fine/:id", "BREW": "/fine/:id"},
		handler: func(h *hawkeye.Hawkeye, all []scenario) http.Handler {
			e := newEcho()
			e.Use(lateEcho, echomiddleware.Recover())
			wrap(e, h)
			return echoRoutes(e, all)
		},
	},
}

// wrap mounts h as echo's documentation says.
func wrap(e *echo.Echo, h *hawkeye.Hawkeye) {
	if h != nil {
		e.Use(echo.WrapMiddleware(h.Middleware))
	}
}

func newEcho() *echo.Echo {
	e := echo.New()
	e.Logger = slog.New(slog.DiscardHandler)
	return e
}

// lateEcho answers when the handlers have returned.
func lateEcho(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c *echo.Context) error {
		k, r := withKept(c.Request())
		c.SetRequest(r)
		err := next(c)
		k.use()
		return err
	}
}

func echoRoutes(e *echo.Echo, all []scenario) http.Handler {
	for _, s := range all {
		e.Add(s.verb(), "/"+s.name+"/:id", func(c *echo.Context) error {
			if s.name == late && c.Request().Context().Value(keptKey{}) == nil {
				return echo.NewHTTPError(http.StatusTeapot, "late")
			}
			err := s.serve(c.Response(), c.Request(), c.Param("id"))
			var f failure
			if errors.As(err, &f) {
				return echo.NewHTTPError(f.code, f.text)
			}
			return err
		})
	}
	return e
}
