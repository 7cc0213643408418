package testfile

import (
	"fmt"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/go-batteries/hawkeye/internal/evaluate"
	"github.com/go-batteries/hawkeye/internal/monitor"
	"github.com/go-batteries/hawkeye/internal/notify"
	"github.com/go-batteries/hawkeye/internal/simulate"
	"github.com/go-batteries/hawkeye/internal/window"
)

// How far a value may be off: what is written and what is meant roughly.
const (
	exactly = 1e-6
	about   = 0.02
)

// checkAlerts compares how alerts stand with an expectation: all that are
// expected, and no other that isn't at rest.
func (r *run) checkAlerts(e *Expectation) {
	alerts := r.sim.Alerts()
	met := true
	var lines []string
	used := make(map[string]bool)
	for i := range e.Alerts {
		want := &e.Alerts[i]
		found := find(alerts, want, used)
		if found != nil {
			used[found.Key] = true
		}
		switch {
		case found == nil && want.State == "inactive":
			lines = append(lines, "  "+want.line(found))
		case found == nil:
			met = false
			lines = append(lines, "- "+want.line(found), "+ (there is no such alert)")
		case !want.meets(found):
			met = false
			lines = append(lines, "- "+want.line(found), "+ "+alertLine(found, want))
		default:
			lines = append(lines, "  "+want.line(found))
		}
	}
	for _, a := range alerts {
		if state := shown(a); !used[a.Key] && state != "inactive" && state != "unseen" {
			met = false
			lines = append(lines, "+ "+alertLine(a, nil))
		}
	}
	if !met {
		r.fail(e.Line, "alerts at %s (- expected, + found)\n%s", monitor.FormatDuration(e.At), block(lines))
	}
}

func find(alerts []*evaluate.Alert, want *WantAlert, used map[string]bool) *evaluate.Alert {
	for _, a := range alerts {
		if !used[a.Key] && isAlert(a, want.Monitor, want.Tags) {
			return a
		}
	}
	return nil
}

func (w *WantAlert) meets(a *evaluate.Alert) bool {
	if w.State != shown(a) || w.HasLevel && w.Level != a.State.Level {
		return false
	}
	v := valueOf(a)
	known := !math.IsNaN(v)
	switch {
	case w.Missing:
		return !known
	case w.Value == nil:
		return true
	case w.About:
		return known && near(v, *w.Value, about)
	default:
		return known && isValue(v, *w.Value)
	}
}

func near(got, want, tolerance float64) bool {
	return math.Abs(got-want) <= tolerance*max(math.Abs(want), tolerance)
}

// isValue says whether a value is the one that is written. Of large whole
// numbers the last digit counts, as far as there is one.
func isValue(got, want float64) bool {
	off := math.Abs(got - want)
	return near(got, want, exactly) && (want != math.Trunc(want) || off < 0.5 || off <= math.Abs(want)*0x1p-51)
}

// number writes a value with six digits, or with all of a whole number's, or
// with as many as it takes to tell it from another.
func number(v, other float64) string {
	short := func(v float64) string {
		if v == math.Trunc(v) && math.Abs(v) <= 1<<53 {
			return strconv.FormatFloat(v, 'f', -1, 64)
		}
		return strconv.FormatFloat(v, 'g', 6, 64)
	}
	if v != other && short(v) == short(other) {
		return strconv.FormatFloat(v, 'g', -1, 64)
	}
	return short(v)
}

// valueOf returns the value that was found, NaN without one.
func valueOf(a *evaluate.Alert) float64 {
	if a == nil || a.Value.Status != window.OK {
		return math.NaN()
	}
	return a.Value.V
}

// line writes what is wanted of an alert; found is the one that there is, or
// nil.
func (w *WantAlert) line(found *evaluate.Alert) string {
	s := label(w.Monitor, w.Tags) + " " + w.State
	if w.Level != "" {
		s += " " + w.Level
	}
	switch {
	case w.Missing:
		s += " value=none"
	case w.Value != nil && w.About:
		s += " value=~" + number(*w.Value, valueOf(found))
	case w.Value != nil:
		s += " value=" + number(*w.Value, valueOf(found))
	}
	return s
}

// alertLine writes an alert, its value if want asks for one, or is nil.
func alertLine(a *evaluate.Alert, want *WantAlert) string {
	s := label(a.Rule.Monitor.Name, a.TagMap()) + " " + shown(a)
	if a.State.Level != "" {
		s += " " + a.State.Level
	}
	if want != nil && want.Value == nil && !want.Missing {
		return s
	}
	v := valueOf(a)
	switch {
	case math.IsNaN(v):
		return s + " value=none"
	case want != nil && want.Value != nil:
		return s + " value=" + number(v, *want.Value)
	}
	return s + " value=" + number(v, v)
}

