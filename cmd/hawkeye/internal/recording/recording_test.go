package recording

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/go-batteries/hawkeye/internal/monitor"
	"github.com/go-batteries/hawkeye/internal/series"
	"github.com/go-batteries/hawkeye/internal/simulate"
)

func mustRead(t *testing.T, text string) *Recording {
	t.Helper()
	r, err := Read("samples.jsonl", strings.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// TestBetween reads the same samples, written in many ways.
func TestBetween(t *testing.T) {
	t.Parallel()
	start := time.Date(2026, 1, 5, 0, 0, 0, 0, time.UTC)
	want := []Sample{
		{"orders{a=1, b=2}", series.KindCounter, []series.Tag{{Key: "a", Value: "1"}, {Key: "b", Value: "2"}}, []float64{1, 2.5, -3}},
	}
	tests := map[string]string{
		"a line each": `
{"time":1767571200,"metric":"orders","type":"counter","tags":{"b":"2","a":"1"},"value":1}
{"time":1767571201,"metric":"orders","tags":{"a":"1","b":"2"},"value":2.5}

{"time":1767571202, "metric" : "orders", "tags": { "a" : "1" , "b":"2"}, "value":-3}`,
		"not in order": `
{"time":1767571202,"metric":"orders","tags":{"b":"2","a":"1"},"value":-3}
{"time":1767571200,"metric":"orders","tags":{"b":"2","a":"1"},"value":1}
{"time":1767571201,"metric":"orders","tags":{"b":"2","a":"1"},"value":2.5}`,
		"a column":           `{"time":1767571200,"step":1,"metric":"orders","tags":{"b":"2","a":"1"},"values":[1,2.5,-3]}`,
		"a column with gaps": `{"time":"2026-01-05T00:00:00Z","step":"500ms","metric":"orders","tags":{"b":"2","a":"1"},"values":[1,null,2.5,null , -3]}`,
		"escapes":            `{"time":1767571200,"step":1.0,"metric":"\u006frders","tags":{"\u0062":"2","a":"1"},"values":[1e0,2.5,-0.3e1]}`,
		"another zone": `
{"time":"2026-01-05T01:00:00+01:00","metric":"orders","tags":{"a":"1","b":"2"},"value":1}
{"time":"2026-01-05T00:00:01.5Z","metric":"orders","tags":{"a":"1","b":"2"},"value":2.5}
{"time":1767571202.25,"metric":"orders","tags":{"a":"1","b":"2"},"value":-3}`,
	}
	for name, text := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := mustRead(t, text+"\n"+`{"time":1767571201,"metric":"other","value":9}`)
			if diff := cmp.Diff(want, r.Between("orders", start, start.Add(3*time.Second))); diff != "" {
				t.Errorf("Between (-want +got):\n%s", diff)
			}
			if got := r.Between("orders", start.Add(3*time.Second), start.Add(time.Hour)); len(got) != 0 {
				t.Errorf("Between behind the end = %v, want nothing", got)
			}
			if !r.Start.Equal(start) || r.Series() != 2 {
				t.Errorf("Start, Series = %v, %d, want %v, 2", r.Start, r.Series(), start)
			}
		})
	}
}

