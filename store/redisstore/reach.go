package redisstore

import (
	"context"
	"errors"
	"fmt"
	"net"

	"github.com/redis/go-redis/v9"
)

// Reach connects to a server, as the client does, and hangs up again. Its
// error says why that fails (the connection is refused, a name isn't known, a
// certificate isn't trusted), which the client's own attempts hold back until
// they give up. It says nothing of a server that takes connections and doesn't
// answer. hawkeye calls it when a start takes long.
func (s *Store) Reach(ctx context.Context) error {
	if s.invalid != nil {
		return s.invalid
	}
	select {
	case s.calls <- struct{}{}:
	case <-ctx.Done():
		return ctx.Err()
	}
	// A dialer for TLS may not look at ctx.
	_, err := abandonable(ctx, s, func(ctx context.Context) (struct{}, error) { return struct{}{}, s.connect(ctx) })
	if err != nil {
		return fmt.Errorf("connect to the server: %w", err)
	}
	return nil
}

// connect tries the servers that the client was given until one is there.
func (s *Store) connect(ctx context.Context) error {
	var dial func(ctx context.Context, network, addr string) (net.Conn, error)
	network, addrs := "tcp", []string(nil)
	switch c := s.client.(type) {
	case *redis.Client: // also one behind Sentinel, whose dialer asks for the address
		o := c.Options()
		dial, network, addrs = o.Dialer, o.Network, []string{o.Addr}
	case *redis.ClusterClient:
		o := c.Options()
		dial, addrs = o.Dialer, o.Addrs
		if dial == nil {
			dial = redis.NewDialer(&redis.Options{DialTimeout: o.DialTimeout, TLSConfig: o.TLSConfig})
		}
	}
	var errs []error
	for _, addr := range addrs {
		conn, err := dial(ctx, network, addr)
		if err == nil {
			return conn.Close()
		}
		errs = append(errs, err)
	}
	return errors.Join(errs...)
}
