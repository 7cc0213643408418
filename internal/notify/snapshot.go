package notify

import (
	"encoding/json"
	"fmt"
	"math"
	"strconv"
	"time"
)

// SourceOverflow is the Source of word that a monitor has more groups than it
// keeps: told once, and no trouble of its own.
const SourceOverflow = "max_groups"

// Snapshot is what a message is rendered from: the alert as it stood when
// there was something to tell.
type Snapshot struct {
	// Name is the monitor's, as silences and people know it.
	Name        string `json:"name,omitempty"`
	Metric      string `json:"metric,omitempty"`
	Description string `json:"description,omitempty"`
	Service     string `json:"service,omitempty"`
	Environment string `json:"environment,omitempty"`
	// Source is what it is if not a monitor: "slo", "heartbeat", or
	// "max_groups" for word of too many groups.
	Source string `json:"source,omitempty"`
	// Series is the kind of series that the value is of.
	Series string `json:"series,omitempty"`
	// PreviousLevel is the level before the latest change.
	Level         string `json:"level,omitempty"`
	PreviousLevel string `json:"previous_level,omitempty"`
	Op            string `json:"op,omitempty"`
	// Threshold is that of Level, Clear the one while it fires.
	Threshold Number  `json:"threshold"`
	Clear     *Number `json:"clear,omitempty"`
	// Total is the divisor, Compare the value that relative thresholds are
	// against, Limit what takes the place of the level's threshold.
	Total      *Number `json:"total,omitempty"`
	Compare    *Number `json:"compare,omitempty"`
	Limit      *Number `json:"limit,omitempty"`
	Value      Number  `json:"value"`
	HasValue   bool    `json:"has_value,omitempty"`
	Incomplete bool    `json:"incomplete,omitempty"`
	Late       bool    `json:"late,omitempty"`
	// Blind says that it is what one replica counted while the store was away.
	Blind  bool          `json:"blind,omitempty"`
	Window time.Duration `json:"window,omitempty"`
	Unit   string        `json:"unit,omitempty"`
	Reason string        `json:"reason,omitempty"`
	// StandsLevel, for a receiver that isn't told of it, is the higher level
	// that stands, StandsSince since when, StandsTold who was told of it.
	StandsLevel string    `json:"stands_level,omitempty"`
	StandsSince time.Time `json:"stands_since,omitzero"`
	StandsTold  []string  `json:"stands_told,omitempty"`
	// State is firing, nodata or resolved.
	State     string            `json:"state,omitempty"`
	Tags      map[string]string `json:"tags,omitempty"`
	Labels    map[string]string `json:"labels,omitempty"`
	Runbook   string            `json:"runbook,omitempty"`
	Dashboard string            `json:"dashboard,omitempty"`
	Summary   string            `json:"summary,omitempty"`
	// Since is when it fired; At is when this was so.
	Since time.Time `json:"since,omitzero"`
	At    time.Time `json:"at,omitzero"`
	// Measured is when the value was, if At doesn't say it.
	Measured time.Time `json:"measured,omitzero"`
	// Part is what Total divides, DivideBy whose Total is.
	Part     *Number `json:"part,omitempty"`
	DivideBy string  `json:"divide_by,omitempty"`
	// Objective is an SLO's, a fraction of the events of Period; Long and
	// Short are the windows that the value is of.
	Objective *Number       `json:"objective,omitempty"`
	Period    time.Duration `json:"period,omitempty"`
	Long      time.Duration `json:"long,omitempty"`
	Short     time.Duration `json:"short,omitempty"`
	// Due is when the sign of life of a heartbeat was due that is missing,
	// or is next, Heard when the latest one came, if that is known.
	Due   time.Time `json:"due,omitzero"`
	Heard time.Time `json:"heard,omitzero"`
}

// Label returns what matchers and groups see under a name: "monitor",
// "level", "metric", "service", "environment", "state", a tag or a label. What
// is missing is empty.
func (s *Snapshot) Label(name string) string {
	switch name {
	case "monitor":
		return s.Name
	case "level":
		return s.Level
	case "metric":
		return s.Metric
	case "service":
		return s.Service
	case "environment":
		return s.Environment
	case "state":
		return s.State
	}
	if v, ok := s.Tags[name]; ok {
		return v
	}
	return s.Labels[name]
}

// MeasuredAt returns when the value was measured, zero if that isn't known.
func (s *Snapshot) MeasuredAt() time.Time {
	if s.Measured.IsZero() {
		return s.At
	}
	return s.Measured
}

// measured takes over what was measured later.
func (s *Snapshot) measured(now *Snapshot) {
	s.Value, s.HasValue, s.Incomplete, s.Late, s.Measured = now.Value, now.HasValue, now.Incomplete, now.Late, now.Measured
	s.Total, s.Part, s.Compare, s.Heard, s.Due = now.Total, now.Part, now.Compare, now.Heard, now.Due
	s.Long, s.Short = now.Long, now.Short
	if s.HasValue {
		s.Reason = ""
	}
}

// Describe makes the snapshot one of the level.
func (l *LevelRoute) Describe(s *Snapshot) {
	s.Level, s.Threshold, s.Clear = l.Name, Number(l.Threshold), nil
	if l.Clear != nil {
		clear := Number(*l.Clear)
		s.Clear = &clear
	}
	switch {
	case s.Limit != nil:
		s.Threshold = *s.Limit
	case l.Relative && s.Compare != nil:
		s.Threshold = *s.Compare * (1 + s.Threshold)
		if s.Clear != nil {
			*s.Clear = *s.Compare * (1 + *s.Clear)
		}
	}
}

// Number is a float64 whose JSON also knows NaN and the infinities.
type Number float64

// MarshalJSON writes a number, or a text for what JSON has no number for.
func (n Number) MarshalJSON() ([]byte, error) {
	f := float64(n)
	if math.IsNaN(f) || math.IsInf(f, 0) {
		return strconv.AppendQuote(nil, strconv.FormatFloat(f, 'g', -1, 64)), nil
	}
	return json.Marshal(f)
}

// UnmarshalJSON reads what MarshalJSON wrote.
func (n *Number) UnmarshalJSON(data []byte) error {
	text := string(data)
	if unquoted, err := strconv.Unquote(text); err == nil {
		text = unquoted
	}
	f, err := strconv.ParseFloat(text, 64)
	if err != nil {
		return fmt.Errorf("decode number %.40q: %w", data, err)
	}
	*n = Number(f)
	return nil
}
