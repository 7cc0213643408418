package evaluate

import (
	"math"
	"time"

	"github.com/go-batteries/hawkeye/internal/alert"
	"github.com/go-batteries/hawkeye/internal/cron"
	"github.com/go-batteries/hawkeye/internal/monitor"
	"github.com/go-batteries/hawkeye/internal/window"
)

// pulse is the value of a heartbeat.
type pulse struct {
	alert.Heartbeat
	calendar *monitor.Calendar // when signs are due; nil: each ExpectEvery
}

// minPace and maxPace are how often what was heard is stored, if signs come
// all the time. What isn't stored is looked up in the windows after a start; it
// is lost if the process was killed and the windows are empty by then.
const (
	minPace = 5 * time.Second
	maxPace = time.Minute
)

// pace is how often what was heard is stored at most.
func (p pulse) pace(tick time.Duration) time.Duration {
	if p.calendar != nil {
		return max(maxPace, tick)
	}
	return max(min(max((p.ExpectEvery+p.Grace)/300, minPace), maxPace), tick)
}

// beat is what an evaluator knows of a heartbeat's signs of life.
type beat struct {
	alert.Pulse
	alive  bool      // something was heard before this evaluator began; when isn't stored
	gap    gap       // the latest time of which nothing is known
	due    cron.Due  // the first due time that isn't met, by the calendar
	dueFor time.Time // what due was made for
	pace   time.Duration
	stored time.Time // when what was heard was last stored
	kept   time.Time // the due time by what is stored
}

// gap is a time of which nothing is known.
type gap struct{ from, to time.Time }

func newBeat(stored *alert.Pulse) (b beat) {
	if stored != nil {
		b.Pulse = *stored
	}
	return b
}

// keep returns what to store: what is known, or what is stored already if that
// was a moment ago and nothing but a newer sign has come since, which makes no
// other time the next one that is due.
func (b *beat) keep(stored *alert.Pulse, now time.Time) *alert.Pulse {
	if stored != nil && (*stored == b.Pulse || now.Before(b.stored.Add(b.pace)) &&
		!stored.Heard.IsZero() && stored.NotBefore.Equal(b.NotBefore) && b.kept.Equal(b.due.At)) {
		return stored
	}
	b.stored, b.kept = now, b.due.At
	p := b.Pulse
	return &p
}

// measure finds out for how long a sign of life is overdue. What this evaluator
// heard, and what is stored, is exact to the tick. Of what a version before
// has heard it only knows whether there was something in the window, which is
// off by a cell at most.
func (p pulse) measure(r *reader) Reading {
	whole := r.value(0)
	out := Reading{Value: whole, Total: math.NaN(), Compare: math.NaN(), Limit: math.NaN(), scale: math.NaN()}
	if whole.Status == window.Ambiguous {
		out.input.Status = alert.StatusError
		return out
	}
	b := &r.a.beat
	b.pace = p.pace(r.e.plan.width)
	p.hear(r, b)
	p.excuse(b, &r.t)
	overdue, never := p.overdue(r, b, whole.Status == window.OK && whole.V > 0)
	if never && overdue <= 0 {
		out.input.Status, out.Value.Status = alert.StatusUnseen, window.Unseen
		return out
	}
	out.input.Value = max(overdue, 0).Seconds()
	out.Value.V, out.Value.Status = out.input.Value, window.OK
	return out
}

// hear looks for the newest sign.
func (p pulse) hear(r *reader, b *beat) {
	n, ok := r.w.Newest(r.e.handles[r.a.Rule.queries[1]], r.group(1))
	if !ok {
		return
	}
	if heard := r.t.End.Add(-time.Duration(r.t.N-n) * r.e.plan.width); heard.After(b.Heard) {
		b.Pulse, b.alive = alert.Pulse{Heard: heard}, false
	}
}

// excuse makes up for time of which nothing is known: as long again, but not
// longer than a sign may take, nothing is overdue. A time of the calendar in
// it is judged grace after it.
func (p pulse) excuse(b *beat, t *Tick) {
	if t.Unknown <= 0 {
		return
	}
	if from := t.End.Add(-t.Unknown); b.gap.to.Equal(from) {
		b.gap.to = t.End
	} else {
		b.gap = gap{from, t.End}
	}
	if b.Heard.IsZero() && b.From.IsZero() || !b.Heard.Before(t.End) {
		return
	}
	length, most := b.gap.to.Sub(b.gap.from), p.ExpectEvery
	if p.calendar != nil {
		due := p.next(b).At
		if due.After(t.End) {
			return
		}
		if most = p.Grace; due.After(b.gap.from) {
			length = most
		}
	}
	if at := t.End.Add(min(length, most)); at.After(b.NotBefore) {
		b.NotBefore = at
	}
}

