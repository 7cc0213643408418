// Package message turns what is to be told into text. Templates are the
// monitors' own; where there is none, or one fails, a default text says what
// was measured, so that no message is lost to its template.
package message

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strings"
	"time"

	"github.com/go-batteries/hawkeye/internal/monitor"
	"github.com/go-batteries/hawkeye/internal/notify"
)

// Text is a rendered message.
type Text struct {
	Subject string
	Body    string
	// MessageID is the same for each attempt, Thread for all messages to a
	// receiver about an incident. Both have the form of RFC 5322.
	MessageID string
	Thread    string
	// Problem is the mistake of a template that failed; empty if none did.
	Problem string
}

// Renderer renders for one configuration. It is safe for concurrent use.
type Renderer struct {
	service, environment string
	location             *time.Location // of the times that people read
	monitors             map[string]*monitor.Monitor
}

// New returns a renderer.
func New(set *monitor.Set, service, environment string) *Renderer {
	r := &Renderer{
		service: service, environment: environment, location: set.Location,
		monitors: make(map[string]*monitor.Monitor, len(set.Monitors)),
	}
	if r.location == nil {
		r.location = time.UTC
	}
	for _, m := range set.Alerting() {
		r.monitors[m.Key()] = m
	}
	return r
}

// Render returns the text of m as it stands at now.
func (r *Renderer) Render(m *notify.Message, now time.Time) Text {
	now = now.In(r.location)
	t := Text{MessageID: r.id(m.ID), Thread: r.id("thread " + m.Rows[0].Incident + " " + m.Receiver)}
	common := commonFields(m, now)
	parts := make([]part, len(m.Rows))
	for i, row := range m.Rows {
		parts[i] = r.part(m, common, row, now)
		t.Problem = firstText(t.Problem, parts[i].problem)
	}
	t.Subject = visible(oneLine(r.subject(m, parts)))
	t.Body = visible(r.body(m, parts, now))
	return t
}

// visible takes out what makes a text look other than it is: C1 controls, which
// terminals obey, and overrides and isolates of the direction of writing. They
// come from tag values, which anybody may send.
func visible(s string) string {
	return strings.Map(func(c rune) rune {
		if c >= 0x80 && c < 0xa0 || c >= 0x202a && c <= 0x202e || c >= 0x2066 && c <= 0x2069 {
			return -1
		}
		return c
	}, s)
}

// part is what a message says about one row.
type part struct {
	row            *notify.Row
	legacy         bool
	subject, text  string
	own            bool // the text is the monitor's, not the default
	over           bool
	problem        string
	service, where string

	now     time.Time        // in the reader's location
	fresh   bool             // the snapshot has the values of now
	current *notify.Snapshot // how the alert stands now; nil if that isn't known
	next    *notify.Coming   // what is told next; nil if that isn't known
}

func (r *Renderer) part(m *notify.Message, common map[string]any, row *notify.Row, now time.Time) part {
	p := part{row: row, over: m.Over[row.ID], now: now, fresh: m.Fresh[row.ID], current: m.Now[row.Alert], next: m.Coming[row.ID]}
	p.service = firstText(row.Snapshot.Service, r.service)
	p.where = firstText(row.Snapshot.Environment, r.environment)
	mon, trigger := r.find(row)
	p.legacy = mon != nil && mon.Legacy
	data := fields(common, row, p, now)
	if trigger != nil {
		p.subject = render(trigger.SubjectTemplate(), data, &p.problem)
		p.text = render(trigger.TextTemplate(), data, &p.problem)
		p.own = p.text != ""
	}
	if p.subject == "" {
		p.subject = defaultSubject(&p)
	}
	if p.text == "" {
		p.text = defaultText(&p)
	}
	return p
}

