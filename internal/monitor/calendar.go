package monitor

import (
	"time"

	"github.com/go-batteries/hawkeye/internal/cron"
)

// Calendar is when the signs of life of a heartbeat are due.
type Calendar struct {
	Schedule *cron.Schedule
	// Location is where the clock hangs.
	Location *time.Location
	// Early is how long before it is due a sign counts.
	Early time.Duration
}

// Calendar returns when signs are due, nil if the heartbeat has no schedule.
func (h *Heartbeat) Calendar() *Calendar {
	if h.schedule == nil {
		return nil
	}
	c := &Calendar{Schedule: h.schedule, Location: h.Location, Early: h.Early}
	if c.Location == nil {
		c.Location = time.UTC
	}
	return c
}

// Unmet returns the first due time that is not met by a sign that came before
// heard and was the last one: a sign counts from [Calendar.Early] before it is
// due, by the first of two times that a clock shows twice.
func (c *Calendar) Unmet(heard time.Time) cron.Due {
	return c.first(heard, func(d cron.Due) bool { return !d.First.Add(-c.Early).Before(heard) })
}

// After returns the first due time after from.
func (c *Calendar) After(from time.Time) cron.Due {
	return c.first(from, func(d cron.Due) bool { return d.First.After(from) })
}

func (c *Calendar) first(from time.Time, is func(cron.Due) bool) cron.Due {
	for {
		due, ok := c.Schedule.Next(from, c.Location)
		if !ok {
			return cron.Due{At: never, First: never}
		}
		if is(due) {
			return due
		}
		from = due.At
	}
}

// never is a time that doesn't come while a program runs.
var never = time.Date(9999, 1, 1, 0, 0, 0, 0, time.UTC)
