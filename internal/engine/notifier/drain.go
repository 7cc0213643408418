package notifier

import (
	"context"
	"fmt"

	"github.com/go-batteries/hawkeye/internal/notify"
)

// Drain waits until the outbox holds nothing but what isn't due, or others
// have in their hands.
func (n *Notifier) Drain(ctx context.Context) error {
	done := make(chan int, 1)
	select {
	case n.idle <- done:
	case <-ctx.Done():
		return fmt.Errorf("send what is to be sent: %w", context.Cause(ctx))
	}
	select {
	case left := <-done:
		if left > 0 {
			return fmt.Errorf("send what is to be sent: %d messages failed and are stored, to be tried again after the next start", left)
		}
		return nil
	case <-ctx.Done():
		return fmt.Errorf("send what is to be sent: %w", context.Cause(ctx))
	}
}

// later counts the rows that are to be tried again, if nobody else is there
// to do so.
func (n *Notifier) later() (count int) {
	if n.cfg.Members.Succeeded() {
		return 0
	}
	for _, row := range n.book.Rows() {
		if row.Claim == nil && row.NextAttempt.After(n.ending) && !n.book.Kept(row.Alert) {
			count++
		}
	}
	return count
}

// leaves says whether a row of the outbox is not waited for at the end. What
// another replica sends, or did before it died, or a newer version keeps, is
// the others' business, and so is what is for a receiver that only they have.
// What is to be tried again later is kept by the Store, if that outlives us,
// for those who are there or will be; what was due when drain began is tried
// once.
func (n *Notifier) leaves(row *notify.Row) bool {
	traits := n.cfg.Traits
	theirs := traits.Shared && row.Claim != nil && row.Claim.Writer != n.cfg.Writer().String()
	if theirs || n.book.Kept(row.Alert) || n.cfg.Current.Load().Routes.Receivers[row.Receiver] == nil {
		return true
	}
	return (traits.Shared || traits.Durable) && row.Claim == nil && row.NextAttempt.After(n.ending)
}
