package series

import "strings"

// OverflowTag is the key of the one tag, with the value "true", of overflow
// series. What has no room in the registry, because there are MaxSeries
// series already or it has more than MaxTags tags, is recorded in the overflow
// series of its kind and name; when that is one name in ten of MaxSeries, in
// that of the name OverflowTag. A handle that was got then stays one of the
// overflow series; a call by name finds room once there is some.
const OverflowTag = "__overflow__"

const (
	// maxAliasBytes is the longest spelling that is remembered as an alias.
	maxAliasBytes = 1024
	// aliasesPerSeries times MaxSeries is how many aliases are remembered.
	aliasesPerSeries = 2
)

// scratch is memory for resolving, guarded by Registry.mu.
type scratch struct {
	tags  []Tag
	alias []byte
	text  []byte
}

// resolve is the slow part of find: the table doesn't have this spelling.
func (r *Registry) resolve(head byte, hash uint32, name string, tags []Tag) *series {
	r.mu.Lock()
	defer r.mu.Unlock()
	alias, ok := appendSpelling(r.scratch.alias[:0], head, name, tags)
	r.scratch.alias = alias[:0]
	if !ok {
		return r.canonical(head, name, tags)
	}
	if s := r.table.Load().lookup(hash, alias); s != nil {
		return s // another goroutine was faster
	}
	s := r.canonical(head, name, tags)
	r.remember(hash, alias, s)
	return s
}

// resolveRaw is the slow part of findBytes.
func (r *Registry) resolveRaw(head byte, hash uint32, name, raw string) *series {
	r.mu.Lock()
	defer r.mu.Unlock()
	if ForeignTags(name) != 0 {
		r.rejectedNames++
		return nil
	}
	tags := parseRaw(raw)
	if len(name) > maxPiece {
		return r.canonical(head, name, tags)
	}
	alias := append(r.scratch.alias[:0], head, byte(len(name)))
	alias = append(append(alias, name...), raw...)
	r.scratch.alias = alias[:0]
	if s := r.table.Load().lookup(hash, alias); s != nil {
		return s
	}
	s := r.canonical(head, name, tags)
	r.remember(hash, alias, s)
	return s
}

// ForeignTags returns the character that begins the tags in a name of another
// statsd dialect, such as the comma of "hits,route=a", and 0 if there are
// none: one of ',' (InfluxDB), ';' (Graphite), '[' (SignalFx), '#' (Librato)
// and '{' (Prometheus). A series by such a name would have no tags, and no
// monitor would know it, so a name from the wire is refused for it.
func ForeignTags(name string) byte {
	before, _, found := strings.Cut(name, "=")
	if !found {
		return 0
	}
	if at := strings.LastIndexAny(before, ",;[#{"); at > 0 {
		return before[at]
	}
	return 0
}

// parseRaw reads the tags of a line. Some old clients write "##route:a".
func parseRaw(raw string) (tags []Tag) {
	for field := range strings.SplitSeq(strings.TrimLeft(raw, "#"), ",") {
		key, value, _ := strings.Cut(field, ":")
		tags = append(tags, Tag{Key: key, Value: value})
	}
	return tags
}

// lookup is find's loop for a spelling in one piece.
func (t *table) lookup(hash uint32, text []byte) *series {
	mask := uint32(len(t.slots) - 1)
	for i := hash & mask; ; i = (i + 1) & mask {
		s := t.slots[i].Load()
		if s == nil {
			return nil
		}
		if s.hash == hash && s.text == string(text) {
			return s.series
		}
	}
}

// remember makes text an alias of s, if there is room and it isn't known.
func (r *Registry) remember(hash uint32, text []byte, s *series) {
	if s == nil || r.aliases >= aliasesPerSeries*r.limits.MaxSeries || len(text) > maxAliasBytes ||
		s.text == string(text) {
		return
	}
	r.aliases++
	r.insert(&spelling{text: string(text), series: s, hash: hash, slot: s.slot})
}

// insert adds s to the table and replaces a table that is too full.
func (r *Registry) insert(s *spelling) {
	t := r.table.Load()
	if t.used >= len(t.slots)/4*3 {
		bigger := newTable(t.used)
		for i := range t.slots {
			if old := t.slots[i].Load(); old != nil {
				bigger.insert(old)
			}
		}
		r.table.Store(bigger)
		t = bigger
	}
	t.insert(s)
}

// canonical returns the series that a name and tags, as callers give them,
// stand for, or the overflow series that takes its place. It makes it if need
// be.
func (r *Registry) canonical(head byte, name string, tags []Tag) *series {
	kind := Kind(head >> 1)
	if name = r.limits.cleanName(name); name == "" {
		r.rejectedNames++
		return nil
	}
	clean := r.limits.cleanTags(r.scratch.tags[:0], tags)
	defer func() {
		clear(clean) // the callers' strings are theirs
		r.scratch.tags = clean[:0]
	}()
	tags = clean
	switch {
	case len(tags) == 1 && tags[0] == overflowTag:
		return r.overflow(kind, name)
	case len(tags) > r.limits.MaxTags:
		r.overflowed++
		return r.overflow(kind, name)
	}
	s := r.lookupOrRevive(kind, name, tags)
	switch {
	case s != nil:
		return s
	case r.live >= r.limits.MaxSeries:
		r.overflowed++
		return r.overflow(kind, name)
	}
	return r.create(kind, name, tags)
}

var overflowTag = Tag{Key: OverflowTag, Value: "true"}

// overflow returns the overflow series of a name.
func (r *Registry) overflow(kind Kind, name string) *series {
	tags := []Tag{overflowTag}
	s := r.lookupOrRevive(kind, name, tags)
	if s == nil && r.overflowing >= max(r.limits.MaxSeries/10, 1) {
		name = OverflowTag
		s = r.lookupOrRevive(kind, name, tags)
	}
	if s == nil {
		s = r.create(kind, name, tags)
	}
	return s
}

// lookupOrRevive returns the series with this clean name and these clean and
// sorted tags if there is one, be it a ghost.
func (r *Registry) lookupOrRevive(kind Kind, name string, tags []Tag) *series {
	head := byte(kind) << 1
	text, _ := appendSpelling(r.scratch.text[:0], head, name, tags)
	r.scratch.text = text[:0]
	hash, _ := r.hashTags(head, name, tags)
	if s := r.table.Load().lookup(hash, text); s != nil {
		return s
	}
	col := &r.columns[kind]
	if len(col.ghosts) == 0 {
		return nil
	}
	canonical := Canonical(kind, name, tags)
	ref, ok := r.index.find(&r.columns, seriesID(canonical, r.salts[canonical]))
	if !ok || ref.kind() != kind || col.ghosts[ref.slot()].text != string(text) {
		return nil
	}
	return r.revive(kind, ref.slot())
}
