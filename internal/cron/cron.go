// Package cron reads schedules of five fields, as crontab(5) has them, and says
// when they are due. It is pure: time is an argument.
package cron

import (
	"math/bits"
	"time"
)

// Schedule is a schedule that was read: minute, hour, day of month, month and
// day of week. It is not changed after that, and safe for concurrent use.
type Schedule struct {
	text                                  string
	minutes, hours, days, months, weekday uint64 // bit n is the value n
	either                                bool   // a day that either field names is due
}

// Due is a time at which a schedule is due.
type Due struct {
	// At is when.
	At time.Time
	// First is when the clock on the wall showed that time for the first
	// time. It is before At where the clock was put back over it, else At.
	First time.Time
}

// String returns the schedule as it was written.
func (s *Schedule) String() string { return s.text }

// maxYears is how far ahead a next time is looked for. A 29th of February
// that has to be a Sunday, too, is 40 years away at most.
const maxYears = 41

// Next returns the first time after t at which the schedule is due, by a clock
// that hangs in loc. A time that the clock skips isn't due that day; one that
// it shows twice is due once, when it shows it for the last time. ok is false
// if there is none within 41 years.
func (s *Schedule) Next(t time.Time, loc *time.Location) (due Due, ok bool) {
	y, m, d := t.In(loc).Date()
	// The day before, for a clock that was put back over midnight.
	for n := -1; n < maxYears*366; n++ {
		day := time.Date(y, m, d+n, 0, 0, 0, 0, time.UTC)
		if !s.onDay(day) {
			continue
		}
		if due, ok := s.onThe(day, t, loc); ok {
			return due, true
		}
	}
	return Due{}, false
}

// onThe returns the first due time of a day that is after t. The day is that
// of the clock on the wall, as if it were UTC.
func (s *Schedule) onThe(day, t time.Time, loc *time.Location) (Due, bool) {
	spans := spansOf(day, loc)
	for hours := s.hours; hours != 0; hours &= hours - 1 {
		hour := day.Add(time.Duration(bits.TrailingZeros64(hours)) * time.Hour)
		for minutes := s.minutes; minutes != 0; minutes &= minutes - 1 {
			wall := hour.Add(time.Duration(bits.TrailingZeros64(minutes)) * time.Minute)
			if due, ok := instants(wall, spans); ok && due.At.After(t) {
				return due, true
			}
		}
	}
	return Due{}, false
}

// maxOffset is more than any clock was ever away from UTC.
const maxOffset = 26 * time.Hour

// span is a time in which a clock is away from UTC by the same offset. A zero
// edge is open.
type span struct {
	offset     time.Duration
	start, end time.Time
}

// spansOf returns the spans in which a clock in loc may show a time of a day,
// which is given as if it were UTC.
func spansOf(day time.Time, loc *time.Location) (spans []span) {
	for t := day.Add(-maxOffset).In(loc); ; {
		_, offset := t.Zone()
		start, end := t.ZoneBounds()
		spans = append(spans, span{time.Duration(offset) * time.Second, start, end})
		if end.IsZero() || end.After(day.Add(24*time.Hour+maxOffset)) {
			return spans
		}
		t = end
	}
}

// instants returns when a clock shows a time, for the first and for the last
// time; false if it skips it. The time is given as if it were UTC.
func instants(wall time.Time, spans []span) (due Due, ok bool) {
	for _, s := range spans {
		at := wall.Add(-s.offset)
		if !s.start.IsZero() && at.Before(s.start) || !s.end.IsZero() && !at.Before(s.end) {
			continue
		}
		if due.At = at; !ok {
			due.First, ok = at, true
		}
	}
	return due, ok
}

// onDay says whether the schedule is due on a day. As crontab(5) has it: if
// both day fields are restricted, either will do; else both must hold.
func (s *Schedule) onDay(day time.Time) bool {
	if s.months&(1<<day.Month()) == 0 {
		return false
	}
	inMonth, inWeek := s.days&(1<<day.Day()) != 0, s.weekday&(1<<day.Weekday()) != 0
	if s.either {
		return inMonth || inWeek
	}
	return inMonth && inWeek
}

// ever says whether there is any day on which the schedule is due. Each day of
// each month falls on each day of the week some time.
func (s *Schedule) ever() bool {
	if s.either && s.weekday != 0 {
		return true
	}
	for month := time.January; month <= time.December; month++ {
		last := time.Date(2000, month+1, 0, 0, 0, 0, 0, time.UTC).Day() // a leap year
		if s.months&(1<<month) != 0 && s.days&(1<<(last+1)-1) != 0 {
			return true
		}
	}
	return false
}

// Gap returns the least time between two due times, by a clock that is never
// put forward or back, looking at four years from 2001 on.
func (s *Schedule) Gap() time.Duration {
	least := time.Duration(0)
	note := func(gap time.Duration) {
		if least == 0 || gap < least {
			least = gap
		}
	}
	times := s.timesOfDay()
	for i := 1; i < len(times); i++ {
		note(times[i] - times[i-1])
	}
	overnight := times[0] - times[len(times)-1]
	var before time.Time
	for n := range 4*365 + 1 {
		day := time.Date(2001, 1, 1+n, 0, 0, 0, 0, time.UTC)
		if !s.onDay(day) {
			continue
		}
		if !before.IsZero() {
			note(day.Sub(before) + overnight)
		}
		before = day
	}
	if least == 0 { // less than twice in four years
		return 4 * 365 * 24 * time.Hour
	}
	return least
}

func (s *Schedule) timesOfDay() []time.Duration {
	var times []time.Duration
	for hours := s.hours; hours != 0; hours &= hours - 1 {
		for minutes := s.minutes; minutes != 0; minutes &= minutes - 1 {
			times = append(times, time.Duration(bits.TrailingZeros64(hours))*time.Hour+
				time.Duration(bits.TrailingZeros64(minutes))*time.Minute)
		}
	}
	return times
}
