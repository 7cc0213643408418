package monitor

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"regexp"
	"strconv"
	"strings"
	"unicode/utf8"

	"gopkg.in/yaml.v3"
)

// tree parses a file. What it returns without a problem is a mapping.
func (f *file) tree() (root *yaml.Node, problem *Problem) {
	if p := f.unreadable(); p != nil {
		return nil, p
	}
	shape := look(f.lines)
	if shape.tooDeep != nil {
		return nil, f.at(*shape.tooDeep, "", "lists and mappings nest deeper than "+strconv.Itoa(MaxNesting)+" levels here", "")
	}
	doc, more, err := decode(f.text)
	if errors.Is(err, io.EOF) || err == nil && isEmpty(doc) {
		return nil, f.whole("the file is empty; it needs at least " + f.needs)
	}
	if err != nil {
		return nil, f.syntaxError(err, shape)
	}
	root = doc.Content[0]
	if root.Kind != yaml.MappingNode {
		return nil, f.at(mark{root.Line, root.Column}, "", "expected keys such as "+f.needs+", found "+describe(root), "")
	}
	if more != nil {
		return nil, f.at(mark{more.Line, more.Column}, "", "a second document begins before this line; one file holds one", "")
	}
	return root, nil
}

func isEmpty(doc *yaml.Node) bool {
	return len(doc.Content) == 0 || doc.Content[0].Kind == yaml.ScalarNode && doc.Content[0].Tag == "!!null"
}

// decode reads the first document, and where a second one begins. The
// parser's panics are errors.
func decode(text string) (doc, more *yaml.Node, err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("yaml: %v", r)
		}
	}()
	dec := yaml.NewDecoder(bytes.NewReader([]byte(text)))
	doc = new(yaml.Node)
	if err := dec.Decode(doc); err != nil {
		return doc, nil, err
	}
	second := new(yaml.Node)
	if err := dec.Decode(second); !errors.Is(err, io.EOF) {
		if err != nil || len(second.Content) == 0 {
			return doc, nil, err
		}
		return doc, second.Content[0], nil
	}
	return doc, nil, nil
}

var (
	errLine     = regexp.MustCompile(`line (\d+): `)
	errAnchor   = regexp.MustCompile(`unknown anchor '(.*)' referenced`)
	errEscape   = regexp.MustCompile(`\\[^0abt\tnvfre "/\\N_LPxuU]`)
	errReserved = regexp.MustCompile("(?:^|: |- |[\\[{,] *)([@`%])")
)

// syntaxError says what yaml.v3 means and where. Its message names a line at
// best, often the one before, so the place is looked for.
func (f *file) syntaxError(err error, shape outline) *Problem {
	message := strings.TrimPrefix(err.Error(), "yaml: ")
	from := 1
	if m := errLine.FindStringSubmatch(message); m != nil {
		from, _ = strconv.Atoi(m[1])
		message = message[strings.Index(message, m[0])+len(m[0]):]
	}
	has := func(s string) bool { return strings.Contains(message, s) }
	switch {
	case len(shape.tabs) > 0 && (has("cannot start any token") || has("tab character") || has("expected")):
		return f.at(shape.tabs[0], "", "a tab in the indentation; YAML wants spaces", "")
	case shape.openFlow != nil && shape.hidden != nil:
		return f.at(*shape.hidden, "", `" #" begins a comment, which hides the rest of the line; put the text in quotes`, "")
	case shape.unquoted != nil:
		return f.at(*shape.unquoted, "", shape.because, "")
	case has("cannot start any token"):
		if m, c := f.find(from, errReserved, 1); m != nil {
			return f.at(*m, "", "a value can't begin with "+c+"; put it in quotes", "")
		}
	case shape.openQuote != nil:
		return f.at(*shape.openQuote, "", "this quote is never closed", "")
	case has("mapping values are not allowed"):
		return f.strayColon(from, shape)
	case shape.openFlow != nil:
		return f.at(*shape.openFlow, "", "this bracket is never closed, or a comma is missing after it", "")
	case has("unknown anchor"):
		if name := errAnchor.FindStringSubmatch(message); name != nil {
			if m, _ := f.find(1, regexp.MustCompile(`(\*`+regexp.QuoteMeta(name[1])+`)(?:[\s,\]}]|$)`), 1); m != nil {
				return f.at(*m, "", "no anchor &"+name[1]+" stands before this", "")
			}
		}
	case has("escape character"):
		if m, c := f.find(from, errEscape, 0); m != nil {
			return f.at(*m, "", c+" is no escape; write \\"+c+", or use single quotes", "")
		}
	case len(shape.misaligned) > 0:
		return f.at(shape.misaligned[0], "", "this line is indented like none above it", "")
	}
	line := min(from, len(f.lines))
	for line < len(f.lines) && strings.TrimSpace(f.lines[line-1]) == "" {
		line++
	}
	return f.at(f.firstOf(line), "", "this is not YAML, here or on the next line: "+message, "")
}

// strayColon finds what yaml.v3 calls mapping values that are not allowed.
func (f *file) strayColon(from int, shape outline) *Problem {
	for i := max(from-1, 1); i <= min(from+2, len(f.lines)); i++ {
		line := f.lines[i-1]
		if at := secondColon(line); at >= 0 {
			return f.at(mark{i, utf8.RuneCountInString(line[:at]) + 1}, "",
				`a second ": " on this line; put the text in quotes`, "")
		}
	}
	if len(shape.misaligned) > 0 {
		return f.at(shape.misaligned[0], "", "this line is indented like none above it", "")
	}
	for i := max(from-1, 1); i < min(from+2, len(f.lines)); i++ {
		if next := f.lines[i]; strings.Contains(f.lines[i-1], ": ") && len(next)-len(strings.TrimLeft(next, " ")) >
			len(f.lines[i-1])-len(strings.TrimLeft(f.lines[i-1], " ")) {
			return f.at(f.firstOf(i+1), "", "this line is indented under a key that has a value already", "")
		}
	}
	return f.at(f.firstOf(min(from, len(f.lines))), "", `a key is not expected here; is a ":" missing on the line before?`, "")
}

// secondColon returns where a second ": " stands in a line that isn't quoted,
// -1 if there is none.
func secondColon(line string) int {
	first := strings.Index(line, ": ")
	if first < 0 || strings.ContainsAny(line[:first], `"'{[#`) {
		return -1
	}
	value := strings.TrimLeft(line[first+2:], " ")
	if value == "" || strings.ContainsRune(`"'{[#|>`, rune(value[0])) {
		return -1
	}
	if i := strings.Index(line[first+2:], ": "); i >= 0 {
		return first + 2 + i
	}
	if strings.HasSuffix(value, ":") {
		return len(line) - 1
	}
	return -1
}

// find returns where group g of re stands first, from just before a line on.
func (f *file) find(from int, re *regexp.Regexp, g int) (*mark, string) {
	for i := max(from-2, 0); i < len(f.lines); i++ {
		if m := re.FindStringSubmatchIndex(f.lines[i]); m != nil {
			line := f.lines[i]
			return &mark{i + 1, utf8.RuneCountInString(line[:m[2*g]]) + 1}, line[m[2*g]:m[2*g+1]]
		}
	}
	return nil, ""
}

// firstOf is the first character of a line that isn't a space.
func (f *file) firstOf(line int) mark {
	text := f.lines[line-1]
	return mark{line, len(text) - len(strings.TrimLeft(text, " \t")) + 1}
}
