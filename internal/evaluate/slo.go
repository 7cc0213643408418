package evaluate

import (
	"math"
	"time"

	"github.com/go-batteries/hawkeye/internal/alert"
	"github.com/go-batteries/hawkeye/internal/monitor"
	"github.com/go-batteries/hawkeye/internal/window"
)

// budget is the value of an SLO.
type budget struct {
	pairs     []alert.BurnRate
	at        map[time.Duration]int // total and part of a length, as a query
	objective float64
	period    time.Duration
	minTotal  float64
	bad       func(part, total float64) float64
}

func newBudget(o *monitor.SLO, at map[time.Duration]int) budget {
	b := budget{at: at, objective: o.Objective, period: o.Period, minTotal: o.MinTotal, bad: func(part, _ float64) float64 { return part }}
	for _, p := range o.BurnWindows() {
		b.pairs = append(b.pairs, alert.BurnRate{Short: p.Short, Long: p.Long, Factor: p.Factor, Page: p.Page})
	}
	if o.Good != nil && (o.Good.Op == monitor.LessOrEqual || o.Good.Op == monitor.Less) {
		b.bad = func(part, total float64) float64 { return total - part }
	}
	return b
}

func (b budget) measure(r *reader) Reading {
	out := Reading{Total: math.NaN(), Compare: math.NaN(), Limit: math.NaN(), scale: math.NaN()}
	unseen, failed := true, false
	burnt := burnt{budget: b, totals: make(map[time.Duration]float64, len(b.at)), ratios: make(map[time.Duration]float64, len(b.at))}
	if s := &r.a.State; s.Phase.Told() {
		burnt.fires = s.Rank
	}
	for length, i := range b.at {
		total, part := r.value(i), r.value(i+1)
		unseen = unseen && total.Status == window.Unseen
		failed = failed || total.Status == window.Ambiguous || part.Status == window.Ambiguous
		out.input.Incomplete = out.input.Incomplete || total.Partial+part.Partial > 0 || r.vague(&total) || r.vague(&part)
		out.Value.Unknown, out.Value.Partial = max(out.Value.Unknown, total.Unknown), max(out.Value.Partial, total.Partial)
		n, counted := known(&total), known(&part)
		if burnt.totals[length] = n; n > 0 {
			burnt.ratios[length] = min(max(b.bad(counted, n)/n, 0), 1)
		}
		if length == r.a.Rule.Monitor.Window {
			out.Total, out.Value.Kind, out.Value.Count, out.samples = n, total.Kind, n, n > 0
		}
	}
	switch {
	case failed:
		out.input.Status, out.Value.Status = alert.StatusError, window.Ambiguous
	case unseen && !r.a.judged():
		out.input.Status, out.Value.Status = alert.StatusUnseen, window.Unseen
	default:
		out.Value.Status = window.OK
		out.input.Value = alert.SLOVerdict(b.pairs, b.objective, burnt.of)
		out.Value.V, out.Pair = burnt.rate(out.input.Value)
		out.Limit = out.Pair.Factor
	}
	return out
}

// known is how much was counted, 0 if nothing was.
func known(v *window.Value) float64 {
	if v.Status == window.OK {
		return v.V
	}
	return 0
}

// burnt is what the windows of an objective say at a tick.
type burnt struct {
	budget
	totals, ratios map[time.Duration]float64 // by length; no ratio of nothing
	fires          int                       // the rank that fires, 0 if none does
}

// of returns the shares of bad events in a pair's windows. A pair burns nothing
// while one of its windows holds no events or, unless its level fires already,
// too few for a beginning.
func (b *burnt) of(p *alert.BurnRate) (short, long float64) {
	if b.fires < p.Rank() && min(b.totals[p.Short], b.totals[p.Long]) < b.minTotal {
		return 0, 0
	}
	return b.ratios[p.Short], b.ratios[p.Long]
}

// rate returns how many times as fast as it may the budget burns in the pair
// that is nearest to its limit, or farthest over it, among those of the
// verdict; and that pair.
func (b *burnt) rate(verdict float64) (rate float64, pair alert.BurnRate) {
	worst := -1.0
	for i := range b.pairs {
		p := &b.pairs[i]
		if p.Page && verdict == alert.SLOTicket || !p.Page && verdict == alert.SLOPage {
			continue
		}
		short, long := b.of(p)
		if burns := min(short, long) / (1 - b.objective); burns/p.Factor > worst {
			rate, pair, worst = burns, *p, burns/p.Factor
		}
	}
	return rate, pair
}
