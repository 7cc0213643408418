package series

import (
	"crypto/sha256"
	"encoding/hex"
	"strings"
	"unicode/utf8"
)

// Clean returns a name and tags as a registry with default limits keeps them:
// each sanitized and without blanks around it, tags sorted, of equal keys the
// last one. The name is empty if nothing of it can be kept.
func Clean(name string, tags []Tag) (string, []Tag) {
	limits := Limits{}.normal()
	return limits.cleanName(name), limits.cleanTags(nil, tags)
}

// cleanName returns a name as it is kept. No monitor could match one with
// blanks around it.
func (l *Limits) cleanName(name string) string {
	return strings.TrimSpace(Sanitize(name, l.MaxNameBytes))
}

// cleanTags appends tags as they are kept to dst, which is empty.
func (l *Limits) cleanTags(dst, tags []Tag) []Tag {
	for _, tag := range tags {
		tag.Key = strings.TrimSpace(Sanitize(tag.Key, l.MaxTagBytes))
		tag.Value = strings.TrimSpace(Sanitize(tag.Value, l.MaxTagBytes))
		if tag.Key != "" {
			dst = append(dst, tag)
		}
	}
	return lastOfEach(dst)
}

// Sanitize returns s as the registry keeps a name, a tag's key or its value:
// invalid UTF-8 becomes U+FFFD, control characters (C0 and DEL) are taken
// out, and what is then longer than maxBytes is cut, between two characters,
// and given a suffix of '~' and 16 hexadecimal digits of its hash, so that
// two long texts stay two. maxBytes is at least 32.
//
// It returns s itself, without allocating, if there is nothing to do.
func Sanitize(s string, maxBytes int) string {
	if len(s) <= maxBytes && isClean(s) {
		return s
	}
	s = strings.ToValidUTF8(s, string(utf8.RuneError))
	s = strings.Map(func(r rune) rune {
		if isControl(r) {
			return -1
		}
		return r
	}, s)
	if len(s) <= maxBytes {
		return s
	}
	sum := sha256.Sum256([]byte(s))
	suffix := "~" + hex.EncodeToString(sum[:8])
	cut := maxBytes - len(suffix)
	for !utf8.RuneStart(s[cut]) {
		cut--
	}
	return s[:cut] + suffix
}

func isClean(s string) bool {
	for i := range len(s) {
		if c := s[i]; c < ' ' || c == 0x7f {
			return false
		} else if c >= utf8.RuneSelf {
			return utf8.ValidString(s[i:]) && !strings.ContainsFunc(s[i:], isControl)
		}
	}
	return true
}

func isControl(r rune) bool { return r < ' ' || r == 0x7f }
