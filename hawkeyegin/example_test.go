package hawkeyegin_test

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"time"

	"github.com/gin-gonic/gin"

	"github.com/go-batteries/hawkeye"
	"github.com/go-batteries/hawkeye/hawkeyegin"
)

func ExampleMiddleware() {
	ctx := context.Background()
	h, err := hawkeye.New(hawkeye.WithoutSocket(), hawkeye.WithLogger(slog.New(slog.DiscardHandler)))
	if err != nil {
		fmt.Println(err)
		return
	}
	if err := h.Start(ctx); err != nil {
		fmt.Println(err)
		return
	}
	defer h.Shutdown(ctx)

	router := gin.New()
	router.Use(hawkeyegin.Middleware(h), gin.Recovery())
	router.GET("/users/:id", func(c *gin.Context) { c.Status(http.StatusNotFound) })
	for range 3 {
		router.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest("GET", "/users/7", nil))
	}

	r, _ := h.Query(ctx, "http.response.404", time.Minute, `route="/users/:id"`)
	fmt.Println(r.Value)
	// Output: 3
}
