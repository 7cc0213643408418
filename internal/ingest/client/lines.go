package client

import (
	"math"
	"strconv"
	"strings"

	"github.com/go-batteries/hawkeye/internal/bucket"
	"github.com/go-batteries/hawkeye/internal/series"
	"github.com/go-batteries/hawkeye/store"
)

const (
	// maxLineValues is how many values one line carries.
	maxLineValues = 64
	// maxLineDelta is how much of a counter a line with decimals carries, in
	// units: up to here a float64 in whole ones and six decimals gives each of
	// them. One without is exact up to maxLineWhole.
	maxLineDelta = 2_000_000_000 * bucket.Unit
	maxLineWhole = 1 << 53
)

// lineWriter turns a bucket into statsd lines, so that who applies them gets
// the same counters and gauges, the same buckets of histograms, and their
// sums to within rounding. It goes through the bucket once, and uses it up.
type lineWriter struct {
	bucket   *bucket.Bucket
	lookUp   func(ids []uint64) []store.Name
	names    map[uint64]lineName
	maxNames int

	counter, beyond, gauge, histogram int // the next of each
	values                            histogramValues
	carry                             map[uint64]float64 // of sums, by series: see choose
}

func newLineWriter(b *bucket.Bucket, lookUp func(ids []uint64) []store.Name, maxNames int) lineWriter {
	return lineWriter{
		bucket: b, lookUp: lookUp, maxNames: maxNames,
		names: make(map[uint64]lineName), carry: make(map[uint64]float64),
	}
}

// lineName is what stands before and after the values of a series' lines.
type lineName struct{ prefix, suffix string }

// start goes to the beginning of a bucket that was filled anew.
func (w *lineWriter) start() {
	w.counter, w.beyond, w.gauge, w.histogram = 0, 0, 0, 0
	w.values = histogramValues{}
	if len(w.names) > w.maxNames { // some of them are of series that are gone
		clear(w.names)
		clear(w.carry)
	}
	var unknown []uint64
	for id := range w.ids {
		if _, ok := w.names[id]; !ok {
			unknown = append(unknown, id)
		}
	}
	if len(unknown) == 0 {
		return
	}
	for _, n := range w.lookUp(unknown) {
		if _, name, tags, err := series.ParseCanonical(n.Text); err == nil {
			w.names[n.ID] = newLineName(name, tags)
		}
	}
}

func (w *lineWriter) ids(yield func(uint64) bool) {
	for _, c := range w.bucket.Counters {
		if !yield(c.ID) {
			return
		}
	}
	for _, g := range w.bucket.Gauges {
		if !yield(g.ID) {
			return
		}
	}
	for _, h := range w.bucket.Histograms {
		if !yield(h.ID) {
			return
		}
	}
}

// next appends one line, without its end, to dst, and says for how many
// samples it stands. It is done when it appends nothing.
func (w *lineWriter) next(dst []byte) ([]byte, uint64) {
	for hs := w.bucket.Histograms; w.histogram < len(hs) && len(hs[w.histogram].Buckets) == 0; w.histogram++ {
		w.carry[hs[w.histogram].ID] += hs[w.histogram].Sum
	}
	switch b := w.bucket; {
	case w.counter < len(b.Counters):
		return w.counterLine(dst, &b.Counters[w.counter])
	case w.beyond < len(b.Beyond):
		return w.beyondLine(dst, &b.Beyond[w.beyond])
	case w.gauge < len(b.Gauges):
		g := b.Gauges[w.gauge]
		w.gauge++
		return w.gaugeLine(dst, g), 1
	case w.histogram < len(b.Histograms):
		return w.histogramLine(dst, &b.Histograms[w.histogram])
	default:
		return dst, 0
	}
}

// counterLine writes a great delta in two lines: what is whole of it first.
func (w *lineWriter) counterLine(dst []byte, c *bucket.Counter) ([]byte, uint64) {
	part := c.Delta
	if part < -maxLineDelta || part > maxLineDelta {
		part -= part % bucket.Unit
	}
	c.Delta -= part
	if c.Delta == 0 {
		w.counter++
	}
	name := w.names[c.ID]
	dst = append(dst, name.prefix...)
	dst = appendUnits(dst, part)
	dst = append(dst, "|c"...)
	dst = append(dst, name.suffix...)
	return dst, samplesOf(part)
}

func (w *lineWriter) beyondLine(dst []byte, c *bucket.Beyond) ([]byte, uint64) {
	part := min(max(c.Whole, -maxLineWhole), maxLineWhole)
	c.Whole -= part
	if c.Whole == 0 {
		w.beyond++
	}
	name := w.names[c.ID]
	dst = append(dst, name.prefix...)
	dst = strconv.AppendInt(dst, part, 10)
	dst = append(dst, "|c"...)
	dst = append(dst, name.suffix...)
	return dst, uint64(max(part, -part))
}

// samplesOf returns for how many samples a delta stands: how much it counts,
// a fraction as one.
func samplesOf(delta int64) uint64 {
	size := uint64(delta)
	if delta < 0 {
		size = -size
	}
	return (size + bucket.Unit - 1) / bucket.Unit
}

