package recording

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/go-batteries/hawkeye/internal/monitor"
	"github.com/go-batteries/hawkeye/internal/nearest"
	"github.com/go-batteries/hawkeye/internal/series"
)

// parser reads lines into a recording.
type parser struct {
	rec     *Recording
	sources map[string]int32 // by what stands for one in lines
	key     []byte
}

// line is a line, as it stands there.
type line struct {
	at, step int64
	// These are views of the block that the line is in.
	metric, kind, process []byte
	tags                  []byte // an object of texts
	value                 float64
	count                 int32
	values                []float64
	hasTime, hasValue     bool
	blank                 bool
	err                   error
}

const keys = "time, metric, type, tags, process, value, count, step, values"

var keyNames = strings.Split(keys, ", ")

func (p *parser) add(n int, l *line) error {
	switch {
	case !l.hasTime:
		return errors.New("time is missing")
	case len(l.metric) == 0:
		return errors.New("metric is missing")
	case l.hasValue == (l.values != nil):
		return errors.New("expected either value or values")
	case l.values != nil && l.step <= 0:
		return errors.New("values need a step: the seconds between two of them")
	}
	at, err := p.source(l)
	if err != nil {
		return err
	}
	if l.values == nil {
		p.rec.points.add(point{l.at, l.value, at, max(l.count, 1)})
		p.rec.extremes.add(n, l.at, l.at)
		p.rec.Values++
		return nil
	}
	if len(l.values) > 0 {
		p.rec.columns = append(p.rec.columns, column{p.rec.sources[at], l.at, l.step, l.values})
		p.rec.extremes.add(n, l.at, l.at+int64(len(l.values)-1)*l.step)
	}
	p.rec.Values += len(l.values)
	return nil
}

// source finds the series and the process of a line: by the way they are
// written, if they were written so before.
func (p *parser) source(l *line) (int32, error) {
	p.key = append(append(append(p.key[:0], l.kind...), 0), l.metric...)
	p.key = append(append(append(append(p.key, 0), l.process...), 0), l.tags...)
	if at, ok := p.sources[string(p.key)]; ok {
		return at, nil
	}
	kind, err := kindOf(string(l.kind))
	if err != nil {
		return 0, err
	}
	var pairs map[string]string
	if len(l.tags) > 0 && json.Unmarshal(l.tags, &pairs) != nil {
		return 0, errors.New(`tags: expected texts, as in {"route": "/pay"}`)
	}
	tags := make([]series.Tag, 0, len(pairs))
	for k, v := range pairs {
		tags = append(tags, series.Tag{Key: k, Value: v})
	}
	at := int32(len(p.rec.sources))
	p.rec.sources = append(p.rec.sources, source{
		p.rec.Catalog.Series(kind, string(l.metric), tags), p.process(string(l.process)),
	})
	p.sources[string(p.key)] = at
	return at, nil
}

func kindOf(word string) (series.Kind, error) {
	if word == "" {
		return series.KindCounter, nil
	}
	var names []string
	for k := series.KindCounter; k <= series.KindSet; k++ {
		if k.String() == word {
			return k, nil
		}
		names = append(names, k.String())
	}
	return 0, expected("type", "one of "+strings.Join(names, ", "), word, names)
}

func expected(key, what, found string, candidates []string) error {
	hint := ""
	if s := nearest.Of(found, candidates); s != "" {
		hint = "; did you mean " + s + "?"
	}
	return fmt.Errorf("%s: expected %s, found %.40q%s", key, what, found, hint)
}

func (p *parser) process(name string) int {
	if i := slices.Index(p.rec.processes, name); i >= 0 {
		return i
	}
	p.rec.processes = append(p.rec.processes, name)
	return len(p.rec.processes) - 1
}

// decode reads any line.
func (l *line) decode(data []byte) error {
	var fields map[string]json.RawMessage
	if err := json.Unmarshal(data, &fields); err != nil {
		var syntax *json.SyntaxError
		if errors.As(err, &syntax) {
			return fmt.Errorf("not JSON at byte %d: %w", syntax.Offset, err)
		}
		return errors.New("expected an object, as in {\"time\": 1767571200, \"metric\": \"orders\", \"value\": 1}")
	}
	for key, raw := range fields {
		if err := l.field(key, raw); err != nil {
			return err
		}
	}
	return nil
}

