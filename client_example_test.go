package hawkeye_test

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"time"

	"github.com/go-batteries/hawkeye"
)

// exampleHandle returns a handle that is started, with its socket in a
// directory of its own, and a function that ends it.
func exampleHandle() (h *hawkeye.Hawkeye, socket string, stop func()) {
	dir, err := os.MkdirTemp("", "hawkeye")
	if err != nil {
		panic(err)
	}
	socket = filepath.Join(dir, "hawkeye.sock")
	h, err = hawkeye.New(hawkeye.WithSocket(socket), hawkeye.WithLogger(slog.New(slog.DiscardHandler)))
	if err != nil {
		panic(err)
	}
	if err := h.Start(context.Background()); err != nil {
		panic(err)
	}
	return h, socket, func() {
		h.Shutdown(context.Background())
		os.RemoveAll(dir)
	}
}

// Another process records into the same metrics, through the socket.
func ExampleNewClient() {
	h, socket, stop := exampleHandle() // in the first process
	defer stop()
	ctx := context.Background()

	c, err := hawkeye.NewClient(socket) // in the second process
	if err != nil {
		fmt.Println(err)
		return
	}
	c.Incr("jobs.done", hawkeye.T("queue", "mail"))
	failed := c.Counter("jobs.failed")
	failed.Add(2)
	c.Timing("jobs.took", 30*time.Millisecond)
	if err := c.Close(ctx); err != nil {
		fmt.Println(err)
	}

	for _, name := range []string{"jobs.done", "jobs.failed"} {
		r, _ := h.Query(ctx, name, time.Minute)
		fmt.Println(name, r.Value)
	}
	// Output:
	// jobs.done 1
	// jobs.failed 2
}

// A nil Client, and a nil *Hawkeye, record nothing, so that code needs no
// second way for where there is no monitoring.
func ExampleClient_nil() {
	var c *hawkeye.Client
	c.Incr("jobs.done")
	fmt.Println(c.Flush(context.Background()), c.Stats().Sent)
	// Output: <nil> 0
}

func ExampleHawkeye_Incr() {
	h, _, stop := exampleHandle()
	defer stop()
	h.Incr("orders", hawkeye.T("region", "eu"))
	h.Count("orders", 4, hawkeye.T("region", "us"))
	h.Decr("orders", hawkeye.T("region", "us"))
	all, _ := h.Query(context.Background(), "orders", time.Minute)
	us, _ := h.Query(context.Background(), "orders", time.Minute, `region="us"`)
	fmt.Println(all.Value, us.Value)
	// Output: 4 3
}

func ExampleHawkeye_Counter() {
	h, _, stop := exampleHandle()
	defer stop()
	orders := h.Counter("orders", hawkeye.T("region", "eu"))
	for range 1000 {
		orders.Inc()
	}
	r, _ := h.Query(context.Background(), "orders", time.Minute)
	fmt.Println(r.Value)
	// Output: 1000
}

func ExampleHawkeye_Middleware() {
	h, _, stop := exampleHandle()
	defer stop()
	mux := http.NewServeMux()
	mux.HandleFunc("GET /users/{id}", func(w http.ResponseWriter, r *http.Request) { http.NotFound(w, r) })
	srv := httptest.NewServer(h.Middleware(mux))
	for _, id := range []string{"1", "2", "3"} {
		if resp, err := http.Get(srv.URL + "/users/" + id); err == nil {
			resp.Body.Close()
		}
	}
	srv.Close() // waits for the handlers
	r, _ := h.Query(context.Background(), "http.response.404", time.Minute, `route="/users/{id}"`)
	fmt.Println(r.Value)
	// Output: 3
}

// A TimeoutHandler copies the request, so the mux in it is wrapped in Route.
func ExampleHawkeye_TrackRoute() {
	h, _, stop := exampleHandle()
	defer stop()
	mux := http.NewServeMux()
	mux.HandleFunc("/reports/{year}", func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() })
	srv := httptest.NewServer(h.Middleware(http.TimeoutHandler(h.TrackRoute(mux), 200*time.Millisecond, "too slow")))
	if resp, err := http.Get(srv.URL + "/reports/2024"); err == nil {
		resp.Body.Close()
	}
	srv.Close()
	r, _ := h.Query(context.Background(), "http.response.503", time.Minute, `route="/reports/{year}"`)
	fmt.Println(r.Value)
	// Output: 1
}
