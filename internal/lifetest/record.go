package lifetest

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/go-batteries/hawkeye/internal/notify"
)

// Record is what users saw of a life.
type Record struct {
	// Alerts are the names of alerts by the keys that messages and the
	// history have.
	Alerts map[string]Name
	// Messages are in the order in which they were handed over.
	Messages []Message
	History  []Entry
	// Slack is how much later than a life on virtual time something may be
	// seen, and how much earlier something may be judged.
	Slack time.Duration
	// Broken is what went so wrong that the life was over sooner; empty if
	// nothing did.
	Broken string
}

// Message is one that was handed to a receiver.
type Message struct {
	At   time.Duration
	To   string
	Rows []Row
	// Standing are other alerts, by key, of which it says that they fire.
	Standing []string
	// Repeat says that it may be a repeat.
	Repeat  bool
	Outcome Outcome
}

// NewMessage returns what a receiver sees of a message.
func NewMessage(m *notify.Message, at time.Duration, outcome Outcome) Message {
	out := Message{At: at, To: m.Receiver, Repeat: m.MaybeRepeat, Outcome: outcome}
	for _, r := range m.Rows {
		row := Row{
			ID: r.ID, Alert: r.Alert, Incident: r.Incident, Kind: string(r.Kind), Level: r.Snapshot.Level, Escalated: r.Escalated, Step: r.Step, Stands: r.Snapshot.StandsLevel,
			Over: m.Over[r.ID], Ends: r.Ends(), Both: r.Both, Acked: r.Ack != nil,
		}
		if u := r.Undelivered; u != nil {
			row.For, row.Was = u.Receiver, string(u.Kind)
		}
		out.Rows = append(out.Rows, row)
	}
	for _, a := range m.Standing {
		out.Standing = append(out.Standing, a.Key)
	}
	return out
}

// Outcome is what a receiver made of a message.
type Outcome uint8

// What a receiver makes of a message.
const (
	Delivered Outcome = iota
	Failed            // to be tried again
	Refused           // for good
)

// Row is what a message says about an alert.
type Row struct {
	ID, Alert, Incident string
	// Kind is one of hawkeye's kinds of rows, such as firing or repeat.
	Kind  string
	Level string
	// Escalated says that nobody acknowledged in time; Step is the level that
	// wasn't, if it isn't the row's.
	Escalated bool
	Step      string
	// Stands is the higher level that it says stands; empty without.
	Stands string
	// Over says that what it tells of fires no more, though no end is told.
	Over bool
	// Ends says that it tells of an end, Both that it also tells of the firing.
	Ends, Both bool
	// Acked says that it tells of an ack.
	Acked bool
	// For is, in a message to a fallback, for whom it was, and Was the kind.
	For, Was string
}

// Entry is one of the history.
type Entry struct {
	At                        time.Duration
	Alert, Incident, Receiver string
	What, Reason              string
}

func (m *Message) String() string {
	var parts []string
	for _, r := range m.Rows {
		s := r.Kind + " " + r.Alert
		for _, word := range []struct {
			on   bool
			text string
		}{
			{r.Level != "", "=" + r.Level}, {r.Stands != "", " of " + r.Stands}, {r.Escalated, " (escalated)"}, {r.Step != "", " (step of " + r.Step + ")"}, {r.Over, " (over)"}, {r.Both, " (both)"}, {r.For != "", " (for " + r.For + ": " + r.Was + ")"},
		} {
			if word.on {
				s += word.text
			}
		}
		parts = append(parts, s+" ["+r.Incident+"]")
	}
	for _, key := range m.Standing {
		parts = append(parts, "+"+key)
	}
	s := fmt.Sprintf("%v %s: %s", m.At, m.To, strings.Join(parts, ", "))
	if m.Repeat {
		s += " (maybe a repeat)"
	}
	return s + [...]string{"", " (failed)", " (refused)"}[m.Outcome]
}

// Story says what was told around a violation, and what wasn't and why.
func (r *Record) Story(v *Violation) string {
	const before, after = 40 * time.Minute, 2 * time.Minute
	type line struct {
		at   time.Duration
		text string
	}
	var lines []line
	failed := make(map[string]string) // by receiver: what it was last tried with
	for i := range r.Messages {
		m := &r.Messages[i]
		text := m.String()
		if _, what, _ := strings.Cut(text, " "); m.Outcome != Failed {
			delete(failed, m.To)
		} else if failed[m.To] == what {
			continue
		} else {
			failed[m.To] = what
		}
		lines = append(lines, line{m.At, "  " + text})
	}
	for _, e := range r.History {
		if r.Alerts[e.Alert] == v.Alert && e.What != "told" && !strings.HasPrefix(e.What, "failed, to be") {
			lines = append(lines, line{e.At, strings.TrimRight(fmt.Sprintf("  %v   %s %s %s %s: %s", e.At, e.Alert, e.Incident, e.Receiver, e.What, e.Reason), ": ")})
		}
	}
	slices.SortStableFunc(lines, func(a, b line) int { return int(a.at - b.at) })
	var b strings.Builder
	for _, l := range lines {
		if l.at >= v.At-before && l.at <= v.At+after {
			b.WriteString(l.text + "\n")
		}
	}
	return b.String()
}
