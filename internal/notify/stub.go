package notify

import (
	"time"

	"github.com/go-batteries/hawkeye/internal/alert"
)

type index struct{}

// OnEvents queues what an evaluation brought for the receivers of one alert:
// part of the agent's commit. a is the alert after the step.
func OnEvents(v *View, a *Alert, events []alert.Event, now time.Time) Plan { return Plan{} }

// Decide says what to send now, what to write with that, and when to look
// again.
func Decide(v *View, now time.Time) Plan { return Plan{} }

// Settle writes down how an attempt went. random is in [0, 1).
func Settle(v *View, m *Message, res Result, now time.Time, random float64) Plan { return Plan{} }

// Unended returns the incidents of an alert that somebody was told of and
// that have no end, for [alert.Input].
func Unended(v *View, alertKey string) []alert.Told { return nil }

// Sweep returns the threads and groups that nothing needs any more.
func Sweep(v *View, now time.Time) ([]ThreadKey, []GroupKey) { return nil, nil }
