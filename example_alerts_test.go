package hawkeye_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/go-batteries/hawkeye"
)

// failing returns a handle whose monitor failures fires and was told.
func failing() *hawkeye.Hawkeye {
	told := make(chan bool)
	h := running(
		hawkeye.WithMonitors(failures),
		hawkeye.WithMailer(hawkeye.MailerFunc(func(context.Context, hawkeye.MailerConfig) error {
			told <- true
			return nil
		})),
	)
	h.Count("payments.failed", 7)
	<-told
	return h
}

// What a silence keeps back is in the history.
func ExampleHawkeye_Silence() {
	ctx := context.Background()
	h := running(hawkeye.WithMonitors(failures))
	_, err := h.Silence(ctx, hawkeye.Silence{
		Matchers: []string{`monitor="payments.failed"`},
		End:      time.Now().Add(2 * time.Hour),
		Author:   "ann", Comment: "the provider is moving",
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	h.Count("payments.failed", 7)
	h.Shutdown(ctx) // by then it is decided
	for _, e := range h.History("payments.failed") {
		if e.Receiver != "" {
			fmt.Println(e.What)
		}
	}
	for _, s := range h.Silences() {
		fmt.Println(s.Author, s.Comment)
	}
	// Output:
	// not told
	// ann the provider is moving
}

// Somebody looks after it: no repeats until it is over.
func ExampleHawkeye_Ack() {
	ctx := context.Background()
	h := failing()
	defer h.Shutdown(ctx)
	fmt.Println(h.Ack(ctx, "payments.failed", hawkeye.AckOptions{Author: "ann", Comment: "calling the provider"}))
	err := h.Ack(ctx, "nothing", hawkeye.AckOptions{Author: "ann"})
	fmt.Println(errors.Is(err, hawkeye.ErrNotFound))
	// Output:
	// <nil>
	// true
}

// A receiver has a name, by which several monitors tell it.
func ExampleWithReceiver() {
	told := make(chan hawkeye.MailerConfig)
	h := running(
		hawkeye.WithReceiver("payments-team", hawkeye.Receiver{To: []string{"payments@example.com"}, Cc: []string{"log@example.com"}}),
		hawkeye.WithMonitors(hawkeye.Monitor{
			Metric:   "payments.failed",
			Triggers: []hawkeye.Trigger{{Threshold: 3, Notify: []string{"payments-team"}}},
		}),
		hawkeye.WithMailer(hawkeye.MailerFunc(func(_ context.Context, mail hawkeye.MailerConfig) error {
			told <- mail
			return nil
		})),
	)
	defer h.Shutdown(context.Background())
	h.Count("payments.failed", 3)
	mail := <-told
	fmt.Println(mail.Recipients, mail.CC)
	// Output: [payments@example.com] [log@example.com]
}

// A program may carry its monitors with it, by go:embed.
func ExampleWithConfig() {
	monitors := []byte(`
version: 1
monitors:
  - metric: payments.failed
    triggers:
      - {threshold: 3, run_every: 5, text: "{{ .count }} payments failed", to: [oncall@example.com]}
`)
	told := make(chan string)
	h := running(
		hawkeye.WithConfig("monitors.yaml", monitors),
		hawkeye.WithMailer(hawkeye.MailerFunc(func(_ context.Context, mail hawkeye.MailerConfig) error {
			told <- mail.Body
			return nil
		})),
		hawkeye.WithService("shop", "demo"),
	)
	defer h.Shutdown(context.Background())
	h.Count("payments.failed", 3)
	fmt.Print(<-told)
	// Output:
	// shop
	// SLA breached in demo
	//
	// 3 payments failed
}

// A file with a mistake is not used, and the one before it goes on.
func ExampleHawkeye_Reload() {
	ctx := context.Background()
	dir, err := os.MkdirTemp("", "hawkeye")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer os.RemoveAll(dir)
	file := filepath.Join(dir, "monitors.yaml")
	good, err := os.ReadFile("testdata/monitors.yaml")
	if err != nil {
		fmt.Println(err)
		return
	}
	os.WriteFile(file, good, 0o600)
	h := running(hawkeye.WithConfigFile(file), hawkeye.WithoutReload())
	defer h.Shutdown(ctx)

	os.WriteFile(file, []byte("version: 3\n"), 0o600)
	fmt.Println(errors.Is(h.Reload(ctx), hawkeye.ErrInvalidConfig), h.Health().OK, len(h.Alerts()))
	os.WriteFile(file, good, 0o600)
	fmt.Println(h.Reload(ctx), h.Health().OK, len(h.Alerts()))
	// Output:
	// true false 4
	// <nil> true 4
}
