package window

import (
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/go-batteries/hawkeye/internal/bucket"
	"github.com/go-batteries/hawkeye/internal/series"
)

// track is a selector's samples over one window; queries that only differ in
// the aggregate share it.
type track struct {
	engine  *Engine
	grid    grid
	seconds float64 // of the window
	handles []Handle
	cover   cover

	key     string
	sel     Selector
	fleet   Fleet
	stale   int64 // ticks after which a gauge that isn't set counts no more; 0 is never
	history bool  // of gauges
	folded  int64 // the newest tick whose gauges came in a fold
	groups  map[string]*Group
	order   []*Group
}

// Group is one combination of the By tags of a track. It is comparable by
// pointer, and stays until it is forgotten.
type Group struct {
	track *track
	// What most ticks touch is side by side.
	changed, late, dropped bool
	kinds                  uint8 // of which there were samples
	scheduled              int64
	first                  int64 // the oldest tick of which there was a sample
	counter                counter

	gauge     *gauge
	histogram *histogram
	set       *set
	key       string
	tags      []series.Tag
}

// Key is the values of the By tags, escaped and joined by '|': unique in a
// query, empty without By.
func (g *Group) Key() string { return g.key }

// Tags are the By tags with their values, in the order of By. The caller must
// not change them.
func (g *Group) Tags() []series.Tag { return g.tags }

// Register adds a query and returns its handle; equal queries share one.
// Samples that were taken before don't count for it: load them again.
func (e *Engine) Register(q Query) Handle {
	key := q.Selector.key() + fmt.Sprintf("|%d|%d", q.Window, q.Delay)
	full := key + "|" + string(q.Aggregate)
	if old := e.queries[full]; old != nil {
		old.refs++
		return Handle(slices.Index(e.handles, old))
	}
	t := e.tracks[key]
	if t == nil {
		t = e.newTrack(key, &q)
	}
	if q.needsHistory() && !t.history {
		t.history = true
		e.recent = append(e.recent, t)
	}
	n := &query{key: full, track: t, refs: 1}
	n.op, n.q = q.Aggregate.parse()
	e.queries[full] = n
	h := e.handle(n)
	t.handles = append(t.handles, h)
	return h
}

func (e *Engine) handle(q *query) Handle {
	if n := len(e.free); n > 0 {
		h := e.free[n-1]
		e.free = e.free[:n-1]
		e.handles[h] = q
		return h
	}
	e.handles = append(e.handles, q)
	return Handle(len(e.handles) - 1)
}

func (e *Engine) newTrack(key string, q *Query) *track {
	e.settle()
	t := &track{
		key:     key,
		engine:  e,
		sel:     q.Selector,
		fleet:   q.Selector.Fleet,
		stale:   ceilDiv(int64(q.Selector.StaleAfter), int64(e.width)),
		grid:    newGrid(e.width, e.retention, q.Window, q.Delay, e.margin),
		seconds: q.Window.Seconds(),
		folded:  math.MinInt64,
		cover:   cover{metric: bucket.MetricHash(q.Selector.Metric)},
		groups:  make(map[string]*Group),
	}
	e.tracks[key] = t
	e.longest = max(e.longest, t.grid.length+t.grid.delay+int64(t.grid.cell/e.width))
	if len(t.sel.By) == 0 {
		t.group("", nil)
	}
	m := e.metric(t.sel.Metric)
	m.tracks = append(m.tracks, t)
	for _, in := range m.known {
		t.follow(in)
	}
	tiers := e.folder.need(t)
	for _, in := range m.known {
		in.tiers |= tiers
	}
	return t
}

