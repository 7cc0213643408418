package wire

import (
	"bytes"
	"errors"
	"io"
	"net/http"
	"time"

	"github.com/gin-contrib/gzip"
	"github.com/gin-gonic/gin"

	"github.com/go-batteries/hawkeye"
	"github.com/go-batteries/hawkeye/hawkeyegin"
)

// gins are ways to mount hawkeyegin. What a middleware before it answers isn't
// counted: a late answer is one.
var gins = []framework{
	{
		name: "gin/alone", pattern: "/%s/:id", counted: map[string]string{late: "200"},
		handler: func(h *hawkeye.Hawkeye, all []scenario) http.Handler { return ginRoutes(all, lateGin, counted(h)) },
	},
	{
		name: "gin/Recovery inside", pattern: "/%s/:id", counted: map[string]string{late: "200"},
		handler: func(h *hawkeye.Hawkeye, all []scenario) http.Handler {
			return ginRoutes(all, lateGin, counted(h), gin.RecoveryWithWriter(io.Discard))
		},
	},
	{
		name: "gin/Recovery outside", pattern: "/%s/:id", counted: map[string]string{late: "200"},
		handler: func(h *hawkeye.Hawkeye, all []scenario) http.Handler {
			return ginRoutes(all, lateGin, gin.RecoveryWithWriter(io.Discard), counted(h))
		},
	},
	{
		name: "gin/gzip", pattern: "/%s/:id", skip: late, // which is closed by then
		handler: func(h *hawkeye.Hawkeye, all []scenario) http.Handler {
			return ginRoutes(all, counted(h), gzip.Gzip(gzip.BestSpeed))
		},
	},
	{
		name: "gin/gzip and Recovery", pattern: "/%s/:id", skip: late, // which is closed by then
		handler: func(h *hawkeye.Hawkeye, all []scenario) http.Handler {
			return ginRoutes(all, counted(h), gin.RecoveryWithWriter(io.Discard), gzip.Gzip(gzip.BestSpeed))
		},
	},
	{
		name: "gin/gzip outside", pattern: "/%s/:id", skip: late, // which is closed by then
		handler: func(h *hawkeye.Hawkeye, all []scenario) http.Handler {
			return ginRoutes(all, gzip.Gzip(gzip.BestSpeed), counted(h))
		},
	},
	{
		name: "gin/timeout", pattern: "/%s/:id", counted: map[string]string{late: "200", panics: "500"},
		handler: func(h *hawkeye.Hawkeye, all []scenario) http.Handler {
			return ginRoutes(all, lateGin, counted(h), gin.RecoveryWithWriter(io.Discard), timeout(time.Minute))
		},
	},
	{
		name: "gin/under the net/http middleware",
		route: func(r *http.Request) string { // which knows gin's routes only by the path
			return "all"
		},
		pattern: "all", unmatched: map[string]string{"GET": "all", "PUT": "all", "BREW": "all"},
		handler: func(h *hawkeye.Hawkeye, all []scenario) http.Handler { return h.Middleware(ginRoutes(all, lateGin)) },
	},
}

// counted is hawkeyegin's middleware, or one that does nothing.
func counted(h *hawkeye.Hawkeye) gin.HandlerFunc {
	if h == nil {
		return func(c *gin.Context) { c.Next() }
	}
	return hawkeyegin.Middleware(h)
}

// lateGin answers when the handlers have returned.
func lateGin(c *gin.Context) {
	var k *kept
	k, c.Request = withKept(c.Request)
	c.Next()
	k.use()
}

func ginRoutes(all []scenario, use ...gin.HandlerFunc) http.Handler {
	e := gin.New()
	e.HandleMethodNotAllowed = true
	e.Use(use...)
	for _, s := range all {
		e.Handle(s.verb(), "/"+s.name+"/:id", func(c *gin.Context) {
			err := s.serve(c.Writer, c.Request, c.Param("id"))
			var f failure
			switch {
			case err == nil:
			case errors.As(err, &f):
				c.AbortWithStatusJSON(f.code, gin.H{"error": f.text})
			default:
				c.AbortWithError(http.StatusInternalServerError, err)
			}
		})
	}
	return e
}

// timeout serves in a goroutine of its own, into a buffer, as gin's timeout
// middlewares do, and puts the Writer back that it found.
func timeout(d time.Duration) gin.HandlerFunc {
	return func(c *gin.Context) {
		w := c.Writer
		b := &buffered{ResponseWriter: w, header: make(http.Header), code: http.StatusOK}
		c.Writer = b
		ended := make(chan any)
		go func() {
			defer func() { ended <- recover() }()
			c.Next()
		}()
		timer := time.NewTimer(d)
		defer timer.Stop()
		var panicked any
		select {
		case panicked = <-ended:
		case <-timer.C:
			panicked = <-ended
			b.code, b.body = http.StatusServiceUnavailable, bytes.Buffer{}
		}
		c.Writer = w
		if panicked != nil {
			panic(panicked)
		}
		for k, v := range b.header {
			w.Header()[k] = v
		}
		if !w.Written() {
			w.WriteHeader(b.code)
			w.Write(b.body.Bytes())
		}
	}
}

// buffered is the Writer of timeout's handlers.
type buffered struct {
	gin.ResponseWriter
	header http.Header
	code   int
	body   bytes.Buffer
}

func (b *buffered) Header() http.Header               { return b.header }
func (b *buffered) WriteHeader(code int)              { b.code = code }
func (b *buffered) WriteHeaderNow()                   {}
func (b *buffered) Flush()                            {}
func (b *buffered) Status() int                       { return b.code }
func (b *buffered) Written() bool                     { return b.body.Len() > 0 }
func (b *buffered) Size() int                         { return b.body.Len() }
func (b *buffered) Write(p []byte) (int, error)       { return b.body.Write(p) }
func (b *buffered) WriteString(s string) (int, error) { return b.body.WriteString(s) }
