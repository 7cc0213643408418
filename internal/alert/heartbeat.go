package alert

import "time"

// Heartbeat is a dead man's switch: something must be counted at least every
// ExpectEvery, or somebody is told after Grace more.
type Heartbeat struct {
	ExpectEvery, Grace time.Duration
}

// Value returns what a [HeartbeatRule] judges: how many seconds the sign of
// life is overdue, 0 if it isn't. seen is the last one; if there never was
// one (the zero Time) the wait begins at start.
func (h Heartbeat) Value(seen, start, now time.Time) float64 {
	return max(0, now.Sub(h.Due(seen, start)).Seconds())
}

// Due returns when the switch goes off if nothing is seen until then.
func (h Heartbeat) Due(seen, start time.Time) time.Time {
	if seen.IsZero() {
		seen = start
	}
	return seen.Add(h.ExpectEvery + h.Grace)
}

// HeartbeatRule is the rule for the values of a heartbeat.
func HeartbeatRule(key, level string) Rule {
	return Rule{Key: key, Op: Greater, Levels: []Level{{Name: level, Threshold: 0}}}
}
