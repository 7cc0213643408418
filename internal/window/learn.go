package window

import (
	"time"

	"github.com/go-batteries/hawkeye/internal/bucket"
	"github.com/go-batteries/hawkeye/internal/series"
	"github.com/go-batteries/hawkeye/store"
)

// Series that nobody counted in for an hour are forgotten when there are more
// than these, and learned again when they come back.
const (
	maxSeries   = 1 << 20
	forgetAfter = time.Hour
)

// Unknown appends to ids those of b that have no name yet.
func (e *Engine) Unknown(ids []uint64, b *bucket.Bucket) []uint64 {
	if e.lookUp(b) {
		return ids
	}
	i := 0
	EachID(b, func(id uint64) {
		if e.scratch[i] == &e.stranger {
			ids = append(ids, id)
		}
		i++
	})
	return ids
}

// Learn tells the text of an id. A text that is no series is remembered as
// one that nobody asks for.
func (e *Engine) Learn(id uint64, text string) {
	if e.series[id] != nil {
		return
	}
	if len(e.series) >= maxSeries {
		e.forgetSeries()
	}
	kind, name, _, err := series.ParseCanonical(text)
	in := &interest{id: id, text: text, kind: kind, used: e.now}
	e.series[id] = in
	if err != nil {
		in.metric = &metric{}
		return
	}
	in.metric = e.metric(name)
	in.metric.known = append(in.metric.known, in)
	for _, t := range in.metric.tracks {
		t.follow(in)
	}
	in.tiers = e.folder.tiers[name]
}

func (e *Engine) forgetSeries() {
	e.settle()
	e.unindex()
	oldest := e.now - int64(forgetAfter/e.width)
	for id, in := range e.series {
		if in.used < oldest {
			delete(e.series, id)
		}
	}
	for name, m := range e.metrics {
		kept := m.known[:0]
		for _, in := range m.known {
			if in.used >= oldest {
				kept = append(kept, in)
			}
		}
		clear(m.known[len(kept):])
		m.known = kept
		if len(m.known) == 0 && len(m.tracks) == 0 && m.kinds == 0 {
			delete(e.metrics, name)
		}
	}
}

// Kinds returns the kinds of the metric's series of which samples were taken.
// There are none of a metric that was never seen.
func (e *Engine) Kinds(name string) []series.Kind {
	e.settle()
	m := e.metrics[name]
	if m == nil {
		return nil
	}
	var kinds []series.Kind
	for k := series.KindCounter; k <= series.KindSet; k++ {
		if m.kinds&(1<<k) != 0 {
			kinds = append(kinds, k)
		}
	}
	return kinds
}

// Texts returns the names of the series that had samples since a tick, or are
// in folds.
func (e *Engine) Texts(since int64) (names []store.Name) {
	e.settle()
	for id, in := range e.series {
		if in.tiers != 0 || in.used >= since {
			names = append(names, store.Name{ID: id, Text: in.text})
		}
	}
	return names
}

// Text returns the text of an id that was learned, empty if it wasn't.
func (e *Engine) Text(id uint64) string {
	if in := e.series[id]; in != nil {
		return in.text
	}
	return ""
}
