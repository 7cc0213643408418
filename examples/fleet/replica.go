package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"sync/atomic"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/go-batteries/hawkeye"
	"github.com/go-batteries/hawkeye/store/redisstore"
)

// envRedis tells a process that it is a replica, and where Redis is.
const envRedis = "FLEET_REDIS"

// runReplica is one replica of the shop. What it says to the process that
// started it are lines: "listens <address>", and "mail <subject>".
func runReplica(ctx context.Context) error {
	client := redis.NewClient(&redis.Options{Addr: os.Getenv(envRedis)})
	defer client.Close()
	h, err := hawkeye.New(
		hawkeye.WithService("shop", "demo"),
		hawkeye.WithStore(redisstore.New(client, redisstore.WithLogger(slog.New(slog.DiscardHandler)))),
		hawkeye.WithMonitors(hawkeye.Monitor{
			Name:   "checkout-errors",
			Metric: "http.response.5xx",
			Window: 20 * time.Second,
			Triggers: []hawkeye.Trigger{{
				Threshold: 15, // of the whole shop
				To:        []string{"oncall@example.com"},
			}},
		}),
		hawkeye.WithMailer(hawkeye.MailerFunc(func(_ context.Context, mail hawkeye.MailerConfig) error {
			fmt.Printf("mail to %s: %s\n", strings.Join(mail.Recipients, ", "), mail.Subject)
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
	mux := http.NewServeMux()
	mux.HandleFunc("/checkout", func(w http.ResponseWriter, _ *http.Request) {
		http.Error(w, "the payment provider doesn't answer", http.StatusBadGateway)
	})
	mux.HandleFunc("/evaluates", func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprintln(w, h.Health().Evaluates)
	})
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	server := &http.Server{Handler: h.Middleware(mux), ReadHeaderTimeout: time.Second}
	go server.Serve(l)
	fmt.Println("listens", l.Addr())
	<-ctx.Done()
	stop, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	return errors.Join(server.Shutdown(stop), h.Shutdown(stop))
}

// replica is one, as seen by the process that started it.
type replica struct {
	number  int
	cmd     *exec.Cmd
	address string
	down    atomic.Bool
}

// startReplica runs this program again, as a replica.
func startReplica(number int, redisAddr string, mails chan<- string) (*replica, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	cmd := exec.Command(self)
	cmd.Env = append(os.Environ(), envRedis+"="+redisAddr)
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	r := &replica{number: number, cmd: cmd}
	lines := bufio.NewScanner(out)
	for lines.Scan() {
		if address, ok := strings.CutPrefix(lines.Text(), "listens "); ok {
			r.address = address
			break
		}
	}
	if r.address == "" {
		r.kill()
		return nil, fmt.Errorf("replica %d doesn't start", number)
	}
	go func() {
		for lines.Scan() {
			if mail, ok := strings.CutPrefix(lines.Text(), "mail "); ok {
				mails <- fmt.Sprintf("%s (sent by replica %d)", mail, number)
			}
		}
	}()
	return r, nil
}

// kill ends a replica as a power cut would.
func (r *replica) kill() {
	if r.down.CompareAndSwap(false, true) {
		r.cmd.Process.Kill()
		r.cmd.Wait()
	}
}

// get asks a replica something; empty if it doesn't answer.
func (r *replica) get(path string) string {
	resp, err := http.Get("http://" + r.address + path)
	if err != nil {
		return ""
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(io.LimitReader(resp.Body, 1024))
	if err != nil {
		return ""
	}
	return string(body)
}
