package monitor

import (
	"regexp"
	"strings"
	"unicode/utf8"
)

// outline is what a cheap look at a file finds before a YAML parser sees it:
// how deep it nests (yaml.v3 takes seconds to refuse what is very deep), and
// what helps to say where a syntax error is, of which yaml.v3 tells at most
// the line.
type outline struct {
	tooDeep    *mark  // where nesting exceeds MaxNesting
	openQuote  *mark  // a quote that is never closed
	openFlow   *mark  // a [ or { that is never closed
	misaligned []mark // lines indented like none above
	tabs       []mark // tabs in the indentation
	hidden     *mark  // a comment that hides the end of a [ or {
	unquoted   *mark  // a value that must be in quotes
	because    string // what is wrong with it
}

// look reads the outline of a file. It follows YAML's tokens closely enough
// for files as people write them: quotes, comments, block scalars, and flow
// and block nesting.
func look(lines []string) outline {
	s := outliner{block: -1}
	for i, line := range lines {
		s.line(i+1, line)
		if s.out.tooDeep != nil {
			break
		}
	}
	if s.quote != 0 {
		s.out.openQuote = &s.quoteAt
	}
	if len(s.flow) > 0 {
		s.out.openFlow = &s.flow[len(s.flow)-1]
	}
	return s.out
}

type outliner struct {
	out     outline
	indents []int // columns of the block collections that are open
	flow    []mark
	quote   byte // the quote that is open, or 0
	quoteAt mark
	block   int  // a block scalar whose lines are indented by more, or -1
	ended   bool // a quoted text or a flow collection ended before this
	endedAt mark // where it began
}

func (s *outliner) line(n int, line string) {
	indent := len(line) - len(strings.TrimLeft(line, " "))
	rest := line[indent:]
	if s.block >= 0 {
		if strings.TrimSpace(rest) == "" || indent > s.block {
			return
		}
		s.block = -1
	}
	pos := 0
	if s.quote == 0 {
		if rest == "" || rest[0] == '#' || rest == "\r" {
			return
		}
		if rest[0] == '\t' {
			s.out.tabs = append(s.out.tabs, mark{n, indent + 1})
		}
		pos = indent
		if len(s.flow) == 0 {
			pos = s.openBlocks(n, line, indent)
		}
	}
	s.tokens(n, line, pos, indent)
}

// openBlocks follows the indentation of a line, with the dashes it starts
// with, and returns where the rest begins.
func (s *outliner) openBlocks(n int, line string, col int) int {
	popped := false
	for len(s.indents) > 0 && s.indents[len(s.indents)-1] > col {
		s.indents = s.indents[:len(s.indents)-1]
		popped = true
	}
	if popped && (len(s.indents) == 0 || s.indents[len(s.indents)-1] != col) {
		s.out.misaligned = append(s.out.misaligned, mark{n, col + 1})
	}
	for {
		if len(s.indents) == 0 || s.indents[len(s.indents)-1] < col {
			s.indents = append(s.indents, col)
			s.depth(mark{n, col + 1})
		}
		if col+1 >= len(line) || line[col] != '-' && line[col] != '?' || line[col+1] != ' ' {
			return col
		}
		for col++; col < len(line) && line[col] == ' '; col++ {
		}
		if col == len(line) || line[col] == '#' || s.out.tooDeep != nil {
			return col
		}
	}
}

func (s *outliner) depth(at mark) {
	if len(s.indents)+len(s.flow) > MaxNesting && s.out.tooDeep == nil {
		s.out.tooDeep = &at
	}
}

