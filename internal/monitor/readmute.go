package monitor

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/go-batteries/hawkeye/internal/nearest"
	"github.com/go-batteries/hawkeye/internal/zone"
	"gopkg.in/yaml.v3"
)

var (
	weekdayNames = []string{"sunday", "monday", "tuesday", "wednesday", "thursday", "friday", "saturday"}
	monthNames   = []string{"january", "february", "march", "april", "may", "june", "july", "august", "september", "october", "november", "december"}
	clockText    = regexp.MustCompile(`^(\d{1,2}):(\d{2})$`)
)

// muteTime reads one mute time: a period, or a list of them.
func (b *builder) muteTime(name string, v value) {
	m := MuteTime{Name: name}
	if v.n.Kind == yaml.SequenceNode {
		v.items(func(item value) { m.Periods = append(m.Periods, readPeriod(item)) })
	} else {
		m.Periods = append(m.Periods, readPeriod(v))
	}
	at := place{v.r, v.path}
	m.Pos = at.position()
	b.set.MuteTimes = append(b.set.MuteTimes, m)
	b.mutes = append(b.mutes, at)
}

func readPeriod(v value) Period {
	var (
		p        Period
		from, to = -1, -1
	)
	ok := v.mapping("a mute time", []field{
		{"from", unit(&from, `a time of day such as "22:00"`, parseClock)},
		{"to", unit(&to, `a time of day such as "07:00"`, parseClock)},
		{"weekdays", func(v value) {
			v.list("weekdays", func(item value) { p.Weekdays = append(p.Weekdays, readWeekdays(item)...) })
		}},
		{"days_of_month", func(v value) {
			v.list("days", func(item value) {
				var r DayRange
				unit(&r, "a day such as 1, -1 or 1:5", parseDays)(item)
				p.DaysOfMonth = append(p.DaysOfMonth, r)
			})
		}},
		{"months", func(v value) {
			v.list("months", func(item value) { p.Months = append(p.Months, readMonths(item)...) })
		}},
		{"location", location(&p.Location)},
	})
	if ok {
		p.setTimes(v, from, to)
	}
	return p
}

// setTimes sets From and To; a value of -1 was not given or is wrong.
func (p *Period) setTimes(v value, from, to int) {
	hasFrom, hasTo := v.r.keys[child(v.path, "from")] != nil, v.r.keys[child(v.path, "to")] != nil
	at := place{v.r, v.path}
	switch {
	case hasFrom != hasTo:
		v.r.sink.add(at.problem("", "from and to go together; without both it is the whole day", ""))
	case from < 0 || to < 0:
	case from == to:
		v.r.sink.add(at.problem("to", sameTime(from, len(p.Weekdays)+len(p.DaysOfMonth)+len(p.Months) > 0), ""))
	case from == 24*60:
		v.r.sink.add(at.problem("from", "a day begins at 00:00", ""))
	default:
		p.From, p.To = from, to
	}
}

// sameTime says what to write instead of a period that ends at the time at
// which it begins. On some days 24 hours from noon on are no whole day.
func sameTime(minute int, someDays bool) string {
	if minute%(24*60) == 0 || !someDays {
		return "from and to are the same time; leave both out for the whole day"
	}
	clock := fmt.Sprintf("%02d:%02d", minute/60, minute%60)
	return "from and to are the same time; for 24 hours write two periods: " +
		`from: "` + clock + `", to: "24:00" on these days, and from: "00:00", to: "` + clock + `" on the days after them`
}

// parseClock reads HH:MM up to 24:00 as minutes.
func parseClock(s string) (int, error) {
	m := clockText.FindStringSubmatch(s)
	if m == nil {
		return -1, &unitError{`expected a time of day such as "22:00"`, ""}
	}
	hour, _ := strconv.Atoi(m[1])
	minute, _ := strconv.Atoi(m[2])
	if minute > 59 || hour > 24 || hour == 24 && minute > 0 {
		return -1, &unitError{`expected a time of day from "00:00" to "24:00"`, ""}
	}
	return hour*60 + minute, nil
}

// nameRange reads a name of a list, or two of them joined by - or : ; the
// first three letters of a name will do. It returns indexes.
func nameRange(v value, what string, names []string) []int {
	s, ok := v.scalar(what)
	if !ok {
		return nil
	}
	parts := strings.FieldsFunc(strings.ToLower(s), func(r rune) bool { return r == '-' || r == ':' || r == ' ' })
	if len(parts) == 0 || len(parts) > 2 {
		v.wrong("expected "+what, "")
		return nil
	}
	var ends []int
	for _, part := range parts {
		i := nameIndex(part, names)
		if i < 0 {
			v.wrong("expected "+what, nearest.Of(part, names))
			return nil
		}
		ends = append(ends, i)
	}
	list := []int{ends[0]}
	for i := ends[0]; i != ends[len(ends)-1]; {
		i = (i + 1) % len(names)
		list = append(list, i)
	}
	return list
}

func nameIndex(s string, names []string) int {
	for i, name := range names {
		if s == name || s == name[:3] {
			return i
		}
	}
	return -1
}

func readWeekdays(v value) []time.Weekday {
	var days []time.Weekday
	for _, i := range nameRange(v, "a weekday such as mon, or a range such as mon-fri", weekdayNames) {
		days = append(days, time.Weekday(i))
	}
	return days
}

func readMonths(v value) []time.Month {
	if n, err := strconv.Atoi(v.n.Value); err == nil && n >= 1 && n <= 12 {
		return []time.Month{time.Month(n)}
	}
	var months []time.Month
	for _, i := range nameRange(v, "a month such as jan or 1, or a range such as jun-aug", monthNames) {
		months = append(months, time.Month(i+1))
	}
	return months
}

// parseDays reads a day of the month, 1 to 31 or -31 to -1, or a range a:b.
func parseDays(s string) (DayRange, error) {
	first, last, isRange := strings.Cut(s, ":")
	a, errA := strconv.Atoi(strings.TrimSpace(first))
	b, errB := a, error(nil)
	if isRange {
		b, errB = strconv.Atoi(strings.TrimSpace(last))
	}
	if errA != nil || errB != nil || !isDay(a) || !isDay(b) {
		return DayRange{}, &unitError{"expected a day from 1 to 31, from -31 to -1 counted from the end, or a range such as 1:5", ""}
	}
	if a > 0 == (b > 0) && a > b {
		return DayRange{}, &unitError{"the range ends before it begins", strconv.Itoa(b) + ":" + strconv.Itoa(a)}
	}
	return DayRange{a, b}, nil
}

func isDay(n int) bool { return n >= 1 && n <= 31 || n <= -1 && n >= -31 }

// location reads the name of a time zone into dst.
func location(dst **time.Location) func(value) {
	return unit(dst, "a time zone such as Europe/Berlin", loadLocation)
}

func loadLocation(name string) (*time.Location, error) {
	loc, err := zone.Load(name)
	if e, ok := err.(*zone.Error); ok {
		return nil, &unitError{e.Message, e.Suggestion}
	}
	return loc, err
}
