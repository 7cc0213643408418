package monitor

import (
	"errors"
	"time"

	"github.com/go-batteries/hawkeye/internal/cron"
)

// minEarly is how long before it is due a sign of life counts at least.
const minEarly = time.Minute

func checkHeartbeat(s *sink, h *Heartbeat, at place) {
	c := check{s, at}
	if h.Name == "" {
		h.Name = h.Metric
	}
	if h.Level == "" {
		h.Level = "critical"
	}
	repeatDefaults(&h.Repeat, &h.FlapRepeat)
	c.metric("metric", h.Metric, "the heartbeat needs a metric, the counter of its signs of life")
	if h.Name != "" {
		c.name("name", h.Name)
	}
	if !levelName.MatchString(h.Level) {
		c.fail("level", "a level is a word of letters, digits and _ . -", "")
	}
	c.between("grace", h.Grace, 0, maxWindow)
	c.expects(h)
	c.between("repeat", h.Repeat, minRepeat, maxWindow)
	h.where = c.matchers("where", h.Where)
	c.about(&h.About)
	c.atMost("notify", "names", len(h.Notify), maxNames)
	if len(h.Notify) == 0 {
		c.fail("notify", "nobody is told; name receivers in notify:", "")
	}
}

// expects checks when signs of life are due.
func (c check) expects(h *Heartbeat) {
	switch {
	case h.Schedule != "" && h.ExpectEvery != 0:
		c.fail("schedule", "expect_every: and schedule: exclude each other", "")
	case h.Schedule != "":
		c.schedule(h)
	case c.at.broken("schedule"):
	case h.ExpectEvery == 0:
		c.fail("expect_every", "the heartbeat needs expect_every, the longest time between two signs of life, such as 24h, "+
			`or a schedule such as "0 5 * * 1-5"`, "")
	default:
		c.between("expect_every", h.ExpectEvery, minWindow, maxWindow)
		if h.Location != nil {
			c.fail("location", "location is where the clock of a schedule hangs; expect_every needs none", "")
		}
		if h.Early != 0 {
			c.fail("early", "early is how long before the time of a schedule a sign counts; with expect_every each one counts", "")
		}
	}
}

func (c check) schedule(h *Heartbeat) {
	if h.Early == 0 {
		h.Early = minEarly
	}
	c.between("early", h.Early, minEarly, maxWindow)
	var err error
	h.schedule, err = cron.Parse(h.Schedule)
	var e *cron.Error
	if errors.As(err, &e) {
		c.sink.add(c.at.problemWithin("schedule", e.Offset, e.Message, e.Suggestion))
		return
	}
	gap := h.schedule.Gap()
	if h.Early >= gap {
		c.lint("early", "two due times are only "+formatDuration(gap)+" apart, so that one sign counts for both", "")
	}
	if h.Grace >= gap {
		c.lint("grace", "two due times are only "+formatDuration(gap)+" apart: a run that is missed is never told if the next one comes in time", "")
	}
}
