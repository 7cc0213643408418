package evaluate

import (
	"math"
	"time"

	"github.com/go-batteries/hawkeye/internal/alert"
	"github.com/go-batteries/hawkeye/internal/window"
)

// pulse is the value of a heartbeat.
type pulse struct{ alert.Heartbeat }

// measure finds out for how long nothing was heard. Exact to the tick is what
// this evaluator heard itself; of what was before it knows whether there was
// something in the window, which is off by a cell at most. Before the first
// sign of life the wait begins when the heartbeat is first looked at, which the
// state keeps as the time since when data is missing.
func (p pulse) measure(r *reader) Reading {
	v, latest := r.value(0), r.value(1)
	a, now := r.a, r.t.End
	if latest.Status == window.OK && latest.V > 0 {
		a.heard = now
	}
	out := Reading{Value: v, Total: math.NaN(), Compare: math.NaN(), Limit: math.NaN(), scale: math.NaN()}
	out.input.Incomplete = r.vague(&latest)
	wait := p.ExpectEvery + p.Grace
	overdue := time.Duration(-1)
	switch {
	case v.Status == window.Ambiguous:
		out.input.Status = alert.StatusError
		return out
	case !a.heard.IsZero():
		overdue = now.Sub(a.heard) - wait
	case v.Status == window.OK && v.V > 0:
		a.alive, out.input.Incomplete = true, false // that it was heard is certain
	case a.alive && !a.State.Phase.Told():
		overdue = 0 // it was in the window when this evaluator began
	case a.State.Phase.Told():
		overdue = now.Sub(a.State.FiredAt)
	case a.State.MissingSince.IsZero() || now.Sub(a.State.MissingSince) < wait:
		out.input.Status, out.Value.Status = alert.StatusUnseen, window.Unseen
		return out
	default:
		overdue = now.Sub(a.State.MissingSince) - wait
	}
	if overdue == 0 {
		overdue = 1 // the limit is inclusive
	}
	out.input.Value = max(overdue, 0).Seconds()
	out.Value.V, out.Value.Status = out.input.Value, window.OK
	return out
}