// tokens reads the rest of a line. start says that a token may begin at pos.
func (s *outliner) tokens(n int, line string, pos, indent int) {
	start, colons := true, 0
	s.ended = false
	counted, col := 0, 0
	here := func() mark {
		col += utf8.RuneCountInString(line[counted:pos])
		counted = pos
		return mark{n, col + 1}
	}
	for ; pos < len(line) && s.out.tooDeep == nil; pos++ {
		c := line[pos]
		if s.quote != 0 {
			pos = s.quoted(line, pos)
			start = false
			if s.quote == 0 {
				s.ended, s.endedAt = true, s.quoteAt
			}
			continue
		}
		switch {
		case c == '#' && (pos == 0 || line[pos-1] == ' ' || line[pos-1] == '\t'):
			s.comment(line[pos:], here)
			return
		case c == ' ' || c == '\t' || c == '\r':
			continue
		case s.ended && !s.goesOn(line[pos:]):
			s.refuse(s.endedAt, "the text goes on behind this; put all of it in quotes")
		}
		s.ended = false
		if start && (len(s.flow) > 0 || colons <= 1) { // else the second colon is the mistake
			if begin := s.badStart(line[pos:]); begin != "" {
				s.refuse(here(), "a value can't begin with "+begin+"; put it in quotes")
			}
		}
		switch {
		case start && (c == '"' || c == '\''):
			s.quote, s.quoteAt = c, here()
			start = false
		case start && (c == '[' || c == '{'):
			at := here()
			s.flow = append(s.flow, at)
			s.depth(at)
		case len(s.flow) > 0 && (c == ']' || c == '}'):
			s.ended, s.endedAt = true, s.flow[len(s.flow)-1]
			s.flow = s.flow[:len(s.flow)-1]
			start = false
		case len(s.flow) > 0 && c == ',':
			start = true
		case c == ':' && (pos+1 == len(line) || line[pos+1] == ' ' || len(s.flow) > 0 && strings.IndexByte("[{\"'", line[pos+1]) >= 0):
			start = true
			colons++
		case start && len(s.flow) == 0 && (c == '|' || c == '>') && blockHeader(line[pos+1:]):
			s.block = s.parent(indent)
			return
		case start && (c == '&' || c == '!'):
			// An anchor or a tag: the value begins after the next space.
			for pos+1 < len(line) && line[pos+1] != ' ' {
				pos++
			}
		default:
			start = false
		}
	}
}

// refuse notes the first value that must be in quotes.
func (s *outliner) refuse(at mark, because string) {
	if s.out.unquoted == nil {
		s.out.unquoted, s.out.because = &at, because
	}
}

// goesOn says whether what follows a quoted text or a flow collection may.
func (s *outliner) goesOn(rest string) bool {
	if rest[0] == ':' {
		return true
	}
	return len(s.flow) > 0 && strings.IndexByte(",]}", rest[0]) >= 0
}

// comment notes a comment that seems to hide the end of a flow collection.
func (s *outliner) comment(rest string, here func() mark) {
	if len(s.flow) > 0 && s.out.hidden == nil && strings.ContainsAny(rest, "]}") && looksLikeText.MatchString(rest) {
		at := here()
		s.out.hidden = &at
	}
}

// badStart returns what a value begins with that none can, unless it is in
// quotes; empty if it may.
func (s *outliner) badStart(rest string) string {
	inFlow := len(s.flow) > 0
	switch rest[0] {
	case '@', '%', '`':
		return rest[:1]
	case '>', '|':
		if inFlow || !blockHeader(rest[1:]) {
			return strings.TrimRight(rest[:min(2, len(rest))], " 0123456789\r")
		}
	case '!':
		if strings.HasPrefix(rest, "!=") {
			return "!="
		}
	case '{':
		if strings.HasPrefix(rest, "{{") {
			return "{{"
		}
	case '*', '&':
		if !anchorName.MatchString(rest[1:]) {
			return rest[:1]
		}
	case '-', '?':
		if len(rest) > 1 && rest[1] == ' ' {
			return rest[:1]
		}
	}
	return ""
}

// anchorName matches the name of an anchor or an alias, and what may follow.
var anchorName = regexp.MustCompile(`^[0-9A-Za-z_-]+(?:[\s,\]}:]|$)`)

// parent is the indentation that the lines of a block scalar exceed.
func (s *outliner) parent(indent int) int {
	if len(s.indents) > 0 {
		return s.indents[len(s.indents)-1]
	}
	return indent
}

// quoted reads on in a quoted text and returns the last byte it used.
func (s *outliner) quoted(line string, pos int) int {
	for ; pos < len(line); pos++ {
		switch {
		case s.quote == '"' && line[pos] == '\\':
			pos++
		case line[pos] != s.quote:
		case s.quote == '\'' && pos+1 < len(line) && line[pos+1] == '\'':
			pos++
		default:
			s.quote = 0
			return pos
		}
	}
	return pos
}

// blockHeader says whether rest can follow the | or > of a block scalar.
func blockHeader(rest string) bool {
	rest = strings.TrimLeft(rest, "+-123456789")
	rest = strings.TrimSpace(rest)
	return rest == "" || rest[0] == '#'
}
