package message

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/go-batteries/hawkeye/internal/msgtmpl"
	"github.com/go-batteries/hawkeye/internal/notify"
)

// render runs a template; of one that fails it notes the mistake and returns
// nothing, so that the default text takes its place.
func render(t *msgtmpl.Template, data map[string]any, problem *string) string {
	if t == nil {
		return ""
	}
	text, err := t.Render(data)
	if err != nil {
		*problem = err.Error()
		return ""
	}
	return strings.TrimSpace(text)
}

// fields are what templates may use; see [msgtmpl.Version1] and
// [msgtmpl.Version2].
func fields(common map[string]any, row *notify.Row, p part, now time.Time) map[string]any {
	data := alertFields(row, now)
	maps.Copy(data, common)
	data["service"], data["environment"] = p.service, p.where
	return data
}

// commonFields are those that all rows of a message share, made once for it:
// a storm has thousands of rows.
func commonFields(m *notify.Message, now time.Time) map[string]any {
	alerts := make([]map[string]any, len(m.Rows))
	var firing, resolved int
	for i, r := range m.Rows {
		alerts[i] = alertFields(r, now)
		if r.Ends() {
			resolved++
		} else {
			firing++
		}
	}
	return map[string]any{
		"receiver": m.Receiver, "now": now, "maybe_dup": m.MaybeRepeat,
		"alerts": alerts, "firing": firing, "resolved": resolved,
	}
}

func alertFields(row *notify.Row, now time.Time) map[string]any {
	s := &row.Snapshot
	value, threshold := float64(s.Value), float64(s.Threshold)
	data := map[string]any{
		"threshold":   threshold,
		"interval":    s.Window.Seconds(),
		"metric":      s.Metric,
		"monitor":     s.Name,
		"description": s.Description,
		"state":       state(row),
		"level":       s.Level,

		"previous_level": s.PreviousLevel,

		"reason":      s.Reason,
		"incomplete":  s.Incomplete,
		"op":          s.Op,
		"window":      s.Window,
		"occurrences": max(row.Breaches, 1),
		"tags":        s.Tags,
		"labels":      s.Labels,
		"unit":        s.Unit,
		"runbook":     s.Runbook,
		"dashboard":   s.Dashboard,
		"incident":    row.Incident,
	}
	for name, n := range map[string]*notify.Number{"clear": s.Clear, "compare_value": s.Compare, "total": s.Total} {
		if n != nil {
			data[name] = float64(*n)
		}
	}
	if s.HasValue {
		data["count"], data["value"], data["exceeded_by"] = value, value, value-threshold
	}
	if !s.Since.IsZero() {
		end := now
		data["started"] = s.Since.In(now.Location())
		if row.Ends() {
			end = s.At
			data["ended"] = s.At.In(now.Location())
		}
		data["duration"] = max(end.Sub(s.Since), 0)
	}
	return data
}

func state(row *notify.Row) string {
	switch {
	case row.Ends():
		return "resolved"
	case row.Kind == notify.Missing:
		return "nodata"
	default:
		return "firing"
	}
}

func defaultSubject(p *part) string {
	row, s := p.row, &p.row.Snapshot
	if p.legacy {
		return s.Metric + " error limit exceeded in " + p.service
	}
	in := " in " + p.service
	if p.where != "" {
		in += " (" + p.where + ")"
	}
	name := s.Name + tags(s.Tags)
	switch row.Kind {
	case notify.Resolved:
		if row.Both {
			return "[fired and ended] " + name + in
		}
		return "[ended] " + name + in
	case notify.Missing:
		return "[no data] " + name + in
	case notify.Flapping:
		return "[flapping] " + name + in
	case notify.Acked:
		return "[acknowledged] " + name + in
	case notify.Stable:
		return "[stable] " + name + in
	case notify.Undelivers:
		return "[undelivered] a message to " + row.Undelivered.Receiver + in
	case notify.Blind:
		return "[store away] hawkeye can't see the fleet" + in
	case notify.BlindOver:
		return "[store back] hawkeye sees the fleet again" + in
	case notify.Overflowing:
		return "[too many groups] " + s.Name + in
	}
	return "[" + firstText(s.Level, "firing") + "] " + name + in
}

