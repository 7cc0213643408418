package monitor

import (
	"sort"
	"strings"

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
	if v.r.broken[v.path] = true; v.r.sink.full() || isTemplate(v.n) { // which inspect has told
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
			v.absent(e.key, path)
			return
		}
		f.read(c)
		return
	}
	v.unknown(e, path, what, fields)
}

// absent reports a key without a value, which version 1 takes for one that
// isn't there.
func (v value) absent(key *yaml.Node, path string) {
	cut := looksLikeText.MatchString(key.LineComment)
	switch {
	case v.r.version >= 2 && cut:
		v.r.problem(key, path, `the key has no value: " #" begins a comment; `+quoteHash, "")
	case v.r.version >= 2:
		v.r.problem(key, path, "the key has no value; give it one or remove it", "")
	case cut && len(v.r.sink.lints) <= maxProblems:
		v.r.sink.lint(*v.r.file.at(v.r.file.comment(key), path, `the key has no value: " #" begins a comment; `+quoteHash, ""))
	}
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
	if whole, cut := v.cutByComma(e); cut {
		v.r.problem(e.key, path, "a comma ends a value within { }; "+whole, "")
		return
	}
	v.r.problem(e.key, path, "unknown key "+quote(e.key.Value)+" in "+what+"; its keys are "+strings.Join(names, ", "), suggestion)
}

// cutByComma says whether a key is what follows the comma in a value, as in
// {threshold: 1,000}, and what to do about it.
func (v value) cutByComma(e entry) (advice string, cut bool) {
	if v.n.Style&yaml.FlowStyle == 0 || e.value.Tag != "!!null" || e.value.Value != "" || e.value.Line != e.key.Line {
		return "", false
	}
	for i := 2; i+1 < len(v.n.Content); i += 2 {
		before := v.n.Content[i-1]
		if v.n.Content[i] != e.key || before.Kind != yaml.ScalarNode || before.Style != 0 {
			continue
		}
		if whole := ungrouped(before.Value + "," + e.key.Value); whole != "" {
			return "write the number as " + whole, true
		}
		return "put a text that has one in quotes", true
	}
	return "", false
}
