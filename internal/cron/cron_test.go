package cron

import (
	"errors"
	"math/rand/v2"
	"strconv"
	"strings"
	"testing"
	"time"
	_ "time/tzdata"
)

func zone(t testing.TB, name string) *time.Location {
	t.Helper()
	loc, err := time.LoadLocation(name)
	if err != nil {
		t.Fatal(err)
	}
	return loc
}

func schedule(t testing.TB, text string) *Schedule {
	t.Helper()
	s, err := Parse(text)
	if err != nil {
		t.Fatalf("Parse(%q) = %v", text, err)
	}
	return s
}

func TestNext(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		text, zone, after string
		want              []string
	}{
		"workdays": {"0 5 * * 1-5", "Europe/Berlin", "2026-01-09T04:00:00Z",
			[]string{"2026-01-12T04:00:00Z", "2026-01-13T04:00:00Z"}},
		"by names":           {"0 5 * jan-feb MON", "UTC", "2026-01-20T00:00:00Z", []string{"2026-01-26T05:00:00Z", "2026-02-02T05:00:00Z"}},
		"7 is Sunday":        {"0 0 * * 7", "UTC", "2026-01-09T00:00:00Z", []string{"2026-01-11T00:00:00Z", "2026-01-18T00:00:00Z"}},
		"5-7 has Sunday":     {"0 0 * * 5-7", "UTC", "2026-01-09T00:00:00Z", []string{"2026-01-10T00:00:00Z", "2026-01-11T00:00:00Z", "2026-01-16T00:00:00Z"}},
		"sat-sun":            {"0 0 * * sat-sun", "UTC", "2026-01-09T00:00:00Z", []string{"2026-01-10T00:00:00Z", "2026-01-11T00:00:00Z", "2026-01-17T00:00:00Z"}},
		"a list with a step": {"1,20-40/10 3 * * *", "UTC", "2026-01-09T03:01:00Z", []string{"2026-01-09T03:20:00Z", "2026-01-09T03:30:00Z", "2026-01-09T03:40:00Z", "2026-01-10T03:01:00Z"}},
		"the 13th or a Friday": {"0 0 13 * 5", "UTC", "2026-01-09T00:00:00Z",
			[]string{"2026-01-13T00:00:00Z", "2026-01-16T00:00:00Z"}},
		"a star in a day field means both": {"0 0 */2 * 1", "UTC", "2026-01-09T00:00:00Z",
			[]string{"2026-01-19T00:00:00Z", "2026-02-09T00:00:00Z"}},
		"the 31st": {"0 0 31 * *", "UTC", "2026-01-31T00:00:00Z", []string{"2026-03-31T00:00:00Z"}},
		"the 29th of February over a year that is none": {"0 0 29 2 *", "UTC", "2096-02-29T00:00:00Z", []string{"2104-02-29T00:00:00Z"}},
		"a 29th of February that is a Sunday":           {"0 0 29 2 */7", "UTC", "2088-02-29T00:00:00Z", []string{"2128-02-29T00:00:00Z"}},
		"a time that doesn't exist": {"30 2 * * *", "Europe/Berlin", "2026-03-28T01:30:00Z",
			[]string{"2026-03-30T00:30:00Z"}},
		"a time that comes twice": {"30 2 * * *", "Europe/Berlin", "2026-10-24T00:30:00Z",
			[]string{"2026-10-25T01:30:00Z", "2026-10-26T01:30:00Z"}},
		"a day of 25 hours": {"0 5 * * *", "Europe/Berlin", "2026-10-24T03:00:00Z", []string{"2026-10-25T04:00:00Z"}},
		"a day of 23 hours": {"0 5 * * *", "Europe/Berlin", "2026-03-28T04:00:00Z", []string{"2026-03-29T03:00:00Z"}},
		"each hour when the clock is put back": {"0 * * * *", "Europe/Berlin", "2026-10-24T23:00:00Z",
			[]string{"2026-10-25T01:00:00Z", "2026-10-25T02:00:00Z"}},
		"half an hour comes twice": {"45 1 * * *", "Australia/Lord_Howe", "2026-04-04T00:00:00Z", []string{"2026-04-04T15:15:00Z"}},
		"a clock that is put back over midnight": {"30 23 * * *", "America/Havana", "2026-10-31T12:00:00Z",
			[]string{"2026-11-01T03:30:00Z", "2026-11-02T04:30:00Z"}},
		"midnight comes twice":      {"30 0 * * *", "America/Havana", "2026-10-31T12:00:00Z", []string{"2026-11-01T05:30:00Z"}},
		"a day that doesn't exist":  {"0 12 30 12 *", "Pacific/Apia", "2010-12-31T00:00:00Z", []string{"2012-12-29T22:00:00Z"}},
		"a year without next years": {"0 0 1 1 *", "UTC", "2026-01-01T00:00:00Z", []string{"2027-01-01T00:00:00Z"}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s, loc := schedule(t, tt.text), zone(t, tt.zone)
			at, err := time.Parse(time.RFC3339, tt.after)
			if err != nil {
				t.Fatal(err)
			}
			for _, want := range tt.want {
				due, ok := s.Next(at, loc)
				if got := due.At.UTC().Format(time.RFC3339); !ok || got != want {
					t.Fatalf("%q in %s after %v is due at %s, %t, want %s", tt.text, tt.zone, at, got, ok, want)
				}
				at = due.At
			}
		})
	}
}

