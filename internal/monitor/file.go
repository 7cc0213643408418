package monitor

import (
	"regexp"
	"strconv"
	"strings"
	"unicode/utf8"

	"gopkg.in/yaml.v3"
)

// Bounds of a file, checked before it is parsed.
const (
	// MaxFileBytes is the largest file.
	MaxFileBytes = 1 << 20
	// MaxNesting is the deepest nesting of lists and mappings.
	MaxNesting = 64
)

// mark is a place in a file, both counted from 1, col in characters.
type mark struct{ line, col int }

// file is a source in a form that problems can point into.
type file struct {
	name  string
	text  string // without byte order mark
	lines []string
	sink  *sink
	needs string // the keys that it needs at least
	// hidden are the parts of lines that no snippet may show, by line.
	hidden map[int][]span
}

// span is characters of a line, from up to but not including to, from 0.
type span struct{ from, to int }

func newFile(src Source, sink *sink) *file {
	text := strings.TrimPrefix(string(src.Data), "\ufeff")
	lines := strings.Split(text, "\n")
	for i := range lines {
		lines[i] = strings.TrimSuffix(lines[i], "\r")
	}
	return &file{name: src.Name, text: text, lines: lines, sink: sink, needs: "version: and monitors:", hidden: map[int][]span{}}
}

// unreadable returns why the file can't be parsed at all, nil if it can.
func (f *file) unreadable() *Problem {
	if len(f.text) > MaxFileBytes {
		return f.whole("the file has " + strconv.Itoa(len(f.text)) + " bytes, at most " +
			strconv.Itoa(MaxFileBytes) + " (1 MiB) are read")
	}
	if strings.HasPrefix(f.text, "\xff\xfe") || strings.HasPrefix(f.text, "\xfe\xff") {
		return f.whole("the file is UTF-16; save it as UTF-8")
	}
	for i, line := range f.lines {
		col := 0
		for j, r := range line {
			col++
			if _, n := utf8.DecodeRuneInString(line[j:]); r == utf8.RuneError && n == 1 {
				return f.at(mark{i + 1, col}, "", "this byte is not UTF-8; save the file as UTF-8", "")
			}
			if !printable(r) {
				return f.at(mark{i + 1, col}, "", "the control character "+strconv.QuoteRune(r)+" isn't allowed here", "")
			}
		}
	}
	return nil
}

// printable is the YAML 1.2 production c-printable, less the line break.
func printable(r rune) bool {
	return r == '\t' || r == 0x85 || r >= 0x20 && r != 0x7f && (r < 0x80 || r >= 0xa0) && r != 0xfeff && r != 0xfffe && r != 0xffff
}

// whole is a problem of the file as a whole.
func (f *file) whole(message string) *Problem {
	return &Problem{File: f.name, Message: message}
}

// at is a problem at a place.
func (f *file) at(m mark, key, message, suggestion string) *Problem {
	m.line = min(max(m.line, 1), len(f.lines))
	m.col = max(m.col, 1)
	p := Problem{
		File: f.name, Line: m.line, Col: m.col, Key: shown(key),
		Message: message, Suggestion: suggestion,
	}
	if !f.sink.full() {
		p.Snippet, p.caret = f.snippet(m)
	}
	return &p
}

const (
	// maxSnippet is how many characters of a line are shown.
	maxSnippet = 120
	// maxSearched is how much of a long line is searched for secrets around
	// the caret.
	maxSearched = 8 << 10
	// hidden stands for a secret.
	hidden = "<secret>"
)

// snippet returns the line of m without secrets, cut around the column, and
// how many of its characters stand before the caret.
func (f *file) snippet(m mark) (string, int) {
	line := []rune(f.lines[m.line-1])
	caret := min(m.col-1, len(line))
	line, caret = blank(line, caret, f.hidden[m.line])
	if from := caret - maxSearched; from > 0 {
		line, caret = line[from:], maxSearched
	}
	line = line[:min(len(line), caret+maxSearched)]
	marked := redact(string(line[:caret]) + "\x00" + string(line[caret:]))
	before, after, _ := strings.Cut(marked, "\x00")
	return cut(before+after, utf8.RuneCountInString(before))
}

