package monitor

import (
	"regexp"
	"strconv"
	"strings"
	"unicode/utf8"
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
	name    string
	text    string // without byte order mark
	lines   []string
	secrets []string // texts that no snippet may show
}

func newFile(src Source) *file {
	text := strings.TrimPrefix(string(src.Data), "\ufeff")
	lines := strings.Split(text, "\n")
	for i := range lines {
		lines[i] = strings.TrimSuffix(lines[i], "\r")
	}
	return &file{name: src.Name, text: text, lines: lines}
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
	snippet, caret := f.snippet(m)
	return &Problem{
		File: f.name, Line: m.line, Col: m.col, Key: key,
		Message: message, Suggestion: suggestion, Snippet: snippet, caret: caret,
	}
}

// maxSnippet is how many characters of a line are shown.
const maxSnippet = 120

// snippet returns the line of m without secrets, cut around the column, and
// how many of its characters stand before the caret.
func (f *file) snippet(m mark) (string, int) {
	line := []rune(f.lines[m.line-1])
	before := string(line[:min(m.col-1, len(line))])
	rest := string(line[min(m.col-1, len(line)):])
	shown := f.redact(before + "\x00" + rest)
	var caret int
	if i := strings.IndexByte(shown, 0); i >= 0 {
		caret = utf8.RuneCountInString(shown[:i])
		shown = shown[:i] + shown[i+1:]
	} else {
		// The caret's mark was inside a secret, which is gone now.
		shown = f.redact(before + rest)
		if i := strings.Index(shown, hidden); i >= 0 {
			caret = utf8.RuneCountInString(shown[:i])
		}
	}
	return cut(shown, caret)
}

func cut(line string, caret int) (string, int) {
	runes := []rune(line)
	if len(runes) <= maxSnippet {
		return line, caret
	}
	from := max(0, min(caret-maxSnippet/2, len(runes)-maxSnippet))
	to := min(len(runes), from+maxSnippet)
	out, head := string(runes[from:to]), ""
	if from > 0 {
		head = "..."
	}
	if to < len(runes) {
		out += "..."
	}
	return head + out, caret - from + len(head)
}

// hidden stands for a secret.
const hidden = "<secret>"

var (
	// secretKey finds keys whose values nobody should see. A NUL, which
	// marks the caret, may stand anywhere.
	secretKey = regexp.MustCompile(`(?i)([\w-]*(?:secret|token|password|passwd|webhook|api[_-]?key|routing[_-]?key|authorization|credential|dsn)[\w-]*\x00?["']?\x00?\s*:\s*)(\x00?(?:"[^"]*"?|'[^']*'?|[^\s,}{"'][^,}]*))`)
	// userInfo finds the password in a URL.
	userInfo = regexp.MustCompile(`(://[^/\s:@"']*:)([^/\s@"']+)(@)`)
)

// isSecretKey says whether a key's value is hidden in messages.
func isSecretKey(key string) bool {
	return secretKey.MatchString(key + ": x")
}

// redact replaces the secrets of a line.
func (f *file) redact(line string) string {
	for _, s := range f.secrets {
		if strings.Contains(strings.ReplaceAll(line, "\x00", ""), s) {
			line = replaceMarked(line, s)
		}
	}
	line = secretKey.ReplaceAllStringFunc(line, func(m string) string {
		parts := secretKey.FindStringSubmatch(m)
		value := strings.Trim(parts[2], "\x00\"' ")
		if strings.HasPrefix(value, "${") || strings.HasPrefix(value, hidden) || strings.ContainsAny(value[:min(1, len(value))], "[{&*|>") {
			return m
		}
		mark := ""
		if strings.Contains(parts[2], "\x00") {
			mark = "\x00"
		}
		return parts[1] + mark + hidden
	})
	return userInfo.ReplaceAllString(line, "${1}"+hidden+"${3}")
}

// replaceMarked replaces secret in line, in which one NUL may stand anywhere.
// A NUL within the secret moves before it.
func replaceMarked(line, secret string) string {
	if strings.Contains(line, secret) {
		return strings.ReplaceAll(line, secret, hidden)
	}
	bare := strings.Replace(line, "\x00", "", 1)
	return strings.Replace(bare, secret, "\x00"+hidden, 1)
}