func (l *line) field(key string, raw json.RawMessage) error {
	switch key {
	case "time":
		at, err := timeOf(raw)
		l.at, l.hasTime = at, true
		return err
	case "step":
		step, err := stepOf(raw)
		l.step = step
		return err
	case "metric":
		return text(key, raw, &l.metric)
	case "type":
		return text(key, raw, &l.kind)
	case "process":
		return text(key, raw, &l.process)
	case "tags":
		l.tags = raw
	case "value":
		l.hasValue = true
		return finite(key, raw, &l.value)
	case "count":
		var n float64
		if err := finite(key, raw, &n); err != nil || n < 1 || n != math.Trunc(n) || n > 1e6 {
			return errors.New("count: expected a whole number up to a million")
		}
		l.count = int32(n)
	case "values":
		var values []*float64
		if json.Unmarshal(raw, &values) != nil || values == nil {
			return errors.New("values: expected a list of numbers; null is none")
		}
		l.values = make([]float64, len(values))
		for i, v := range values {
			l.values[i] = math.NaN()
			if v != nil {
				l.values[i] = *v
			}
		}
	default:
		return fmt.Errorf("unknown key %.40q; the keys are %s%s", key, keys, hint(key))
	}
	return nil
}

func hint(key string) string {
	if s := nearest.Of(key, keyNames); s != "" {
		return "; did you mean " + s + "?"
	}
	return ""
}

func text(key string, raw json.RawMessage, dst *[]byte) error {
	var s *string
	if json.Unmarshal(raw, &s) != nil || s == nil {
		return fmt.Errorf("%s: expected a text, found %.40s", key, raw)
	}
	*dst = []byte(*s)
	return nil
}

func finite(key string, raw json.RawMessage, dst *float64) error {
	if raw[0] == '"' || raw[0] == 'n' || json.Unmarshal(raw, dst) != nil {
		return fmt.Errorf("%s: expected a number, found %.40s", key, raw)
	}
	return nil
}

// The times that a simulation can count in.
const (
	minTime = 0
	maxTime = 1 << 33 // seconds
)

// timeOf reads Unix seconds, or a time in RFC 3339.
func timeOf(raw json.RawMessage) (int64, error) {
	if raw[0] == '"' {
		var s string
		_ = json.Unmarshal(raw, &s)
		t, err := time.Parse(time.RFC3339Nano, s)
		if err != nil || t.Unix() < minTime || t.Unix() > maxTime {
			return 0, expected("time", "seconds since 1970, or a time such as 2026-01-05T00:00:00Z", s, nil)
		}
		return t.UnixNano(), nil
	}
	seconds, err := strconv.ParseFloat(string(raw), 64)
	if err != nil || seconds < minTime || seconds > maxTime {
		return 0, expected("time", "seconds since 1970, or a time such as 2026-01-05T00:00:00Z", string(raw), nil)
	}
	return nanos(seconds), nil
}

// nanos are those of seconds, exact for whole ones and to a microsecond else.
func nanos(seconds float64) int64 {
	whole := math.Floor(seconds)
	return int64(whole)*1e9 + int64(math.Round((seconds-whole)*1e6))*1e3
}

// stepOf reads seconds, or a duration.
func stepOf(raw json.RawMessage) (int64, error) {
	if raw[0] == '"' {
		var s string
		_ = json.Unmarshal(raw, &s)
		d, err := monitor.ParseDuration(s)
		if err != nil || d <= 0 {
			return 0, expected("step", "seconds, or a duration such as 10s", s, nil)
		}
		return int64(d), nil
	}
	seconds, err := strconv.ParseFloat(string(raw), 64)
	if err != nil || seconds <= 0 || seconds > 1e8 || nanos(seconds) == 0 {
		return 0, expected("step", "seconds, or a duration such as 10s", string(raw), nil)
	}
	return nanos(seconds), nil
}