// blank replaces parts of a line, and moves the caret along.
func blank(line []rune, caret int, spans []span) ([]rune, int) {
	for i := len(spans) - 1; i >= 0; i-- {
		from, to := min(spans[i].from, len(line)), min(spans[i].to, len(line))
		if caret >= to && caret > from {
			caret += len(hidden) - (to - from)
		} else {
			caret = min(caret, max(from, caret-(to-from)))
		}
		line = append(append(append([]rune{}, line[:from]...), []rune(hidden)...), line[to:]...)
	}
	return line, max(caret, 0)
}

func cut(line string, caret int) (string, int) {
	runes := []rune(line)
	from, to, head, tail := 0, len(runes), "", ""
	if len(runes) > maxSnippet {
		from = max(0, min(caret-maxSnippet/2, len(runes)-maxSnippet))
		to = min(len(runes), from+maxSnippet)
	}
	if from > 0 {
		head = "..."
	}
	if to < len(runes) {
		tail = "..."
	}
	return head + shown(string(runes[from:to])) + tail, caret - from + len(head)
}

var (
	// secretKey finds keys whose values nobody should see. A NUL, which
	// marks the caret, may stand anywhere.
	secretKey = regexp.MustCompile(`(?i)([\w-]*(?:secret|token|password|passwd|webhook|api[_-]?key|routing[_-]?key|authorization|credential|dsn)[\w-]*\x00?["']?\x00?\s*:\s*)(\x00?(?:"[^"]*"?|'[^']*'?|[^\s,}{"'][^,}]*))`)
	// userInfo finds the password in a URL.
	userInfo = regexp.MustCompile(`(://[^/\s:@"']*:)([^/\s@"']+)(@)`)
)

// secretWords mark keys whose values nobody should see; secretKey has them
// too.
var secretWords = []string{
	"secret", "token", "password", "passwd", "webhook", "apikey", "api_key", "api-key",
	"routing_key", "routing-key", "routingkey", "authorization", "credential", "dsn",
}

// isSecretKey says whether a key's value is hidden in messages.
func isSecretKey(key string) bool {
	key = strings.ToLower(key)
	for _, word := range secretWords {
		if strings.Contains(key, word) {
			return true
		}
	}
	return false
}

// redact replaces what looks like a secret in a line, also where the file
// could not be parsed. The caret's mark stays, before the secret if it was in
// one.
func redact(line string) string {
	line = secretKey.ReplaceAllStringFunc(line, func(m string) string {
		parts := secretKey.FindStringSubmatch(m)
		value := strings.Trim(parts[2], "\x00\"' ")
		if value == "" || strings.HasPrefix(value, "${") || strings.ContainsRune("[{&*|>!", rune(value[0])) {
			return m
		}
		return parts[1] + caretIn(parts[2]) + hidden
	})
	return userInfo.ReplaceAllStringFunc(line, func(m string) string {
		parts := userInfo.FindStringSubmatch(m)
		return parts[1] + caretIn(parts[2]) + hidden + parts[3]
	})
}

func caretIn(s string) string {
	if strings.Contains(s, "\x00") {
		return "\x00"
	}
	return ""
}

// hide keeps a scalar out of every snippet.
func (f *file) hide(n *yaml.Node) {
	if n.Value == "" || strings.Contains(n.Value, "${") || n.Line < 1 {
		return
	}
	end := f.within(n, len(n.Value))
	for line := n.Line; line <= min(end.line, len(f.lines)); line++ {
		part := span{0, utf8.RuneCountInString(f.lines[line-1])}
		if line == n.Line {
			part.from = n.Column - 1
		}
		if line == end.line && line == n.Line {
			part.to = max(end.col-1, part.from)
		}
		f.hidden[line] = append(f.hidden[line], part)
	}
}