// checkMessages compares the messages with those that are expected.
func (r *run) checkMessages() {
	want, got := r.test.Messages, r.messages
	same := align(len(want), len(got), func(i, j int) bool { return r.isMessage(&want[i], got[j]) })
	if len(same) == len(want) && len(same) == len(got) {
		return
	}
	var lines []string
	line := r.test.MessagesLine
	i, j := 0, 0
	for _, pair := range append(same, [2]int{len(want), len(got)}) {
		for ; i < pair[0]; i++ {
			if line == r.test.MessagesLine {
				line = want[i].Line
			}
			lines = append(lines, want[i].lines("- ")...)
		}
		for ; j < pair[1]; j++ {
			lines = append(lines, r.messageLines("+ ", got[j], true)...)
		}
		if pair[0] < len(want) {
			lines = append(lines, r.messageLines("  ", got[pair[1]], false)...)
		}
		i, j = pair[0]+1, pair[1]+1
	}
	r.fail(line, "messages (- expected, + sent)\n%s", block(lines))
}

// align returns the longest run of pairs that are the same, in order.
func align(n, m int, same func(i, j int) bool) [][2]int {
	length := make([][]int, n+1)
	for i := range length {
		length[i] = make([]int, m+1)
	}
	for i := n - 1; i >= 0; i-- {
		for j := m - 1; j >= 0; j-- {
			length[i][j] = max(length[i+1][j], length[i][j+1])
			if same(i, j) {
				length[i][j] = max(length[i][j], length[i+1][j+1]+1)
			}
		}
	}
	var pairs [][2]int
	for i, j := 0, 0; i < n && j < m; {
		switch {
		case same(i, j) && length[i][j] == length[i+1][j+1]+1:
			pairs = append(pairs, [2]int{i, j})
			i, j = i+1, j+1
		case length[i+1][j] >= length[i][j+1]:
			i++
		default:
			j++
		}
	}
	return pairs
}

func (r *run) isMessage(w *WantMessage, m *simulate.Message) bool {
	if w.To != m.Receiver || w.HasAt && w.At != m.At.Sub(r.start) {
		return false
	}
	if w.Subject != nil && *w.Subject != m.Text.Subject || w.Text != nil && strings.TrimSpace(*w.Text) != strings.TrimSpace(m.Text.Body) {
		return false
	}
	for _, part := range w.Contains {
		if !strings.Contains(m.Text.Body, part) {
			return false
		}
	}
	return len(w.Alerts) == 0 || w.tells(m.Rows)
}

// tells says whether the rows are those that are expected, in any order.
func (w *WantMessage) tells(rows []*notify.Row) bool {
	if len(w.Alerts) != len(rows) {
		return false
	}
	left := slices.Clone(rows)
	for i := range w.Alerts {
		at := slices.IndexFunc(left, w.Alerts[i].is)
		if at < 0 {
			return false
		}
		left = slices.Delete(left, at, at+1)
	}
	return true
}

func (w *WantRow) is(row *notify.Row) bool {
	s := &row.Snapshot
	return (w.Kind == "" || w.Kind == string(row.Kind)) &&
		(w.Monitor == "" || w.Monitor == s.Name || w.Monitor == row.Monitor) &&
		(w.Level == "" || w.Level == s.Level) &&
		(len(w.Tags) == 0 || maps.Equal(w.Tags, s.Tags))
}

func (w *WantMessage) lines(mark string) []string {
	s := ""
	if w.HasAt {
		s = monitor.FormatDuration(w.At) + " "
	}
	s += "to " + w.To
	parts := make([]string, 0, len(w.Alerts))
	for _, a := range w.Alerts {
		parts = append(parts, words(a.Kind, label(a.Monitor, a.Tags), a.Level))
	}
	if len(parts) > 0 {
		s += ": " + strings.Join(parts, ", ")
	}
	lines := []string{mark + s}
	if w.Subject != nil {
		lines = append(lines, mark+"    subject "+*w.Subject)
	}
	if w.Text != nil {
		lines = append(lines, indented(mark, *w.Text)...)
	}
	for _, c := range w.Contains {
		lines = append(lines, mark+"    contains "+c)
	}
	return lines
}

// messageLines writes a message; its words only if they may be what differs.
func (r *run) messageLines(mark string, m *simulate.Message, full bool) []string {
	lines := []string{mark + Line(m, m.At.Sub(r.start))}
	if full && r.test.wantsWords() {
		lines = append(lines, mark+"    subject "+m.Text.Subject)
		lines = append(lines, indented(mark, m.Text.Body)...)
	}
	return lines
}

// Line is a message in a line, with the time since the beginning.
func Line(m *simulate.Message, at time.Duration) string {
	parts := make([]string, 0, len(m.Rows))
	for _, row := range m.Rows {
		parts = append(parts, words(string(row.Kind), label(row.Snapshot.Name, row.Snapshot.Tags), row.Snapshot.Level))
	}
	return fmt.Sprintf("%s to %s: %s", monitor.FormatDuration(at), m.Receiver, strings.Join(parts, ", "))
}

func (t *Test) wantsWords() bool {
	return slices.ContainsFunc(t.Messages, func(m WantMessage) bool {
		return m.Subject != nil || m.Text != nil || len(m.Contains) > 0
	})
}

func indented(mark, text string) []string {
	var lines []string
	for line := range strings.SplitSeq(strings.TrimSpace(text), "\n") {
		lines = append(lines, strings.TrimRight(mark+"    | "+line, " "))
	}
	return lines
}

// words joins those that aren't empty.
func words(parts ...string) string {
	return strings.Join(slices.DeleteFunc(parts, func(s string) bool { return s == "" }), " ")
}

func block(lines []string) string { return "  " + strings.Join(lines, "\n  ") }
