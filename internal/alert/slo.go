package alert

import (
	"math"
	"time"
)

// BurnRate is one pair of windows of an objective. It is in breach when the
// error budget burns at least Factor times as fast as it may in both: the
// long window says that it matters, the short one that it still goes on.
//
// Source: Google's SRE Workbook, chapter 5, "Multiwindow, Multi-Burn-Rate
// Alerts".
type BurnRate struct {
	Short, Long time.Duration
	Factor      float64
	// Page says that it wakes somebody; else it is a ticket.
	Page bool
}

// sloPeriod is what the usual factors and windows are for.
const sloPeriod = 30 * 24 * time.Hour

// BurnRates returns the four usual pairs for an objective over period. The
// windows scale with it; the factors stay, so that a breach costs the same
// share of the budget.
func BurnRates(period time.Duration) []BurnRate {
	if period <= 0 {
		period = sloPeriod
	}
	scale := func(d time.Duration) time.Duration {
		return time.Duration(float64(d) * (float64(period) / float64(sloPeriod))).Round(time.Second)
	}
	return []BurnRate{
		{Short: scale(5 * time.Minute), Long: scale(time.Hour), Factor: 14.4, Page: true},
		{Short: scale(30 * time.Minute), Long: scale(6 * time.Hour), Factor: 6, Page: true},
		{Short: scale(2 * time.Hour), Long: scale(24 * time.Hour), Factor: 3},
		{Short: scale(6 * time.Hour), Long: scale(72 * time.Hour), Factor: 1},
	}
}

// Breached says whether the shares of bad events in the two windows burn the
// budget of an objective (0.999 for 99.9 %) too fast.
func (b BurnRate) Breached(objective, short, long float64) bool {
	limit := b.Factor * (1 - objective)
	return short > limit && long > limit
}

// The verdicts of an objective, as values for a [Rule] made by [SLORule].
const (
	SLOMet    = 0.0
	SLOTicket = 1.0
	SLOPage   = 2.0
)

// SLOVerdict returns the worst verdict of the pairs. ratio returns the share
// of bad events in a window, or false if there were too few for a verdict;
// without any verdict the answer is NaN and false.
func SLOVerdict(pairs []BurnRate, objective float64, ratio func(time.Duration) (float64, bool)) (value float64, ok bool) {
	value = math.NaN()
	for _, p := range pairs {
		short, okShort := ratio(p.Short)
		long, okLong := ratio(p.Long)
		if !okShort || !okLong {
			continue
		}
		verdict := SLOMet
		switch {
		case !p.Breached(objective, short, long):
		case p.Page:
			verdict = SLOPage
		default:
			verdict = SLOTicket
		}
		if !ok || verdict > value {
			value, ok = verdict, true
		}
	}
	return value, ok
}

// SLORule is the rule for the verdicts of an objective: a ticket and a page
// are two levels of one alert.
func SLORule(key string) Rule {
	return Rule{Key: key, Op: GreaterOrEqual, Levels: []Level{
		{Name: "ticket", Threshold: SLOTicket},
		{Name: "page", Threshold: SLOPage},
	}}
}