// The first time at which the clock shows a time that comes twice is known,
// too: a job may run at either.
func TestFirst(t *testing.T) {
	t.Parallel()
	due, _ := schedule(t, "30 2 * * *").Next(time.Date(2026, 10, 24, 12, 0, 0, 0, time.UTC), zone(t, "Europe/Berlin"))
	if due.At.Sub(due.First) != time.Hour {
		t.Errorf("02:30 comes first at %v and last at %v, want them an hour apart", due.First, due.At)
	}
	due, _ = schedule(t, "30 2 * * *").Next(due.At, zone(t, "Europe/Berlin"))
	if !due.At.Equal(due.First) {
		t.Errorf("02:30 comes first at %v and last at %v, want once", due.First, due.At)
	}
}

func TestMistakes(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		text, message, suggestion string
		offset                    int
	}{
		"nothing":            {"", "expected five fields: minute, hour, day of month, month, day of week", "", 0},
		"four fields":        {"0 5 * *", "found 4", "", 0},
		"seconds":            {"0 0 5 * * 1", "found 6; there are neither seconds nor years", "", 10},
		"a macro":            {"@daily", "expected five fields", "0 0 * * *", 0},
		"at start-up":        {"@reboot", "expected five fields", "", 0},
		"a time zone":        {"CRON_TZ=UTC 0 5 * * *", "location", "0 5 * * *", 0},
		"minute 60":          {"60 5 * * *", `the minute: expected a number from 0 to 59, found "60"`, "0", 0},
		"hour 24":            {"0 24 * * *", `the hour: expected a number from 0 to 23, found "24"`, "0", 2},
		"day 0":              {"0 0 0 * *", "the day of the month: expected a number from 1 to 31", "", 4},
		"month 13":           {"0 0 1 13 *", "the month: expected a number from 1 to 12, or jan to dec", "", 6},
		"weekday 8":          {"0 0 * * 8", "the day of the week: expected a number from 0 to 7, or sun to sat", "", 8},
		"a long name":        {"0 0 * * monday", "the day of the week", "mon", 8},
		"a month as weekday": {"0 0 * * jan", "the day of the week", "", 8},
		"backwards":          {"0 0 * * fri-mon", "a range that begins before it ends", "fri-sat,sun-mon", 8},
		"hours backwards":    {"0 22-6 * * *", "a range that begins before it ends", "22-23,0-6", 2},
		"no step":            {"*/ * * * *", "the minute: expected a step from 1 to 60, found nothing", "", 2},
		"step 0":             {"*/0 * * * *", "expected a step from 1 to 60", "", 2},
		"step 90":            {"*/90 * * * *", "expected a step from 1 to 60", "", 2},
		"two steps":          {"*/2/3 * * * *", "one step at most", "", 4},
		"a step of a number": {"5/15 * * * *", "a range or * before a step", "5-59/15", 0},
		"an empty item":      {"1,,2 * * * *", "found", "", 2},
		"a sign":             {"+5 * * * *", "found", "", 0},
		"below":              {"-5 * * * *", "found", "", 0},
		"three ends":         {"1-2-3 * * * *", "found", "", 0},
		"the last day":       {"0 0 L * *", "L, W, # and ? are no part", "", 4},
		"any day":            {"0 0 ? * 1", "L, W, # and ? are no part", "*", 4},
		"the second Monday":  {"0 0 * * 1#2", "L, W, # and ? are no part", "", 8},
		"no such day":        {"0 0 30 2 *", "no such day ever comes", "", 4},
		"no such days":       {"0 0 31 4,6,9,11 *", "no such day ever comes", "", 4},
		"too long":           {strings.Repeat("1,", 1000) + "1 * * * *", "at most 1000 bytes", "", 0},
		"a line break":       {"0 5 * * 1\n", "found", "", 8},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := Parse(tt.text)
			var e *Error
			if !errors.As(err, &e) || !strings.Contains(e.Message, tt.message) || e.Suggestion != tt.suggestion || e.Offset != tt.offset {
				t.Errorf("Parse(%.40q) = %#v, want %q at %d, and to suggest %q", tt.text, err, tt.message, tt.offset, tt.suggestion)
			}
			if e != nil && e.Suggestion != "" && strings.Contains(e.Suggestion, " ") {
				if _, err := Parse(e.Suggestion); err != nil {
					t.Errorf("what is suggested for %q is a mistake as well: %v", tt.text, err)
				}
			}
		})
	}
}

