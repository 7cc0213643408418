package monitor

import (
	"strings"
	"unicode/utf8"

	"gopkg.in/yaml.v3"
)

// within returns where in the file the byte at offset of a scalar's value
// stands. The value is laid beside its source character by character: escapes,
// doubled quotes, folded lines and indentation are skipped. Where they can't be
// matched, it is the nearest place before.
func (f *file) within(n *yaml.Node, offset int) mark {
	at := mark{n.Line, n.Column}
	if n.Line < 1 || n.Line > len(f.lines) || n.Kind != yaml.ScalarNode {
		return at
	}
	s := scalarSource{lines: f.lines, line: n.Line - 1, style: n.Style}
	s.rest = string([]rune(f.lines[s.line])[min(n.Column-1, utf8.RuneCountInString(f.lines[s.line])):])
	s.open()
	for i, r := range n.Value {
		if i >= offset {
			break
		}
		s.take(r)
	}
	if offset < len(n.Value) {
		s.align()
	}
	return s.mark()
}

// scalarSource reads the source of a scalar.
type scalarSource struct {
	lines []string
	line  int    // index
	rest  string // of that line
	style yaml.Style
}

func (s *scalarSource) mark() mark {
	line := s.lines[s.line]
	return mark{s.line + 1, utf8.RuneCountInString(line) - utf8.RuneCountInString(s.rest) + 1}
}

func (s *scalarSource) is(style yaml.Style) bool { return s.style&style != 0 }

// open skips what stands before the first character of the value.
func (s *scalarSource) open() {
	// The node of an anchored value begins at the anchor.
	for strings.HasPrefix(s.rest, "&") || strings.HasPrefix(s.rest, "!") {
		i := strings.IndexByte(s.rest, ' ')
		if i < 0 {
			return
		}
		s.rest = strings.TrimLeft(s.rest[i:], " ")
	}
	switch {
	case s.is(yaml.LiteralStyle | yaml.FoldedStyle):
		s.newline()
	case s.is(yaml.DoubleQuotedStyle | yaml.SingleQuotedStyle):
		s.rest = s.rest[min(1, len(s.rest)):]
	}
}

// newline goes to the next line and skips its indentation.
func (s *scalarSource) newline() bool {
	if s.line+1 >= len(s.lines) {
		s.rest = ""
		return false
	}
	s.line++
	s.rest = strings.TrimLeft(s.lines[s.line], " \t")
	return true
}

// take skips the source of one character of the value.
func (s *scalarSource) take(r rune) {
	if s.is(yaml.LiteralStyle) && r == '\n' {
		s.newline()
		return
	}
	if (r == ' ' || r == '\n') && strings.TrimSpace(s.rest) == "" {
		// A fold: one line break is a space, each further one a break.
		if s.newline() && r == '\n' && s.rest == "" {
			return
		}
		for s.rest == "" && s.newline() {
		}
		return
	}
	s.align()
	c, n := utf8.DecodeRuneInString(s.rest)
	switch {
	case n == 0:
	case s.is(yaml.DoubleQuotedStyle) && c == '\\':
		s.rest = s.rest[min(escapeLength(s.rest), len(s.rest)):]
	case s.is(yaml.SingleQuotedStyle) && strings.HasPrefix(s.rest, "''"):
		s.rest = s.rest[2:]
	case c == r:
		s.rest = s.rest[n:]
	case r == '\n' || r == ' ':
	default:
		if i := strings.IndexRune(s.rest, r); i >= 0 {
			s.rest = s.rest[i+n:]
		}
	}
}

// align goes to the line on which the next character stands.
func (s *scalarSource) align() {
	for {
		if s.is(yaml.DoubleQuotedStyle) && s.rest == `\` || s.rest == "" {
			if s.newline() {
				continue
			}
		}
		return
	}
}

// escapeLength is the length of the escape that s begins with.
func escapeLength(s string) int {
	if len(s) < 2 {
		return len(s)
	}
	switch s[1] {
	case 'x':
		return 4
	case 'u':
		return 6
	case 'U':
		return 10
	}
	return 2
}
