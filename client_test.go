package hawkeye

import (
	"context"
	"errors"
	"log/slog"
	"math"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/go-batteries/hawkeye/internal/series"
)

func TestNewClientNamesEveryMistake(t *testing.T) {
	t.Parallel()
	if _, err := NewClient("", nil, WithMaxSeries(0), nil); !errors.Is(err, ErrInvalidOption) ||
		!strings.Contains(err.Error(), "options[0]: is nil") || !strings.Contains(err.Error(), "options[2]: is nil") || !strings.Contains(err.Error(), "WithMaxSeries") {
		t.Errorf("NewClient with nil options = %v, want every mistake", err)
	}
	for _, tt := range []struct {
		name string
		path string
		opts []ClientOption
		want []string
	}{
		{name: "no path", want: []string{"path of a socket"}},
		{name: "long path", path: strings.Repeat("x", 104), want: []string{"at most 103"}},
		{name: "NUL", path: "a\x00b", want: []string{"NUL"}},
		{name: "interval", path: "a", opts: []ClientOption{WithFlushInterval(0)}, want: []string{"WithFlushInterval"}},
		{name: "series", path: "a", opts: []ClientOption{WithMaxSeries(-1)}, want: []string{"WithMaxSeries"}},
		{name: "logger", path: "a", opts: []ClientOption{WithClientLogger(nil)}, want: []string{"WithClientLogger"}},
		{
			name: "all", opts: []ClientOption{WithFlushInterval(-1), WithMaxSeries(0), WithClientLogger(nil)},
			want: []string{"NewClient", "WithFlushInterval", "WithMaxSeries", "WithClientLogger"},
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			_, err := NewClient(tt.path, tt.opts...)
			if !errors.Is(err, ErrInvalidOption) {
				t.Fatalf("NewClient(%q) = %v, want ErrInvalidOption", tt.path, err)
			}
			for _, want := range tt.want {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("NewClient(%q) = %v, want it to say %q", tt.path, err, want)
				}
			}
		})
	}
}

func TestNilClient(t *testing.T) {
	t.Parallel()
	var c *Client
	c.Incr("a")
	c.Decr("a")
	c.Count("a", 1, T("k", "v"))
	c.SetGauge("a", 1)
	c.Timing("a", 1)
	c.Observe("a", 1)
	c.Counter("a").Inc()
	c.Counter("a").Add(1)
	c.Counter("a").AddFloat(1)
	c.Gauge("a").Set(1)
	c.Gauge("a").Add(1)
	c.Histogram("a").Observe(1)
	c.Histogram("a").Timing(1)
	if err := errors.Join(c.Ping(t.Context()), c.Flush(t.Context()), c.Close(t.Context())); err != nil {
		t.Errorf("nil client: %v, want no error", err)
	}
	if s := c.Stats(); s != (ClientStats{}) {
		t.Errorf("Stats() = %+v, want zeroes", s)
	}
}

func TestRecordingByNameAllocatesNothing(t *testing.T) {
	c, err := NewClient(filepath.Join(t.TempDir(), "nobody"), WithClientLogger(slog.New(slog.DiscardHandler)))
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		_ = c.Close(ctx) // what nobody took is dropped
	}()
	h := &Hawkeye{engine: engine{reg: series.New(series.Limits{})}}
	region := strings.Clone("eu")
	for name, record := range map[string]func(){
		"Client.Incr":     func() { c.Incr("a", T("region", region), T("k", "v"), T("k2", "v2")) },
		"Client.Count":    func() { c.Count("a", 7, T("region", region)) },
		"Client.Gauge":    func() { c.SetGauge("g", math.Pi, T("region", region)) },
		"Client.Timing":   func() { c.Timing("t", time.Second, T("region", region)) },
		"Client.Observe":  func() { c.Observe("h", 1, T("region", region)) },
		"Hawkeye.Incr":    func() { h.Incr("a", T("region", region), T("k", "v"), T("k2", "v2")) },
		"Hawkeye.Decr":    func() { h.Decr("a", T("region", region)) },
		"Hawkeye.Count":   func() { h.Count("a", 7, T("region", region)) },
		"Hawkeye.Gauge":   func() { h.SetGauge("g", math.Pi, T("region", region)) },
		"Hawkeye.Timing":  func() { h.Timing("t", time.Second, T("region", region)) },
		"Hawkeye.Observe": func() { h.Observe("h", 1, T("region", region)) },
	} {
		if n := testing.AllocsPerRun(200, record); n != 0 {
			t.Errorf("%s allocates %v times, want 0", name, n)
		}
	}
}