func TestReadFailures(t *testing.T) {
	t.Parallel()
	tests := map[string]struct{ text, want string }{
		"no JSON":         {`{"time":`, "samples.jsonl:1: not JSON at byte"},
		"no object":       {`[1]`, "samples.jsonl:1: expected an object"},
		"second line":     {`{"time":1,"metric":"a","value":1}` + "\n" + `{}`, "samples.jsonl:2: time is missing"},
		"unknown key":     {`{"time":1,"metric":"a","val":1}`, `unknown key "val"; the keys are`},
		"likely key":      {`{"time":1,"metrc":"a","value":1}`, "did you mean metric?"},
		"no metric":       {`{"time":1,"value":1}`, "metric is missing"},
		"empty metric":    {`{"time":1,"metric":"","value":1}`, "metric is missing"},
		"no value":        {`{"time":1,"metric":"a"}`, "expected either value or values"},
		"both":            {`{"time":1,"metric":"a","value":1,"step":1,"values":[1]}`, "expected either value or values"},
		"no step":         {`{"time":1,"metric":"a","values":[1]}`, "values need a step"},
		"step of zero":    {`{"time":1,"step":0,"metric":"a","values":[1]}`, "step: expected seconds"},
		"bare duration":   {`{"time":1,"step":"5","metric":"a","values":[1]}`, "step: expected seconds, or a duration"},
		"no such type":    {`{"time":1,"metric":"a","type":"countr","value":1}`, `type: expected one of counter, gauge, histogram, set, found "countr"; did you mean counter?`},
		"tags":            {`{"time":1,"metric":"a","tags":{"a":1},"value":1}`, "tags: expected texts"},
		"tags as list":    {`{"time":1,"metric":"a","tags":["a"],"value":1}`, "tags: expected texts"},
		"value is text":   {`{"time":1,"metric":"a","value":"1"}`, `value: expected a number, found "1"`},
		"value is null":   {`{"time":1,"metric":"a","value":null}`, `value: expected a number, found null`},
		"value is huge":   {`{"time":1,"metric":"a","value":1e999}`, `value: expected a number`},
		"values":          {`{"time":1,"step":1,"metric":"a","values":["1"]}`, "values: expected a list of numbers"},
		"count":           {`{"time":1,"metric":"a","value":1,"count":0}`, "count: expected a whole number"},
		"fraction count":  {`{"time":1,"metric":"a","value":1,"count":1.5}`, "count: expected a whole number"},
		"time is a word":  {`{"time":"noon","metric":"a","value":1}`, `time: expected seconds since 1970`},
		"negative time":   {`{"time":-5,"metric":"a","value":1}`, `time: expected seconds since 1970`},
		"time of the sun": {`{"time":1e300,"metric":"a","value":1}`, `time: expected seconds since 1970`},
		"UTF-16":          {"\xff\xfe{\x00", "samples.jsonl:1: the file is UTF-16"},
		"nothing":         {"\n\n", "no samples"},
		"no values":       {`{"time":1,"step":1,"metric":"a","values":[]}`, "no samples"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := Read("samples.jsonl", strings.NewReader(tt.text))
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("Read(%s) = %v, want an error with %q", tt.text, err, tt.want)
			}
		})
	}
	if _, err := Read("x", strings.NewReader("")); !errors.Is(err, ErrEmpty) {
		t.Errorf("Read of nothing = %v, want %v", err, ErrEmpty)
	}
	long := "\n" + strings.Repeat("a", MaxLine+2)
	for _, text := range []string{long, long + "\n", long + strings.Repeat("a", 3*MaxLine) + "\n"} {
		if _, err := Read("x", strings.NewReader(text)); err == nil || !strings.Contains(err.Error(), "x:2: the line is longer than 16 MiB") {
			t.Errorf("Read of a long line = %v", err)
		}
	}
	if _, err := Read("x", iotest.ErrReader(io.ErrNoProgress)); !errors.Is(err, io.ErrNoProgress) {
		t.Errorf("Read of a broken disk = %v, want %v", err, io.ErrNoProgress)
	}
}

func TestByteOrderMark(t *testing.T) {
	t.Parallel()
	rec, err := Read("x", strings.NewReader("\ufeff"+`{"time":1,"metric":"a","value":1}`))
	if err != nil || rec.Values != 1 {
		t.Errorf("Read with a byte order mark = %+v, %v, want one sample", rec, err)
	}
}

// TestGap: a time that is far from the others is most likely wrong, and the
// line that has it is named, whichever side of the gap it is on.
func TestGap(t *testing.T) {
	t.Parallel()
	const now = `{"time":1767607200,"metric":"a","value":1}` + "\n" + `{"time":1767607201,"metric":"a","value":1}` + "\n"
	const column = `{"time":1767607200,"step":1,"metric":"a","values":[1,1,1]}` + "\n"
	tests := map[string]struct{ text, want string }{
		"none":             {now + column, ""},
		"a month":          {now + `{"time":1770285600,"metric":"a","value":1}`, ""}, // 31 days
		"of 1970":          {now + `{"time":1,"metric":"a","value":1}` + "\n", "x:3: there is no sample for 20458 days, from 1970-01-01T00:00:01Z to 2026-01-05T10:00:00Z"},
		"of 2099":          {`{"time":4080000000,"metric":"a","value":1}` + "\n" + now, "x:1: there is no sample for 26764 days"},
		"column of 1970":   {now + column + `{"time":1,"step":1,"metric":"b","values":[1,1]}`, "x:4: there is no sample for 20458 days"},
		"within a column":  {column + `{"time":1767607200,"step":86400,"metric":"b","values":[1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1]}`, ""},
		"each in its hour": {`{"time":1,"metric":"a","value":1}` + "\n" + `{"time":3000000,"metric":"a","value":1}`, "x:1: there is no sample for 35 days"},
	}
	for name, tt := range tests {
		rec, err := Read("x", strings.NewReader(tt.text))
		if err != nil {
			t.Fatalf("%s: Read = %v", name, err)
		}
		err = rec.Gap(31 * 24 * time.Hour)
		if (err == nil) != (tt.want == "") || err != nil && !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: Gap = %v, want %q", name, err, tt.want)
		}
	}
}

