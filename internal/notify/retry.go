package notify

import (
	"cmp"
	"time"
)

// Retry is when to try again. Zero fields have the defaults.
type Retry struct {
	First  time.Duration // the longest first pause; default 1 s
	Young  time.Duration // the longest pause in the first five minutes; default 5 s
	Middle time.Duration // in the first hour; default 1 min
	Old    time.Duration // after that; default 5 min
	Expire time.Duration // when it is given up; default 24 h
	Claim  time.Duration // how long a claim stands; default 1 min
}

// leastPause keeps full jitter from meaning no pause at all.
const leastPause = 100 * time.Millisecond

func (r *Retry) claim() time.Duration  { return cmp.Or(r.Claim, time.Minute) }
func (r *Retry) expire() time.Duration { return cmp.Or(r.Expire, 24*time.Hour) }

// pause returns how long to wait after so many attempts for a row of that
// age: exponential with full jitter, random in [0, 1).
//
// Source: "Exponential Backoff And Jitter", AWS Architecture Blog, 2015.
func (r *Retry) pause(attempts int, age time.Duration, random float64) time.Duration {
	longest := cmp.Or(r.Old, 5*time.Minute)
	switch {
	case age < 5*time.Minute:
		longest = cmp.Or(r.Young, 5*time.Second)
	case age < time.Hour:
		longest = cmp.Or(r.Middle, time.Minute)
	}
	pause := cmp.Or(r.First, time.Second)
	for range attempts - 1 {
		if pause *= 2; pause >= longest {
			break
		}
	}
	pause = min(pause, longest)
	return max(leastPause, time.Duration(random*float64(pause)))
}
