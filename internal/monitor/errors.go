package monitor

import (
	"sort"
	"strconv"
	"strings"
	"unicode/utf8"
)

// maxProblems is how many mistakes are worth telling at once.
const maxProblems = 100

// Problem is one mistake, or one doubt, in a configuration.
type Problem struct {
	// File, Line and Col are where, Col counted in characters from 1. Line
	// is 0 for what came from code, or is about a file as a whole.
	File      string
	Line, Col int
	// Key is the path of the value: monitors[0].triggers[1].threshold, or
	// WithMonitors[0].Triggers[1].Threshold.
	Key string
	// Message says what is wrong and what was expected.
	Message string
	// Snippet is the line, cut to what matters, secrets replaced; empty if
	// Line is 0.
	Snippet string
	// Suggestion is what was probably meant, empty if nobody can tell.
	Suggestion string

	caret int // characters of Snippet before the caret
}

// Errors is every mistake in a configuration, and every doubt about it.
type Errors struct {
	Problems []Problem
	Lints    []Problem
}

// Error returns all problems, each with its line and a caret under the
// column.
func (e *Errors) Error() string {
	var b strings.Builder
	for i := range e.Problems {
		if i > 0 {
			b.WriteByte('\n')
		}
		b.WriteString(e.Problems[i].String())
	}
	return b.String()
}

// String returns "file:line:col: key: message", then the line, a caret under
// the column, and the suggestion.
func (p Problem) String() string {
	var b strings.Builder
	if p.File != "" {
		b.WriteString(p.File + ":")
		if p.Line > 0 {
			b.WriteString(strconv.Itoa(p.Line) + ":" + strconv.Itoa(p.Col) + ":")
		}
		b.WriteByte(' ')
	}
	if p.Key != "" {
		b.WriteString(p.Key + ": ")
	}
	b.WriteString(p.Message)
	hint := ""
	if p.Suggestion != "" {
		hint = "did you mean " + p.Suggestion + "?"
	}
	if p.Line == 0 {
		if hint != "" {
			b.WriteString("; " + hint)
		}
		return b.String()
	}
	b.WriteString("\n    " + p.Snippet + "\n    " + padding(p.Snippet, p.caret) + "^")
	if hint != "" {
		b.WriteString(" " + hint)
	}
	return b.String()
}

// padding is as wide as the first n characters of line: tabs stay tabs.
func padding(line string, n int) string {
	var b strings.Builder
	for _, r := range line {
		if n == 0 {
			return b.String()
		}
		n--
		if r == '\t' {
			b.WriteByte('\t')
		} else {
			b.WriteByte(' ')
		}
	}
	return b.String() + strings.Repeat(" ", n)
}

// sink collects problems and lints, each once.
type sink struct {
	problems, lints []Problem
	seen            map[string]bool
	variables       []variableValue
}

// full says that further problems are not worth building.
func (s *sink) full() bool { return len(s.problems) > maxProblems }

func (s *sink) add(p Problem)  { s.keep(&s.problems, "E", p) }
func (s *sink) lint(p Problem) { s.keep(&s.lints, "L", p) }

// keep drops what was told before: a mistake in the defaults is found again in
// each monitor that takes them.
func (s *sink) keep(list *[]Problem, class string, p Problem) {
	p.Message, p.Suggestion = s.withoutValues(p.Message), s.withoutValues(p.Suggestion)
	id := class + p.File + "\x00" + strconv.Itoa(p.Line) + ":" + strconv.Itoa(p.Col) + "\x00" + p.Message
	if p.Line == 0 {
		id += "\x00" + p.Key
	}
	if s.seen[id] || len(*list) > maxProblems {
		return
	}
	if s.seen == nil {
		s.seen = map[string]bool{}
	}
	s.seen[id] = true
	if len(*list) == maxProblems {
		p = Problem{File: p.File, Message: "more problems follow; these are the first " + strconv.Itoa(maxProblems)}
	}
	*list = append(*list, p)
}

// err returns what was collected, nil if there was no mistake. The order is
// that of the files, and within one that of its lines.
func (s *sink) err(files []string) error {
	if len(s.problems) == 0 {
		return nil
	}
	order(s.problems, files)
	order(s.lints, files)
	return &Errors{Problems: s.problems, Lints: s.lints}
}

func order(list []Problem, files []string) {
	rank := map[string]int{"": len(files)}
	for i, f := range files {
		rank[f] = i
	}
	sort.SliceStable(list, func(i, j int) bool {
		a, b := list[i], list[j]
		if a.File != b.File {
			return rank[a.File] < rank[b.File]
		}
		if a.Line == 0 || b.Line == 0 {
			return b.Line == 0 && a.Line != 0
		}
		return a.Line < b.Line || a.Line == b.Line && a.Col < b.Col
	})
}

// some joins names for a message, not all of them if there are many.
func some(names []string) string {
	if len(names) > 12 {
		return strings.Join(names[:12], ", ") + " and " + strconv.Itoa(len(names)-12) + " more"
	}
	return strings.Join(names, ", ")
}

// shown makes a text fit for a terminal and a log line: control characters
// are replaced, and it is cut if it is long.
func shown(s string) string {
	s = strings.Map(func(r rune) rune {
		if r < 0x20 && r != '\t' || r >= 0x7f && r < 0xa0 {
			return utf8.RuneError
		}
		return r
	}, s)
	if runes := []rune(s); len(runes) > maxSnippet {
		return string(runes[:maxSnippet]) + "..."
	}
	return s
}

// quote shows a text in a message, cut if it is long.
func quote(s string) string {
	if utf8.RuneCountInString(s) > 60 {
		s = string([]rune(s)[:57]) + "..."
	}
	return strconv.Quote(s)
}
