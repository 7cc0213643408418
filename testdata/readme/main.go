package main

import (
	"cmp"
	"context"
	"errors"
	"log"
	"net/http"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/go-batteries/hawkeye"
	"github.com/go-batteries/hawkeye/notify/smtp"
	"github.com/go-batteries/hawkeye/store/redisstore"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx); err != nil {
		log.Fatal(err)
	}
}

func run(ctx context.Context) error {
	opts := []hawkeye.Option{
		hawkeye.WithService("checkout", "prod"), // named in every message
		hawkeye.WithConfigFile("monitors.yaml"),
	}
	if host := os.Getenv("SMTP_HOST"); host != "" { // without a mailer, mails go to the log
		mailer, err := smtp.New(smtp.Config{
			Host:     host,
			Username: os.Getenv("SMTP_USER"),
			Password: os.Getenv("SMTP_PASSWORD"),
			From:     "Alerts <alerts@example.com>",
		})
		if err != nil {
			return err
		}
		opts = append(opts, hawkeye.WithMailer(mailer))
	}
	if addr := os.Getenv("REDIS_ADDR"); addr != "" { // several replicas: one count, one mail
		client := redis.NewClient(&redis.Options{Addr: addr, ContextTimeoutEnabled: true})
		defer client.Close() // after hawkeye's Shutdown
		opts = append(opts, hawkeye.WithStore(redisstore.New(client, redisstore.WithPrefix("checkout"))))
	}
	h, err := hawkeye.New(opts...)
	if err != nil {
		return err // every mistake at once, with its file and line
	}
	if err := h.Start(ctx); err != nil {
		return err
	}

	orders := h.Counter("orders", hawkeye.T("region", "eu")) // a metric of your own
	mux := http.NewServeMux()
	mux.HandleFunc("POST /checkout", func(w http.ResponseWriter, r *http.Request) {
		orders.Inc()
		http.Error(w, "the payment provider does not answer", http.StatusBadGateway)
	})
	srv := &http.Server{
		Addr:    cmp.Or(os.Getenv("ADDR"), "localhost:8080"),
		Handler: h.Middleware(mux), // counts responses by status, method and route
	}
	failed := make(chan error, 1)
	go func() { failed <- srv.ListenAndServe() }()
	select {
	case err = <-failed:
	case <-ctx.Done(): // SIGTERM
	}
	stop, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	return errors.Join(err, srv.Shutdown(stop), h.Shutdown(stop)) // the last requests still count
}
