package monitor

// What code gives as text is read as files spell it.

// ParseClock reads a time of day from "00:00" to "24:00" as minutes.
func ParseClock(s string) (minutes int, err error) { return parseClock(s) }

// SameTime says what to write instead of a period from and to the same minute of
// the day, on all days or on some.
func SameTime(minute int, someDays bool) string { return sameTime(minute, someDays) }

// ParseDays reads a day of the month, or a range: 1, -1, 1:5, -3:-1.
func ParseDays(s string) (DayRange, error) { return parseDays(s) }

// ParseGood reads a condition such as "<= 300ms".
func ParseGood(s string) (Good, error) { return parseGood(s) }
