package series

// A spelling is one way in which a series is called for: a kind, a name and
// tags in a certain order, or, from the wire, the raw text of the tags. Each
// series has its canonical spelling (clean, tags sorted, see canonical.go) and
// one more, an alias, for each other way in which callers spell it. So a
// look-up is one hash and one comparison of what the caller gave, whatever
// the order.
type spelling struct {
	// text is head, length of name, name, and then for each tag length of
	// key, key, length of value, value; or, in a wire spelling, the raw tags.
	text   string
	series *series
	hash   uint32
	slot   uint32 // that of series, in the column of its kind
}

// The first byte of a spelling's text is twice its kind, plus 1 if its tags
// are raw ones from the wire.
const wireSpelling = 1

func (s *spelling) kind() Kind { return Kind(s.text[0] >> 1) }

// name returns the name in a canonical spelling.
func (s *spelling) name() string { return s.text[2 : 2+int(s.text[1])] }

// isOverflow says whether this, a canonical spelling, is that of an overflow
// series: OverflowTag is its only tag.
func (s *spelling) isOverflow() bool {
	const tag = "\x0c" + OverflowTag + "\x04true"
	name := int(s.text[1])
	return s.text[2+name:] == tag
}

// maxPiece is the longest piece of a spelling: its length is one byte.
const maxPiece = 255

// appendSpelling appends the text of a spelling to dst. It is false if a
// piece is too long for one.
func appendSpelling(dst []byte, head byte, name string, tags []Tag) (text []byte, ok bool) {
	if len(name) > maxPiece {
		return dst, false
	}
	dst = append(dst, head, byte(len(name)))
	dst = append(dst, name...)
	for _, tag := range tags {
		if len(tag.Key) > maxPiece || len(tag.Value) > maxPiece {
			return dst, false
		}
		dst = append(append(dst, byte(len(tag.Key))), tag.Key...)
		dst = append(append(dst, byte(len(tag.Value))), tag.Value...)
	}
	return dst, true
}

// parseSpelling reads the text of a canonical spelling.
func parseSpelling(text string) (kind Kind, name string, tags []Tag) {
	rest := text[1:]
	cut := func() (piece string) {
		end := 1 + int(rest[0])
		piece, rest = rest[1:end], rest[end:]
		return piece
	}
	name = cut()
	for rest != "" {
		tags = append(tags, Tag{Key: cut(), Value: cut()})
	}
	return Kind(text[0] >> 1), name, tags
}
