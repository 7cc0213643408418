package message

import (
	"fmt"
	"math"
	"strings"
	"time"

	"github.com/go-batteries/hawkeye/internal/figure"
	"github.com/go-batteries/hawkeye/internal/msgtmpl"
	"github.com/go-batteries/hawkeye/internal/notify"
)

var nan = math.NaN()

// details are what a sentence has no room for: what the value is made of, and
// what it is against.
func (p *part) details() (lines []string) {
	s := &p.row.Snapshot
	if s.Part != nil && s.Total != nil && s.DivideBy != "" && s.HasValue {
		lines = append(lines, fmt.Sprintf("%s of %s: %s / %s.", plain(*s.Part), plain(*s.Total), s.Metric, s.DivideBy))
	}
	if s.Objective != nil {
		line := "The objective is " + figure.Number(figure.Percent, float64(*s.Objective))
		if s.Period > 0 {
			line += " over " + msgtmpl.Format(s.Period)
		}
		if s.Long > 0 && p.row.Kind != notify.Resolved {
			line += "; the windows are " + msgtmpl.Format(s.Long) + " and " + msgtmpl.Format(s.Short)
		}
		lines = append(lines, line+".")
	}
	return lines
}

func plain(n notify.Number) string { return figure.Number("", float64(n)) }

// footer is what stands below every text but those of version 1: where it came
// from, how it stands by now if it was held back, since when, and what is told
// next.
func (p *part) footer() (lines []string) {
	if from := from(&p.row.Snapshot); from != "" {
		switch p.row.Kind {
		case notify.Rise:
			lines = append(lines, "It rose"+from+".")
		case notify.Fall:
			lines = append(lines, "It fell"+from+".")
		}
	}
	if line := p.byNow(); line != "" {
		lines = append(lines, line)
	}
	lines = append(lines, p.times())
	if line := p.comes(); line != "" {
		lines = append(lines, line)
	}
	return lines
}

// byNow says how it stands when a message is sent that was held back.
func (p *part) byNow() string {
	s, now := &p.row.Snapshot, p.current
	if now == nil || !p.held() || !p.row.Opens() || s.Source != "" || p.over {
		return ""
	}
	if !now.HasValue {
		return "By now there is no value."
	}
	texts := figure.Apart(s.Unit, float64(now.Value), float64(s.Threshold))
	line := "By now it is " + texts[0]
	if now.Level != "" && now.Level != s.Level {
		line += ", and " + now.Level
	}
	return line + "."
}

// times says since when, or from when to when. What has neither says when it
// was.
func (p *part) times() string {
	s := &p.row.Snapshot
	const full = "2006-01-02 15:04:05 MST"
	at := firstTime(s.At, p.row.Created, p.now).In(p.now.Location())
	since := s.Since.In(p.now.Location())
	switch {
	case s.Since.IsZero() || p.row.Kind == notify.Undelivers || p.row.Kind == notify.Overflowing:
		return "At " + at.Format(full) + "."
	case p.row.Ends():
		return "From " + since.Format(full) + " to " + moment(at, since) + "."
	}
	line := "Since " + since.Format(full)
	if lasted := p.now.Sub(since).Round(time.Second); lasted > 0 {
		line += ", for " + msgtmpl.Format(lasted)
	}
	return line + "."
}

func firstTime(times ...time.Time) time.Time {
	for _, t := range times {
		if !t.IsZero() {
			return t
		}
	}
	return time.Time{}
}

// comes says what is told next, and when.
func (p *part) comes() string {
	next := p.next
	if next == nil || p.over || !p.row.Opens() {
		return ""
	}
	var parts []string
	if !next.Repeat.IsZero() {
		parts = append(parts, "you are told again at "+moment(next.Repeat, p.now)+" unless it ends")
	}
	for _, step := range next.Steps {
		if !step.At.IsZero() {
			parts = append(parts, strings.Join(step.Receivers, ", ")+" at "+moment(step.At, p.now)+" unless somebody acknowledges it")
		}
	}
	if len(parts) == 0 {
		return ""
	}
	return "Next: " + strings.Join(parts, "; ") + "."
}

// notes are what is added to a text that the monitor brought itself.
func (p *part) notes() []string {
	var notes []string
	row := p.row
	if row.Breaches > 1 {
		notes = append(notes, fmt.Sprintf("\n%d breaches since the last message.", row.Breaches))
	}
	if p.over {
		notes = append(notes, "\nIt is over by now.")
	}
	if row.AckEnded != "" {
		notes = append(notes, "\nThe acknowledgement of "+row.AckEnded+" was for a lower level, and has ended.")
	}
	if row.Ack != nil && row.Kind != notify.Acked && !row.Ends() {
		notes = append(notes, "\n"+acknowledged(row.Ack, p.now))
	}
	if row.AckOver != "" {
		notes = append(notes, "\nYou are reminded because the acknowledgement of "+row.AckOver+" has run out.")
	}
	if row.Escalated {
		notes = append(notes, "\nYou are told because nobody has acknowledged it.")
	}
	if row.Snapshot.Blind && row.Opens() {
		notes = append(notes, "\nThe store doesn't answer, so this is what a single replica has counted. Others may tell the same.")
	}
	if row.Snapshot.Incomplete && !row.Snapshot.Blind && row.Opens() && row.Kind != notify.Undelivers {
		notes = append(notes, "\nThe value is incomplete: not all samples could be read. It may be higher.")
	}
	if p.problem != "" {
		notes = append(notes, "\nThis is the default text, because the monitor's own template failed: "+oneLine(p.problem))
	}
	return notes
}

// standings lists the other alerts of the group that fire.
func standings(b *strings.Builder, alerts []*notify.Alert, now time.Time) {
	if len(alerts) == 0 {
		return
	}
	b.WriteString("\nStill firing in this group:\n")
	for _, a := range alerts {
		s := &a.Snapshot
		line := "- " + s.Name + tags(s.Tags)
		if s.Level != "" {
			line += ": " + s.Level
		}
		if !s.Since.IsZero() {
			line += " since " + moment(s.Since, now)
		}
		b.WriteString(line + "\n")
	}
}
