package series

import (
	"errors"
	"fmt"
	"slices"
	"strings"
)

// Kind is what a series does with its samples.
type Kind uint8

// The kinds of series.
const (
	KindCounter   Kind = iota // sums what is added
	KindGauge                 // keeps the latest value
	KindHistogram             // counts values by size
	KindSet                   // counts distinct values
	kinds
)

const kindLetters = "cghs"

// String returns "counter", "gauge", "histogram" or "set".
func (k Kind) String() string {
	if k >= kinds {
		return fmt.Sprintf("kind(%d)", uint8(k))
	}
	return [...]string{"counter", "gauge", "histogram", "set"}[k]
}

// Tag is one of the key-value pairs that tell the series of a name apart. It
// is the name of a type that has none, and so the same one as the root's Tag,
// whose fields are to be seen in its documentation.
type Tag = struct{ Key, Value string }

// Canonical returns the text that stands for a series all over the fleet: the
// letter of its kind, its name and its tags, "c|http.requests|method=GET".
// Tags are sorted and those that are equal become one; a backslash, '|' and
// '=' in a name or tag are escaped by a backslash.
//
// Canonical doesn't sanitize; the registry has done so before.
func Canonical(kind Kind, name string, tags []Tag) string {
	tags = normalTags(slices.Clone(tags))
	size := len("c|") + len(name)
	for _, tag := range tags {
		size += len("|=") + len(tag.Key) + len(tag.Value)
	}
	text := make([]byte, 0, size)
	text = append(text, kindLetters[kind], '|')
	text = appendEscaped(text, name)
	for _, tag := range tags {
		text = appendEscaped(append(text, '|'), tag.Key)
		text = appendEscaped(append(text, '='), tag.Value)
	}
	return string(text)
}

// normalTags sorts tags in place and removes those that occur twice.
func normalTags(tags []Tag) []Tag {
	slices.SortFunc(tags, func(a, b Tag) int {
		if c := strings.Compare(a.Key, b.Key); c != 0 {
			return c
		}
		return strings.Compare(a.Value, b.Value)
	})
	return slices.Compact(tags)
}

// lastOfEach sorts tags by key, in place, and keeps of equal keys the one that
// stands last: clients put their global tags first and a call's own last.
func lastOfEach(tags []Tag) []Tag {
	slices.SortStableFunc(tags, func(a, b Tag) int { return strings.Compare(a.Key, b.Key) })
	kept := tags[:0]
	for i, tag := range tags {
		if i+1 == len(tags) || tags[i+1].Key != tag.Key {
			kept = append(kept, tag)
		}
	}
	clear(tags[len(kept):])
	return kept
}

func appendEscaped(dst []byte, s string) []byte {
	for i := range len(s) {
		if c := s[i]; c == '|' || c == '=' || c == '\\' {
			dst = append(dst, '\\')
		}
		dst = append(dst, s[i])
	}
	return dst
}

var errCanonical = errors.New("not a canonical series name")

// ParseCanonical reads what [Canonical] wrote.
func ParseCanonical(s string) (kind Kind, name string, tags []Tag, err error) {
	if len(s) < 2 || s[1] != '|' || strings.IndexByte(kindLetters, s[0]) < 0 {
		return 0, "", nil, fmt.Errorf("parse series %q: %w", s, errCanonical)
	}
	kind = Kind(strings.IndexByte(kindLetters, s[0]))
	name, rest, stop := cutEscaped(s[2:])
	for stop == '|' {
		var tag Tag
		if tag.Key, rest, stop = cutEscaped(rest); stop != '=' {
			return 0, "", nil, fmt.Errorf("parse series %q: %w", s, errCanonical)
		}
		tag.Value, rest, stop = cutEscaped(rest)
		tags = append(tags, tag)
	}
	// One text for one series: whatever Canonical would write differently
	// (unsorted tags, needless escapes, a stray '=') is refused.
	if Canonical(kind, name, tags) != s {
		return 0, "", nil, fmt.Errorf("parse series %q: %w", s, errCanonical)
	}
	return kind, name, tags, nil
}

// cutEscaped returns s without escapes up to its first '|' or '=', the rest
// after it, and which of them it was: 0 at the end of s.
func cutEscaped(s string) (text, rest string, stop byte) {
	end := strings.IndexAny(s, `|=\`)
	if end < 0 {
		return s, "", 0
	}
	plain := []byte(s[:end])
	for i := end; i < len(s); i++ {
		switch c := s[i]; c {
		case '|', '=':
			return string(plain), s[i+1:], c
		case '\\':
			if i++; i == len(s) {
				return string(plain), "", 0
			}
		}
		plain = append(plain, s[i])
	}
	return string(plain), "", 0
}