// TestBlocks: lines are the same, however they fall into blocks.
func TestBlocks(t *testing.T) {
	t.Parallel()
	var b strings.Builder
	n := 0
	for i := 0; b.Len() < 3*blockSize; i++ {
		fmt.Fprintf(&b, `{"time":%d,"metric":"m%d","value":%d}`+"\n%s", 1000+i, i%7, i, strings.Repeat(" \n", i%3))
		n++
	}
	text := b.String()
	for name, r := range map[string]io.Reader{
		"at once":         strings.NewReader(text),
		"without the end": strings.NewReader(strings.TrimSpace(text)),
		"in halves":       iotest.HalfReader(strings.NewReader(text)),
	} {
		rec, err := Read("x", r)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if rec.Values != n || rec.Series() != 7 || rec.points.get(n-1).value != float64(n-1) {
			t.Errorf("%s: %d values of %d series, want %d of 7", name, rec.Values, rec.Series(), n)
		}
	}
	lines := strings.Count(text, "\n")
	_, err := Read("x", strings.NewReader(text+"{}"))
	if want := fmt.Sprintf("x:%d: time is missing", lines+1); err == nil || err.Error() != want {
		t.Errorf("Read with a mistake in the last block = %v, want %s", err, want)
	}
}

// TestPlayAgain: what is played in two goes is what is played in one.
func TestPlayAgain(t *testing.T) {
	t.Parallel()
	set, err := monitor.Parse("m.yaml", []byte(`version: 2
receivers: {r: {email: {to: [a@example.com]}}}
monitors: [{name: m, metric: orders, window: 1m, notify: [r], triggers: [{threshold: 1e9}]}]`))
	if err != nil {
		t.Fatal(err)
	}
	r := mustRead(t, `{"time":1000,"step":0.5,"metric":"orders","values":[1,2,3,4,5,6,7,8]}
{"time":1001.7,"metric":"orders","value":100}
{"time":1003,"metric":"orders","value":1000,"process":"b"}`)
	play := func(stops ...int) float64 {
		sim := simulate.New(simulate.Config{Set: set, Start: r.Start})
		ticks := 0
		for _, s := range stops {
			r.Play(sim, r.Start.Add(time.Duration(s)*time.Second), func() { ticks++ })
		}
		if ticks != stops[len(stops)-1] {
			t.Errorf("%d ticks, want %d", ticks, stops[len(stops)-1])
		}
		return sim.Alerts()[0].Value.V
	}
	for _, stops := range [][]int{{4}, {1, 4}, {2, 3, 4}} {
		if got := play(stops...); got != 1136 {
			t.Errorf("the sum after playing to %v = %v, want 1136", stops, got)
		}
	}
	if got := play(2); got != 110 {
		t.Errorf("the sum after two seconds = %v, want 110", got)
	}
}

// FuzzLine compares the fast reader of lines with the thorough one.
func FuzzLine(f *testing.F) {
	for _, seed := range []string{
		`{"time":1767571200,"metric":"orders","type":"counter","tags":{"b":"2","a":"1"},"value":1}`,
		`{"time": 1767571201.5, "step": 1, "metric":"a b", "process": "x", "values":[1, null,-2.5e3 ,0.5]}`,
		`{"time":01,"metric":"a","value":1.}`, `{"time":1,"metric":"a","value":-}`, `{"time":1,"metric":" a","tags":{},"value":.5}`,
		`{"time":1,"time":2,"metric":"a","value":1}`, `{"metric":"\u0061","value":1}`, `{"time":1,"metric":"a","value":1}x`, `{"time":1,"metric":"a","value":+1}`,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		var fast, slow line
		if !scan(data, &fast) {
			return
		}
		if !json.Valid(data) {
			t.Fatalf("scan(%q) reads what is no JSON", data)
		}
		if err := slow.decode(data); err != nil {
			t.Fatalf("scan(%q) reads what decode refuses: %v", data, err)
		}
		same := fast.at == slow.at && fast.step == slow.step && string(fast.metric) == string(slow.metric) &&
			string(fast.kind) == string(slow.kind) && string(fast.process) == string(slow.process) &&
			fast.value == slow.value && fast.hasTime == slow.hasTime && fast.hasValue == slow.hasValue && sameValues(fast.values, slow.values)
		if !same {
			t.Errorf("scan(%q) = %+v, decode = %+v", data, fast, slow)
		}
	})
}

func sameValues(a, b []float64) bool {
	if len(a) != len(b) || (a == nil) != (b == nil) {
		return false
	}
	for i := range a {
		if a[i] != b[i] && !(math.IsNaN(a[i]) && math.IsNaN(b[i])) {
			return false
		}
	}
	return true
}
