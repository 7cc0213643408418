package hawkeye_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"path/filepath"
	"strings"
	"time"

	"github.com/go-batteries/hawkeye"
)

// serve is a service that is watched: testdata/monitors.yaml says what is too
// many, and mailer, whatever the service sends its mail by, tells.
func serve(ctx context.Context, ln net.Listener, mailer hawkeye.MailingService) error {
	h, err := hawkeye.New(
		hawkeye.WithService("checkout", "prod"), // goes into every message
		hawkeye.WithConfigFile("testdata/monitors.yaml"),
		hawkeye.WithMailer(mailer), // default: mails go to the log
	)
	if err != nil {
		return err // every mistake at once, each with its place
	}
	if err := h.Start(ctx); err != nil {
		return err
	}

	mux := http.NewServeMux()
	mux.HandleFunc("GET /orders/{id}", order)
	srv := &http.Server{Handler: h.Middleware(mux)} // counts responses by status, method and route
	go srv.Serve(ln)

	<-ctx.Done() // SIGTERM, by way of signal.NotifyContext
	stop, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	return errors.Join(srv.Shutdown(stop), h.Shutdown(stop)) // what was counted last is still told
}

func order(w http.ResponseWriter, _ *http.Request) {
	http.Error(w, "this shop knows no orders", http.StatusBadRequest)
}

// The whole of it: a service, five bad requests, a mail.
func Example() {
	ctx, sigterm := context.WithCancel(context.Background())
	defer sigterm()
	ln, err := net.Listen("tcp", "localhost:0")
	if err != nil {
		fmt.Println(err)
		return
	}
	mails := make(chan hawkeye.MailerConfig, 1)
	mailer := hawkeye.MailerFunc(func(_ context.Context, mail hawkeye.MailerConfig) error {
		mails <- mail
		return nil
	})
	ended := make(chan error)
	go func() { ended <- serve(ctx, ln, mailer) }()

	for range 5 {
		if resp, err := http.Get("http://" + ln.Addr().String() + "/orders/7"); err == nil {
			resp.Body.Close()
		}
	}
	mail := <-mails
	fmt.Println(mail.Subject, mail.Recipients)
	sigterm()
	fmt.Println(<-ended)
	// Output:
	// 4xx errors exceeded [oncall@example.com]
	// <nil>
}

// running returns a handle that is started and evaluates, without a socket and
// with a silent log.
func running(opts ...hawkeye.Option) *hawkeye.Hawkeye {
	opts = append(opts, hawkeye.WithoutSocket(), hawkeye.WithLogger(slog.New(slog.DiscardHandler)))
	h, err := hawkeye.New(opts...)
	if err != nil {
		panic(err)
	}
	ctx := context.Background()
	if err := h.Start(ctx); err != nil {
		panic(err)
	}
	for !h.Health().Evaluates {
		if _, err := h.Query(ctx, "anything", time.Second); err != nil { // waits for the next tick
			panic(err)
		}
	}
	return h
}

// failures is a monitor for the examples.
var failures = hawkeye.Monitor{
	Metric:   "payments.failed",
	Window:   time.Minute,
	Triggers: []hawkeye.Trigger{{Threshold: 3, To: []string{"oncall@example.com"}}},
}

// New says all that is wrong with its options.
func ExampleNew() {
	_, err := hawkeye.New(
		hawkeye.WithSocket(""),
		hawkeye.WithSendTimeout(-time.Second),
		hawkeye.WithoutAgent(),
	)
	fmt.Println(err)
	fmt.Println(errors.Is(err, hawkeye.ErrInvalidOption))
	// Output:
	// hawkeye: invalid option: WithSocket: want a path, got none; WithoutSocket turns the socket off
	// hawkeye: invalid option: WithSendTimeout: want a positive duration, got -1s
	// hawkeye: invalid option: WithoutAgent: needs a Store that is shared with a process that evaluates; this one is not shared
	// true
}

