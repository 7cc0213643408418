package message

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/go-batteries/hawkeye/internal/notify"
)

// defaultSubject says in brackets how the alert stands, and behind its name
// why this is told now, if not because it fires.
func defaultSubject(p *part) string {
	row, s := p.row, &p.row.Snapshot
	if p.legacy {
		return s.Metric + " error limit exceeded in " + p.service
	}
	in := " in " + p.service
	if p.where != "" {
		in += " (" + p.where + ")"
	}
	switch row.Kind {
	case notify.Undelivers:
		return "[undelivered] a message to " + row.Undelivered.Receiver + in
	case notify.Blind:
		return "[store away] hawkeye can't see the fleet" + in
	case notify.BlindOver:
		return "[store back] hawkeye sees the fleet again" + in
	case notify.Overflowing:
		return "[too many groups] " + s.Name + in
	}
	return "[" + standing(row) + "] " + s.Name + tags(s.Tags) + because(row) + in
}

// standing is how the alert stands, in a word or two.
func standing(row *notify.Row) string {
	switch row.Kind {
	case notify.Resolved:
		if row.Both {
			return "fired and ended"
		}
		return "ended"
	case notify.Missing:
		return "no data"
	case notify.Flapping:
		return "flapping"
	case notify.Acked:
		return "acknowledged"
	case notify.Stable:
		return "stable"
	}
	if row.Snapshot.State == "nodata" {
		return "no data"
	}
	return firstText(row.Snapshot.Level, "firing")
}

// because is why a row is told, after the alert's name: what tells a message
// from the first one about an incident.
func because(row *notify.Row) string {
	s := &row.Snapshot
	var why []string
	switch row.Kind {
	case notify.Rise:
		why = append(why, "rose"+from(s))
	case notify.Fall:
		why = append(why, "fell"+from(s))
	case notify.FlappingLevels:
		why = append(why, "changes to and fro")
	case notify.Repeat:
		if row.Escalated || row.AckOver != "" {
			why = append(why, "reminder")
		} else {
			why = append(why, "still firing")
		}
	}
	if row.Escalated && row.Kind != notify.Repeat {
		why = append(why, "escalated")
	}
	if len(why) == 0 {
		return ""
	}
	return " " + strings.Join(why, ", ")
}

func from(s *notify.Snapshot) string {
	if s.PreviousLevel == "" || s.PreviousLevel == s.Level {
		return ""
	}
	return " from " + s.PreviousLevel
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

func groupHead(b *strings.Builder, m *notify.Message, parts []part, now time.Time) {
	if m.Released != nil {
		fmt.Fprintf(b, "What was %s is told now, in one message: %d alerts fire", m.Released.Reason(), m.Firing)
		if !m.Since.IsZero() {
			b.WriteString(", the first since " + m.Since.In(now.Location()).Format("2006-01-02 15:04 MST"))
		}
		b.WriteString(".\n\n")
	}
	for i := range parts {
		b.WriteString("- " + oneLine(parts[i].subject) + "\n")
	}
	b.WriteString("\n")
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
