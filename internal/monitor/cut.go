package monitor

import (
	"regexp"
	"strings"
	"unicode/utf8"

	"gopkg.in/yaml.v3"
)

// looksLikeText matches a comment that is probably the rest of a text: of
// "Ticket #42 is open" YAML takes all from the # on for a comment.
var looksLikeText = regexp.MustCompile(`^#[^\s#!]|^# ?\d|\{\{`)

const quoteHash = `put it in quotes, or write a space behind the # of a comment`

// lintCut reports a text that seems to be cut by a #.
func (v value) lintCut() {
	n := v.n
	if n.Kind != yaml.ScalarNode || n.Style&^yaml.TaggedStyle != 0 || !looksLikeText.MatchString(n.LineComment) || len(v.r.sink.lints) > maxProblems {
		return
	}
	at := v.r.file.comment(n)
	v.r.sink.lint(*v.r.file.at(at, v.path, `the text ends before this: " #" begins a comment; `+quoteHash, ""))
}

// comment returns where the comment behind a value begins.
func (f *file) comment(n *yaml.Node) mark {
	for i := max(n.Line, 1); i <= len(f.lines); i++ {
		line := f.lines[i-1]
		if at := strings.LastIndex(line, n.LineComment); at > 0 {
			return mark{i, utf8.RuneCountInString(line[:at]) + 1}
		}
	}
	return mark{n.Line, n.Column}
}