// A mistake in a file is shown where it is.
func ExampleWithConfigFile() {
	_, err := hawkeye.New(hawkeye.WithConfigFile("internal/monitor/testdata/bad/v1_key_typo.yaml"))
	fmt.Println(err)
	// Output:
	// hawkeye: invalid configuration:
	// internal/monitor/testdata/bad/v1_key_typo.yaml:7:9: monitors[0].triggers[0].treshold: unknown key "treshold" in a version-1 trigger; its keys are bcc, cc, run_every, subject, text, threshold, to
	//           - treshold: 3
	//             ^ did you mean threshold?
}

func ExampleWithMonitors() {
	h := running(
		hawkeye.WithMonitors(hawkeye.Monitor{
			Name:      "checkout-slow",
			Metric:    "http.request.duration",
			Where:     []string{`route=~"/checkout/.*"`},
			Aggregate: "p95",
			Window:    5 * time.Minute,
			Triggers: []hawkeye.Trigger{
				{Level: "warning", Threshold: 0.5, For: time.Minute, To: []string{"team@example.com"}},
				{Level: "critical", Threshold: 2, To: []string{"oncall@example.com"}},
			},
		}),
	)
	defer h.Shutdown(context.Background())
	for _, alert := range h.Alerts() {
		fmt.Println(alert.Monitor, alert.State)
	}
	// Output: checkout-slow unseen
}

// Any function that can send a mail is a MailingService.
func ExampleMailerFunc() {
	sent := make(chan bool)
	h := running(
		hawkeye.WithMonitors(failures),
		hawkeye.WithMailer(hawkeye.MailerFunc(func(ctx context.Context, mail hawkeye.MailerConfig) error {
			fmt.Println("to", mail.Recipients)
			sent <- true
			return nil
		})),
	)
	defer h.Shutdown(context.Background())
	h.Count("payments.failed", 3)
	<-sent
	// Output: to [oncall@example.com]
}

// A handle is started once, and ends at Shutdown.
func ExampleHawkeye_Start() {
	h, err := hawkeye.New(hawkeye.WithoutSocket(), hawkeye.WithLogger(slog.New(slog.DiscardHandler)))
	if err != nil {
		fmt.Println(err)
		return
	}
	ctx := context.Background()
	h.Incr("orders") // what is recorded before Start counts
	fmt.Println(h.Start(ctx))
	fmt.Println(h.Start(ctx))
	orders, _ := h.Query(ctx, "orders", time.Minute)
	fmt.Println(orders.Value)
	h.Shutdown(ctx)
	fmt.Println(h.Start(ctx))
	// Output:
	// <nil>
	// hawkeye: already started
	// 1
	// hawkeye: shut down
}

// Run is for programs that have a context for their whole life.
func ExampleHawkeye_Run() {
	h, err := hawkeye.New(hawkeye.WithoutSocket(), hawkeye.WithLogger(slog.New(slog.DiscardHandler)))
	if err != nil {
		fmt.Println(err)
		return
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error)
	go func() { ended <- h.Run(ctx) }()
	cancel()
	fmt.Println(<-ended)
	// Output: <nil>
}

// What was counted last is evaluated and told before Shutdown returns.
func ExampleHawkeye_Shutdown() {
	h := running(
		hawkeye.WithMonitors(failures),
		hawkeye.WithMailer(hawkeye.MailerFunc(func(_ context.Context, mail hawkeye.MailerConfig) error {
			fmt.Println("told", mail.Recipients)
			return nil
		})),
	)
	h.Count("payments.failed", 3)
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	fmt.Println(h.Shutdown(ctx))
	h.Incr("payments.failed") // too late: dropped, and counted as such
	fmt.Println(h.Stats().AfterShutdown)
	// Output:
	// told [oncall@example.com]
	// <nil>
	// 1
}

func ExampleHawkeye_Query() {
	ctx := context.Background()
	h := running()
	defer h.Shutdown(ctx)
	h.Count("orders", 40, hawkeye.T("region", "eu"), hawkeye.T("paid", "card"))
	h.Count("orders", 2, hawkeye.T("region", "us"), hawkeye.T("paid", "card"))
	for _, where := range [][]string{nil, {`region="eu"`}, {`region!="eu"`, `paid=~"card|cash"`}} {
		orders, err := h.Query(ctx, "orders", time.Minute, where...)
		if err != nil {
			fmt.Println(err)
			return
		}
		fmt.Println(orders.Value, orders.Kind, orders.Complete)
	}
	// Output:
	// 42 counter true
	// 40 counter true
	// 2 counter true
}