// appendUnits appends a number of millionths as a decimal number.
func appendUnits(dst []byte, n int64) []byte {
	if n < 0 {
		dst = append(dst, '-')
		n = -n
	}
	dst = strconv.AppendInt(dst, n/bucket.Unit, 10)
	if n %= bucket.Unit; n != 0 {
		dst = append(dst, '.')
		for digit := int64(bucket.Unit / 10); n != 0; digit /= 10 {
			dst = append(dst, '0'+byte(n/digit))
			n %= digit
		}
	}
	return dst
}

func (w *lineWriter) gaugeLine(dst []byte, g bucket.Gauge) []byte {
	name := w.names[g.ID]
	dst = append(dst, name.prefix...)
	if math.Signbit(g.Value) {
		dst = append(dst, "0:"...) // to a server with WithGaugeDelta "-5" is a change, from 0 then
	}
	dst = strconv.AppendFloat(dst, g.Value, 'g', -1, 64)
	dst = append(dst, "|g"...)
	return append(dst, name.suffix...)
}

// histogramLine writes buckets of one observation together, and others, which
// need a rate, one by one.
func (w *lineWriter) histogramLine(dst []byte, h *bucket.Histogram) ([]byte, uint64) {
	if !w.values.ready {
		w.values = w.choose(h)
	}
	name := w.names[h.ID]
	dst = append(dst, name.prefix...)
	samples := uint64(0)
	rate := uint64(1)
	for n := 0; n < maxLineValues && w.values.next < len(h.Buckets); n++ {
		b := &h.Buckets[w.values.next]
		part := min(b.Count, series.MaxWeight)
		if n > 0 && part != rate {
			break
		}
		if n > 0 {
			dst = append(dst, ':')
		}
		rate = part
		samples += part
		dst = strconv.AppendFloat(dst, w.values.of(b.Index), 'g', -1, 64)
		if b.Count -= part; b.Count == 0 {
			w.values.next++
		}
	}
	if w.values.next == len(h.Buckets) {
		w.histogram++
		w.values = histogramValues{}
	}
	dst = append(dst, "|h"...)
	if rate > 1 {
		dst = append(dst, "|@"...)
		dst = strconv.AppendFloat(dst, rateOf(rate), 'g', -1, 64)
	}
	return append(dst, name.suffix...), samples
}

// rateOf returns the sample rate that stands for n observations: 1/n, or the
// next lower number, so that its inverse is not below n and cut to n-1.
func rateOf(n uint64) float64 {
	rate := 1 / float64(n)
	if 1/rate < float64(n) {
		rate = math.Nextafter(rate, 0)
	}
	return rate
}

// histogramValues are the values that stand for the buckets of a histogram,
// all at the same share of the way from the lower to the upper edge: that
// share at which their sum is the histogram's.
type histogramValues struct {
	ready bool
	next  int // the next bucket
	share float64
	only  float64 // the value, if there is one bucket
	one   bool
}

// choose finds the share. A sum may come a tick later than the observations
// that it is of, and then no share is right: what is missing or too much is
// carried over to the next time.
func (w *lineWriter) choose(h *bucket.Histogram) histogramValues {
	var low, width, count float64
	for _, b := range h.Buckets {
		lo, hi := series.HistBounds(b.Index)
		low += float64(b.Count) * lo
		width += float64(b.Count) * (hi - lo)
		count += float64(b.Count)
	}
	sum := h.Sum + w.carry[h.ID]
	v := histogramValues{ready: true, one: len(h.Buckets) == 1, only: sum / count}
	if width > 0 {
		v.share = min(max((sum-low)/width, 0), 1)
	}
	rest := sum
	for _, b := range h.Buckets {
		rest -= float64(b.Count) * v.of(b.Index)
	}
	delete(w.carry, h.ID)
	if rest != 0 {
		w.carry[h.ID] = rest
	}
	return v
}

func (v *histogramValues) of(index int32) float64 {
	lo, hi := series.HistBounds(index)
	value := lo + v.share*(hi-lo)
	if v.one && lo <= v.only && v.only <= hi {
		value = v.only
	}
	if series.HistIndex(value) != index { // an edge that belongs to the neighbour
		return series.HistValue(index)
	}
	return value
}

var (
	nameCleaner  = strings.NewReplacer(":", "_", "|", "_")
	keyCleaner   = strings.NewReplacer(":", "_", "|", "_", ",", "_")
	valueCleaner = strings.NewReplacer("|", "_", ",", "_")
)

// newLineName renders what a line says around its values. Control characters
// the registry has taken out already.
func newLineName(name string, tags []series.Tag) lineName {
	name = nameCleaner.Replace(name)
	if strings.HasPrefix(name, "_e{") { // begins an event
		name = "__" + name[2:]
	}
	var suffix strings.Builder
	for i, t := range tags {
		suffix.WriteString([...]string{"|#", ","}[min(i, 1)])
		suffix.WriteString(keyCleaner.Replace(t.Key))
		suffix.WriteByte(':')
		suffix.WriteString(valueCleaner.Replace(t.Value))
	}
	return lineName{prefix: name + ":", suffix: suffix.String()}
}
