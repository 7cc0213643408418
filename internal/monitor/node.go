package monitor

import (
	"sort"
	"strconv"
	"strings"
	"time"

	"github.com/go-batteries/hawkeye/internal/nearest"
	"gopkg.in/yaml.v3"
)

// maxVisits is how many values aliases may add to those that a file has, so
// that aliases which multiply end early.
const maxVisits = 50_000

// reader reads the tree of one file.
type reader struct {
	file    *file
	version int
	lookup  func(string) (string, bool)
	sink    *sink
	nodesIn int                   // values in the file
	visits  int                   // values read, less nodesIn
	spent   bool                  // maxVisits was reached, and told
	nodes   map[string]*yaml.Node // by path; where problems found later point to
	keys    map[string]*yaml.Node
	// broken are the paths at which a problem was told, so that what is
	// missing because of it isn't told as well.
	broken map[string]bool
}

// value is one value of the tree.
type value struct {
	r    *reader
	n    *yaml.Node
	path string
}

// field is a key that a mapping may have.
type field struct {
	name string
	read func(value)
}

// visit makes a value of a node, aliases followed.
func (r *reader) visit(n *yaml.Node, path string) (value, bool) {
	r.visits++
	if r.visits >= maxVisits && !r.spent {
		r.spent = true
		r.problem(n, path, "the file's aliases make too much of it", "")
	}
	for i := 0; n.Kind == yaml.AliasNode && i < MaxNesting; i++ {
		n = n.Alias
	}
	r.nodes[path] = n
	return value{r, n, path}, !r.spent
}

// problem reports a problem at a node.
func (r *reader) problem(n *yaml.Node, path, message, suggestion string) {
	r.broken[path] = true
	if i := strings.LastIndexByte(path, '['); i > strings.LastIndexByte(path, '.') {
		r.broken[path[:i]] = true
	}
	r.sink.add(*r.file.at(mark{n.Line, n.Column}, path, message, suggestion))
}

// fail reports a problem of the value.
func (v value) fail(message, suggestion string) {
	if v.r.broken[v.path] = true; !v.r.sink.full() {
		v.r.problem(v.n, v.path, message, suggestion)
	}
}

// failWithin reports a problem at a byte of the value's text.
func (v value) failWithin(offset int, message, suggestion string) {
	v.r.broken[v.path] = true
	if !v.r.sink.full() {
		v.r.sink.add(*v.r.file.at(v.r.file.within(v.n, offset), v.path, message, suggestion))
	}
}

// expected reports that the value is something else.
func (v value) expected(what string) {
	if v.r.broken[v.path] = true; v.r.sink.full() {
		return
	}
	found := describe(v.n)
	if v.n.Kind == yaml.ScalarNode && v.secret() {
		found = hidden
	}
	v.fail("expected "+what+", found "+found, "")
}

// secret says whether the value's text must not be shown.
func (v value) secret() bool {
	return isSecretKey(v.path[strings.LastIndexByte(v.path, '.')+1:])
}

// describe names a node as its author would.
func describe(n *yaml.Node) string {
	switch {
	case n.Kind == yaml.SequenceNode:
		return "a list"
	case n.Kind == yaml.MappingNode:
		return "a mapping"
	case n.Kind == yaml.AliasNode:
		return "an alias"
	case n.Tag == "!!null":
		return "nothing"
	case n.Tag == "!!int" || n.Tag == "!!float" || n.Tag == "!!bool":
		return quoteless(n.Value)
	default:
		return "the text " + quote(n.Value)
	}
}

func quoteless(s string) string {
	return strings.Trim(quote(s), `"`)
}

// entry is a key of a mapping with its value.
type entry struct {
	key, value *yaml.Node
}

// entries lists a mapping's keys, those merged in by << last. What stands in
// the mapping itself wins.
func (v value) entries(depth int) []entry {
	var own, merged []entry
	for i := 0; i+1 < len(v.n.Content); i += 2 {
		k, val := v.n.Content[i], v.n.Content[i+1]
		if k.Kind == yaml.ScalarNode && k.Tag == "!!merge" {
			merged = append(merged, v.merge(val, depth)...)
			continue
		}
		own = append(own, entry{k, val})
	}
	if len(merged) == 0 {
		return own
	}
	have := map[string]bool{}
	for _, e := range own {
		have[e.key.Value] = true
	}
	for _, e := range merged {
		if !have[e.key.Value] {
			have[e.key.Value] = true
			own = append(own, e)
		}
	}
	return own
}

