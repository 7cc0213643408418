package monitor

import (
	"os"
	"time"

	"gopkg.in/yaml.v3"
)

// Document reads another file than monitors.yaml by the same rules: bounded,
// with variables, and with every mistake told at once with its place.
type Document struct {
	// LookupEnv finds the value of a variable; default os.LookupEnv.
	LookupEnv func(name string) (string, bool)
	// Needs are the keys that the file needs at least, for messages.
	Needs string
}

// Node is a value of a [Document].
type Node struct{ v value }

// Key is a key that a mapping may have, and who reads its value.
type Key struct {
	Name string
	Read func(Node)
}

// Read hands the file's root to read. The error is an [*Errors] with what is
// wrong with the file, and with what read found wrong.
func (d Document) Read(src Source, read func(Node)) error {
	if d.LookupEnv == nil {
		d.LookupEnv = os.LookupEnv
	}
	sink := &sink{}
	f := newFile(src, sink)
	f.needs = d.Needs
	root, problem := f.tree()
	if problem != nil {
		sink.add(*problem)
		return sink.err(nil)
	}
	r := &reader{file: f, version: 2, lookup: d.LookupEnv, sink: sink, nodes: map[string]*yaml.Node{}, keys: map[string]*yaml.Node{}, broken: map[string]bool{}}
	v, _ := r.visit(root, "")
	r.inspect(root, nil)
	r.visits = -r.nodesIn
	read(Node{v})
	return sink.err([]string{src.Name})
}

// Line is where the value stands.
func (n Node) Line() int { return n.v.n.Line }

// IsMapping says whether the value is a mapping.
func (n Node) IsMapping() bool { return n.v.n.Kind == yaml.MappingNode }

// IsList says whether the value is a list.
func (n Node) IsList() bool { return n.v.n.Kind == yaml.SequenceNode }

// Fail reports a problem of the value.
func (n Node) Fail(message, suggestion string) { n.v.fail(message, suggestion) }

// FailWithin reports a problem at a byte of the value's text.
func (n Node) FailWithin(offset int, message, suggestion string) {
	n.v.failWithin(offset, message, suggestion)
}

// Mapping reads a mapping; what names it in messages.
func (n Node) Mapping(what string, keys ...Key) bool {
	fields := make([]field, len(keys))
	for i, k := range keys {
		fields[i] = field{k.Name, func(v value) { k.Read(Node{v}) }}
	}
	return n.v.mapping(what, fields)
}

// Items reads a list; what names its items in messages.
func (n Node) Items(what string, read func(Node)) {
	n.v.sequence(what, func(v value) { read(Node{v}) })
}

// Has says whether a mapping has a key.
func (n Node) Has(key string) bool {
	if !n.IsMapping() {
		return false
	}
	for _, e := range n.v.entries(0) {
		if e.key.Value == key {
			return true
		}
	}
	return false
}

// Lacks says whether a mapping should be told to lack a key: it is not there,
// nor is one that was told to be meant for it.
func (n Node) Lacks(key string) bool {
	return !n.Has(key) && !n.v.r.broken[child(n.v.path, key)]
}

// Scalar returns a single text; what names it in messages.
func (n Node) Scalar(what string) (string, bool) { return n.v.scalar(what) }

// Text returns a reader of a text.
func Text(dst *string) func(Node) { return reads(text(dst)) }

// Texts returns a reader of a list of texts, or of a single one.
func Texts(dst *[]string) func(Node) { return reads(texts(dst)) }

// Pairs returns a reader of a mapping of texts.
func Pairs(dst *map[string]string) func(Node) { return reads(pairs(dst)) }

// Boolean reads true or false.
func Boolean(dst *bool) func(Node) { return reads(boolean(dst)) }

// Duration returns a reader of a duration that is at least least.
func Duration(dst *time.Duration, least time.Duration) func(Node) { return reads(duration(dst, least)) }

// Quantity returns a reader of what a threshold can be.
func Quantity(dst *float64) func(Node) {
	return reads(unit(dst, "a number", parseQuantity))
}

func reads(f func(value)) func(Node) { return func(n Node) { f(n.v) } }

// ParseQuantity reads what a threshold can be: a number, a percentage as a
// fraction, a duration in seconds, a size in bytes.
func ParseQuantity(s string) (float64, error) { return parseQuantity(s) }

// ParseDuration reads a duration with a unit.
func ParseDuration(s string) (time.Duration, error) { return parseDuration(s) }

// FormatDuration writes a duration as files do.
func FormatDuration(d time.Duration) string { return formatDuration(d) }