// Release gives up a handle that [Engine.Register] returned. The last release
// frees what the query holds.
func (e *Engine) Release(h Handle) {
	q := e.handles[h]
	if q.refs--; q.refs > 0 {
		return
	}
	delete(e.queries, q.key)
	e.handles[h] = nil
	e.free = append(e.free, h)
	t := q.track
	t.handles = slices.DeleteFunc(t.handles, func(x Handle) bool { return x == h })
	if len(t.handles) > 0 {
		return
	}
	delete(e.tracks, t.key)
	e.recent = slices.DeleteFunc(e.recent, func(x *track) bool { return x == t })
	m := e.metric(t.sel.Metric)
	m.tracks = slices.DeleteFunc(m.tracks, func(x *track) bool { return x == t })
	for _, g := range t.order {
		e.drop(g)
	}
	for _, in := range m.known {
		in.groups = slices.DeleteFunc(in.groups, func(g *Group) bool { return g.track == t })
	}
}

func (e *Engine) drop(g *Group) {
	g.dropped = true
	if g.gauge != nil {
		e.recall.kept -= g.gauge.forget()
	}
}

// key is the same for selectors that select the same.
func (s *Selector) key() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%q|%v|%d|%d|%d", s.Metric, s.HasKind, s.Kind, s.Fleet, s.StaleAfter)
	for _, m := range s.Where {
		fmt.Fprintf(&b, "|%q%d%q", m.Name, m.Op, m.Value)
	}
	for _, tag := range s.By {
		fmt.Fprintf(&b, "|by %q", tag)
	}
	return b.String()
}

func (e *Engine) metric(name string) *metric {
	m := e.metrics[name]
	if m == nil {
		m = &metric{}
		e.metrics[name] = m
	}
	return m
}

// follow adds a series to the track's groups if it is selected.
func (t *track) follow(in *interest) {
	kind, _, tags, err := series.ParseCanonical(in.text)
	if err != nil || t.sel.HasKind && t.sel.Kind != kind || !t.sel.matches(tags) {
		return
	}
	key, by := t.sel.group(tags)
	in.groups = append(in.groups, t.group(key, by))
}

func (s *Selector) matches(tags []series.Tag) bool {
	for _, m := range s.Where {
		if !m.Matches(tagValue(tags, m.Name)) {
			return false
		}
	}
	return true
}

var keyEscapes = strings.NewReplacer(`\`, `\\`, `|`, `\|`)

// group returns the key and the By tags of a series' group. A missing tag is
// an empty one.
func (s *Selector) group(tags []series.Tag) (key string, by []series.Tag) {
	if len(s.By) == 0 {
		return "", nil
	}
	values := make([]string, len(s.By))
	by = make([]series.Tag, len(s.By))
	for i, name := range s.By {
		by[i] = series.Tag{Key: name, Value: tagValue(tags, name)}
		values[i] = keyEscapes.Replace(by[i].Value)
	}
	return strings.Join(values, "|"), by
}

func tagValue(tags []series.Tag, key string) string {
	for i := range tags {
		if tags[i].Key == key {
			return tags[i].Value
		}
	}
	return ""
}

// group returns the group of a key, making it if need be.
func (t *track) group(key string, tags []series.Tag) *Group {
	g := t.groups[key]
	if g == nil {
		g = &Group{key: key, tags: tags, track: t, scheduled: never, first: Never}
		t.groups[key] = g
		t.order = append(t.order, g)
	}
	return g
}

// Groups returns the groups of a query in the order of their appearance. The
// caller must not change the slice.
func (e *Engine) Groups(h Handle) []*Group { return e.handles[h].track.order }

// Group returns the group with a key, nil if there is none.
func (e *Engine) Group(h Handle, key string) *Group { return e.handles[h].track.groups[key] }

// Forget drops a group with all it holds, for every query of the same
// selector and window. It comes back, empty, when one of its series has a
// sample again.
func (e *Engine) Forget(h Handle, g *Group) {
	t := e.handles[h].track
	if g.dropped || len(t.sel.By) == 0 {
		return
	}
	e.unindex()
	e.drop(g)
	delete(t.groups, g.key)
	t.order = slices.DeleteFunc(t.order, func(x *Group) bool { return x == g })
	m := e.metric(t.sel.Metric)
	for id, in := range e.series {
		if in.metric == m && slices.Contains(in.groups, g) {
			delete(e.series, id) // to be learned again, which makes a new group
			m.known = slices.DeleteFunc(m.known, func(x *interest) bool { return x == in })
		}
	}
}
