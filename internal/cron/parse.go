package cron

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// Error is what is wrong with a schedule.
type Error struct {
	// Offset is the byte at which it is.
	Offset int
	// Message says what was expected, Suggestion what was probably meant;
	// that is empty if nobody can tell.
	Message, Suggestion string
}

func (e *Error) Error() string { return e.Message }

// maxText is more than a schedule with every value written out.
const maxText = 1000

// part is one of the five fields.
type part struct {
	name     string
	min, max int
	names    []string // of the values from min on
}

var parts = [...]part{
	{"the minute", 0, 59, nil},
	{"the hour", 0, 23, nil},
	{"the day of the month", 1, 31, nil},
	{"the month", 1, 12, []string{"jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"}},
	{"the day of the week", 0, 7, []string{"sun", "mon", "tue", "wed", "thu", "fri", "sat"}},
}

// expected names the five fields.
const expected = "expected five fields: minute, hour, day of month, month, day of week"

var macros = map[string]string{
	"@hourly": "0 * * * *", "@daily": "0 0 * * *", "@midnight": "0 0 * * *", "@weekly": "0 0 * * 0",
	"@monthly": "0 0 1 * *", "@yearly": "0 0 1 1 *", "@annually": "0 0 1 1 *",
}

// Parse reads a schedule. A field is a list of values, ranges (1-5) and stars,
// the latter two with a step (*/5); months and days of the week may be names
// of three letters, and Sunday is 0 or 7. If both the day of the month and the
// day of the week are restricted, either of them makes a day due; a field that
// has a star in it isn't restricted. The error is an [*Error].
func Parse(text string) (*Schedule, error) {
	fields, err := split(text)
	if err != nil {
		return nil, err
	}
	var sets [len(parts)]uint64
	for i, f := range fields {
		if sets[i], err = parts[i].read(f); err != nil {
			return nil, err
		}
	}
	const week = 7
	if sets[4]&(1<<week) != 0 {
		sets[4] = sets[4]&^(1<<week) | 1
	}
	s := &Schedule{
		text:    strings.Join(strings.Fields(text), " "),
		minutes: sets[0], hours: sets[1], days: sets[2], months: sets[3], weekday: sets[4],
		either: !strings.Contains(fields[2].text, "*") && !strings.Contains(fields[4].text, "*"),
	}
	if !s.ever() {
		return nil, &Error{Offset: fields[2].offset, Message: "no such day ever comes: none of these months has this day"}
	}
	return s, nil
}

// word is a piece of a schedule and where it begins.
type word struct {
	text   string
	offset int
}

// split cuts a schedule into its five fields.
func split(text string) ([]word, error) {
	if len(text) > maxText {
		return nil, &Error{Message: fmt.Sprintf("a schedule has at most %d bytes", maxText)}
	}
	var fields []word
	for i := 0; i < len(text); {
		n := strings.IndexAny(text[i:], " \t")
		if n < 0 {
			n = len(text) - i
		}
		if n > 0 {
			fields = append(fields, word{text[i : i+n], i})
		}
		i += n + 1
	}
	switch {
	case len(fields) == 0:
		return nil, &Error{Message: expected + `, as in "0 5 * * 1-5"`}
	case strings.HasPrefix(fields[0].text, "@"):
		return nil, &Error{fields[0].offset, expected, macros[strings.ToLower(fields[0].text)]}
	case strings.Contains(fields[0].text, "TZ="):
		rest := strings.TrimSpace(text[fields[0].offset+len(fields[0].text):])
		return nil, &Error{fields[0].offset, expected + "; the time zone has a key of its own, location", rest}
	case len(fields) == 6:
		return nil, &Error{fields[5].offset, expected + ", found 6; there are neither seconds nor years", ""}
	case len(fields) != len(parts):
		return nil, &Error{fields[0].offset, expected + ", found " + strconv.Itoa(len(fields)), ""}
	}
	return fields, nil
}

// read returns the values of a field as bits.
func (p *part) read(f word) (set uint64, err error) {
	for _, item := range pieces(f, ",") {
		bits, err := p.item(item)
		if err != nil {
			return 0, err
		}
		set |= bits
	}
	return set, nil
}

