package statsd

import (
	"errors"
	"math"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/go-batteries/hawkeye/internal/bucket"
	"github.com/go-batteries/hawkeye/internal/series"
)

func collect(reg *series.Registry) bucket.Bucket {
	var b bucket.Bucket
	reg.Collect(&b, true)
	return b
}

func TestApplyScalesByTheRate(t *testing.T) {
	t.Parallel()
	reg := series.New(series.Limits{})
	a := Applier{Registry: reg}
	if err := a.Apply([]byte("c:1:2|c|@0.5|#k:v\r\nms:320|ms|@0.1\n\ns:ann|s\ns:ann|s\n")); err != nil {
		t.Fatalf("Apply = %v, want no error", err)
	}
	b := collect(reg)
	if len(b.Counters) != 1 || b.Counters[0].Delta != 6*bucket.Unit {
		t.Errorf("counters = %v, want one of 6", b.Counters)
	}
	if len(b.Histograms) != 1 || b.Histograms[0].Buckets[0].Count != 10 || b.Histograms[0].Sum != 3200 {
		t.Errorf("histograms = %v, want 320 counted 10 times", b.Histograms)
	}
	if len(b.Sets) != 1 || len(b.Sets[0].Hashes) != 1 {
		t.Errorf("sets = %v, want one of one value", b.Sets)
	}
	if a.Counts.Lines != 4 || a.Counts.Samples != 5 {
		t.Errorf("Counts = %+v, want 4 lines of 5 samples", a.Counts)
	}
}

func TestApplySignedGauges(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name  string
		delta bool
		text  string
		want  float64
	}{
		{"DogStatsD sets", false, "g:5|g\ng:-10|g", -10},
		{"Etsy subtracts", true, "g:5|g\ng:-10|g", -5},
		{"Etsy adds", true, "g:5|g\ng:+10|g", 15},
		{"Etsy sets what has no sign", true, "g:5|g\ng:10|g", 10},
		{"packed", true, "g:5:-2:+1|g", 4},
	}
	for _, tt := range tests {
		reg := series.New(series.Limits{})
		a := Applier{Registry: reg, GaugeDelta: tt.delta}
		if err := a.Apply([]byte(tt.text)); err != nil {
			t.Errorf("%s: Apply = %v, want no error", tt.name, err)
		}
		if b := collect(reg); len(b.Gauges) != 1 || b.Gauges[0].Value != tt.want {
			t.Errorf("%s: gauges = %v, want one of %v", tt.name, b.Gauges, tt.want)
		}
	}
}

func TestApplyNamesTheFirstBadLineAndCountsTheRest(t *testing.T) {
	t.Parallel()
	reg := series.New(series.Limits{})
	a := Applier{Registry: reg, MaxLine: 100}
	text := "a:1|c\n\n_e{1,1}:a|b\nb:oops|c\n" + strings.Repeat("x", 101) + ":1|c\na:1|c"
	err := a.Apply([]byte(text))
	want := &LineError{Line: 4, Reason: BadValue, Text: "b:oops|c", Accepted: 2, Rejected: 2}
	var got *LineError
	if !errors.As(err, &got) {
		t.Fatalf("Apply = %v, want a *LineError", err)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("Apply (-want +got):\n%s", diff)
	}
	if !errors.Is(err, BadValue) {
		t.Errorf("errors.Is(%v, BadValue) = false", err)
	}
	if b := collect(reg); len(b.Counters) != 1 || b.Counters[0].Delta != 2*bucket.Unit {
		t.Errorf("counters = %v, want one of 2", b.Counters)
	}
	c := a.Counts
	if c.Refused[Event] != 1 || c.Refused[BadValue] != 1 || c.Refused[TooLong] != 1 || c.Lines != 2 {
		t.Errorf("Counts = %+v, want an event, a bad value, a long line and 2 lines", c)
	}
}

func TestApplyToNoRegistry(t *testing.T) {
	t.Parallel()
	a := Applier{}
	if err := a.Apply([]byte("a:1|c\nb:1|g\nc:1|h\nd:1|s")); err != nil {
		t.Errorf("Apply = %v, want no error", err)
	}
}

func TestWeightIsRightOnAverage(t *testing.T) {
	t.Parallel()
	const n = 200_000
	for _, rate := range []float64{1, 0.5, 0.1, 0.3, 0.7, 0.999} {
		sum := uint64(0)
		for range n {
			sum += weight(rate)
		}
		got, want := float64(sum)/n, 1/rate
		if math.Abs(got-want) > 0.02*want {
			t.Errorf("weight(%v) is %v on average, want %v", rate, got, want)
		}
	}
	if got := weight(0.1); got != 10 {
		t.Errorf("weight(0.1) = %d, want 10 always", got)
	}
}

func TestApplyAllocatesNothingForKnownSeries(t *testing.T) {
	a := Applier{Registry: series.New(series.Limits{})}
	text := []byte("a:1|c|#k:v,l:w\nb:1.5|g|#k:v\nc:3:4|h|@0.3\n")
	if got := testing.AllocsPerRun(100, func() { _ = a.Apply(text) }); got != 0 {
		t.Errorf("Apply allocates %v times, want 0", got)
	}
}

func BenchmarkApply(b *testing.B) {
	a := Applier{Registry: series.New(series.Limits{})}
	text := []byte(strings.Repeat("http.requests:1|c|#method:GET,route:/x\n", 1000))
	b.ReportAllocs()
	for b.Loop() {
		if err := a.Apply(text); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/1000, "ns/line")
}
