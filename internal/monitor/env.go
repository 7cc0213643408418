package monitor

import (
	"regexp"
	"slices"
	"strings"
)

// variableValue is a variable that was filled in. Its value may be a secret.
type variableValue struct{ name, value string }

// shownPrefix is how much of a long value is looked for: messages cut texts.
const shownPrefix = 16

// filling returns lookup, noting what it finds.
func (s *sink) filling(lookup func(string) (string, bool)) func(string) (string, bool) {
	return func(name string) (string, bool) {
		value, ok := lookup(name)
		if ok && value != "" && !slices.Contains(s.variables, variableValue{name, value}) {
			s.variables = append(s.variables, variableValue{name, value})
		}
		return value, ok
	}
}

// withoutValues puts the names of variables in the place of their values in a
// message. Short values, a number say, are only looked for where they are all
// that is quoted.
func (s *sink) withoutValues(message string) string {
	for _, v := range s.variables {
		shown := "${" + v.name + "}"
		message = strings.ReplaceAll(message, quote(v.value), quote(shown))
		if len(v.value) < 6 {
			continue
		}
		for _, value := range []string{v.value, quoteless(v.value)} {
			head := value[:min(len(value), shownPrefix)]
			for at := strings.Index(message, head); at >= 0; at = strings.Index(message, head) {
				end := at + len(head)
				for n := len(head); n < len(value) && end < len(message) && message[end] == value[n]; n++ {
					end++
				}
				message = message[:at] + shown + message[end:]
				if strings.Contains(shown, head) {
					break
				}
			}
		}
	}
	return message
}

// substitution is a text with its variables filled in, and where its parts
// come from.
type substitution struct {
	text  string
	parts []part
}

// part says that text from out on, up to the next part, comes from in.
type part struct {
	out, in int
	fixed   bool // one place of the source made all of it
}

// source returns where in the text before substitution the byte at offset
// came from.
func (s *substitution) source(offset int) int {
	at := offset
	for _, p := range s.parts {
		if p.out > offset {
			break
		}
		at = p.in
		if !p.fixed {
			at += offset - p.out
		}
	}
	return at
}

// envError is a mistake in a text with variables.
type envError struct {
	offset  int
	message string
}

var envName = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*`)

// substitute fills in ${VAR} and ${VAR:-default}; $${ is a plain ${. A
// variable that is unset is an error, one that is set and empty is empty, or
// its default.
func substitute(text string, lookup func(string) (string, bool)) (substitution, []envError) {
	if !strings.Contains(text, "${") {
		return substitution{text: text}, nil
	}
	var (
		out  strings.Builder
		s    substitution
		errs []envError
	)
	for pos := 0; pos < len(text); {
		rest := text[pos:]
		switch {
		case strings.HasPrefix(rest, "$${"):
			s.parts = append(s.parts, part{out.Len(), pos + 1, false})
			out.WriteString("${")
			pos += 3
		case strings.HasPrefix(rest, "${"):
			value, length, err := variable(rest, lookup)
			if err != "" {
				errs = append(errs, envError{pos, err})
			}
			s.parts = append(s.parts, part{out.Len(), pos, true})
			out.WriteString(value)
			pos += length
			s.parts = append(s.parts, part{out.Len(), pos, false})
		default:
			out.WriteByte(text[pos])
			pos++
		}
	}
	s.text = out.String()
	return s, errs
}

// variable reads the ${...} that rest begins with, and returns its value, its
// length and what is wrong with it.
func variable(rest string, lookup func(string) (string, bool)) (value string, length int, problem string) {
	end := strings.IndexByte(rest, '}')
	if end < 0 {
		return "", len(rest), "this ${ is never closed; write $${ for a plain ${"
	}
	inside := rest[2:end]
	name := envName.FindString(inside)
	fallback, hasDefault := strings.CutPrefix(inside[len(name):], ":-")
	if name == "" || inside != name && !hasDefault {
		return "", end + 1, "expected ${NAME} or ${NAME:-default}; write $${ for a plain ${"
	}
	value, ok := lookup(name)
	switch {
	case hasDefault && value == "":
		return fallback, end + 1, ""
	case !ok:
		return "", end + 1, "the environment variable " + name + " is not set; ${" + name + ":-default} gives it a default"
	}
	return value, end + 1, ""
}
