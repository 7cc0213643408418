// Nethttp is a service on net/http alone that is watched by hawkeye: the
// middleware counts the responses, monitors.yaml beside this file says when
// that is too many, and mails go to the log.
//
//	go run ./examples/nethttp
//	for i in 1 2 3; do curl localhost:8080/400; done
package main

import (
	"context"
	_ "embed"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"log"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/go-batteries/hawkeye"
)

//go:embed monitors.yaml
var monitors []byte

func main() {
	addr := flag.String("addr", "localhost:8080", "where to listen")
	socket := flag.String("socket", hawkeye.DefaultSocketPath("nethttp-example"), "path of the metric server's socket")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, *addr, *socket); err != nil {
		log.Fatal(err)
	}
}

func run(ctx context.Context, addr, socket string) error {
	h, err := hawkeye.New(
		hawkeye.WithService("nethttp-example", "development"),
		hawkeye.WithConfig("monitors.yaml", monitors),
		hawkeye.WithSocket(socket),
	)
	if err != nil {
		return err
	}
	ln, err := net.Listen("tcp", addr)
	if err != nil {
		return err
	}
	if err := h.Start(ctx); err != nil {
		return errors.Join(err, ln.Close())
	}
	srv := &http.Server{Handler: h.Middleware(routes(h)), ReadHeaderTimeout: 5 * time.Second}
	failed := make(chan error, 1)
	go func() { failed <- srv.Serve(ln) }()
	slog.Info("listening", "url", "http://"+ln.Addr().String())

	select {
	case <-ctx.Done():
	case err = <-failed:
	}
	// First the server, then hawkeye: the last requests are counted, evaluated
	// and told. ctx is over, hence another one.
	stop, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	return errors.Join(err, srv.Shutdown(stop), h.Shutdown(stop))
}

func routes(h *hawkeye.Hawkeye) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /{$}", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprintln(w, "ok") })
	mux.HandleFunc("GET /400", func(w http.ResponseWriter, _ *http.Request) {
		http.Error(w, "bad request", http.StatusBadRequest)
	})
	read := h.Counter("orders.read", hawkeye.T("region", "eu")) // found once, added to often
	mux.HandleFunc("GET /orders/{id}", func(w http.ResponseWriter, r *http.Request) {
		read.Inc()
		fmt.Fprintln(w, "order", r.PathValue("id"))
	})
	// What hawkeye knows, for a look: /hawkeye/query?metric=http.requests
	mux.HandleFunc("GET /hawkeye/query", func(w http.ResponseWriter, r *http.Request) {
		q := r.URL.Query()
		result, err := h.Query(r.Context(), q.Get("metric"), time.Minute, q["where"]...)
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		show(w, map[string]any{"value": result.Value, "kind": result.Kind, "complete": result.Complete})
	})
	mux.HandleFunc("GET /hawkeye/alerts", func(w http.ResponseWriter, r *http.Request) { show(w, h.Alerts()) })
	mux.HandleFunc("GET /hawkeye/health", func(w http.ResponseWriter, r *http.Request) { show(w, h.Health()) })
	return mux
}

func show(w http.ResponseWriter, v any) {
	w.Header().Set("Content-Type", "application/json")
	if err := json.NewEncoder(w).Encode(v); err != nil {
		slog.Error("answer", "error", err)
	}
}
