// Package matcher is one condition on one tag, written as Alertmanager writes
// its matchers: route=~"/api/.*", env!="dev", method=GET.
package matcher

import "regexp"

// Op is how a matcher compares.
type Op uint8

// The four ways to compare.
const (
	Equal Op = iota
	NotEqual
	Regexp
	NotRegexp
)

// String returns the operator as it is written.
func (o Op) String() string {
	return [...]string{"=", "!=", "=~", "!~"}[o&3]
}

// Matcher is one condition. It is immutable and safe for concurrent use. A
// tag that is missing equals the empty text.
type Matcher struct {
	Name  string
	Op    Op
	Value string
	re    *regexp.Regexp
}

// Matches says whether value, the text of tag Name, fulfils the condition.
// It allocates nothing.
func (m *Matcher) Matches(value string) bool {
	switch m.Op {
	case Equal:
		return value == m.Value
	case NotEqual:
		return value != m.Value
	case Regexp:
		return m.re.MatchString(value)
	default:
		return !m.re.MatchString(value)
	}
}
