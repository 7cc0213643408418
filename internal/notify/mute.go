package notify

import (
	"strings"
	"time"

	"github.com/go-batteries/hawkeye/internal/matcher"
)

// Mute is what keeps an alert from being told.
type Mute struct {
	Kind MuteKind `json:"kind"`
	// By is the silence's id, the mute time's name, the key of the alert that
	// inhibits, or the author of the ack.
	By string `json:"by"`
}

// MuteKind is a way of being muted.
type MuteKind string

// The ways of being muted.
const (
	BySilence    MuteKind = "silenced"
	ByMuteTime   MuteKind = "muted"
	ByInhibition MuteKind = "inhibited"
	ByAck        MuteKind = "acknowledged" // of repeats and escalation only
)

// Reason returns the reason for the history.
func (m *Mute) Reason() string { return string(m.Kind) + " by " + m.By }

// mutes is what a draft works out once about silences and inhibition.
type mutes struct {
	ready    bool
	silences []*Silence // active now
	sources  []map[string][]*Alert
}

// muteOf returns what mutes an alert now, or nil, and sees to it that
// somebody looks again when that may change with time.
func (d *draft) muteOf(alertKey, monitor string, s *Snapshot) *Mute {
	d.prepareMutes()
	for _, silence := range d.mutes.silences {
		if silence.Matches(s) {
			d.wake(silence.End)
			return &Mute{BySilence, silence.ID}
		}
	}
	if name := d.muteTime(monitor); name != "" {
		return &Mute{ByMuteTime, name}
	}
	if source := d.inhibitor(alertKey, s); source != nil {
		return &Mute{ByInhibition, source.Key}
	}
	return nil
}

func (d *draft) prepareMutes() {
	if d.mutes.ready {
		return
	}
	d.mutes.ready = true
	for _, s := range d.v.Silences {
		switch {
		case s.Active(d.now):
			d.mutes.silences = append(d.mutes.silences, s)
		case d.now.Before(s.Start):
			d.wake(s.Start)
		}
	}
	for i := range d.v.Config.Inhibit {
		d.mutes.sources = append(d.mutes.sources, d.sourcesOf(&d.v.Config.Inhibit[i]))
	}
}

// sourcesOf finds what fires and matches the source side of a rule, by the
// values that a target must agree in.
func (d *draft) sourcesOf(rule *Inhibit) map[string][]*Alert {
	out := make(map[string][]*Alert)
	for _, a := range d.v.Alerts {
		if a.Phase.Told() && a.Snapshot.Source != SourceOverflow && matchAll(rule.Source, &a.Snapshot) {
			key := equalKey(rule, &a.Snapshot)
			out[key] = append(out[key], a)
		}
	}
	return out
}

func equalKey(rule *Inhibit, s *Snapshot) string {
	values := make([]string, len(rule.Equal))
	for i, name := range rule.Equal {
		values[i] = s.Label(name)
	}
	return strings.Join(values, "\x1f")
}

// inhibitor returns the alert that inhibits another, or nil. What matches
// both sides of a rule is not inhibited by what does so too, and so never by
// itself.
func (d *draft) inhibitor(alertKey string, s *Snapshot) *Alert {
	var found *Alert
	for i := range d.v.Config.Inhibit {
		rule := &d.v.Config.Inhibit[i]
		if !matchAll(rule.Target, s) {
			continue
		}
		both := matchAll(rule.Source, s)
		for _, a := range d.mutes.sources[i][equalKey(rule, s)] {
			if a.Key == alertKey || both && matchAll(rule.Target, &a.Snapshot) {
				continue
			}
			if found == nil || a.Key < found.Key {
				found = a
			}
		}
	}
	return found
}

// muteTime returns the name of the mute time that a monitor is in, or "". A
// mute time has no next change to ask for; it begins and ends on a minute.
func (d *draft) muteTime(monitor string) string {
	routing := d.v.Config.Monitors[monitor]
	if routing == nil || len(routing.MuteTimes) == 0 {
		return ""
	}
	d.wake(d.now.Truncate(time.Minute).Add(time.Minute))
	for _, name := range routing.MuteTimes {
		if m := d.v.Config.MuteTimes[name]; m != nil && m.Contains(d.now) {
			return name
		}
	}
	return ""
}

// ranOut says whether a mute of an incident that is over ended by its time.
// One that was ended by hand or by a rise, and inhibition, make nobody hear
// again of what was told.
func (d *draft) ranOut(m *Mute, incident string) bool {
	switch m.Kind {
	case ByAck:
		return d.ack(incident).ranOut(d.now)
	case ByMuteTime:
		return true
	case BySilence:
		for _, s := range d.v.Silences {
			if s.ID == m.By {
				return !s.Cancelled && !d.now.Before(s.End)
			}
		}
	}
	return false
}

func matchAll(matchers []*matcher.Matcher, s *Snapshot) bool {
	for _, m := range matchers {
		if !m.Matches(s.Label(m.Name)) {
			return false
		}
	}
	return true
}
