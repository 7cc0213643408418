package message

import (
	"fmt"
	"strings"
	"time"

	"github.com/go-batteries/hawkeye/internal/figure"
	"github.com/go-batteries/hawkeye/internal/monitor"
	"github.com/go-batteries/hawkeye/internal/msgtmpl"
	"github.com/go-batteries/hawkeye/internal/notify"
)

// heldBack is how old a value is of which a message doesn't say "is" any more.
const heldBack = 10 * time.Second

func defaultText(p *part) string {
	row, s := p.row, &p.row.Snapshot
	var b strings.Builder
	switch row.Kind {
	case notify.Undelivers:
		b.WriteString(undelivered(row.Undelivered) + "\n")
	case notify.Blind:
		b.WriteString("The store does not answer. This replica evaluates what it counts itself until it is back.\n")
	case notify.BlindOver:
		b.WriteString("The store answers again.\n")
	}
	if s.Name == "" {
		return b.String()
	}
	b.WriteString(s.Name + tags(s.Tags) + ": " + p.verdict() + "\n")
	if s.Summary != "" {
		b.WriteString(s.Summary + "\n")
	}
	for _, line := range p.details() {
		b.WriteString(line + "\n")
	}
	if s.Description != "" {
		b.WriteString(s.Description + "\n")
	}
	for _, line := range [][2]string{{"Runbook", s.Runbook}, {"Dashboard", s.Dashboard}} {
		if line[1] != "" {
			b.WriteString(line[0] + ": " + line[1] + "\n")
		}
	}
	return b.String()
}

// verdict says in a sentence what the row is about.
func (p *part) verdict() string {
	row, s := p.row, &p.row.Snapshot
	measured, limit := p.measure()
	both := measured + "; " + limit
	switch row.Kind {
	case notify.Resolved:
		if row.Both {
			return fmt.Sprintf("it fired and ended again, after %s (%s).", p.lasted(), both)
		}
		if s.Reason != "" {
			return fmt.Sprintf("it ended after %s: %s.", p.lasted(), s.Reason)
		}
		return fmt.Sprintf("it ended after %s (%s).", p.lasted(), both)
	case notify.Overflowing:
		return fmt.Sprintf("it has more groups than the %s that it keeps (max_groups); those beyond are not watched.", msgtmpl.Format(float64(s.Value)))
	case notify.Missing:
		return "there is no data for it."
	case notify.Flapping:
		return "it changes too often; you are told again when it is stable."
	case notify.Acked:
		return acknowledged(row.Ack, p.now)
	case notify.FlappingLevels:
		return fmt.Sprintf("it changes between %s and %s, and counts as %s until it was below that for a while (%s).",
			firstText(s.PreviousLevel, "levels"), s.Level, s.Level, both)
	case notify.Stable:
		return fmt.Sprintf("it is stable again (%s).", measured) + p.stands()
	case notify.Repeat:
		return fmt.Sprintf("still: %s; for %s now.", both, p.lasted()) + p.stands()
	}
	return both + "." + p.stands()
}

// lasted is how long it has been firing, or was.
func (p *part) lasted() string {
	s, end := &p.row.Snapshot, p.now
	if s.Since.IsZero() {
		return "a while"
	}
	if p.row.Ends() {
		end = s.At
	}
	return msgtmpl.Format(max(end.Sub(s.Since), 0).Round(time.Second))
}

// measure says in words what was measured, and what it may be.
func (p *part) measure() (measured, limit string) {
	s := &p.row.Snapshot
	switch s.Source {
	case "slo":
		texts := figure.Apart(figure.Times, orNaN(s.Value, s.HasValue), float64(s.Threshold))
		return fmt.Sprintf("the error budget %s %s times as fast as it may", p.tense("burns", "burnt"), firstText(texts[0], "no")),
			fmt.Sprintf("the limit is %s %s times", operator(s), texts[1])
	case "heartbeat":
		return p.heard()
	}
	numbers := []float64{orNaN(s.Value, s.HasValue), float64(s.Threshold)}
	clear := p.clears()
	if clear != nil {
		numbers = append(numbers, float64(*clear))
	}
	if s.Compare != nil {
		numbers = append(numbers, float64(*s.Compare))
	}
	texts := figure.Apart(s.Unit, numbers...)
	limit = "the limit is " + operator(s) + " " + texts[1]
	switch {
	case clear != nil:
		limit += ", and " + operator(s) + " " + texts[2] + " while it fires"
	case s.HasValue && p.row.Opens() && !holds(s, s.Threshold):
		limit += ", and for now it is clear"
	}
	if !s.HasValue {
		return firstText(s.Reason, "no value"), limit
	}
	measured = s.Metric + " " + p.tense("is", "was") + " " + texts[0]
	if s.Window > 0 {
		measured += " over " + msgtmpl.Format(s.Window)
	}
	if p.held() {
		measured += " at " + moment(s.MeasuredAt(), p.now)
	}
	if s.Compare != nil {
		measured += ", before it was " + texts[len(texts)-1]
	}
	return measured, limit
}