func TestGap(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]time.Duration{
		"* * * * *": time.Minute, "*/5 * * * *": 5 * time.Minute, "*/7 * * * *": 4 * time.Minute, "0 5 * * *": 24 * time.Hour,
		"0 0,23 * * *": time.Hour, "0 5 * * 1-5": 24 * time.Hour, "0 5 * * 1,4": 72 * time.Hour, "0 0 1 * *": 28 * 24 * time.Hour,
		"0 0 1 1 *": 365 * 24 * time.Hour, "0 0 29 2 *": 4 * 365 * 24 * time.Hour,
	} {
		if got := schedule(t, text).Gap(); got != want {
			t.Errorf("%q: the least time between two is %v, want %v", text, got, want)
		}
	}
}

// matches says whether a field, which is correct, names a value: by looking at
// its text alone.
func matches(field string, v, low, high int, names []string) bool {
	for item := range strings.SplitSeq(field, ",") {
		item, step, stepped := strings.Cut(item, "/")
		n := 1
		if stepped {
			n, _ = strconv.Atoi(step)
		}
		number := func(s string) int {
			for i, name := range names {
				if strings.EqualFold(s, name) {
					return low + i
				}
			}
			i, _ := strconv.Atoi(s)
			return i
		}
		from, to, isRange := strings.Cut(item, "-")
		first, last := low, high
		if item != "*" {
			first, last = number(from), number(from)
			if isRange {
				last = number(to)
			}
		}
		if high == 7 && item == "*" {
			last = 6
		}
		if high == 7 && isRange && last == 0 && first > 0 {
			last = 7
		}
		for x := first; x <= last; x += n {
			if x == v || high == 7 && x == 7 && v == 0 {
				return true
			}
		}
	}
	return false
}

// shows says whether a schedule, which is correct, names what a clock shows.
func shows(text string, t time.Time) bool {
	f := strings.Fields(text)
	if t.Second() != 0 || !matches(f[0], t.Minute(), 0, 59, nil) || !matches(f[1], t.Hour(), 0, 23, nil) ||
		!matches(f[3], int(t.Month()), 1, 12, parts[3].names) {
		return false
	}
	inMonth, inWeek := matches(f[2], t.Day(), 1, 31, nil), matches(f[4], int(t.Weekday()), 0, 7, parts[4].names)
	if !strings.Contains(f[2], "*") && !strings.Contains(f[4], "*") {
		return inMonth || inWeek
	}
	return inMonth && inWeek
}

// reference walks on, half a minute at a time, until the clock shows what the
// schedule names and won't show it again within a day.
func reference(text string, t time.Time, loc *time.Location, steps int) (at time.Time, ok bool) {
	const step = 30 * time.Second
	t = t.Truncate(step)
	for range steps {
		t = t.Add(step)
		wall := t.In(loc)
		if !shows(text, wall) {
			continue
		}
		if !again(wall) {
			return t, true
		}
	}
	return time.Time{}, false
}

// again says whether the clock shows the same within the 25 hours after t.
func again(t time.Time) bool {
	const shown = "2006-01-02 15:04:05"
	_, end := t.ZoneBounds()
	if end.IsZero() || end.Sub(t) > 25*time.Hour {
		return false
	}
	for x := t.Add(15 * time.Minute); x.Sub(t) < 25*time.Hour; x = x.Add(15 * time.Minute) {
		if x.Format(shown) == t.Format(shown) {
			return true
		}
	}
	return false
}