// merge lists the keys that a << brings in.
func (v value) merge(n *yaml.Node, depth int) []entry {
	m, ok := v.r.visit(n, v.path)
	v.r.nodes[v.path] = v.n
	if ok && depth > MaxNesting {
		v.r.spent = true
		m.fail("this mapping merges itself", "")
	}
	if !ok || v.r.spent {
		return nil
	}
	switch m.n.Kind {
	case yaml.MappingNode:
		merged := m.entries(depth + 1)
		v.r.visits += len(merged)
		return merged
	case yaml.SequenceNode:
		var all []entry
		for _, c := range m.n.Content {
			all = append(all, v.merge(c, depth+1)...)
		}
		return all
	}
	m.expected("a mapping to merge")
	return nil
}

// mapping reads a mapping whose keys are fields; what names it in messages.
func (v value) mapping(what string, fields []field) bool {
	return v.mappingWith(nil, what, fields)
}

// mappingWith is mapping with entries that stand in for keys that are absent.
func (v value) mappingWith(defaults []entry, what string, fields []field) bool {
	if v.n.Kind != yaml.MappingNode {
		v.expected("a mapping with the keys of " + what)
		return false
	}
	all := v.entries(0)
	have := map[string]bool{}
	for _, e := range all {
		have[e.key.Value] = true
	}
	for _, e := range defaults {
		if !have[e.key.Value] {
			all = append(all, e)
		}
	}
	for _, e := range all {
		v.entry(e, what, fields)
	}
	return true
}

func (v value) entry(e entry, what string, fields []field) {
	path := child(v.path, e.key.Value)
	if e.key.Kind != yaml.ScalarNode || v.path == "" && v.r.version >= 2 && strings.HasPrefix(e.key.Value, "x-") {
		return
	}
	for _, f := range fields {
		if f.name != e.key.Value {
			continue
		}
		c, ok := v.r.visit(e.value, path)
		v.r.keys[path] = e.key
		if !ok {
			return
		}
		if c.n.Kind == yaml.ScalarNode && c.n.Tag == "!!null" {
			if v.r.version >= 2 {
				v.r.problem(e.key, path, "the key has no value; give it one or remove it", "")
			}
			return
		}
		f.read(c)
		return
	}
	v.unknown(e, path, what, fields)
}

func child(path, key string) string {
	if len(key) > 40 {
		key = strings.ToValidUTF8(key[:40], "") + "..."
	}
	if path == "" {
		return key
	}
	return path + "." + key
}

// meant maps keys that people write to the ones that they mean.
var meant = map[string]string{
	"recipients": "to", "email_to": "to", "emails": "to", "limit": "threshold", "value": "threshold",
	"body": "text", "message": "text", "name": "metric", "period": "interval", "cooldown": "run_every",
	"alerts": "monitors", "rules": "monitors", "filter": "where", "filters": "where", "tags": "where",
	"group_by": "by", "receivers": "notify", "comparison": "op", "operator": "op", "interval": "window",
	"severity": "level", "run_every": "repeat", "silence": "mute_times", "title": "subject",
}

func (v value) unknown(e entry, path, what string, fields []field) {
	if v.r.sink.full() {
		return
	}
	names := make([]string, 0, len(fields))
	for _, f := range fields {
		names = append(names, f.name)
	}
	suggestion := nearest.Of(e.key.Value, names)
	for _, name := range names {
		if suggestion == "" && name == meant[strings.ToLower(e.key.Value)] {
			suggestion = name
		}
	}
	sort.Strings(names)
	v.r.broken[child(v.path, suggestion)] = true
	v.r.problem(e.key, path, "unknown key "+quote(e.key.Value)+" in "+what+"; its keys are "+strings.Join(names, ", "), suggestion)
}

// list reads a list, or a single value as a list of one.
func (v value) list(what string, read func(value)) {
	if v.n.Kind != yaml.SequenceNode {
		if v.n.Kind == yaml.ScalarNode {
			read(v)
			return
		}
		v.expected("a list of " + what)
		return
	}
	v.items(read)
}

// sequence reads a list that must be one.
func (v value) sequence(what string, read func(value)) {
	if v.n.Kind != yaml.SequenceNode {
		v.expected("a list of " + what + ", each begun by a dash")
		return
	}
	v.items(read)
}

