package matcher

import (
	"regexp"
	"regexp/syntax"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Bounds on a regular expression, so that neither compiling nor matching one
// costs more than a file may ask for.
const (
	// MaxRegexpBytes is the longest expression.
	MaxRegexpBytes = 1000
	// maxRegexpInsts is the largest compiled program: .{1000} has 1,000.
	maxRegexpInsts = 10_000
)

// Error says why a text is no matcher.
type Error struct {
	// Offset is the byte of the text at which it went wrong.
	Offset int
	// Message says what is wrong and what was expected.
	Message string
}

// Error returns the message.
func (e *Error) Error() string { return e.Message }

// Parse reads a matcher as Alertmanager writes it: a name, one of = != =~ !~,
// and a value, in double quotes unless it holds neither quotes nor spaces. In
// quotes \" \\ and \n are escapes, and another backslash stands for itself. A
// name with special characters may be quoted too. Regular expressions are
// Go's, anchored at both ends, at most [MaxRegexpBytes] long.
//
// The error is an [*Error].
func Parse(s string) (*Matcher, error) {
	p := parser{text: s}
	p.space()
	name, err := p.name()
	if err != nil {
		return nil, err
	}
	p.space()
	op, err := p.op()
	if err != nil {
		return nil, err
	}
	p.space()
	at := p.pos
	value, err := p.value()
	if err != nil {
		return nil, err
	}
	m, merr := New(name, op, value)
	if merr != nil {
		return nil, &Error{at, merr.Error()}
	}
	return m, nil
}

// New makes a matcher from its parts. The error is of a regular expression.
func New(name string, op Op, value string) (*Matcher, error) {
	m := &Matcher{Name: name, Op: op, Value: value}
	if op != Regexp && op != NotRegexp {
		return m, nil
	}
	if len(value) > MaxRegexpBytes {
		return nil, &Error{0, "the regular expression has " + strconv.Itoa(len(value)) +
			" bytes, at most " + strconv.Itoa(MaxRegexpBytes) + " are allowed"}
	}
	parsed, err := syntax.Parse(value, syntax.Perl)
	if err != nil {
		return nil, &Error{0, "the regular expression doesn't compile: " + reason(err)}
	}
	prog, err := syntax.Compile(parsed.Simplify())
	if err != nil || len(prog.Inst) > maxRegexpInsts {
		return nil, &Error{0, "the regular expression is too large, its repetitions multiply"}
	}
	m.re, err = regexp.Compile("^(?:" + value + ")$")
	if err != nil {
		return nil, &Error{0, "the regular expression doesn't compile: " + reason(err)}
	}
	return m, nil
}

// reason is err without the words that regexp puts before it.
func reason(err error) string {
	return strings.TrimPrefix(err.Error(), "error parsing regexp: ")
}

// String returns the matcher in a form that [Parse] reads.
func (m *Matcher) String() string {
	name := m.Name
	if !plainName(name) {
		name = quote(name)
	}
	return name + m.Op.String() + quote(m.Value)
}

func quote(s string) string {
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`, "\n", `\n`).Replace(s) + `"`
}

type parser struct {
	text string
	pos  int
}

func (p *parser) space() {
	rest := strings.TrimLeftFunc(p.text[p.pos:], unicode.IsSpace)
	p.pos = len(p.text) - len(rest)
}

func (p *parser) fail(at int, message string) error { return &Error{at, message} }

func (p *parser) name() (string, error) {
	if p.pos < len(p.text) && p.text[p.pos] == '"' {
		at := p.pos
		name, err := p.quoted()
		if err == nil && name == "" {
			err = p.fail(at, "the tag's name is empty")
		}
		return name, err
	}
	start := p.pos
	for p.pos < len(p.text) {
		r, n := utf8.DecodeRuneInString(p.text[p.pos:])
		if !nameRune(r) {
			break
		}
		p.pos += n
	}
	if p.pos == start {
		return "", p.fail(start, `expected a tag's name, as in method="POST"`)
	}
	return p.text[start:p.pos], nil
}

func nameRune(r rune) bool {
	return !unicode.IsSpace(r) && !unicode.IsControl(r) && !strings.ContainsRune(`=!~"'{},`, r)
}

func plainName(s string) bool {
	return s != "" && strings.IndexFunc(s, func(r rune) bool { return !nameRune(r) }) < 0
}

func (p *parser) op() (Op, error) {
	rest := p.text[p.pos:]
	for _, op := range []Op{Regexp, NotRegexp, NotEqual, Equal} {
		if after, ok := strings.CutPrefix(rest, op.String()); ok {
			if strings.HasPrefix(after, "=") {
				return 0, p.fail(p.pos, "equality is written =, not ==")
			}
			p.pos += len(op.String())
			return op, nil
		}
	}
	return 0, p.fail(p.pos, "expected one of = != =~ !~ after the tag's name")
}

func (p *parser) value() (string, error) {
	if p.pos < len(p.text) && p.text[p.pos] == '"' {
		value, err := p.quoted()
		if err != nil {
			return "", err
		}
		p.space()
		if p.pos < len(p.text) {
			return "", p.fail(p.pos, "nothing may follow the value; write a second condition as a matcher of its own")
		}
		return value, nil
	}
	value := strings.TrimRightFunc(p.text[p.pos:], unicode.IsSpace)
	if i := strings.IndexFunc(value, func(r rune) bool { return r == '"' || unicode.IsSpace(r) }); i >= 0 {
		return "", p.fail(p.pos+i, `a value with spaces or quotes must be in double quotes`)
	}
	p.pos = len(p.text)
	return value, nil
}

func (p *parser) quoted() (string, error) {
	start := p.pos
	var b strings.Builder
	for p.pos++; p.pos < len(p.text); p.pos++ {
		switch c := p.text[p.pos]; {
		case c == '"':
			p.pos++
			return b.String(), nil
		case c == '\\' && p.pos+1 < len(p.text):
			p.pos++
			b.WriteString(unescape(p.text[p.pos]))
		default:
			b.WriteByte(c)
		}
	}
	return "", p.fail(start, "the quote is never closed")
}

func unescape(c byte) string {
	switch c {
	case 'n':
		return "\n"
	case '"', '\\':
		return string(rune(c))
	default:
		return `\` + string([]byte{c})
	}
}
