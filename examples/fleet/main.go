// Fleet is a shop of three replicas behind a load balancer, which share a
// Redis. Its checkout begins to fail; each replica sees a third of it. The
// replica that evaluates is killed. One mail comes.
//
//	go run ./examples/fleet
package main

import (
	"context"
	"errors"
	"fmt"
	"log"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"os"
	"os/exec"
	"os/signal"
	"strings"
	"sync/atomic"
	"time"

	"github.com/redis/go-redis/v9"
)

func main() {
	log.SetFlags(0)
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	run := runFleet
	if os.Getenv(envRedis) != "" {
		run = runReplica
	}
	if err := run(ctx); err != nil {
		log.Fatal(err)
	}
}

// runFleet starts everything, lets the checkout fail, kills the evaluator, and
// counts the mails.
func runFleet(ctx context.Context) error {
	addr, stopRedis, err := startRedis(ctx)
	if err != nil {
		return err
	}
	defer stopRedis()
	mails := make(chan string, 100)
	var replicas []*replica
	for i := range 3 {
		r, err := startReplica(i+1, addr, mails)
		if err != nil {
			return err
		}
		defer r.kill()
		replicas = append(replicas, r)
	}
	shop, stopShop, err := balance(replicas)
	if err != nil {
		return err
	}
	defer stopShop()
	fmt.Printf("three replicas serve %s\n", shop)

	evaluator, err := findEvaluator(ctx, replicas)
	if err != nil {
		return err
	}
	fmt.Printf("replica %d evaluates: it is killed, and the checkout begins to fail\n", evaluator.number)
	evaluator.kill()
	go traffic(ctx, shop)

	begin := time.Now()
	select {
	case mail := <-mails:
		fmt.Printf("after %.1f s a mail: %s\n", time.Since(begin).Seconds(), mail)
	case <-time.After(30 * time.Second):
		return errors.New("no mail came within 30 s")
	case <-ctx.Done():
		return ctx.Err()
	}
	select {
	case mail := <-mails:
		return fmt.Errorf("a second mail came: %s", mail)
	case <-time.After(10 * time.Second):
		fmt.Println("10 s later: no other mail, though the checkout still fails")
	case <-ctx.Done():
	}
	return nil
}

// startRedis runs the redis-server that is on the PATH, for this program
// alone, and returns its address.
func startRedis(ctx context.Context) (addr string, stop func(), err error) {
	path, err := exec.LookPath("redis-server")
	if err != nil {
		return "", nil, errors.New("this example needs redis-server on the PATH: apt install redis-server, brew install redis, or https://redis.io/download")
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", nil, err
	}
	addr = l.Addr().String()
	l.Close()
	_, port, _ := net.SplitHostPort(addr)
	cmd := exec.Command(path, "--bind", "127.0.0.1", "--port", port, "--save", "", "--appendonly", "no")
	if err := cmd.Start(); err != nil {
		return "", nil, fmt.Errorf("start %s: %w", path, err)
	}
	stop = func() { cmd.Process.Kill(); cmd.Wait() }
	client := redis.NewClient(&redis.Options{Addr: addr, MaxRetries: 100, MaxRetryBackoff: 100 * time.Millisecond})
	defer client.Close()
	if err := client.Ping(ctx).Err(); err != nil {
		stop()
		return "", nil, fmt.Errorf("redis-server doesn't answer: %w", err)
	}
	fmt.Printf("%s listens on %s\n", path, addr)
	return addr, stop, nil
}

// balance serves the replicas in turn under one address, and leaves out those
// that don't answer.
func balance(replicas []*replica) (address string, stop func(), err error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", nil, err
	}
	var next atomic.Uint64
	proxy := &httputil.ReverseProxy{
		Rewrite: func(r *httputil.ProxyRequest) {
			for range replicas {
				to := replicas[next.Add(1)%uint64(len(replicas))]
				if !to.down.Load() {
					r.SetURL(&url.URL{Scheme: "http", Host: to.address})
					return
				}
			}
		},
		ErrorLog: log.New(discard{}, "", 0),
	}
	server := &http.Server{Handler: proxy, ReadHeaderTimeout: time.Second}
	go server.Serve(l)
	return "http://" + l.Addr().String(), func() { server.Close() }, nil
}

type discard struct{}

func (discard) Write(p []byte) (int, error) { return len(p), nil }

// traffic is customers who try to pay, ten a second.
func traffic(ctx context.Context, shop string) {
	ticker := time.NewTicker(100 * time.Millisecond)
	defer ticker.Stop()
	for {
		select {
		case <-ticker.C:
		case <-ctx.Done():
			return
		}
		if resp, err := http.Get(shop + "/checkout"); err == nil {
			resp.Body.Close()
		}
	}
}

// findEvaluator asks the replicas which of them evaluates.
func findEvaluator(ctx context.Context, replicas []*replica) (*replica, error) {
	for range 200 {
		for _, r := range replicas {
			if strings.HasPrefix(r.get("/evaluates"), "true") {
				return r, nil
			}
		}
		select {
		case <-time.After(100 * time.Millisecond):
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
	return nil, errors.New("nobody evaluates")
}
