//go:build unix

package fleet

import (
	"bufio"
	"context"
	"flag"
	"fmt"
	"log/slog"
	"os"
	"os/signal"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/go-batteries/hawkeye"
	"github.com/go-batteries/hawkeye/internal/failpoint"
	"github.com/go-batteries/hawkeye/store/redisstore"
)

// The environment of a child.
const (
	envRedis  = "HAWKEYE_FLEET_CHILD" // the server's address; its presence makes a child
	envConfig = "HAWKEYE_FLEET_CONFIG"
	envMails  = "HAWKEYE_FLEET_MAILS"
	envRole   = "HAWKEYE_FLEET_ROLE"  // "counter" neither evaluates nor sends
	envSMTP   = "HAWKEYE_FLEET_SMTP"  // a mail server's address, if there is one
	envTrace  = "HAWKEYE_FLEET_TRACE" // the file of what it does to the store, if that is asked for
	envBlind  = "HAWKEYE_FLEET_BLIND" // for how long the store may be away, if not as by default
)

// fleetTick is how wide the ticks are.
const fleetTick = 200 * time.Millisecond

func TestMain(m *testing.M) {
	if addr := os.Getenv(envRedis); addr != "" {
		if err := replica(addr); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	flag.Parse()
	asked := false
	flag.Visit(func(f *flag.Flag) { asked = asked || f.Name == "test.parallel" })
	if !asked { // most of these tests wait for a clock, not for a core
		flag.Set("test.parallel", strconv.Itoa(max(4, runtime.GOMAXPROCS(0))))
	}
	os.Exit(m.Run())
}

// farewells is how often each child that is asked to end counts "farewell"
// right before it does.
const farewells = 5

// replica is what a child does: it runs hawkeye and obeys the lines that it
// reads, each of which it answers with one.
func replica(addr string) error {
	client := redis.NewClient(&redis.Options{
		Addr: addr, DialTimeout: time.Second, ReadTimeout: time.Second, WriteTimeout: time.Second,
	})
	defer client.Close()
	opts := []hawkeye.Option{
		hawkeye.WithService("shop", "test"), hawkeye.WithConfigFile(os.Getenv(envConfig)), hawkeye.WithoutReload(),
		hawkeye.WithStore(redisstore.New(client, redisstore.WithTick(fleetTick))),
		hawkeye.WithMailer(hawkeye.MailerFunc(deliver)), hawkeye.WithoutSocket(),
		hawkeye.WithLogger(slog.New(slog.NewTextHandler(os.Stderr, nil))),
	}
	if path := os.Getenv(envTrace); path != "" {
		traced, err := newTracedStore(client, path)
		if err != nil {
			return err
		}
		defer traced.close()
		opts = append(opts, hawkeye.WithStore(traced), hawkeye.WithMailer(hawkeye.MailerFunc(deliverTraced)))
	}
	if os.Getenv(envRole) == "counter" {
		opts = append(opts, hawkeye.WithoutAgent(), hawkeye.WithoutNotifier())
	}
	if os.Getenv(envSMTP) != "" {
		opts = append(opts, hawkeye.WithMailer(hawkeye.MailerFunc(sendSMTP)))
	}
	if blind, err := time.ParseDuration(os.Getenv(envBlind)); err == nil {
		opts = append(opts, hawkeye.WithBlindAfter(blind))
	}
	h, err := hawkeye.New(opts...)
	if err != nil {
		return err
	}
	term, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	if err := h.Start(term); err != nil {
		return err
	}
	fmt.Println("ready")
	go obey(h)
	<-term.Done()
	for range farewells {
		h.Incr("farewell")
	}
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	return h.Shutdown(ctx)
}

func obey(h *hawkeye.Hawkeye) {
	lines := bufio.NewScanner(os.Stdin)
	for lines.Scan() {
		fmt.Println(answer(h, strings.Fields(lines.Text())))
	}
	os.Exit(2) // the test is gone
}

func answer(h *hawkeye.Hawkeye, args []string) string {
	number := func(i int) int { n, _ := strconv.Atoi(args[i]); return n }
	switch args[0] {
	case "incr":
		for range number(2) {
			h.Incr(args[1])
		}
		return "ok"
	case "count": // at once, by one of the tags id
		h.Count(args[1], int64(number(3)), hawkeye.T("id", args[2]))
		return "ok"
	case "arm":
		failpoint.Arm(strings.Join(args[1:], ""))
		return "ok"
	case "evaluates":
		return strconv.FormatBool(h.Health().Evaluates)
	case "watermark":
		return strconv.FormatInt(h.Stats().EvaluatedTick.UnixNano(), 10)
	case "query":
		ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
		defer cancel()
		r, err := h.Query(ctx, args[1], time.Duration(number(2))*time.Second, args[3:]...)
		if err != nil {
			return "error " + strings.ReplaceAll(err.Error(), "\n", " ")
		}
		return fmt.Sprintf("%.0f %t", r.Value, r.Complete)
	case "stats":
		s := h.Stats()
		return fmt.Sprintf("republished=%d dropped=%d failed=%d backlog=%d", s.Republished, s.DroppedTicks, s.FailedFlushes, s.Backlog)
	}
	return "unknown"
}

// deliver appends a mail to the file that all children share. Two things can
// be armed here: the step send, and the switch hang.
func deliver(ctx context.Context, cfg hawkeye.MailerConfig) error {
	failpoint.At("send")
	if failpoint.On("hang") {
		select {
		case <-time.After(hangs):
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return writeMail(os.Getenv(envMails), os.Getpid(), cfg.MessageID, cfg.Subject, cfg.Body)
}

// hangs is for how long a Send does.
const hangs = 3 * time.Second

// writeMail writes a mail at once, so that it is there whole or not at all,
// whatever happens to its sender next.
func writeMail(path string, pid int, id, subject, body string) error {
	f, err := os.OpenFile(path, os.O_APPEND|os.O_WRONLY|os.O_CREATE, 0o600)
	if err != nil {
		return err
	}
	defer f.Close()
	repeat := strings.Contains(body, "may be a repeat")
	_, err = fmt.Fprintf(f, "%d\t%d\t%s\t%t\t%s\n", time.Now().UnixNano(), pid, id, repeat, subject)
	return err
}
