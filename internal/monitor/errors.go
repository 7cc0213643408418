package monitor

import (
	"strconv"
	"strings"
)

// Problem is one mistake, or one doubt, in a configuration.
type Problem struct {
	// File, Line and Col are where, Col counted in characters from 1. Line
	// is 0 for what came from code.
	File      string
	Line, Col int
	// Key is the path of the value: monitors[0].triggers[1].threshold.
	Key string
	// Message says what is wrong and what was expected.
	Message string
	// Snippet is the line, secrets replaced, empty for what came from code.
	Snippet string
	// Suggestion is what was probably meant, empty if nobody can tell.
	Suggestion string
}

// Errors is every mistake in a configuration, in the order of the files.
type Errors struct {
	Problems []Problem
}

// Error returns all problems, each with its line and a caret.
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

// String returns "file:line:col: key: message", the line with a caret under
// the column, and the suggestion.
func (p Problem) String() string {
	var b strings.Builder
	if p.Line > 0 {
		b.WriteString(p.File + ":" + strconv.Itoa(p.Line) + ":" + strconv.Itoa(p.Col) + ": ")
	} else if p.File != "" {
		b.WriteString(p.File + ": ")
	}
	if p.Key != "" {
		b.WriteString(p.Key + ": ")
	}
	b.WriteString(p.Message)
	return b.String()
}
