// Quickstart is a small shop whose checkout begins to fail. hawkeye, imported
// into the same process, notices and sends a mail, here to the terminal.
package main

import (
	"context"
	"fmt"
	"log"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"os/signal"
	"strings"
	"time"

	"github.com/go-batteries/hawkeye"
)

func main() {
	log.SetFlags(0)
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx); err != nil {
		log.Fatal(err)
	}
}

func run(ctx context.Context) error {
	mailbox := make(chan hawkeye.MailerConfig, 1)
	h, err := hawkeye.New(
		hawkeye.WithService("shop", "demo"),
		hawkeye.WithMonitors(hawkeye.Monitor{
			Name:   "checkout-errors",
			Metric: "http.response.5xx",
			Window: 20 * time.Second,
			Triggers: []hawkeye.Trigger{{
				Threshold: 5,
				To:        []string{"oncall@example.com"},
				Text:      "{{ .count }} requests failed in {{ .interval }} s (limit: {{ .threshold }}).",
			}},
		}),
		hawkeye.WithMailer(hawkeye.MailerFunc(func(_ context.Context, mail hawkeye.MailerConfig) error {
			mailbox <- mail
			return nil
		})),
		hawkeye.WithLogger(slog.New(slog.DiscardHandler)),
		hawkeye.WithoutSocket(),
	)
	if err != nil {
		return err
	}
	if err := h.Start(ctx); err != nil {
		return err
	}
	defer func() {
		stop, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		defer cancel()
		if err := h.Shutdown(stop); err != nil {
			log.Print(err)
		}
	}()
	return story(ctx, h, mailbox)
}

// story makes the traffic and tells what happens.
func story(ctx context.Context, h *hawkeye.Hawkeye, mailbox <-chan hawkeye.MailerConfig) error {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /products", func(http.ResponseWriter, *http.Request) {})
	mux.HandleFunc("POST /checkout", func(w http.ResponseWriter, _ *http.Request) {
		http.Error(w, "the payment provider does not answer", http.StatusBadGateway)
	})
	shop := httptest.NewServer(h.Middleware(mux))
	defer shop.Close()

	fmt.Println("A shop runs, wrapped in hawkeye's middleware. All is well: 20 requests.")
	for range 20 {
		if err := visit(ctx, http.MethodGet, shop.URL+"/products"); err != nil {
			return err
		}
	}
	fmt.Println("Now the payment provider is down: 10 checkouts fail.")
	began := time.Now()
	for range 10 {
		if err := visit(ctx, http.MethodPost, shop.URL+"/checkout"); err != nil {
			return err
		}
	}
	select {
	case mail := <-mailbox:
		show(mail, time.Since(began))
	case <-time.After(10 * time.Second):
		return fmt.Errorf("no mail within 10 s; hawkeye says: %v", h.Health().Problems)
	case <-ctx.Done():
		return ctx.Err()
	}
	seen, err := h.Query(ctx, "http.response.5xx", time.Minute)
	if err != nil {
		return err
	}
	fmt.Printf(`
What just happened: the middleware counted %.0f failed requests, the agent saw
that as many as 5 in 20 s were reached, and the notifier handed one mail (one,
however long it goes on, until it is repeated after 4 hours or is over) to the
MailingService that this program passed in.

What to try next:
  - go run ./examples/gin        a gin service, with a monitors.yaml and a socket
  - go run ./examples/nethttp    the same on net/http alone
  - docs/monitors.md             everything that a monitors.yaml can say
  - hawkeye.WithStore            one count and one mail for a fleet of replicas
`, seen.Value)
	return nil
}

func visit(ctx context.Context, method, url string) error {
	req, err := http.NewRequestWithContext(ctx, method, url, nil)
	if err != nil {
		return err
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	return resp.Body.Close()
}

func show(mail hawkeye.MailerConfig, after time.Duration) {
	rule := strings.Repeat("-", 64)
	fmt.Printf("\nA mail, %d ms after the first failure:\n%s\nTo: %s\nSubject: %s\n\n%s%s\n",
		after.Milliseconds(), rule, strings.Join(mail.Recipients, ", "), mail.Subject, mail.Body, rule)
}
