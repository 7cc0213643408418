package hawkeye

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"time"

	"github.com/go-batteries/hawkeye/internal/notify"
)

const (
	// deadMemory is how long a message that failed for good is a problem of
	// Health, unless its receiver got another one since.
	deadMemory = time.Hour
	// maxDeadLogged is how many messages that failed for good at a time are
	// logged by themselves.
	maxDeadLogged = 100
	// maxUntold is how many alerts that nobody could be told of Health names.
	maxUntold = 5
)

// logDead says of what failed for good what it was about. What nobody was told
// in its place is an error: somebody must act who isn't told by hawkeye.
func (n *notifier) logDead(ctx context.Context, rows []*notify.Row) {
	logged := 0
	for _, row := range rows {
		if row.Outcome != notify.Dead {
			continue
		}
		if logged++; logged > maxDeadLogged {
			continue
		}
		level, text := slog.LevelWarn, "a message failed for good, its fallback is told"
		if len(row.Recipients) > 0 {
			text = "a message failed for good for some of its recipients"
		}
		if row.Untold {
			level, text = slog.LevelError, "nobody could be told of an alert"
		}
		n.logger.LogAttrs(ctx, level, text, append(n.about(row),
			slog.Any("receivers", row.MeantFor()), slog.String("reason", row.Reason))...)
	}
	if more := logged - maxDeadLogged; more > 0 {
		n.logger.LogAttrs(ctx, slog.LevelError, "more messages failed for good at a time", slog.Int("more", more))
	}
}

// about names what a row tells, for the log.
func (n *notifier) about(row *notify.Row) []slog.Attr {
	return []slog.Attr{
		slog.String("monitor", row.Snapshot.Name), slog.String("alert_level", row.Snapshot.Level), slog.String("alert", row.Alert),
		slog.String("kind", string(row.Kind)), slog.String("incident", row.Incident), slog.String("subject", n.subject(row)),
	}
}

// subject is that of a message about a row alone. It is empty if it can't be
// made, which the attempt to send it has told.
func (n *notifier) subject(row *notify.Row) (text string) {
	defer func() {
		if recover() != nil {
			text = ""
		}
	}()
	if row.Undelivered != nil { // of what it was about in the first place
		first := *row
		first.Kind, first.Undelivered = row.Undelivered.Kind, nil
		row = &first
	}
	m := &notify.Message{ID: row.ID, Receiver: row.Receiver, Rows: []*notify.Row{row}}
	return n.h.setup().Renderer.Render(m, n.h.clock().Now()).Subject
}

// logFailed says of an attempt that failed what it was about.
func (n *notifier) logFailed(m *notify.Message, res *notify.Result) {
	attrs := append(n.about(m.Rows[0]), slog.String("receiver", m.Receiver), slog.Int("alerts", len(m.Rows)),
		slog.String("error", res.Error), slog.Bool("permanent", res.Kind == notify.Permanent))
	n.logger.LogAttrs(context.Background(), slog.LevelWarn, "a message was not delivered", attrs...)
}

// untoldProblems names the alerts that nobody could be told of: as long as
// they fire and nobody was told since, and else for a while.
func (h *Hawkeye) untoldProblems(found *problems) {
	var names, alerts []string
	view := h.book.View()
	now := h.clock().Now()
	for _, row := range slices.Backward(h.book.Dead()) {
		a := view.Alerts[row.Alert]
		open := a != nil && a.Incident == row.Incident
		if !row.Untold || !open && now.Sub(row.Settled) >= deadMemory || toldSince(view, row) {
			continue
		}
		name := untoldName(row)
		if !slices.ContainsFunc(names, func(n string) bool { return strings.HasPrefix(n, name) }) {
			alerts = append(alerts, row.Alert)
			names = append(names, fmt.Sprintf("%s (to %s): %s", name, strings.Join(row.MeantFor(), ", "), row.Reason))
		}
	}
	for i, name := range names[:min(len(names), maxUntold)] {
		found.add(problemNobodyNotified, alerts[i], "nobody could be told of %s", name)
	}
	if more := len(names) - maxUntold; more > 0 {
		found.add(problemNobodyNotified, "", "nobody could be told of %d more alerts", more)
	}
}

// untoldName is what a dead letter is about.
func untoldName(row *notify.Row) string {
	switch {
	case row.Alert != "":
		return strings.TrimSpace(row.Alert + " " + row.Snapshot.Level)
	case row.Undelivered != nil:
		return string(row.Undelivered.Kind)
	}
	return string(row.Kind)
}

// toldSince says whether one of those whom a dead letter was for was told
// something of its alert since.
func toldSince(view *notify.View, row *notify.Row) bool {
	return slices.ContainsFunc(row.MeantFor(), func(receiver string) bool {
		t := view.Threads[notify.ThreadKey{Alert: row.Alert, Receiver: receiver}]
		return t != nil && t.ToldAt.After(row.Settled)
	})
}
