package msgtmpl

import (
	"regexp"
	"strings"
	"text/template/parse"
)

// action is one {{...}} of a text.
type action struct {
	at     int    // of the {{
	bodyAt int    // of its first word
	body   string // without delimiters, trim markers and spaces
	word   string // the first word of body
	closed bool
}

// scanActions finds the actions of a text. One that is never closed is the
// last.
func scanActions(text string) []action {
	var all []action
	for pos := 0; ; {
		i := strings.Index(text[pos:], "{{")
		if i < 0 {
			return all
		}
		at := pos + i
		end, ok := actionEnd(text, at+2)
		body := strings.TrimSuffix(strings.TrimPrefix(text[at+2:end], "-"), "-")
		trimmed := strings.TrimSpace(body)
		a := action{at: at, bodyAt: at + 2, body: trimmed, closed: ok}
		if trimmed != "" {
			a.bodyAt = at + 2 + strings.Index(text[at+2:end], trimmed)
			a.word = strings.Fields(trimmed)[0]
		}
		all = append(all, a)
		if !ok {
			return all
		}
		pos = end + 2
	}
}

// actionEnd returns where the }} of an action stands whose inside begins at
// pos, and whether there is one.
func actionEnd(text string, pos int) (int, bool) {
	if strings.HasPrefix(strings.TrimLeft(strings.TrimPrefix(text[pos:], "-"), " "), "/*") {
		if i := strings.Index(text[pos:], "*/"); i >= 0 {
			pos += i
		}
	}
	for ; pos < len(text); pos++ {
		switch c := text[pos]; c {
		case '}':
			if strings.HasPrefix(text[pos:], "}}") {
				return pos, true
			}
		case '"', '\'', '`':
			for pos++; pos < len(text) && text[pos] != c && text[pos] != '\n'; pos++ {
				if text[pos] == '\\' && c != '`' {
					pos++
				}
			}
		}
	}
	return min(pos, len(text)), false
}

// locate finds where a text that text/template/parse refused went wrong. The
// parser tells only the line, so each action is parsed by itself.
func locate(text string, err error) Error {
	var open []action
	for _, a := range scanActions(text) {
		if !a.closed {
			return Error{a.at, "this {{ is never closed by }}", ""}
		}
		if e, bad := a.alone(); bad {
			return e
		}
		switch a.word {
		case "if", "with", "range", "define", "block":
			open = append(open, a)
		case "else":
			if len(open) == 0 {
				return Error{a.bodyAt, "else without an if before it", ""}
			}
		case "end":
			if len(open) == 0 {
				return Error{a.bodyAt, "end without an if, with or range before it", ""}
			}
			open = open[:len(open)-1]
		}
	}
	if len(open) > 0 {
		last := open[len(open)-1]
		return Error{last.bodyAt, "this " + last.word + " has no {{ end }}", ""}
	}
	return Error{0, clean(err), ""}
}

// alone parses one action by itself.
func (a action) alone() (Error, bool) {
	body := a.body
	switch a.word {
	case "end":
		if body != "end" {
			return Error{a.bodyAt, "nothing may follow end", ""}, true
		}
		return Error{}, false
	case "else":
		body = strings.TrimSpace(strings.TrimPrefix(body, "else"))
		if body == "" {
			return Error{}, false
		}
	case "":
		return Error{a.at, "this {{ }} is empty", ""}, true
	}
	text := "{{ " + body + " }}"
	switch strings.Fields(body)[0] {
	case "if", "with", "range", "define", "block":
		text += "{{end}}"
	case "break", "continue":
		return Error{}, false
	}
	t := parse.New("message")
	t.Mode = parse.SkipFuncCheck
	_, err := t.Parse(text, "{{", "}}", map[string]*parse.Tree{})
	if err == nil {
		return Error{}, false
	}
	message := clean(err)
	return Error{a.bodyAt + blamed(a.body, message), message, ""}, true
}

var (
	errPrefix  = regexp.MustCompile(`^template: message:\d+:(\d+:)? *`)
	unexpected = regexp.MustCompile(`(?:unexpected|bad character|non executable command in pipeline stage|unterminated) *(?:"(.*?)"|<(.*?)>|U\+[0-9A-F]+ '(.)')`)
)

// clean is the parser's message without its own position.
func clean(err error) string {
	return "the template doesn't parse: " + errPrefix.ReplaceAllString(err.Error(), "")
}

// blamed returns where in body the token stands that message complains of, 0
// if it can't tell.
func blamed(body, message string) int {
	m := unexpected.FindStringSubmatch(message)
	for _, token := range m[min(1, len(m)):] {
		if token == "" {
			continue
		}
		if i := strings.LastIndex(body, token); i >= 0 {
			return i
		}
	}
	return 0
}
