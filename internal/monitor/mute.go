package monitor

import "time"

// MuteTime is a named set of periods in which nothing is told. It contains
// what any of its periods contains.
type MuteTime struct {
	Name    string
	Periods []Period
	Pos     Position `json:"-"`
}

// Contains says whether t lies in the mute time.
func (m *MuteTime) Contains(t time.Time) bool {
	for i := range m.Periods {
		if m.Periods[i].Contains(t) {
			return true
		}
	}
	return false
}

// Period is a part of each day, on some days. The empty one is always.
type Period struct {
	// From and To are minutes of the day; To is exclusive, at most 1440, and
	// may be before From: the period then crosses midnight, and belongs to
	// the day on which it begins. Both 0: the whole day.
	From, To int
	// Weekdays, DaysOfMonth and Months restrict the days; empty is any.
	Weekdays    []time.Weekday
	DaysOfMonth []DayRange
	Months      []time.Month
	// Location is where the clock hangs; nil is UTC.
	Location *time.Location
}

// DayRange is days of a month, 1 to 31, or counted from its end, -1 to -31.
type DayRange struct {
	First, Last int
}

// Contains says whether t lies in the period.
func (p *Period) Contains(t time.Time) bool {
	if p.Location == nil {
		t = t.UTC()
	} else {
		t = t.In(p.Location)
	}
	minute := t.Hour()*60 + t.Minute()
	switch {
	case p.From == 0 && p.To == 0:
		return p.onDay(t)
	case p.From < p.To:
		return minute >= p.From && minute < p.To && p.onDay(t)
	case minute >= p.From:
		return p.onDay(t)
	case minute < p.To:
		y, m, d := t.Date()
		return p.onDay(time.Date(y, m, d-1, 12, 0, 0, 0, t.Location()))
	default:
		return false
	}
}

// onDay says whether the day of t is one of the period's.
func (p *Period) onDay(t time.Time) bool {
	return p.onWeekday(t) && p.inMonth(t) && p.onDayOfMonth(t)
}

func (p *Period) onWeekday(t time.Time) bool {
	for _, d := range p.Weekdays {
		if d == t.Weekday() {
			return true
		}
	}
	return len(p.Weekdays) == 0
}

func (p *Period) inMonth(t time.Time) bool {
	for _, m := range p.Months {
		if m == t.Month() {
			return true
		}
	}
	return len(p.Months) == 0
}

func (p *Period) onDayOfMonth(t time.Time) bool {
	y, m, d := t.Date()
	days := time.Date(y, m+1, 0, 12, 0, 0, 0, time.UTC).Day()
	for _, r := range p.DaysOfMonth {
		if d >= r.day(r.First, days) && d <= r.day(r.Last, days) {
			return true
		}
	}
	return len(p.DaysOfMonth) == 0
}

// day returns the day that n names in a month of that many days. What lies
// before the month is clamped to 0, so that -31:31 is any month whole.
func (DayRange) day(n, days int) int {
	if n < 0 {
		n = max(days+1+n, 0)
	}
	return n
}
