package alert

import "time"

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

// Rank is that of the pair's level in a [SLORule].
func (b *BurnRate) Rank() int {
	if b.Page {
		return 2
	}
	return 1
}

// SLOVerdict returns the worst verdict of the pairs. ratios returns the shares
// of bad events in the windows of a pair, 0 for one that is to burn nothing.
func SLOVerdict(pairs []BurnRate, objective float64, ratios func(*BurnRate) (short, long float64)) float64 {
	verdict := SLOMet
	for i := range pairs {
		p := &pairs[i]
		short, long := ratios(p)
		switch {
		case !p.Breached(objective, short, long):
		case p.Page:
			verdict = SLOPage
		default:
			verdict = max(verdict, SLOTicket)
		}
	}
	return verdict
}

// SLORule is the rule for the verdicts of an objective: a ticket and a page
// are two levels of one alert.
func SLORule(key string) Rule {
	return Rule{Key: key, Op: GreaterOrEqual, Levels: []Level{
		{Name: "ticket", Threshold: SLOTicket},
		{Name: "page", Threshold: SLOPage},
	}}
}