// clears returns the threshold that a value still breaches which doesn't breach
// the one that fires, nil if that is not so.
func (p *part) clears() *notify.Number {
	s := &p.row.Snapshot
	if s.Clear == nil || !s.HasValue || !p.row.Opens() || holds(s, s.Threshold) || !holds(s, *s.Clear) {
		return nil
	}
	return s.Clear
}

func holds(s *notify.Snapshot, threshold notify.Number) bool {
	return monitor.Op(operator(s)).Holds(float64(s.Value), float64(threshold))
}

func operator(s *notify.Snapshot) string { return firstText(s.Op, ">=") }

func orNaN(n notify.Number, known bool) float64 {
	if !known {
		return nan
	}
	return float64(n)
}

// heard says of a heartbeat what was heard and what is missing.
func (p *part) heard() (measured, limit string) {
	s := &p.row.Snapshot
	missing := "nothing was heard of " + s.Metric
	switch {
	case s.Value <= 0 && !s.Heard.IsZero() && s.Heard.Before(s.Since):
		return s.Metric + " isn't overdue any more", "it was heard last at " + moment(s.Heard, p.now)
	case s.Value <= 0 && !s.Heard.IsZero():
		return s.Metric + " was heard at " + moment(s.Heard, p.now), "it must be heard in time"
	case s.Value <= 0:
		return s.Metric + " was heard", "it must be heard every " + msgtmpl.Format(s.Window)
	case !s.Heard.IsZero():
		missing += " since " + moment(s.Heard, p.now)
	case s.Due.IsZero():
		missing += " for " + msgtmpl.Format(s.Window)
	}
	overdue := "it " + p.tense("is", "was") + " overdue"
	if s.Value >= 1 {
		overdue = "it " + p.tense("is", "was") + " " + figure.Number(figure.Seconds, float64(s.Value)) + " overdue"
	}
	if p.held() {
		overdue += " at " + moment(s.MeasuredAt(), p.now)
	}
	if !s.Due.IsZero() {
		return missing + ", " + overdue, "it was due at " + moment(s.Due, p.now)
	}
	return missing + ", " + overdue, "it must be heard in time"
}

// held says whether what was measured is no news any more.
func (p *part) held() bool {
	at := p.row.Snapshot.MeasuredAt()
	return !p.fresh && !at.IsZero() && p.now.Sub(at) > heldBack
}

// tense chooses a verb for what is so now, or was when it was measured.
func (p *part) tense(now, then string) string {
	if p.held() {
		return then
	}
	return now
}

// moment writes a time as near as now needs it.
func moment(t, now time.Time) string {
	t = t.In(now.Location())
	if t.Format(time.DateOnly) == now.Format(time.DateOnly) {
		return t.Format("15:04:05 MST")
	}
	return t.Format("2006-01-02 15:04:05 MST")
}

func undelivered(u *notify.Undelivered) string {
	if u.Trying {
		return fmt.Sprintf("A message (%s) to %s could not be delivered so far, and is still tried: %s", u.Kind, u.Receiver, u.Error)
	}
	return fmt.Sprintf("A message (%s) to %s could not be delivered: %s", u.Kind, u.Receiver, u.Error)
}

// acknowledged says who looks after it, and until when.
func acknowledged(ack *notify.Ack, now time.Time) string {
	if ack == nil {
		return "somebody looks after it."
	}
	text := ack.Author + " looks after it"
	if !ack.Until.IsZero() {
		text += " until " + ack.Until.In(now.Location()).Format("2006-01-02 15:04 MST")
	}
	if ack.Comment != "" {
		text += ": " + ack.Comment
	}
	return text + "."
}

// stands is a sentence about the higher level that stands, of which the
// receiver isn't told; empty if there is none.
func (p *part) stands() string {
	s := &p.row.Snapshot
	if s.StandsLevel == "" {
		return ""
	}
	text := " It is " + s.StandsLevel
	if !s.StandsSince.IsZero() {
		text += " since " + s.StandsSince.In(p.now.Location()).Format("15:04")
	}
	if len(s.StandsTold) > 0 {
		text += ", of which " + strings.Join(s.StandsTold, ", ") + " was notified"
	}
	return text + "."
}
