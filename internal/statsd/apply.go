package statsd

import (
	"bytes"
	"fmt"
	"math"
	"math/rand/v2"

	"github.com/go-batteries/hawkeye/internal/series"
)

// DefaultMaxLine is the longest line in bytes unless an Applier names another.
const DefaultMaxLine = 8 << 10

// maxWeight bounds for how many events one observation can stand.
const maxWeight = 1 << 63

// maxQuoted is how much of a bad line an error repeats.
const maxQuoted = 64

// Applier records lines in a registry. It is not safe for concurrent use:
// each connection has its own. The registry may be shared, or nil.
type Applier struct {
	Registry *series.Registry
	// GaugeDelta makes a gauge's "+1" and "-1" changes of its value, as
	// Etsy's statsd has it. Without it they are values, as DogStatsD has it.
	GaugeDelta bool
	// MaxLine is the longest line in bytes; 0 is [DefaultMaxLine].
	MaxLine int
	// Counts say what was done. The owner may read and reset them between
	// calls.
	Counts Counts

	sample Sample
}

// Counts are what an [Applier] has done.
type Counts struct {
	Lines   uint64             // lines that were recorded
	Samples uint64             // the values in them
	Refused [NumReasons]uint64 // lines that were not, by Reason
}

// LineError says which line of a text was not recorded, and why. The other
// lines were: Accepted of them.
type LineError struct {
	Line     int // of the first bad one, counted from 1
	Reason   Reason
	Text     string // the beginning of that line
	Accepted int
	Rejected int
}

// Error names the line and the reason.
func (e *LineError) Error() string {
	return fmt.Sprintf("line %d (%q): %s; accepted %d, rejected %d",
		e.Line, e.Text, e.Reason.Error(), e.Accepted, e.Rejected)
}

// Unwrap returns the [Reason].
func (e *LineError) Unwrap() error { return e.Reason }

// Apply records the lines of text, separated by newlines, with or without one
// at the end. An empty line is nothing; a carriage return at the end of a
// line doesn't belong to it. Events and service checks are counted and
// otherwise left alone.
//
// If there are bad lines Apply records the others and returns a [*LineError]
// about the first. It keeps no part of text, and allocates only that error,
// and what series need that are new.
func (a *Applier) Apply(text []byte) error {
	var bad *LineError
	accepted, rejected := 0, 0
	for number := 1; len(text) > 0; number++ {
		line := text
		if end := bytes.IndexByte(text, '\n'); end >= 0 {
			line, text = text[:end], text[end+1:]
		} else {
			text = nil
		}
		if n := len(line); n > 0 && line[n-1] == '\r' {
			line = line[:n-1]
		}
		if len(line) == 0 {
			continue
		}
		reason := a.applyLine(line)
		if reason == ok {
			accepted++
			continue
		}
		a.Counts.Refused[reason]++
		if reason.Ignored() {
			continue
		}
		if rejected++; bad == nil {
			bad = &LineError{Line: number, Reason: reason, Text: string(line[:min(len(line), maxQuoted)])}
		}
	}
	a.Counts.Lines += uint64(accepted)
	if bad == nil {
		return nil
	}
	bad.Accepted, bad.Rejected = accepted, rejected
	return bad
}

func (a *Applier) applyLine(line []byte) Reason {
	limit := a.MaxLine
	if limit == 0 {
		limit = DefaultMaxLine
	}
	if len(line) > limit {
		return TooLong
	}
	if reason := parse(line, &a.sample); reason != ok {
		return reason
	}
	if !a.record() && a.Registry != nil {
		return nameReason(a.sample.Name)
	}
	a.Counts.Samples += uint64(max(len(a.sample.Values), 1))
	return ok
}

// nameReason says why the registry takes no such name.
func nameReason(name []byte) Reason {
	switch series.ForeignTags(string(name)) {
	case ',':
		return InfluxTags
	case ';':
		return GraphiteTags
	case '[':
		return SignalFxTags
	case '#':
		return LibratoTags
	case '{':
		return PrometheusTags
	}
	return NoName // nothing is left of it without blanks and control characters
}

// record puts a.sample into the registry, and is false if that doesn't take
// the name.
func (a *Applier) record() bool {
	s := &a.sample
	switch s.Type {
	case Counter:
		c := a.Registry.CounterBytes(s.Name, s.Tags)
		if c == nil {
			return false
		}
		for _, v := range s.Values {
			if s.Rate != 1 {
				v.V /= s.Rate
			}
			c.AddFloat(v.V)
		}
	case Gauge:
		g := a.Registry.GaugeBytes(s.Name, s.Tags)
		if g == nil {
			return false
		}
		for _, v := range s.Values {
			if a.GaugeDelta && v.Signed {
				g.Add(v.V)
			} else {
				g.Set(v.V)
			}
		}
		g.Relayed()
	case Set:
		set := a.Registry.SetBytes(s.Name, s.Tags)
		if set == nil {
			return false
		}
		set.AddBytes(s.Member)
	default:
		h := a.Registry.HistogramBytes(s.Name, s.Tags)
		if h == nil {
			return false
		}
		for _, v := range s.Values {
			h.ObserveN(v.V, weight(s.Rate))
		}
	}
	return true
}

// weight is for how many events an observation at this rate stands. Where
// that is no whole number it is rounded at random, up as often as the
// fraction says, so that sums over many observations come out right: at 0.3
// always taking 3 for 3.33 would lose a tenth.
func weight(rate float64) uint64 {
	if rate == 1 {
		return 1
	}
	whole, fraction := math.Modf(1 / rate)
	if fraction > 1e-9 && rand.Float64() < fraction {
		whole++
	}
	return uint64(whole)
}
