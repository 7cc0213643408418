package redisstore

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/go-batteries/hawkeye/internal/guard"
	"github.com/redis/go-redis/v9"
)

const (
	// maxCalls bounds the calls under way, and so the connections that we
	// take from the pool and the goroutines that a stalled server can hold.
	maxCalls = 16
	// reloadEvery spaces out the questions for a Cluster's topology.
	reloadEvery = time.Second
)

// call runs f and honours ctx. A client without ContextTimeoutEnabled goes on
// waiting for a stalled server when ctx has ended, so f is left to end by the
// client's timeouts. With it, f is trusted to end by ctx's deadline: handing
// it to a goroutine and back takes as long as the server takes to answer. f
// must use nothing that the caller may change after call returns.
func call[T any](ctx context.Context, s *Store, op string, f func(context.Context) (T, error)) (T, error) {
	var none T
	if s.invalid != nil {
		return none, s.invalid
	}
	if err := ctx.Err(); err != nil {
		return none, fmt.Errorf("%s: %w", op, err)
	}
	select {
	case s.calls <- struct{}{}:
	case <-ctx.Done():
		return none, fmt.Errorf("%s: %w", op, ctx.Err())
	}
	var value T
	var err error
	if deadline, ok := ctx.Deadline(); ok && s.punctual {
		value, err = guarded(ctx, s, f)
		if err != nil && !isReply(err) && !time.Now().Before(deadline) {
			err = context.DeadlineExceeded // the client has its own words for it
		}
	} else {
		value, err = abandonable(ctx, s, f)
	}
	if err == nil {
		return value, nil
	}
	s.reload(ctx, err)
	return none, fmt.Errorf("%s: %w", op, err)
}

// guarded runs f, gives its slot back and turns its panic into an error.
func guarded[T any](ctx context.Context, s *Store, f func(context.Context) (T, error)) (value T, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("redis client panicked: %v", p)
		}
		<-s.calls
	}()
	return f(ctx)
}

// abandonable is guarded, but leaves f behind when ctx ends.
func abandonable[T any](ctx context.Context, s *Store, f func(context.Context) (T, error)) (T, error) {
	type result struct {
		value T
		err   error
	}
	done := make(chan result, 1)
	go func() {
		r := result{err: guard.ErrExited} // what a hook of the client can do
		defer func() { done <- r }()
		r.value, r.err = guarded(ctx, s, f)
	}()
	select {
	case r := <-done:
		return r.value, r.err
	case <-ctx.Done():
	}
	select {
	case r := <-done: // both were ready
		return r.value, r.err
	default:
		var none T
		s.stats.abandoned.Add(1)
		return none, ctx.Err()
	}
}

// punctual says that a client ends its calls by their deadlines.
func punctual(client redis.UniversalClient) bool {
	c, ok := client.(*redis.Client) // also one behind Sentinel
	return ok && c != nil && c.Options().ContextTimeoutEnabled
}

// exec sends a pipeline. An error means that nothing can be told from the
// answers.
func (s *Store) exec(ctx context.Context, op string, pipe redis.Pipeliner) error {
	_, err := call(ctx, s, op, func(ctx context.Context) (struct{}, error) {
		cmds, err := pipe.Exec(ctx)
		if err == nil || len(cmds) == 0 {
			return struct{}{}, err
		}
		answered := false
		for _, cmd := range cmds {
			own := cmd.Err()
			if !bearable(cmd, own) {
				return struct{}{}, own
			}
			answered = answered || own != nil && errors.Is(err, own)
		}
		// A server that refuses the connection (a wrong password, a database
		// that isn't there) leaves the commands without an error of their
		// own, as if they had been carried out.
		if !answered {
			return struct{}{}, err
		}
		return struct{}{}, nil
	})
	return err
}

// bearable says that a command's error is left to the caller: the key isn't
// there, or isn't ours, or the time is a secret.
func bearable(cmd redis.Cmder, err error) bool {
	return err == nil || err == redis.Nil || isWrongType(err) ||
		cmd.Name() == "time" && redis.HasErrorPrefix(err, "NOPERM")
}

// isReply says that err is the server's answer and not a lack of one.
func isReply(err error) bool {
	var reply redis.Error
	return errors.As(err, &reply)
}

// isWrongType says that a key holds something else than we keep there.
func isWrongType(err error) bool { return redis.HasErrorPrefix(err, "WRONGTYPE") }

// reload makes a ClusterClient look for the master anew when one can't be
// reached; by itself it would keep to the topology that it knows
// (go-redis issue 3979).
func (s *Store) reload(ctx context.Context, err error) {
	if isReply(err) && !strings.HasPrefix(err.Error(), "CLUSTERDOWN") || errors.Is(err, context.Canceled) {
		return
	}
	cluster, ok := s.client.(interface{ ReloadState(context.Context) })
	if ok && every(&s.lastReload, reloadEvery) {
		s.stats.reloads.Add(1)
		cluster.ReloadState(context.WithoutCancel(ctx))
	}
}
