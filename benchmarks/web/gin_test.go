package web

import (
	"net/http"
	"sync"
	"testing"

	"github.com/gin-gonic/gin"
	"github.com/prometheus/client_golang/prometheus"
	zsais "github.com/zsais/go-gin-prometheus"

	"github.com/go-batteries/hawkeye/hawkeyegin"
)

// ginPrometheus registers with the default registry, which it can do once.
var ginPrometheus = sync.OnceValue(func() *zsais.Prometheus {
	p := zsais.NewPrometheus("gin")
	p.ReqCntURLLabelMappingFn = (*gin.Context).FullPath
	return p
})

// BenchmarkGin is gin with one route and a middleware.
func BenchmarkGin(b *testing.B) {
	gin.SetMode(gin.ReleaseMode)
	router := func(use ...gin.HandlerFunc) http.Handler {
		r := gin.New()
		r.Use(use...)
		r.GET("/users/:id", func(c *gin.Context) { c.Status(http.StatusNoContent) })
		return r
	}
	b.Run("none", func(b *testing.B) { loop(b, router()) })
	b.Run("hawkeye", func(b *testing.B) {
		h := start(b)
		loop(b, router(hawkeyegin.Middleware(h)))
		stop(b, h)
	})
	b.Run("zsais", func(b *testing.B) {
		p := ginPrometheus()
		before := gathered(b, prometheus.DefaultGatherer, "gin_requests_total")
		loop(b, router(p.HandlerFunc()))
		delivered(b, "requests", gathered(b, prometheus.DefaultGatherer, "gin_requests_total")-before)
	})
}
