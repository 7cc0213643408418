package monitor

import (
	"strconv"
	"strings"
	"time"

	"github.com/go-batteries/hawkeye/internal/nearest"
	"gopkg.in/yaml.v3"
)

// list reads a list, or a single value as a list of one.
func (v value) list(what string, read func(value)) {
	if v.n.Kind != yaml.SequenceNode {
		if v.n.Kind == yaml.ScalarNode {
			read(v)
			return
		}
		v.expected("a list of " + what)
		return
	}
	v.items(read)
}

// sequence reads a list that must be one.
func (v value) sequence(what string, read func(value)) {
	if v.n.Kind != yaml.SequenceNode {
		v.expected("a list of " + what + ", each begun by a dash")
		return
	}
	v.items(read)
}

func (v value) items(read func(value)) {
	for i, c := range v.n.Content {
		item, ok := v.r.visit(c, v.path+"["+strconv.Itoa(i)+"]")
		if !ok {
			return
		}
		read(item)
	}
}

// scalar returns the value's text, variables filled in.
func (v value) scalar(what string) (string, bool) {
	if isComparison(v.n) {
		return "", false // which inspect has told
	}
	if block := v.n.Style & (yaml.FoldedStyle | yaml.LiteralStyle); block != 0 && v.n.Value == "" {
		begin := map[bool]string{true: ">", false: "|"}[block&yaml.FoldedStyle != 0]
		v.fail("a value can't begin with "+begin+" unless a text follows on the lines below; put it in quotes", "")
		return "", false
	}
	if v.n.Kind != yaml.ScalarNode || v.n.Tag == "!!null" {
		v.expected(what)
		return "", false
	}
	if v.r.version < 2 {
		return v.n.Value, true
	}
	s, errs := substitute(v.n.Value, v.r.sink.filling(v.r.lookup))
	for _, e := range errs {
		v.failWithin(e.offset, e.message, "")
	}
	return s.text, len(errs) == 0
}

// text reads a text into dst.
func text(dst *string) func(value) {
	return func(v value) {
		v.lintCut()
		if s, ok := v.scalar("a text"); ok {
			*dst = s
		}
	}
}

// texts reads a list of texts, or a single one, into dst.
func texts(dst *[]string) func(value) {
	return func(v value) {
		*dst = []string{}
		v.list("texts", func(item value) {
			item.lintCut()
			if s, ok := item.scalar("a text"); ok {
				*dst = append(*dst, s)
			}
		})
	}
}

// pairs reads a mapping of texts into dst.
func pairs(dst *map[string]string) func(value) {
	return func(v value) {
		if v.n.Kind != yaml.MappingNode {
			v.expected("a mapping such as {team: payments}")
			return
		}
		*dst = map[string]string{}
		for _, e := range v.entries(0) {
			if c, ok := v.r.visit(e.value, child(v.path, e.key.Value)); ok {
				c.lintCut()
				if s, ok := c.scalar("a text"); ok {
					(*dst)[e.key.Value] = s
				}
			}
		}
	}
}

// boolean reads true or false into dst.
func boolean(dst *bool) func(value) {
	return func(v value) {
		s, ok := v.scalar("true or false")
		switch {
		case !ok:
		case s == "true" || s == "false":
			*dst = s == "true"
		default:
			suggestion := ""
			switch strings.ToLower(s) {
			case "yes", "on", "y", "1", "true":
				suggestion = "true"
			case "no", "off", "n", "0", "false":
				suggestion = "false"
			}
			v.wrong("expected true or false", suggestion)
		}
	}
}

// wrong reports a scalar that doesn't read as what it should be.
func (v value) wrong(expected, suggestion string) {
	found := describe(v.n)
	if v.secret() {
		found = hidden
	}
	v.fail(expected+", found "+found, suggestion)
}

// enum reads one of some words into dst.
func enum[T ~string](dst *T, words ...T) func(value) {
	return func(v value) {
		names := make([]string, len(words))
		for i, w := range words {
			names[i] = string(w)
		}
		s, ok := v.scalar("one of " + strings.Join(names, ", "))
		if !ok {
			return
		}
		for _, w := range words {
			if s == string(w) {
				*dst = w
				return
			}
		}
		v.wrong("expected one of "+strings.Join(names, ", "), nearest.Of(s, names))
	}
}

// unit reads a scalar by parse into dst. A quoted text is taken like a plain
// one, since 2% and ">= 300ms" look better in quotes to many.
func unit[T any](dst *T, what string, parse func(string) (T, error)) func(value) {
	return func(v value) {
		s, ok := v.scalar(what)
		if !ok {
			return
		}
		got, err := parse(s)
		if err == nil {
			*dst = got
			return
		}
		v.unitError(respell(s, err, parse))
	}
}

func (v value) unitError(err error) {
	message, suggestion := err.Error(), ""
	if e, ok := err.(*unitError); ok {
		suggestion = e.suggestion
	}
	v.wrong(message, suggestion)
}

// duration reads a duration with a unit into dst; least is the shortest one.
func duration(dst *time.Duration, least time.Duration) func(value) {
	return unit(dst, "a duration such as 30s", func(s string) (time.Duration, error) {
		d, err := parseDuration(s)
		if err == nil && d < least {
			err = &unitError{"expected at least " + formatDuration(least), ""}
		}
		return d, err
	})
}

// whole reads a whole number from least up into dst.
func whole(dst *int, least int) func(value) {
	return unit(dst, "a whole number", func(s string) (int, error) {
		n, err := strconv.Atoi(s)
		if err != nil || n < least || n > 1e9 {
			return 0, &unitError{"expected a whole number of at least " + strconv.Itoa(least), ""}
		}
		return n, nil
	})
}