// item reads a value, a range or a star, perhaps with a step.
func (p *part) item(item word) (uint64, error) {
	step, stepped := 1, false
	whole := pieces(item, "/")
	if len(whole) > 2 {
		return 0, p.wrong(whole[2], "one step at most", "")
	}
	if len(whole) == 2 {
		var err error
		if step, err = p.step(whole[1]); err != nil {
			return 0, err
		}
		stepped = true
	}
	low, high := p.min, p.highest()
	if whole[0].text != "*" {
		var err error
		if low, high, err = p.span(whole[0], stepped, whole[len(whole)-1].text); err != nil {
			return 0, err
		}
	}
	var set uint64
	for v := low; v <= high; v += step {
		set |= 1 << v
	}
	return set, nil
}

// highest is the greatest value of a star. Sunday is in it once.
func (p *part) highest() int {
	if p.max == 7 {
		return 6
	}
	return p.max
}

func (p *part) step(w word) (int, error) {
	n, err := strconv.Atoi(w.text)
	most := p.highest() - p.min + 1
	if err != nil || n < 1 || n > most || !digits(w.text) {
		return 0, p.wrong(w, fmt.Sprintf("a step from 1 to %d", most), "")
	}
	return n, nil
}

// span reads a value or a range.
func (p *part) span(w word, stepped bool, step string) (low, high int, err error) {
	ends := pieces(w, "-")
	if len(ends) > 2 || ends[0].text == "" {
		return 0, 0, p.wrong(w, p.describe(), "")
	}
	if low, err = p.value(ends[0]); err != nil {
		return 0, 0, err
	}
	if len(ends) == 1 {
		if stepped {
			return 0, 0, p.wrong(w, "a range or * before a step", fmt.Sprintf("%s-%d/%s", w.text, p.highest(), step))
		}
		return low, low, nil
	}
	if high, err = p.value(ends[1]); err != nil {
		return 0, 0, err
	}
	if p.max == 7 && high == 0 && low > 0 {
		high = 7 // fri-sun
	}
	if low > high {
		return 0, 0, p.wrong(w, "a range that begins before it ends",
			ends[0].text+"-"+p.write(p.highest(), ends[0])+","+p.write(p.min, ends[1])+"-"+ends[1].text)
	}
	return low, high, nil
}

// value reads a number or a name.
func (p *part) value(w word) (int, error) {
	if i := slices.Index(p.names, strings.ToLower(w.text)); i >= 0 {
		return p.min + i, nil
	}
	n, err := strconv.Atoi(w.text)
	if err == nil && n >= p.min && n <= p.max && digits(w.text) {
		return n, nil
	}
	return 0, p.wrong(w, p.describe(), p.likely(w.text))
}

// write writes a value as it is beside another: by name if that is one.
func (p *part) write(v int, beside word) string {
	if digits(beside.text) {
		return strconv.Itoa(v)
	}
	return p.names[v-p.min]
}

// digits says whether a text is digits alone: there are no signs in a schedule.
func digits(s string) bool { return strings.Trim(s, "0123456789") == "" }

// describe says what a field may hold.
func (p *part) describe() string {
	s := fmt.Sprintf("a number from %d to %d", p.min, p.max)
	if p.names != nil {
		s += fmt.Sprintf(", or %s to %s", p.names[0], p.names[len(p.names)-1])
	}
	return s
}

// likely is what was meant by a value that is none.
func (p *part) likely(s string) string {
	s = strings.ToLower(s)
	for _, name := range p.names {
		if len(s) > len(name) && strings.HasPrefix(s, name) {
			return name // monday
		}
	}
	switch {
	case s == "?":
		return "*"
	case s == "24" && p.max == 23, s == "60" && p.max == 59:
		return "0"
	}
	return ""
}

func (p *part) wrong(w word, want, suggestion string) *Error {
	found := "found " + strconv.Quote(w.text)
	if w.text == "" {
		found = "found nothing"
	}
	message := p.name + ": expected " + want + ", " + found
	if strings.ContainsAny(w.text, "#?") || quartz(w.text) {
		message += "; L, W, # and ? are no part of crontab's schedules"
	}
	return &Error{w.offset, message, suggestion}
}

// quartz says whether a word is one of those that other schedulers know, such
// as L, 15W and 5L.
func quartz(s string) bool {
	rest := strings.TrimRight(s, "LW")
	return rest != s && digits(rest)
}

// pieces cuts a word at a separator.
func pieces(w word, sep string) []word {
	var out []word
	offset := w.offset
	for text := range strings.SplitSeq(w.text, sep) {
		out = append(out, word{text, offset})
		offset += len(text) + len(sep)
	}
	return out
}