// hard are moments near which clocks are put forward or back, and zones.
var hard = []struct{ zone, at string }{
	{"Europe/Berlin", "2026-03-28T12:00:00Z"}, {"Europe/Berlin", "2026-10-24T12:00:00Z"},
	{"America/New_York", "2026-03-07T12:00:00Z"}, {"America/New_York", "2026-10-31T12:00:00Z"},
	{"Australia/Lord_Howe", "2026-04-04T00:00:00Z"}, {"Australia/Lord_Howe", "2026-10-03T00:00:00Z"},
	{"America/Havana", "2026-10-31T12:00:00Z"}, {"Pacific/Apia", "2011-12-29T00:00:00Z"},
	{"Africa/Casablanca", "2026-02-14T00:00:00Z"}, {"America/Sao_Paulo", "2018-11-03T00:00:00Z"},
	{"Asia/Kathmandu", "1985-12-31T00:00:00Z"}, {"Antarctica/Troll", "2026-03-28T12:00:00Z"}, {"UTC", "2026-02-27T12:00:00Z"},
}

func TestAgainstReference(t *testing.T) {
	t.Parallel()
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	rnd := rand.New(rand.NewPCG(seed, 1))
	for range 300 {
		text, place := random(rnd), hard[rnd.IntN(len(hard))]
		at, err := time.Parse(time.RFC3339, place.at)
		if err != nil {
			t.Fatal(err)
		}
		agrees(t, text, at.Add(time.Duration(rnd.IntN(36*60*60))*time.Second), zone(t, place.zone))
	}
}

// agrees compares with the reference over the next four days.
func agrees(t *testing.T, text string, at time.Time, loc *time.Location) {
	t.Helper()
	s := schedule(t, text)
	end := at.Add(4 * 24 * time.Hour)
	for range 20 {
		want, some := reference(text, at, loc, int(end.Sub(at)/(30*time.Second)))
		due, ok := s.Next(at, loc)
		if some && (!ok || !due.At.Equal(want)) || !some && ok && due.At.Before(end.Add(-time.Minute)) {
			t.Fatalf("%q in %v after %v is due at %v, want %v (any: %t)", text, loc, at.In(loc), due.At.In(loc), want.In(loc), some)
		}
		if !some {
			return
		}
		at = want
	}
}

// random makes a correct schedule that is due now and then within days.
func random(rnd *rand.Rand) string {
	field := func(low, high int, star float64, names []string) string {
		if rnd.Float64() < star {
			return "*"
		}
		value := func(n int) string {
			if i := n - low; i < len(names) && rnd.IntN(2) == 0 {
				return names[i]
			}
			return strconv.Itoa(n)
		}
		var items []string
		for range 1 + rnd.IntN(3) {
			a := low + rnd.IntN(high-low+1)
			b := a + rnd.IntN(high-a+1)
			item := value(a)
			switch rnd.IntN(4) {
			case 0:
				item = "*/" + strconv.Itoa(1+rnd.IntN(high-low))
			case 1:
				item = value(a) + "-" + value(b)
			case 2:
				item = value(a) + "-" + value(b) + "/" + strconv.Itoa(1+rnd.IntN(3))
			}
			items = append(items, item)
		}
		return strings.Join(items, ",")
	}
	return strings.Join([]string{
		field(0, 59, 0.1, nil), field(0, 5, 0.5, nil), field(1, 28, 0.7, nil),
		field(1, 12, 0.95, parts[3].names), field(0, 6, 0.6, parts[4].names),
	}, " ")
}

func FuzzParse(f *testing.F) {
	for _, seed := range []string{"0 5 * * 1-5", "*/5 * * * *", "30 2 29 2 mon", "0 0 13 * fri", "1,2-4/2 3 1-7 jan-mar sat-sun", "@daily", "0 0 L * ?", "5/15 * * * *"} {
		f.Add(seed, int64(1_790_000_000))
	}
	f.Fuzz(func(t *testing.T, text string, unix int64) {
		s, err := Parse(text)
		if err != nil {
			var e *Error
			if !errors.As(err, &e) || e.Message == "" || e.Offset < 0 || e.Offset > len(text) {
				t.Errorf("Parse(%q) = %#v, want an Error with a message and a place", text, err)
			}
			return
		}
		again, err := Parse(s.String())
		if err != nil || again.minutes != s.minutes || again.hours != s.hours || again.days != s.days ||
			again.months != s.months || again.weekday != s.weekday || again.either != s.either {
			t.Errorf("Parse(%q) = %+v, %v, want what %q is", s, again, err, text)
		}
		at := time.Unix(unix%4_000_000_000, 0)
		due, ok := s.Next(at, time.UTC)
		if !ok || !due.At.After(at) || !shows(s.String(), due.At.UTC()) {
			t.Errorf("%q after %v is due at %v, %t, want one that it names", s, at.UTC(), due.At.UTC(), ok)
		}
		if gap := s.Gap(); gap < time.Minute {
			t.Errorf("%q: the least time between two is %v, want a minute or more", s, gap)
		}
	})
}
