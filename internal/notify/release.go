package notify

import (
	"cmp"
	"slices"
	"strings"
	"time"
)

// fewGroups is of how many groups at most the end of a mute makes a message
// each. Of more it makes one message a receiver.
const fewGroups = 5

// parseMute reads what [Mute.Reason] wrote; nil if it didn't.
func parseMute(reason string) *Mute {
	kind, by, ok := strings.Cut(reason, " by ")
	if !ok {
		return nil
	}
	return &Mute{MuteKind(kind), by}
}

// release puts together what the end of one mute releases for one receiver, if
// it is of many groups. What else waits in these groups goes along.
func (d *draft) release(bundles []*bundle) []*bundle {
	type end struct {
		receiver string
		mute     Mute
	}
	ends := make(map[end][]*bundle)
	var order []end
	for _, b := range bundles {
		if b.group == nil || b.bound != "" || b.unwanted {
			continue
		}
		i := slices.IndexFunc(b.rows, func(r *Row) bool { return r.Released != nil })
		if i < 0 {
			continue
		}
		e := end{b.key.Receiver, *b.rows[i].Released}
		if ends[e] == nil {
			order = append(order, e)
		}
		ends[e] = append(ends[e], b)
	}
	for _, e := range order {
		if len(ends[e]) <= fewGroups {
			continue
		}
		one := &bundle{key: GroupKey{e.receiver, "\x1ereleased\x1e" + e.mute.Reason()}, released: &e.mute}
		for _, b := range ends[e] {
			one.rows = append(one.rows, b.rows...)
		}
		one.news = slices.ContainsFunc(one.rows, (*Row).News)
		first := slices.Index(bundles, ends[e][0])
		bundles[first] = one
		bundles = slices.DeleteFunc(bundles, func(b *bundle) bool { return slices.Contains(ends[e], b) })
	}
	return bundles
}

// releaseTold counts a message about many groups for each of them.
func (d *draft) releaseTold(m *Message) {
	groups := make(map[GroupKey][]*Row)
	var keys []GroupKey
	for _, r := range m.Rows {
		if d.groupOf(r) == nil {
			continue
		}
		key := d.groupKey(r)
		if groups[key] == nil {
			keys = append(keys, key)
		}
		groups[key] = append(groups[key], r)
	}
	slices.SortFunc(keys, func(a, b GroupKey) int {
		return cmp.Or(cmp.Compare(a.Receiver, b.Receiver), cmp.Compare(a.Values, b.Values))
	})
	for _, key := range keys {
		d.countMessage(key, m, groups[key])
	}
}

// since is when the first of the alerts of a message fired.
func (m *Message) since() (first time.Time) {
	for _, r := range m.Rows {
		if at := r.Snapshot.Since; !at.IsZero() && (first.IsZero() || at.Before(first)) {
			first = at
		}
	}
	return first
}
