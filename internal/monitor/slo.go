package monitor

import "time"

// BurnWindow is one pair of windows of an SLO: it fires while the error
// budget burns more than Factor times as fast as it may, in both of them. The
// long one says that it matters, the short one that it is still going on.
type BurnWindow struct {
	// Page says whom it tells: the SLO's Page, else its Ticket.
	Page        bool
	Short, Long time.Duration
	Factor      float64
}

// BurnWindows returns the pairs for the SLO's period: for 30 d those of the
// Site Reliability Workbook, chapter 5, table 5-8, with the tickets' second
// pair; for another period the windows in proportion, so that each pair stands
// for the same share of the budget.
func (s *SLO) BurnWindows() []BurnWindow {
	scale := func(d time.Duration) time.Duration {
		scaled := time.Duration(float64(d) * float64(s.Period) / float64(defaultPeriod))
		return max(scaled.Round(time.Second), time.Second)
	}
	return []BurnWindow{
		{true, scale(5 * time.Minute), scale(time.Hour), 14.4},
		{true, scale(30 * time.Minute), scale(6 * time.Hour), 6},
		{false, scale(2 * time.Hour), scale(24 * time.Hour), 3},
		{false, scale(6 * time.Hour), scale(3 * 24 * time.Hour), 1},
	}
}
