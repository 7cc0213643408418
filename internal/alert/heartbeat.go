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

// Pulse is what is kept of a heartbeat's signs of life.
type Pulse struct {
	// Heard is the end of the tick with the latest sign, or one a little
	// older if they come often; zero if there never was one.
	Heard time.Time `json:"heard,omitzero"`
	// From is since when a first sign is awaited.
	From time.Time `json:"from,omitzero"`
	// NotBefore, if set, is before when nothing is overdue: some of the time
	// since then nothing is known of, and a sign may have been in it.
	NotBefore time.Time `json:"not_before,omitzero"`
}

func (p *Pulse) equal(o *Pulse) bool {
	if p == nil || o == nil {
		return p == o
	}
	return p.Heard.Equal(o.Heard) && p.From.Equal(o.From) && p.NotBefore.Equal(o.NotBefore)
}
