package notify

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/go-batteries/hawkeye/internal/matcher"
)

// Silence keeps back what matches it from Start (inclusive) to End
// (exclusive): a record of the ledger. It doesn't keep back the end of what
// was told.
type Silence struct {
	V  int    `json:"v"`
	ID string `json:"id"`
	// Matchers are as text; all must hold.
	Matchers []string  `json:"matchers"`
	Start    time.Time `json:"start"`
	End      time.Time `json:"end"`
	Author   string    `json:"author"`
	Comment  string    `json:"comment"`
	Updated  time.Time `json:"updated"`
	// Cancelled says that it was ended by hand, before its time.
	Cancelled bool `json:"cancelled,omitempty"`

	compiled []*matcher.Matcher
}

// What is wrong with a silence.
var (
	ErrNoMatchers = errors.New("a silence needs a matcher")
	ErrMatchesAll = errors.New("a silence must not match everything: every matcher of it matches the empty text")
	ErrNoEnd      = errors.New("a silence needs an end after its start, and in the future")
)

// NewSilence checks a silence and fills in what is missing. A start in the
// past becomes now.
func NewSilence(s Silence, now time.Time, newID func() string) (*Silence, error) {
	if s.Start.Before(now) {
		s.Start = now
	}
	if err := s.check(now); err != nil {
		return nil, err
	}
	s.V, s.ID, s.Updated, s.Cancelled = RecordVersion, newID(), now, false
	return &s, nil
}

func (s *Silence) check(now time.Time) error {
	if !s.End.After(s.Start) || !s.End.After(now) {
		return ErrNoEnd
	}
	if len(s.Matchers) == 0 {
		return ErrNoMatchers
	}
	if err := s.Compile(); err != nil {
		return err
	}
	if !slices.ContainsFunc(s.compiled, func(m *matcher.Matcher) bool { return !m.Matches("") }) {
		return ErrMatchesAll
	}
	return nil
}

// UnmarshalJSON reads a record of the ledger. Matchers that can't be parsed,
// of a newer version perhaps, make a silence that matches nothing.
func (s *Silence) UnmarshalJSON(data []byte) error {
	type plain Silence
	if err := json.Unmarshal(data, (*plain)(s)); err != nil {
		return err
	}
	if s.Compile() != nil {
		s.compiled = nil
	}
	return nil
}

// Compile parses the matchers of a silence that was made by hand, before it is
// shared.
func (s *Silence) Compile() error {
	compiled := make([]*matcher.Matcher, 0, len(s.Matchers))
	for _, text := range s.Matchers {
		m, err := matcher.Parse(text)
		if err != nil {
			return fmt.Errorf("parse matcher %q: %w", text, err)
		}
		compiled = append(compiled, m)
	}
	s.compiled = compiled
	return nil
}

// Active says whether the silence is in force.
func (s *Silence) Active(now time.Time) bool {
	return !now.Before(s.Start) && now.Before(s.End)
}

// Matches says whether the silence is about an alert.
func (s *Silence) Matches(snapshot *Snapshot) bool {
	return len(s.compiled) > 0 && matchAll(s.compiled, snapshot)
}

// Edit changes a silence to what change says, of which the id is ignored.
// Another comment, author or end keep its identity. Other matchers, or
// another start of one that is active already, make a new silence and end the
// old one; then both are returned, the old one first.
func (s *Silence) Edit(change Silence, now time.Time, newID func() string) ([]*Silence, error) {
	sameMatchers := slices.Equal(s.Matchers, change.Matchers)
	sameStart := s.Start.Equal(change.Start) || now.Before(s.Start) && !change.Start.Before(now)
	if sameMatchers && sameStart && now.Before(s.End) {
		change.V, change.ID, change.Updated, change.Cancelled = RecordVersion, s.ID, now, false
		if err := change.check(now); err != nil {
			return nil, err
		}
		return []*Silence{&change}, nil
	}
	fresh, err := NewSilence(change, now, newID)
	if err != nil {
		return nil, err
	}
	return []*Silence{s.Expire(now), fresh}, nil
}

// Expire ends a silence by hand. One that hasn't begun never will; one that
// is over stays as it is.
func (s *Silence) Expire(now time.Time) *Silence {
	ended := *s
	if !now.Before(s.End) {
		return &ended
	}
	ended.End, ended.Updated, ended.Cancelled = now, now, true
	if now.Before(s.Start) {
		ended.Start = now
	}
	return &ended
}
