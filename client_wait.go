package hawkeye

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// What follows is called by the client's users, in goroutines of their own.

func (r *relay) ping(ctx context.Context) error {
	q := request{ctx: ctx, ping: make(chan error, 1)}
	if err := r.ask(ctx, q); err != nil {
		return fmt.Errorf("ping %q: %w", r.path, err)
	}
	select {
	case err := <-q.ping:
		return err
	case <-r.closed:
		return fmt.Errorf("ping %q: %w", r.path, ErrClientClosed)
	case <-ctx.Done():
		return fmt.Errorf("ping %q: %w", r.path, context.Cause(ctx))
	}
}

func (r *relay) flush(ctx context.Context) error {
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
			return fmt.Errorf("flush %q: %w", r.path, ErrClientClosed)
		}
	case <-ctx.Done():
		return fmt.Errorf("flush %q: %w", r.path, errors.Join(context.Cause(ctx), r.snapshot().LastError))
	}
}

func (r *relay) ask(ctx context.Context, q request) error {
	select {
	case <-r.closing:
		return ErrClientClosed
	default:
	}
	select {
	case r.requests <- q:
		return nil
	case <-r.closing:
		return ErrClientClosed
	case <-ctx.Done():
		return errors.Join(context.Cause(ctx), r.snapshot().LastError)
	}
}

func (r *relay) close(ctx context.Context) error {
	r.mu.Lock()
	first := !r.shut
	r.shut = true
	r.mu.Unlock()
	if first {
		limit := time.AfterFunc(clientCloseLimit, r.cancel)
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
	if s := r.snapshot(); s.Dropped > 0 {
		return errors.Join(fmt.Errorf("close client of %q: %d samples dropped", r.path, s.Dropped), s.LastError)
	}
	return nil
}

// snapshot returns the counts that are the relay's.
func (r *relay) snapshot() ClientStats {
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
