package matcher

import "regexp/syntax"

// Contradiction returns two of ms that no value fulfils together, or one
// matcher twice that none fulfils by itself, and nils if there are none. It
// finds the plain cases, a fixed text against another matcher, and misses
// contradictions between regular expressions.
func Contradiction(ms []*Matcher) (a, b *Matcher) {
	for _, m := range ms {
		if m.Op == NotRegexp && matchesAll(m.Value) {
			return m, m
		}
		fixed, ok := m.literal()
		if !ok {
			continue
		}
		for _, other := range ms {
			if other.Name == m.Name && !other.Matches(fixed) {
				return m, other
			}
		}
	}
	return nil, nil
}

// literal returns the one value that m matches, if there is just one.
func (m *Matcher) literal() (string, bool) {
	if m.Op == Equal {
		return m.Value, true
	}
	if m.Op != Regexp {
		return "", false
	}
	re, err := syntax.Parse(m.Value, syntax.Perl)
	if err != nil || re.Op != syntax.OpLiteral || re.Flags&syntax.FoldCase != 0 {
		return "", false
	}
	return string(re.Rune), true
}

func matchesAll(expr string) bool {
	re, err := syntax.Parse(expr, syntax.Perl)
	if err != nil || re.Op != syntax.OpStar {
		return false
	}
	op := re.Sub[0].Op
	return op == syntax.OpAnyChar || op == syntax.OpAnyCharNotNL
}
