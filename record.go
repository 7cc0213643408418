package hawkeye

import (
	"slices"
	"time"

	"github.com/go-batteries/hawkeye/internal/series"
)

// Recorder is what [Hawkeye] and [Client] have in common: recording by name.
// It is for code that takes either, and for tests that take a fake. A call
// through it allocates its tags, which the methods of the two types don't.
type Recorder interface {
	// Incr adds 1 to a counter.
	Incr(name string, tags ...Tag)
	// Decr takes 1 from a counter. One that went down even once is not seen
	// as growing any more, so that a monitor can't use it as a lower bound.
	Decr(name string, tags ...Tag)
	// Count adds n, which may be negative, to a counter.
	Count(name string, n int64, tags ...Tag)
	// SetGauge sets a gauge to v. It keeps this value until the next one.
	SetGauge(name string, v float64, tags ...Tag)
	// Timing observes d in a histogram of milliseconds, as statsd's ms does.
	Timing(name string, d time.Duration, tags ...Tag)
	// Observe observes v, in whatever unit, in a histogram. Quantiles are
	// within 1.6 % of the exact ones.
	Observe(name string, v float64, tags ...Tag)
}

var (
	_ Recorder = (*Hawkeye)(nil)
	_ Recorder = (*Client)(nil)
)

// Tag is a key and a value, both strings, by which series of one name are
// told apart; [T] makes one. The order of a series' tags means nothing.
type Tag = struct{ Key, Value string }

// T returns a [Tag].
func T(key, value string) Tag { return Tag{Key: key, Value: value} }

// Counter is a series that sums what is added to it: the handle of one name
// and one set of tags, from [Hawkeye.Counter] or [Client.Counter]. Recording
// by handle saves looking the series up. A nil *Counter does nothing. All
// methods are safe for concurrent use, don't block and don't allocate.
type Counter series.Counter

// Inc adds 1.
func (c *Counter) Inc() { (*series.Counter)(c).Inc() }

// Add adds n, which may be negative.
func (c *Counter) Add(n int64) { (*series.Counter)(c).Add(n) }

// AddFloat adds v, rounded to a millionth. NaN and infinities are rejected
// and counted.
func (c *Counter) AddFloat(v float64) { (*series.Counter)(c).AddFloat(v) }

// Gauge is a series that keeps the latest value; see [Counter] for what
// handles have in common.
type Gauge series.Gauge

// Set sets the gauge to v. NaN and infinities are rejected and counted.
func (g *Gauge) Set(v float64) { (*series.Gauge)(g).Set(v) }

// Add adds d to the value, which begins at 0.
func (g *Gauge) Add(d float64) { (*series.Gauge)(g).Add(d) }

// Histogram is a series that counts values by size, in buckets at most 3.1 %
// wide; see [Counter] for what handles have in common.
type Histogram series.Histogram

// Observe counts v. NaN and infinities are rejected and counted.
func (h *Histogram) Observe(v float64) { (*series.Histogram)(h).Observe(v) }

// Timing counts d in milliseconds, as statsd's ms does.
func (h *Histogram) Timing(d time.Duration) { h.Observe(milliseconds(d)) }

func milliseconds(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }

// Incr implements [Recorder].
func (h *Hawkeye) Incr(name string, tags ...Tag) { h.registry().Count(name, 1, tags) }

// Decr implements [Recorder].
func (h *Hawkeye) Decr(name string, tags ...Tag) { h.registry().Count(name, -1, tags) }

// Count implements [Recorder].
func (h *Hawkeye) Count(name string, n int64, tags ...Tag) {
	h.registry().Counter(name, tags...).Add(n)
}

// SetGauge implements [Recorder].
func (h *Hawkeye) SetGauge(name string, v float64, tags ...Tag) { h.registry().SetGauge(name, v, tags) }

// Timing implements [Recorder].
func (h *Hawkeye) Timing(name string, d time.Duration, tags ...Tag) {
	h.registry().Observe(name, milliseconds(d), tags)
}

// Observe implements [Recorder].
func (h *Hawkeye) Observe(name string, v float64, tags ...Tag) { h.registry().Observe(name, v, tags) }

// Counter returns the handle of a counter, which is made if it is new.
func (h *Hawkeye) Counter(name string, tags ...Tag) *Counter {
	return (*Counter)(h.registry().Counter(name, tags...))
}

// Gauge returns the handle of a gauge, which is made if it is new.
func (h *Hawkeye) Gauge(name string, tags ...Tag) *Gauge {
	return (*Gauge)(h.registry().Gauge(name, tags...))
}

// Histogram returns the handle of a histogram, which is made if it is new.
func (h *Hawkeye) Histogram(name string, tags ...Tag) *Histogram {
	return (*Histogram)(h.registry().Histogram(name, tags...))
}

// Unique counts different values, such as the users of a day: value becomes
// one of the set, which is by then as large as it was or larger by one. At
// most 4,096 new ones a tick are taken, the rest is counted and left out.
func (h *Hawkeye) Unique(name, value string, tags ...Tag) { h.registry().AddToSet(name, value, tags) }

// With returns a recorder that adds tags to all that is recorded through it.
// Of equal keys the one in the call counts.
func (h *Hawkeye) With(tags ...Tag) Recorder {
	return &tagged{h, slices.Clone(tags)}
}

// tagged is a Recorder that adds tags.
type tagged struct {
	next Recorder
	tags []Tag
}

// all returns a call's tags after the recorder's, because the last of equal
// keys counts.
func (t *tagged) all(tags []Tag) []Tag {
	return append(t.tags[:len(t.tags):len(t.tags)], tags...)
}

func (t *tagged) Incr(name string, tags ...Tag) { t.next.Incr(name, t.all(tags)...) }

func (t *tagged) Decr(name string, tags ...Tag) { t.next.Decr(name, t.all(tags)...) }

func (t *tagged) Count(name string, n int64, tags ...Tag) { t.next.Count(name, n, t.all(tags)...) }

func (t *tagged) SetGauge(name string, v float64, tags ...Tag) {
	t.next.SetGauge(name, v, t.all(tags)...)
}

func (t *tagged) Timing(name string, d time.Duration, tags ...Tag) {
	t.next.Timing(name, d, t.all(tags)...)
}

func (t *tagged) Observe(name string, v float64, tags ...Tag) {
	t.next.Observe(name, v, t.all(tags)...)
}

// registry is nil, on which all recording does nothing, if h is.
func (h *Hawkeye) registry() *series.Registry {
	if h == nil {
		return nil
	}
	return h.reg
}