func (v value) items(read func(value)) {
	for i, c := range v.n.Content {
		item, ok := v.r.visit(c, v.path+"["+strconv.Itoa(i)+"]")
		if !ok {
			return
		}
		read(item)
	}
}

// scalar returns the value's text, variables filled in.
func (v value) scalar(what string) (string, bool) {
	if v.n.Kind != yaml.ScalarNode || v.n.Tag == "!!null" {
		v.expected(what)
		return "", false
	}
	if v.r.version < 2 {
		return v.n.Value, true
	}
	s, errs := substitute(v.n.Value, v.r.lookup)
	for _, e := range errs {
		v.failWithin(e.offset, e.message, "")
	}
	return s.text, len(errs) == 0
}

// text reads a text into dst.
func text(dst *string) func(value) {
	return func(v value) {
		if s, ok := v.scalar("a text"); ok {
			*dst = s
		}
	}
}

// texts reads a list of texts, or a single one, into dst.
func texts(dst *[]string) func(value) {
	return func(v value) {
		*dst = []string{}
		v.list("texts", func(item value) {
			if s, ok := item.scalar("a text"); ok {
				*dst = append(*dst, s)
			}
		})
	}
}

// pairs reads a mapping of texts into dst.
func pairs(dst *map[string]string) func(value) {
	return func(v value) {
		if v.n.Kind != yaml.MappingNode {
			v.expected("a mapping such as {team: payments}")
			return
		}
		*dst = map[string]string{}
		for _, e := range v.entries(0) {
			if c, ok := v.r.visit(e.value, child(v.path, e.key.Value)); ok {
				if s, ok := c.scalar("a text"); ok {
					(*dst)[e.key.Value] = s
				}
			}
		}
	}
}

// boolean reads true or false into dst.
func boolean(dst *bool) func(value) {
	return func(v value) {
		s, ok := v.scalar("true or false")
		switch {
		case !ok:
		case s == "true" || s == "false":
			*dst = s == "true"
		default:
			suggestion := ""
			switch strings.ToLower(s) {
			case "yes", "on", "y", "1", "true":
				suggestion = "true"
			case "no", "off", "n", "0", "false":
				suggestion = "false"
			}
			v.wrong("expected true or false", suggestion)
		}
	}
}

// wrong reports a scalar that doesn't read as what it should be.
func (v value) wrong(expected, suggestion string) {
	found := describe(v.n)
	if v.secret() {
		found = hidden
	}
	v.fail(expected+", found "+found, suggestion)
}

// enum reads one of some words into dst.
func enum[T ~string](dst *T, words ...T) func(value) {
	return func(v value) {
		names := make([]string, len(words))
		for i, w := range words {
			names[i] = string(w)
		}
		s, ok := v.scalar("one of " + strings.Join(names, ", "))
		if !ok {
			return
		}
		for _, w := range words {
			if s == string(w) {
				*dst = w
				return
			}
		}
		v.wrong("expected one of "+strings.Join(names, ", "), nearest.Of(s, names))
	}
}

// unit reads a scalar by parse into dst. A quoted text is taken like a plain
// one, since 2% and ">= 300ms" look better in quotes to many.
func unit[T any](dst *T, what string, parse func(string) (T, error)) func(value) {
	return func(v value) {
		s, ok := v.scalar(what)
		if !ok {
			return
		}
		got, err := parse(s)
		if err == nil {
			*dst = got
			return
		}
		v.unitError(err)
	}
}

func (v value) unitError(err error) {
	message, suggestion := err.Error(), ""
	if e, ok := err.(*unitError); ok {
		suggestion = e.suggestion
	}
	v.wrong(message, suggestion)
}

// duration reads a duration with a unit into dst; least is the shortest one.
func duration(dst *time.Duration, least time.Duration) func(value) {
	return unit(dst, "a duration such as 30s", func(s string) (time.Duration, error) {
		d, err := parseDuration(s)
		if err == nil && d < least {
			err = &unitError{"expected at least " + formatDuration(least), ""}
		}
		return d, err
	})
}

// whole reads a whole number from least up into dst.
func whole(dst *int, least int) func(value) {
	return unit(dst, "a whole number", func(s string) (int, error) {
		n, err := strconv.Atoi(s)
		if err != nil || n < least || n > 1e9 {
			return 0, &unitError{"expected a whole number of at least " + strconv.Itoa(least), ""}
		}
		return n, nil
	})
}
