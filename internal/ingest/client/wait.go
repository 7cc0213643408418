package client

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// ErrClosed is what waits for a client gets after Close.
var ErrClosed = errors.New("hawkeye: client is closed")

// What follows is called by the client's users, in goroutines of their own.

// Ping asks the server for an answer, and connects if need be. It tries once.
func (r *Relay) Ping(ctx context.Context) error {
	q := request{ctx: ctx, ping: make(chan error, 1)}
	if err := r.ask(ctx, q); err != nil {
		return fmt.Errorf("ping %q: %w", r.path, err)
	}
	select {
	case err := <-q.ping:
		return err
	case <-r.closed:
		return fmt.Errorf("ping %q: %w", r.path, ErrClosed)
	case <-ctx.Done():
		return fmt.Errorf("ping %q: %w", r.path, context.Cause(ctx))
	}
}

// Flush waits until the server has acknowledged all that was recorded before
// the call.
func (r *Relay) Flush(ctx context.Context) error {
	q := request{ctx: ctx, done: make(chan struct{})}
	if err := r.ask(ctx, q); err != nil {
		return fmt.Errorf("flush %q: %w", r.path, err)
	}
	select {
	case <-q.done:
		return nil
	case <-r.closed:
		select {
		case <-q.done: // the last thing that run did
			return nil
		default:
			return fmt.Errorf("flush %q: %w", r.path, ErrClosed)
		}
	case <-ctx.Done():
		return fmt.Errorf("flush %q: %w", r.path, errors.Join(context.Cause(ctx), r.Stats().LastError))
	}
}

func (r *Relay) ask(ctx context.Context, q request) error {
	select {
	case <-r.closing:
		return ErrClosed
	default:
	}
	select {
	case r.requests <- q:
		return nil
	case <-r.closing:
		return ErrClosed
	case <-ctx.Done():
		return errors.Join(context.Cause(ctx), r.Stats().LastError)
	}
}

// Close hands over what was recorded, and closes the connection. The first
// caller's ctx bounds the handing over.
func (r *Relay) Close(ctx context.Context) error {
	r.mu.Lock()
	first := !r.shut
	r.shut = true
	r.mu.Unlock()
	if first {
		limit := time.AfterFunc(closeLimit, r.cancel)
		defer limit.Stop()
		close(r.closing)
	}
	select {
	case <-r.closed:
	case <-ctx.Done():
		if !first {
			return fmt.Errorf("close client of %q: %w", r.path, context.Cause(ctx))
		}
		r.cancel()
		<-r.closed
	}
	if s := r.Stats(); s.Dropped > 0 {
		return errors.Join(fmt.Errorf("close client of %q: %d samples dropped", r.path, s.Dropped), s.LastError)
	}
	return nil
}

// Stats returns the counts that are the relay's.
func (r *Relay) Stats() Stats {
	r.mu.Lock()
	defer r.mu.Unlock()
	s := r.stats
	select {
	case <-r.closed:
		s.Dropped += r.reg.Pending()
	default:
		s.Pending += r.reg.Pending()
	}
	return s
}