func ExampleHawkeye_Alerts() {
	ctx := context.Background()
	told := make(chan bool)
	h := running(
		hawkeye.WithMonitors(failures),
		hawkeye.WithMailer(hawkeye.MailerFunc(func(context.Context, hawkeye.MailerConfig) error {
			told <- true
			return nil
		})),
	)
	defer h.Shutdown(ctx)
	h.Count("payments.failed", 7)
	<-told
	for _, alert := range h.Alerts() {
		fmt.Println(alert.Monitor, alert.State, alert.Level, alert.Value)
	}
	// Output: payments.failed firing critical 7
}

// Health says in sentences what is wrong.
func ExampleHawkeye_Health() {
	ctx := context.Background()
	h := running()
	health := h.Health()
	fmt.Println(health.OK, health.Store, health.Problems)
	h.Shutdown(ctx)
	health = h.Health()
	fmt.Println(health.OK, health.Store, health.Problems)
	// Output:
	// true memory []
	// false memory [not running]
}

func ExampleHawkeye_Stats() {
	h := running(hawkeye.WithLimits(hawkeye.Limits{MaxSeries: 2}))
	defer h.Shutdown(context.Background())
	for _, user := range []string{"ann", "bob", "cem"} { // a tag without end is a mistake
		h.Incr("logins", hawkeye.T("user", user))
	}
	fmt.Println(h.Stats().Overflowed)
	// Output: 1
}

func ExampleHawkeye_Gauge() {
	ctx := context.Background()
	h := running()
	defer h.Shutdown(ctx)
	depth := h.Gauge("queue.depth", hawkeye.T("queue", "mail"))
	depth.Set(10)
	depth.Add(-3)
	r, _ := h.Query(ctx, "queue.depth", time.Minute)
	fmt.Println(r.Value)
	// Output: 7
}

func ExampleHawkeye_Histogram() {
	ctx := context.Background()
	h := running()
	defer h.Shutdown(ctx)
	size := h.Histogram("upload.bytes")
	for i := range 1000 {
		size.Observe(float64(i + 1))
	}
	r, _ := h.Query(ctx, "upload.bytes", time.Minute)
	fmt.Printf("%v values, half of them up to about %.0f\n", r.Count, r.Quantile(0.5))
	// Output: 1000 values, half of them up to about 500
}

// A mail that can't be delivered, ever, isn't tried again.
func ExamplePermanent() {
	h := running(
		hawkeye.WithMonitors(failures),
		hawkeye.WithMailer(hawkeye.MailerFunc(func(context.Context, hawkeye.MailerConfig) error {
			return hawkeye.Permanent(errors.New("550 no such user"))
		})),
	)
	h.Count("payments.failed", 3)
	h.Shutdown(context.Background())
	fmt.Println(h.Stats().Outbox, h.Stats().DeadLetters)
	// Output: 0 1
}

// Those who have the mail don't get it again.
func ExampleRecipientsError() {
	failed := make(map[string]error)
	for _, to := range []string{"ann@example.com", "bob@example", "cem@example.com"} {
		if !strings.HasSuffix(to, ".com") {
			failed[to] = hawkeye.Permanent(errors.New("550 no such domain"))
		}
	}
	var err error = &hawkeye.RecipientsError{Failed: failed} // what a MailingService returns
	fmt.Println(err)
	// Output: deliver to some recipients: bob@example: 550 no such domain
}

// Clients find the socket of a service by its name.
func ExampleDefaultSocketPath() {
	fmt.Println(filepath.Base(hawkeye.DefaultSocketPath("checkout")))
	// Output: checkout.sock
}

// Code that records takes a Recorder, where tests put a fake.
func ExampleRecorder() {
	ctx := context.Background()
	h := running()
	defer h.Shutdown(ctx)
	pay := func(r hawkeye.Recorder) { r.Incr("payments", hawkeye.T("by", "card")) }
	pay(h)
	pay((*hawkeye.Client)(nil)) // does nothing
	r, _ := h.Query(ctx, "payments", time.Minute)
	fmt.Println(r.Value)
	// Output: 1
}
