// Package timeline draws how alerts stood over time, for terminals.
package timeline

import (
	"fmt"
	"io"
	"strings"
	"time"
	"unicode/utf8"
)

// Mark is how an alert stands. Of several in one column the greatest is
// drawn.
type Mark uint8

// The marks.
const (
	Quiet Mark = iota
	Pending
	NoData
	Recovering
	Mild
	Severe
	marks
)

var (
	drawn  = [marks]string{"·", "░", "?", "▒", "▓", "█"}
	plain  = [marks]string{".", "-", "?", "r", "w", "#"}
	meants = [marks]string{"quiet", "pending", "no data", "recovering", "firing", "firing at the highest level"}
)

// Row is one alert: how it stood since when.
type Row struct {
	Name    string
	Changes []Change
	// Told are the times of messages.
	Told []time.Time
}

// Change is a mark from a time on.
type Change struct {
	At   time.Time
	Mark Mark
}

// Chart is alerts over a time.
type Chart struct {
	From, To time.Time
	Rows     []Row
	// Width is how many columns the time has.
	Width int
	// Plain draws with ASCII alone.
	Plain bool
	// More is how many rows there are beyond Rows.
	More int
}

// maxName is how much of a name is drawn.
const maxName = 36

// Write draws the chart.
func (c *Chart) Write(w io.Writer) error {
	width := max(c.Width, 10)
	name := 0
	for i := range c.Rows {
		name = max(name, min(utf8.RuneCountInString(c.Rows[i].Name), maxName))
	}
	var b strings.Builder
	b.WriteString(strings.TrimRight(strings.Repeat(" ", name+2)+c.axis(width), " ") + "\n")
	used := [marks]bool{}
	told := false
	for i := range c.Rows {
		row := &c.Rows[i]
		b.WriteString(pad(row.Name, name) + "  ")
		for _, m := range row.columns(c.From, c.To, width) {
			used[m] = true
			b.WriteString(c.glyphs()[m])
		}
		b.WriteString("\n")
		if line := row.messages(c.From, c.To, width); line != "" {
			told = true
			b.WriteString(strings.Repeat(" ", name+2) + line + "\n")
		}
	}
	if c.More > 0 {
		fmt.Fprintf(&b, "and %d more\n", c.More)
	}
	b.WriteString("\n" + strings.Repeat(" ", name+2) + c.legend(used, told, width) + "\n")
	_, err := io.WriteString(w, b.String())
	return err
}

func (c *Chart) glyphs() *[marks]string {
	if c.Plain {
		return &plain
	}
	return &drawn
}

// columns returns the greatest mark of each column.
func (r *Row) columns(from, to time.Time, width int) []Mark {
	out := make([]Mark, width)
	mark, at := Quiet, from
	paint := func(until time.Time, m Mark) {
		if !until.After(at) {
			return
		}
		first, last := column(at, from, to, width), column(until.Add(-1), from, to, width)
		for i := first; i <= last; i++ {
			out[i] = max(out[i], m)
		}
	}
	for _, ch := range r.Changes {
		paint(ch.At, mark)
		if ch.At.After(at) {
			at = ch.At
		}
		mark = ch.Mark
	}
	paint(to, mark)
	return out
}

// messages marks the columns in which something was told: with how many
// messages, up to nine.
func (r *Row) messages(from, to time.Time, width int) string {
	if len(r.Told) == 0 {
		return ""
	}
	counts := make([]int, width)
	for _, t := range r.Told {
		counts[column(t, from, to, width)]++
	}
	var b strings.Builder
	for _, n := range counts {
		switch {
		case n == 0:
			b.WriteByte(' ')
		case n < 10:
			b.WriteByte('0' + byte(n))
		default:
			b.WriteByte('+')
		}
	}
	return strings.TrimRight(b.String(), " ")
}

func column(t, from, to time.Time, width int) int {
	total := to.Sub(from)
	if total <= 0 {
		return 0
	}
	return max(0, min(int(float64(t.Sub(from))/float64(total)*float64(width)), width-1))
}

// steps are the distances that labels of the axis may have.
var steps = []time.Duration{
	time.Second, 5 * time.Second, 10 * time.Second, 30 * time.Second,
	time.Minute, 5 * time.Minute, 10 * time.Minute, 30 * time.Minute,
	time.Hour, 2 * time.Hour, 3 * time.Hour, 6 * time.Hour, 12 * time.Hour,
	24 * time.Hour, 7 * 24 * time.Hour, 30 * 24 * time.Hour,
}

// axis writes times at round distances, as many as have room.
func (c *Chart) axis(width int) string {
	total := c.To.Sub(c.From)
	step := steps[len(steps)-1]
	for i := len(steps) - 1; i >= 0; i-- {
		if float64(steps[i])/float64(max(total, 1))*float64(width) >= 9 {
			step = steps[i]
		}
	}
	layout := "15:04"
	switch {
	case step >= 24*time.Hour:
		layout = "Jan 02"
	case step < time.Minute:
		layout = "15:04:05"
	}
	line := []byte(strings.Repeat(" ", width+8))
	free := 0
	for t := c.From.Truncate(step); t.Before(c.To); t = t.Add(step) {
		at := column(t, c.From, c.To, width)
		if t.Before(c.From) || at < free {
			continue
		}
		label := "|" + t.Format(layout)
		copy(line[at:], label)
		free = at + len(label) + 1
	}
	return strings.TrimRight(string(line), " ")
}

func (c *Chart) legend(used [marks]bool, told bool, width int) string {
	var parts []string
	for m := Quiet; m < marks; m++ {
		if used[m] {
			parts = append(parts, c.glyphs()[m]+" "+meants[m])
		}
	}
	if told {
		parts = append(parts, "1-9+ messages")
	}
	each := c.To.Sub(c.From) / time.Duration(width)
	return strings.Join(parts, "   ") + fmt.Sprintf("   (a column is %v)", each.Round(max(each/100, time.Millisecond)))
}

// pad makes a name as wide as width, cut if need be.
func pad(name string, width int) string {
	runes := []rune(name)
	if len(runes) > width {
		runes = append(runes[:width-1], '…')
	}
	return string(runes) + strings.Repeat(" ", width-len(runes))
}