// overdue returns for how long a sign is overdue, and whether there never was
// one. Before the first one the wait begins when the heartbeat is first looked
// at.
func (p pulse) overdue(r *reader, b *beat, inWindow bool) (d time.Duration, never bool) {
	now, state := r.t.End, &r.a.State
	switch {
	case !b.Heard.IsZero():
	case inWindow:
		b.alive = true
		return -1, false
	case b.alive && !state.Phase.Told():
		return 1, false
	case b.From.IsZero() && state.Phase.Told():
		return now.Sub(state.FiredAt) + 1, false
	case b.From.IsZero():
		if b.From = state.MissingSince; b.From.IsZero() {
			b.From = now
		}
	}
	d = now.Sub(p.deadline(b))
	if p.calendar == nil {
		d++ // the limit is inclusive
	}
	return d, b.Heard.IsZero()
}

// deadline returns when a sign is overdue if none comes.
func (p pulse) deadline(b *beat) time.Time {
	at := p.Due(b.Heard, b.From)
	if p.calendar != nil {
		at = p.next(b).At.Add(p.Grace)
	}
	if b.NotBefore.After(at) {
		return b.NotBefore
	}
	return at
}

// next returns the first due time that isn't met by what was heard.
func (p pulse) next(b *beat) cron.Due {
	switch {
	case b.Heard.IsZero() && b.From.IsZero():
	case b.Heard.IsZero() && !b.From.Equal(b.dueFor):
		b.due, b.dueFor = p.calendar.After(b.From), b.From
	case !b.Heard.IsZero() && !b.Heard.Equal(b.dueFor):
		b.due, b.dueFor = p.calendar.Unmet(b.Heard), b.Heard
	}
	return b.due
}

// Recall looks up what heartbeats heard last up to a tick, the one that was
// judged last: of signs that come all the time not each is stored. It is called
// before the first step.
func (e *Evaluator) Recall(w Windows, t Tick) {
	for i := range e.rules {
		r := &e.rules[i]
		p, beats := r.measure.(pulse)
		if !beats {
			continue
		}
		for _, g := range w.Groups(e.handles[r.queries[1]]) {
			if a := e.alertOf(r, g.Key(), g.Tags(), t); a != nil {
				p.hear(&reader{e: e, w: w, a: a, t: t}, &a.beat)
			}
		}
	}
}

// Unsaved returns what wasn't worth storing by itself: signs of life that came
// a moment after others. Who evaluates next may find them in no window.
func (e *Evaluator) Unsaved(now time.Time) []Change {
	changes := make(map[*Alert]*Change)
	for _, a := range e.alerts {
		if a.Rule.beats && a.State.Pulse != nil && *a.State.Pulse != a.beat.Pulse {
			after := a.State
			a.beat.stored = time.Time{}
			after.Pulse = a.beat.keep(after.Pulse, now)
			e.change(a, a.State, after, nil, changes)
		}
	}
	return sorted(changes)
}

// Beat is how a heartbeat stands.
type Beat struct {
	// Heard is the end of the tick with the latest sign of life, zero if
	// there never was one, or when isn't known.
	Heard time.Time
	// Due is when the next sign, or the one that is missing, is due; Overdue
	// when it is told that there was none.
	Due, Overdue time.Time
}

// Beat returns how a heartbeat stands, false for other alerts, and before it
// was judged.
func (a *Alert) Beat() (Beat, bool) {
	if a.Rule == nil || !a.Rule.beats {
		return Beat{}, false
	}
	p, b := a.Rule.measure.(pulse), &a.beat
	if b.Heard.IsZero() && b.From.IsZero() {
		return Beat{}, false
	}
	out := Beat{Heard: b.Heard, Overdue: p.deadline(b)}
	switch {
	case p.calendar != nil:
		out.Due = p.next(b).At
	case b.Heard.IsZero():
		out.Due = b.From.Add(p.ExpectEvery)
	default:
		out.Due = b.Heard.Add(p.ExpectEvery)
	}
	return out, true
}