func defaultText(p *part, data map[string]any) string {
	row, s := p.row, &p.row.Snapshot
	var b strings.Builder
	switch row.Kind {
	case notify.Undelivers:
		u := row.Undelivered
		fmt.Fprintf(&b, "A message (%s) to %s could not be delivered: %s\n", u.Kind, u.Receiver, u.Error)
	case notify.Blind:
		b.WriteString("The store does not answer. This replica evaluates what it counts itself until it is back.\n")
	case notify.BlindOver:
		b.WriteString("The store answers again.\n")
	}
	if s.Name == "" {
		return b.String()
	}
	b.WriteString(s.Name + tags(s.Tags) + ": " + verdict(row, data) + "\n")
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
func verdict(row *notify.Row, data map[string]any) string {
	s := &row.Snapshot
	measured, limit := measure(s)
	lasted := ""
	if d, ok := data["duration"].(time.Duration); ok {
		lasted = msgtmpl.Format(d.Round(time.Second))
	}
	switch row.Kind {
	case notify.Resolved:
		if row.Both {
			return fmt.Sprintf("it fired and ended again, after %s (%s; %s).", lasted, measured, limit)
		}
		if s.Reason != "" {
			return fmt.Sprintf("it ended after %s: %s.", lasted, s.Reason)
		}
		return fmt.Sprintf("it ended after %s (%s; %s).", lasted, measured, limit)
	case notify.Overflowing:
		return fmt.Sprintf("it has more groups than the %s that it keeps (max_groups); those beyond are not watched.", msgtmpl.Format(float64(s.Value)))
	case notify.Missing:
		return "there is no data for it."
	case notify.Flapping:
		return "it changes too often; you are told again when it is stable."
	case notify.Acked:
		return acknowledged(row.Ack)
	case notify.FlappingLevels:
		return fmt.Sprintf("it changes between %s and %s, and counts as %s until it was below that for a while (%s; %s).",
			firstText(s.PreviousLevel, "levels"), s.Level, s.Level, measured, limit)
	case notify.Stable:
		return fmt.Sprintf("it is stable again (%s).", measured)
	case notify.Repeat:
		if s.StandsLevel != "" {
			return fmt.Sprintf("still: %s; %s; for %s now. It is %s.", measured, limit, lasted, stands(s))
		}
		return fmt.Sprintf("still: %s; %s; for %s now.", measured, limit, lasted)
	}
	return fmt.Sprintf("%s; %s.", measured, limit)
}

// acknowledged says who looks after it, and until when.
func acknowledged(ack *notify.Ack) string {
	if ack == nil {
		return "somebody looks after it."
	}
	text := ack.Author + " looks after it"
	if !ack.Until.IsZero() {
		text += " until " + ack.Until.UTC().Format("2006-01-02 15:04 MST")
	}
	if ack.Comment != "" {
		text += ": " + ack.Comment
	}
	return text + "."
}

// stands says which higher level stands, of which the receiver isn't told.
func stands(s *notify.Snapshot) string {
	text := s.StandsLevel
	if !s.StandsSince.IsZero() {
		text += " since " + s.StandsSince.UTC().Format("15:04")
	}
	if len(s.StandsTold) > 0 {
		text += ", of which " + strings.Join(s.StandsTold, ", ") + " was notified"
	}
	return text
}

// measure says in words what was measured, and what it may be.
func measure(s *notify.Snapshot) (measured, limit string) {
	value := "no value"
	if s.HasValue {
		value = figure(s, s.Value)
	}
	limit = fmt.Sprintf("the limit is %s %s", firstText(s.Op, ">="), figure(s, s.Threshold))
	switch s.Source {
	case "slo":
		return "the error budget burns " + value + " times as fast as it may", limit + " times"
	case "heartbeat":
		if s.Value > 0 {
			return fmt.Sprintf("nothing was heard of %s for %s, it is %s overdue", s.Metric, msgtmpl.Format(s.Window), msgtmpl.Format(seconds(s.Value))), "it must be heard in time"
		}
		return s.Metric + " was heard", "it must be heard every " + msgtmpl.Format(s.Window)
	}
	if !s.HasValue {
		return firstText(s.Reason, value), limit
	}
	measured = s.Metric + " is " + value
	if s.Window > 0 {
		measured += " over " + msgtmpl.Format(s.Window)
	}
	if s.Compare != nil {
		measured += ", before it was " + figure(s, *s.Compare)
	}
	return measured, limit
}

// figure prints a number in the monitor's unit.
func figure(s *notify.Snapshot, n notify.Number) string {
	switch s.Unit {
	case "percent":
		return msgtmpl.FormatPercent(float64(n))
	case "seconds":
		return msgtmpl.Format(seconds(n))
	case "bytes":
		return msgtmpl.FormatBytes(float64(n))
	case "":
		return msgtmpl.Format(float64(n))
	default:
		return msgtmpl.Format(float64(n)) + " " + s.Unit
	}
}

func seconds(n notify.Number) time.Duration {
	return time.Duration(min(max(float64(n), -9e9), 9e9) * float64(time.Second))
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
		notes = append(notes, "\n"+acknowledged(row.Ack))
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

func groupSubject(m *notify.Message, parts []part) string {
	var firing, ended int
	for _, row := range m.Rows {
		if row.Ends() {
			ended++
		} else {
			firing++
		}
	}
	var counts []string
	if firing > 0 {
		counts = append(counts, fmt.Sprintf("%d firing", firing))
	}
	if ended > 0 {
		counts = append(counts, fmt.Sprintf("%d ended", ended))
	}
	subject := "[" + strings.Join(counts, ", ") + "]"
	if m.Released != nil {
		subject += " " + m.Released.Reason() + " until now"
	}
	for _, name := range slices.Sorted(maps.Keys(m.GroupBy)) {
		subject += " " + name + "=" + m.GroupBy[name]
	}
	return subject + " in " + parts[0].service
}

func groupHead(b *strings.Builder, m *notify.Message, parts []part) {
	if m.Released != nil {
		fmt.Fprintf(b, "What was %s is told now, in one message: %d alerts fire", m.Released.Reason(), m.Firing)
		if !m.Since.IsZero() {
			b.WriteString(", the first since " + m.Since.UTC().Format("2006-01-02 15:04 MST"))
		}
		b.WriteString(".\n\n")
	}
	for i := range parts {
		b.WriteString("- " + oneLine(parts[i].subject) + "\n")
	}
	b.WriteString("\n")
}

func standing(b *strings.Builder, alerts []*notify.Alert) {
	if len(alerts) == 0 {
		return
	}
	b.WriteString("\nStill firing in this group:\n")
	for _, a := range alerts {
		b.WriteString("- " + a.Snapshot.Name + tags(a.Snapshot.Tags) + "\n")
	}
}

// tags writes {k=v, ...}, nothing if there are none.
func tags(m map[string]string) string {
	if len(m) == 0 {
		return ""
	}
	parts := make([]string, 0, len(m))
	for _, k := range slices.Sorted(maps.Keys(m)) {
		parts = append(parts, k+"="+m[k])
	}
	return " {" + strings.Join(parts, ", ") + "}"
}
