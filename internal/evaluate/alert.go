package evaluate

import (
	"time"

	"github.com/go-batteries/hawkeye/internal/alert"
	"github.com/go-batteries/hawkeye/internal/series"
)

// MonitorKey is the key of its monitor, empty if that was removed.
func (a *Alert) MonitorKey() string {
	if a.Rule == nil {
		return ""
	}
	return a.Rule.Alert.Key
}

// Told says whether any of the events is for receivers.
func (c *Change) Told() bool {
	for _, e := range c.Events {
		if e.Kind.Told() || e.Kind == alert.Refired || e.Kind == alert.Recovers {
			return true
		}
	}
	return false
}

func tagMap(tags []series.Tag) map[string]string {
	if len(tags) == 0 {
		return nil
	}
	m := make(map[string]string, len(tags))
	for _, t := range tags {
		m[t.Key] = t.Value
	}
	return m
}

// TagMap returns the alert's tags by key, nil if it has none.
func (a *Alert) TagMap() map[string]string { return tagMap(a.Tags) }

// Kind is the kind of series that it was measured of last, as far as that is
// known.
func (a *Alert) Kind() string { return a.kind }

// ReadAt is the end of the tick that it was measured at last.
func (a *Alert) ReadAt() time.Time { return a.readAt }

// Objective is that of an SLO, with its period; false for other rules.
func (r *Rule) Objective() (objective float64, period time.Duration, ok bool) {
	b, ok := r.measure.(budget)
	return b.objective, b.period, ok
}