// find returns the monitor of a row and the trigger whose words it uses: that
// of the level the row is about. An end has the default text: the monitor's
// own words say that something is wrong.
func (r *Renderer) find(row *notify.Row) (*monitor.Monitor, *monitor.Trigger) {
	mon := r.monitors[row.Monitor]
	if mon == nil {
		return nil, nil
	}
	switch row.Kind {
	case notify.Firing, notify.Rise, notify.Fall, notify.Repeat, notify.Flapping:
	default:
		return mon, nil
	}
	for i := range mon.Triggers {
		if mon.Triggers[i].Level == row.Snapshot.Level {
			return mon, &mon.Triggers[i]
		}
	}
	if row.Rank >= 1 && row.Rank <= len(mon.Triggers) {
		return mon, &mon.Triggers[row.Rank-1]
	}
	return mon, nil
}

func (r *Renderer) subject(m *notify.Message, parts []part) string {
	if len(parts) == 1 {
		return parts[0].subject
	}
	if sameAlert(m.Rows) {
		return parts[len(parts)-1].subject
	}
	return groupSubject(m, parts)
}

func (r *Renderer) body(m *notify.Message, parts []part, now time.Time) string {
	var b strings.Builder
	if len(parts) > 1 && !sameAlert(m.Rows) {
		groupHead(&b, m, parts, now)
	}
	for i := range parts {
		if i > 0 {
			b.WriteString("\n")
		}
		parts[i].write(&b)
	}
	standings(&b, m.Standing, now)
	if !m.Next.IsZero() {
		fmt.Fprintf(&b, "\n%d alerts of this group fire. Further ones are told together at %s, unless they are worse.\n",
			m.Firing, moment(m.Next, now))
	}
	if m.MaybeRepeat {
		b.WriteString("\nThis may be a repeat: it is not known whether an earlier attempt to send it succeeded.\n")
	}
	return b.String()
}

// write writes the words of one row under the name of the service.
func (p *part) write(b *strings.Builder) {
	b.WriteString(p.service + "\n")
	if p.legacy {
		b.WriteString("SLA breached in " + firstText(p.where, "an unnamed environment") + "\n\n")
	} else if p.where != "" {
		b.WriteString(p.where + "\n\n")
	} else {
		b.WriteString("\n")
	}
	b.WriteString(strings.TrimRight(p.text, "\n") + "\n")
	if !p.legacy {
		b.WriteString("\n")
		for _, line := range p.footer() {
			b.WriteString(line + "\n")
		}
	}
	for _, note := range p.notes() {
		b.WriteString(note + "\n")
	}
}

// id makes a Message-ID of RFC 5322 from any text.
func (r *Renderer) id(text string) string {
	sum := sha256.Sum256([]byte(text))
	return "<" + hex.EncodeToString(sum[:16]) + "@" + host(r.service) + ".hawkeye>"
}

// host makes of a service's name what may stand in a Message-ID.
func host(service string) string {
	clean := strings.Map(func(c rune) rune {
		switch {
		case c >= 'a' && c <= 'z', c >= '0' && c <= '9', c == '-':
			return c
		case c >= 'A' && c <= 'Z':
			return c + 'a' - 'A'
		}
		return '-'
	}, service)
	clean = strings.Trim(clean, "-")
	return firstText(clean[:min(len(clean), 60)], "service")
}

// oneLine makes a text fit for a header: no control characters, white space
// folded, at most 200 characters.
func oneLine(s string) string {
	s = strings.Map(func(c rune) rune {
		if c < ' ' || c == 0x7f || c >= 0x80 && c < 0xa0 || c == '\u2028' || c == '\u2029' {
			return ' '
		}
		return c
	}, s)
	s = strings.Join(strings.Fields(s), " ")
	if runes := []rune(s); len(runes) > 200 {
		s = string(runes[:199]) + "…"
	}
	return s
}

func sameAlert(rows []*notify.Row) bool {
	for _, row := range rows {
		if row.Alert != rows[0].Alert {
			return false
		}
	}
	return true
}

func firstText(texts ...string) string {
	for _, t := range texts {
		if t != "" {
			return t
		}
	}
	return ""
}
