package monitor

import (
	"sort"
	"strconv"
	"strings"
	"time"

	"github.com/go-batteries/hawkeye/internal/matcher"
	"github.com/go-batteries/hawkeye/internal/nearest"
	"gopkg.in/yaml.v3"
)

// mappingNode is yaml's, for files that need nothing else of it.
const mappingNode = yaml.MappingNode

// KindEmail is the kind of receiver that is always there.
const KindEmail = "email"

// receiver reads one receiver: one key of a kind, and what all kinds have.
func (b *builder) receiver(name string, v value) {
	rec := Receiver{Name: name}
	send := true
	fields := []field{
		{"group", func(v value) { readGroup(v, &rec.Group) }},
		{"send_resolved", boolean(&send)},
		{"fallback", text(&rec.Fallback)},
		{"fallback_after", duration(&rec.FallbackAfter, minRepeat)},
		{KindEmail, func(v value) {
			setKind(v, &rec, KindEmail)
			readEmail(v, &rec.Email)
		}},
	}
	kinds := append([]string{KindEmail}, b.options.Kinds...)
	for _, kind := range b.options.Kinds {
		fields = append(fields, field{kind, func(v value) {
			setKind(v, &rec, kind)
			rec.Settings = settings(v)
		}})
	}
	fields = append(fields, unknownKinds(v, kinds)...)
	if !v.mapping("a receiver", fields) {
		return
	}
	at := place{v.r, v.path}
	if rec.Kind == "" && !hasUnknownKind(v, kinds) && !at.broken(KindEmail) {
		b.sink.add(at.problem("", "the receiver needs a kind: "+strings.Join(kinds, ", "), ""))
	}
	rec.SkipResolved = !send
	rec.Pos = at.position()
	b.set.Receivers = append(b.set.Receivers, rec)
	b.receivers = append(b.receivers, at)
}

func setKind(v value, rec *Receiver, kind string) {
	if rec.Kind != "" {
		v.fail("a receiver has one kind, this one has "+rec.Kind+" and "+kind, "")
	}
	rec.Kind = kind
}

var receiverKeys = []string{"group", "send_resolved", "fallback", "fallback_after"}

// unknownKinds makes fields of those keys whose value is a mapping: they are
// kinds that nobody registered, unless they are misspelt.
func unknownKinds(v value, kinds []string) []field {
	var fields []field
	for _, name := range kindsNotIn(v, kinds) {
		fields = append(fields, field{name, func(v value) {
			v.r.hideSecrets(v.n, true)
			v.r.problem(v.r.keys[v.path], v.path, "unknown receiver kind "+quote(name)+
				"; this program has "+strings.Join(kinds, ", "), nearest.Of(name, kinds))
		}})
	}
	return fields
}

func hasUnknownKind(v value, kinds []string) bool { return len(kindsNotIn(v, kinds)) > 0 }

func kindsNotIn(v value, kinds []string) []string {
	var names []string
	if v.n.Kind != mappingNode {
		return nil
	}
	known := map[string]bool{}
	for _, k := range append(append([]string{}, kinds...), receiverKeys...) {
		known[k] = true
	}
	for _, e := range v.entries(0) {
		n := e.value
		for i := 0; n.Kind == yaml.AliasNode && i < MaxNesting; i++ {
			n = n.Alias
		}
		if len(names) < 3 && !known[e.key.Value] && n.Kind == mappingNode && nearest.Of(e.key.Value, receiverKeys) == "" {
			names = append(names, e.key.Value)
		}
	}
	return names
}

func readGroup(v value, g *Group) {
	ok := v.mapping("a receiver's group", []field{
		{"by", texts(&g.By)},
		{"wait", duration(&g.Wait, 0)},
		{"interval", duration(&g.Interval, time.Second)},
		{"burst", whole(&g.Burst, 1)},
	})
	if !ok {
		return
	}
	for _, e := range v.entries(0) { // also a wait of 0s
		if g.Burst == 0 && (e.key.Value == "wait" || e.key.Value == "interval") {
			g.Burst = 1
		}
	}
}

func readEmail(v value, e *Email) {
	v.mapping("email", []field{{"to", texts(&e.To)}, {"cc", texts(&e.Cc)}, {"bcc", texts(&e.Bcc)}})
}

// settings reads the keys of a registered kind as they are, variables filled
// in. Its own package says what they mean.
func settings(v value) map[string]any {
	if v.n.Kind != mappingNode {
		v.expected("a mapping with the settings of this kind")
		return nil
	}
	m, _ := plain(v, 0).(map[string]any)
	return m
}

// plain turns a value into maps, slices and scalars.
func plain(v value, depth int) any {
	if depth > MaxNesting {
		v.fail("the settings nest too deeply", "")
		return nil
	}
	switch v.n.Kind {
	case mappingNode:
		m := map[string]any{}
		for _, e := range v.entries(0) {
			if c, ok := v.r.visit(e.value, child(v.path, e.key.Value)); ok {
				m[e.key.Value] = plain(c, depth+1)
			}
		}
		return m
	case yaml.SequenceNode:
		list := []any{}
		v.items(func(item value) { list = append(list, plain(item, depth+1)) })
		return list
	}
	return plainScalar(v)
}

func plainScalar(v value) any {
	if v.n.Tag == "!!null" {
		return nil
	}
	s, _ := v.scalar("a value")
	switch v.n.Tag {
	case "!!bool":
		return s == "true"
	case "!!int", "!!float":
		if f, err := strconv.ParseFloat(s, 64); err == nil {
			return f
		}
	}
	return s
}

func sortedKeys[T any](m map[string]T) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	sort.Strings(keys)
	return keys
}

// equality is the matcher for a tag with just this value.
func equality(name, value string) string {
	m := matcher.Matcher{Name: name, Value: value}
	return m.String()
}
