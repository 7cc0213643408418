package evaluate

import (
	"time"

	"github.com/go-batteries/hawkeye/internal/alert"
	"github.com/go-batteries/hawkeye/internal/monitor"
)

// explain says in events that came of a missing value what is missing, and for
// how long. since is when it began, as of the evaluation before.
func (a *Alert) explain(events []alert.Event, since time.Time) {
	for i := range events {
		e := &events[i]
		if e.Reason != alert.ReasonIdle && e.Reason != alert.ReasonNoData {
			continue
		}
		switch e.Kind {
		case alert.Fired, alert.Rose, alert.Refired:
			e.Reason = a.without(e.Reason, e.At.Sub(since), since)
		case alert.Resolved:
			e.Reason = a.without(e.Reason, e.At.Sub(since), since) + "; nothing shows that it is mended"
		}
	}
}

// without says what there is none of. What began at this evaluation has lasted
// for the window that was looked at.
func (a *Alert) without(reason alert.Reason, d time.Duration, since time.Time) alert.Reason {
	m := a.Rule.Monitor
	metric := m.Metric
	if reason == alert.ReasonIdle && m.DivideBy != "" {
		metric = m.DivideBy
	}
	text := string(reason) + " of " + metric
	switch {
	case !since.IsZero() && d >= time.Second:
		return alert.Reason(text + " for " + monitor.FormatDuration(d.Round(time.Second)))
	case reason == alert.ReasonIdle:
		return alert.Reason(text + " for " + monitor.FormatDuration(m.Window))
	}
	return alert.Reason(text)
}
