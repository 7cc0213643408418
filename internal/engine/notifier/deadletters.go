package notifier

import (
	"context"
	"log/slog"

	"github.com/go-batteries/hawkeye/internal/notify"
)

// maxDeadLogged is how many messages that failed for good at a time are logged
// by themselves.
const maxDeadLogged = 100

// LogDead says of what failed for good what it was about. What nobody was told
// in its place is an error: somebody must act who isn't told by hawkeye.
func (n *Notifier) LogDead(ctx context.Context, rows []*notify.Row) {
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
func (n *Notifier) about(row *notify.Row) []slog.Attr {
	return []slog.Attr{
		slog.String("monitor", row.Snapshot.Name), slog.String("alert_level", row.Snapshot.Level), slog.String("alert", row.Alert),
		slog.String("kind", string(row.Kind)), slog.String("incident", row.Incident), slog.String("subject", n.subject(row)),
	}
}

// subject is that of a message about a row alone. It is empty if it can't be
// made, which the attempt to send it has told.
func (n *Notifier) subject(row *notify.Row) (text string) {
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
	return n.cfg.Current.Load().Renderer.Render(m, n.cfg.Clock.Now()).Subject
}

// LogFailed says of an attempt that failed what it was about.
func (n *Notifier) LogFailed(m *notify.Message, res *notify.Result) {
	attrs := append(n.about(m.Rows[0]), slog.String("receiver", m.Receiver), slog.Int("alerts", len(m.Rows)),
		slog.String("error", res.Error), slog.Bool("permanent", res.Kind == notify.Permanent))
	n.logger.LogAttrs(context.Background(), slog.LevelWarn, "a message was not delivered", attrs...)
}
