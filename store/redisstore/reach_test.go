package redisstore_test

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/alicebob/miniredis/v2"
	"github.com/redis/go-redis/v9"

	"github.com/go-batteries/hawkeye"
	"github.com/go-batteries/hawkeye/store/redisstore"
)

// refusing is an address where nobody listens.
func refusing(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

func TestReach(t *testing.T) {
	t.Parallel()
	up, silent := miniredis.RunT(t).Addr(), refusing(t)
	// A server that takes connections and says nothing.
	mute, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { mute.Close() })
	for _, c := range []struct {
		name    string
		options redis.UniversalOptions
		want    error
	}{
		{"a server", redis.UniversalOptions{Addrs: []string{up}}, nil},
		{"none", redis.UniversalOptions{Addrs: []string{silent}}, syscall.ECONNREFUSED},
		{"a cluster, of which one is there", redis.UniversalOptions{Addrs: []string{silent, up}}, nil},
		{"a cluster, of which none is", redis.UniversalOptions{Addrs: []string{silent, silent}}, syscall.ECONNREFUSED},
		{"no TLS", redis.UniversalOptions{Addrs: []string{mute.Addr().String()}, TLSConfig: &tls.Config{}}, context.DeadlineExceeded},
	} {
		client := redis.NewUniversalClient(&c.options)
		t.Cleanup(func() { client.Close() })
		ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
		if c.want != context.DeadlineExceeded {
			ctx = t.Context()
		}
		if err := redisstore.New(client).Reach(ctx); !errors.Is(err, c.want) {
			t.Errorf("Reach() of %s = %v, want %v", c.name, err, c.want)
		}
		cancel()
	}
	client := redis.NewClient(&redis.Options{Dialer: func(context.Context, string, string) (net.Conn, error) { panic("oops") }})
	t.Cleanup(func() { client.Close() })
	if err := redisstore.New(client).Reach(t.Context()); err == nil || !strings.Contains(err.Error(), "oops") {
		t.Errorf("Reach() with a dialer that panics = %v, want an error", err)
	}
	if err := redisstore.New(nil).Reach(t.Context()); !errors.Is(err, redisstore.ErrInvalidOption) {
		t.Errorf("Reach() without a client = %v, want %v", err, redisstore.ErrInvalidOption)
	}
}

// TestStartSaysWhy: although the client is not yet done with its own attempts.
func TestStartSaysWhy(t *testing.T) {
	t.Parallel()
	locked := miniredis.RunT(t)
	locked.RequireAuth("secret")
	for _, c := range []struct{ addr, want string }{
		{refusing(t), "connection refused"},
		{locked.Addr(), "NOAUTH"},
	} {
		client := redis.NewClient(&redis.Options{Addr: c.addr})
		t.Cleanup(func() { client.Close() })
		h, err := hawkeye.New(hawkeye.WithStore(redisstore.New(client, redisstore.WithLogger(quiet))), hawkeye.WithRequireStore(),
			hawkeye.WithStartTimeout(time.Second), hawkeye.WithoutSocket(), hawkeye.WithLogger(quiet))
		if err != nil {
			t.Fatal(err)
		}
		err = h.Start(t.Context())
		if !errors.Is(err, hawkeye.ErrStoreUnavailable) || !strings.Contains(err.Error(), c.want) {
			t.Errorf("Start() = %v, want %v because of %s", err, hawkeye.ErrStoreUnavailable, c.want)
		}
	}
}
