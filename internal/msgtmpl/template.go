// Package msgtmpl is the templates of messages: Go's template syntax, cut
// down to what is known to end.
//
// Templates come from files that people edit, and text/template can't be
// cancelled: {{range 2000000000}} runs on, a template that calls itself takes
// gigabytes. So the parse tree is walked when a template is loaded, and only
// text, field chains, if, with, range over given data and listed functions
// are allowed. Every field is known then, so a misspelt one is an error with a
// position. The tree is run by this package, not by text/template: numbers
// compare and print as people expect, missing data never prints <no value>,
// and steps and output are counted.
package msgtmpl

import (
	"strconv"
	"strings"
	"text/template/parse"
	"time"
	"unicode/utf8"
)

// Bounds of a template.
const (
	// MaxTextBytes is the longest source.
	MaxTextBytes = 16 << 10
	// MaxOutputBytes is the longest output, and the longest value on the way.
	MaxOutputBytes = 64 << 10
	// maxSteps bounds the work of one Render: a node or 64 bytes is a step.
	maxSteps = 100_000
	// maxDepth is how deep if, with, range and parentheses may nest.
	maxDepth = 32
)

// Template is a checked template. It is immutable and safe for concurrent
// use.
type Template struct {
	text  string
	root  *parse.ListNode
	zones map[string]*time.Location
}

// Error is one mistake in a template.
type Error struct {
	// Offset is the byte of the text at which it went wrong.
	Offset int
	// Message says what is wrong and what was expected.
	Message string
	// Suggestion is what was probably meant, or empty.
	Suggestion string
}

// Errors is every mistake in a template, in the order of the text.
type Errors []Error

// Error returns the messages, with their offsets.
func (e Errors) Error() string {
	var all []string
	for _, p := range e {
		s := "character " + strconv.Itoa(p.Offset+1) + ": " + p.Message
		if p.Suggestion != "" {
			s += " (did you mean " + p.Suggestion + "?)"
		}
		all = append(all, s)
	}
	return strings.Join(all, "; ")
}

// Parse reads a template that is to be rendered with data of the given type,
// usually [Version1] or [Version2]. The error is an [Errors].
func Parse(text string, data *Type) (*Template, error) {
	if len(text) > MaxTextBytes {
		return nil, Errors{{0, "the template has " + strconv.Itoa(len(text)) + " bytes, at most " +
			strconv.Itoa(MaxTextBytes) + " are allowed", ""}}
	}
	if !utf8.ValidString(text) {
		return nil, Errors{{0, "the template is not valid UTF-8", ""}}
	}
	tree := parse.New("message")
	tree.Mode = parse.SkipFuncCheck
	trees := map[string]*parse.Tree{}
	if _, err := tree.Parse(text, "{{", "}}", trees); err != nil {
		return nil, Errors{locate(text, err)}
	}
	c := checker{text: text, root: data}
	for name, t := range trees {
		if name != "message" && t.Root != nil {
			c.fail(definitionAt(text), "templates inside templates aren't allowed", "")
		}
	}
	if tree.Root != nil && len(c.errs) == 0 {
		c.list(tree.Root, data, 0)
	}
	if len(c.errs) > 0 {
		return nil, c.errs
	}
	return &Template{text, tree.Root, c.zones}, nil
}

// definitionAt is where a define or block stands.
func definitionAt(text string) int {
	for _, a := range scanActions(text) {
		if a.word == "define" || a.word == "block" {
			return a.bodyAt
		}
	}
	return 0
}

// String returns the template's source.
func (t *Template) String() string {
	if t == nil {
		return ""
	}
	return t.text
}
