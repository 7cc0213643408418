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
	minTotal  float64
	bad       func(part, total float64) float64
}

func newBudget(o *monitor.SLO, at map[time.Duration]int) budget {
	b := budget{at: at, objective: o.Objective, minTotal: o.MinTotal, bad: func(part, _ float64) float64 { return part }}
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
	ratios := make(map[time.Duration]float64, len(b.at))
	for length, i := range b.at {
		total, part := r.value(i), r.value(i+1)
		unseen = unseen && total.Status == window.Unseen
		failed = failed || total.Status == window.Ambiguous || part.Status == window.Ambiguous
		out.input.Incomplete = out.input.Incomplete || total.Partial+part.Partial > 0 || r.vague(&total) || r.vague(&part)
		out.Value.Unknown, out.Value.Partial = max(out.Value.Unknown, total.Unknown), max(out.Value.Partial, total.Partial)
		var n, counted float64
		if total.Status == window.OK {
			n = total.V
		}
		if part.Status == window.OK {
			counted = part.V
		}
		if n > 0 && n >= b.minTotal {
			ratios[length] = min(max(b.bad(counted, n)/n, 0), 1)
		}
		if length == r.a.Rule.Monitor.Window {
			out.Total, out.Value.Kind, out.Value.Count = n, total.Kind, n
		}
	}
	ratio := func(d time.Duration) (float64, bool) { v, ok := ratios[d]; return v, ok }
	verdict, ok := alert.SLOVerdict(b.pairs, b.objective, ratio)
	out.input.Value = verdict
	out.Value.V, out.Limit = b.burn(ratio, verdict)
	switch {
	case ok:
		out.Value.Status = window.OK
	case failed:
		out.input.Status, out.Value.Status = alert.StatusError, window.Ambiguous
	case unseen:
		out.input.Status, out.Value.Status = alert.StatusUnseen, window.Unseen
	default:
		out.input.Status, out.Value.Status = alert.StatusMissing, window.Missing
	}
	return out
}

// burn returns how many times as fast as it may the budget burns in the pair
// that is nearest to its limit, or farthest over it, among those of the
// verdict; and that limit.
func (b budget) burn(ratio func(time.Duration) (float64, bool), verdict float64) (rate, limit float64) {
	rate, limit = math.NaN(), math.NaN()
	worst := -1.0
	for _, p := range b.pairs {
		short, okShort := ratio(p.Short)
		long, okLong := ratio(p.Long)
		if !okShort || !okLong || p.Page && verdict == alert.SLOTicket || !p.Page && verdict == alert.SLOPage {
			continue
		}
		if burns := min(short, long) / (1 - b.objective); burns/p.Factor > worst {
			rate, limit, worst = burns, p.Factor, burns/p.Factor
		}
	}
	return rate, limit
}
