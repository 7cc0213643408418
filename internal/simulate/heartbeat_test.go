package simulate

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"
	_ "time/tzdata"

	"github.com/go-batteries/hawkeye/internal/cron"
	"github.com/go-batteries/hawkeye/internal/evaluate"
	"github.com/go-batteries/hawkeye/internal/series"
)

// beatCase is a heartbeat, and the signs of life that come.
type beatCase struct {
	schedule, zone string
	early, grace   time.Duration
	from, to       time.Time
	due            []cron.Due         // after from
	signs          map[time.Time]bool // by the end of the tick that they are in
}

// randomBeat makes one around a change of the clock: most runs come a little
// late, some too early, too late, or never.
func randomBeat(rnd *rand.Rand) *beatCase {
	schedules := []string{"0 5 * * 1-5", "30 2 * * *", "*/30 * * * *", "0 */3 * * *", "15 1,2,3 * * *", "0 0 29 * sun", "59 23 * * *"}
	changes := []time.Time{
		time.Date(2026, 3, 29, 1, 0, 0, 0, time.UTC), time.Date(2026, 10, 25, 1, 0, 0, 0, time.UTC), time.Date(2026, 6, 1, 0, 0, 0, 0, time.UTC),
	}
	c := &beatCase{
		schedule: schedules[rnd.IntN(len(schedules))], zone: []string{"Europe/Berlin", "UTC"}[rnd.IntN(2)],
		early: time.Duration(1+rnd.IntN(5)) * time.Minute, grace: time.Duration(rnd.IntN(20)) * time.Minute,
		signs: make(map[time.Time]bool),
	}
	change := changes[rnd.IntN(len(changes))]
	c.from = change.Add(-time.Duration(20+rnd.IntN(40)) * time.Hour)
	c.to = change.Add(time.Duration(20+rnd.IntN(40)) * time.Hour)
	c.due = c.list()
	for _, due := range c.due {
		at := due.At
		if rnd.IntN(3) == 0 {
			at = due.First
		}
		switch rnd.IntN(5) {
		case 0: // never
		case 1:
			c.signs[at.Add(-time.Duration(rnd.IntN(8))*time.Minute)] = true
		default:
			c.signs[at.Add(time.Duration(rnd.IntN(25))*time.Minute)] = true
		}
	}
	return c
}

func (c *beatCase) location() *time.Location {
	loc, err := time.LoadLocation(c.zone)
	if err != nil {
		panic(err)
	}
	return loc
}

// list returns all due times after the beginning.
func (c *beatCase) list() (all []cron.Due) {
	s, err := cron.Parse(c.schedule)
	if err != nil {
		panic(err)
	}
	for at := c.from; ; {
		due, ok := s.Next(at, c.location())
		if !ok || due.At.After(c.to) {
			return all
		}
		all, at = append(all, due), due.At
	}
}

// overdue says, by the rule as it is written, whether a sign is overdue: there
// is a due time, grace ago, and none has come since early before it.
func (c *beatCase) overdue(now time.Time) bool {
	for _, due := range c.due {
		if !due.First.After(c.from.Add(time.Minute)) || !now.After(due.At.Add(c.grace)) {
			continue
		}
		met := false
		for sign := range c.signs {
			met = met || sign.After(due.First.Add(-c.early)) && !sign.After(now)
		}
		if !met {
			return true
		}
	}
	return false
}

func TestHeartbeatsByTheCalendar(t *testing.T) {
	t.Parallel()
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	rnd := rand.New(rand.NewPCG(seed, 1))
	fired := 0
	for range 25 {
		c := randomBeat(rnd)
		text := fmt.Sprintf(`version: 2
receivers: {team: {email: {to: [team@example.com]}}}
heartbeats: [{name: job, metric: errors, schedule: %q, location: %s, early: %dm, grace: %dm, notify: [team]}]
`, c.schedule, c.zone, c.early/time.Minute, c.grace/time.Minute)
		var changed []string
		s := New(Config{Set: mustParse(t, text), Start: c.from, Tick: time.Minute, OnChange: func(ch *evaluate.Change, at time.Time) {
			if was, is := ch.Before.Phase.Told(), ch.Alert.State.Phase.Told(); was != is {
				changed = append(changed, fmt.Sprintf("%t %v", is, at))
			}
		}})
		catalog := NewCatalog()
		counter := catalog.Series(series.KindCounter, "errors", nil)
		process := s.Process("only", catalog)
		var want []string
		for is := false; s.Now().Before(c.to); {
			_, end := s.Tick()
			if c.signs[end] {
				process.Record(counter, 1)
			}
			process.Publish(false)
			s.Step()
			if was := is; c.overdue(end) != was {
				is = !was
				want = append(want, fmt.Sprintf("%t %v", is, end))
				fired++
			}
		}
		if fmt.Sprint(changed) != fmt.Sprint(want) {
			t.Fatalf("%+v\nfires and ends\n%v, want\n%v", c, changed, want)
		}
	}
	if fired == 0 {
		t.Error("nothing ever fired, which proves nothing")
	}
}
