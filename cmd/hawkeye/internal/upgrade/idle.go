package upgrade

import (
	"bytes"
	"cmp"
	"fmt"
	"slices"
	"strings"

	"gopkg.in/yaml.v3"

	"github.com/go-batteries/hawkeye/internal/monitor"
)

// idles writes out what a version-2 file of before `idle` means by its no_data:
// the same for an idle window. Everything else stays as it was written.
type idles struct {
	data     []byte
	lines    []int // where each begins in data
	inserts  []insert
	seen     map[*yaml.Node]bool
	unspoken []string // monitors whose policy idle doesn't have
}

// insert is a text that is put in at an offset.
type insert struct {
	at   int
	text string
}

// version2 is [File] for a version-2 file.
func version2(data []byte, doc *yaml.Node) *Result {
	data = bytes.TrimPrefix(data, []byte("\ufeff"))
	w := idles{data: data, seen: make(map[*yaml.Node]bool)}
	w.lines = append(w.lines, 0)
	for i, c := range data {
		if c == '\n' {
			w.lines = append(w.lines, i+1)
		}
	}
	root := doc.Content[0]
	defaults := find(root, "defaults")
	var monitors []*yaml.Node
	if list := find(root, "monitors"); list != nil {
		monitors = list.Content
	}
	if !slices.ContainsFunc(monitors, unspoken) { // which the defaults would take theirs from
		w.mapping("defaults", defaults, nil)
	}
	if find(defaults, "idle") == nil {
		for i, m := range monitors {
			name := fmt.Sprintf("monitors[%d]", i)
			if n := find(m, "name"); n != nil {
				name = n.Value
			}
			w.mapping(name, m, defaults)
		}
	}
	return &Result{Text: w.text(), Notes: w.notes()}
}

// find returns the value of a key in a mapping as it is written, through
// aliases and merges; nil if there is none.
func find(m *yaml.Node, key string) *yaml.Node {
	if _, v := entry(m, key, 0); v != nil {
		return unalias(v)
	}
	return nil
}

func unalias(n *yaml.Node) *yaml.Node {
	for n != nil && n.Kind == yaml.AliasNode {
		n = n.Alias
	}
	return n
}

// entry returns the mapping that a key stands in, and its value.
func entry(m *yaml.Node, key string, depth int) (in, value *yaml.Node) {
	if m = unalias(m); m == nil || m.Kind != yaml.MappingNode || depth > 64 {
		return nil, nil
	}
	for i := 0; i+1 < len(m.Content); i += 2 {
		if m.Content[i].Value == key {
			return m, m.Content[i+1]
		}
	}
	for i := 0; i+1 < len(m.Content); i += 2 {
		if m.Content[i].Tag != "!!merge" {
			continue
		}
		parts := []*yaml.Node{m.Content[i+1]}
		if list := unalias(parts[0]); list.Kind == yaml.SequenceNode {
			parts = list.Content
		}
		for _, p := range parts {
			if in, value := entry(p, key, depth+1); value != nil {
				return in, value
			}
		}
	}
	return nil, nil
}

// mapping writes out what a monitor, or the defaults, say of missing values.
func (w *idles) mapping(name string, m, defaults *yaml.Node) {
	in, policy := entry(m, "no_data", 0)
	wait := find(m, "no_data_for")
	if find(m, "idle") != nil {
		return
	}
	switch {
	case policy != nil:
		if wait == nil {
			wait = find(defaults, "no_data_for")
		}
		w.policy(name, in, unalias(policy), wait, find(m, "idle_for") == nil)
	case wait != nil && find(m, "idle_for") == nil && spoken(find(defaults, "no_data")):
		in, _ := entry(m, "no_data_for", 0)
		w.add(in, wait, [2]string{"idle_for", raw(wait)})
	}
}

// spoken says whether idle has the policy that a no_data names.
func spoken(policy *yaml.Node) bool {
	if policy == nil {
		return false
	}
	switch monitor.NoData(policy.Value) {
	case monitor.NoDataKeep, monitor.NoDataOK, monitor.NoDataAlert:
		return true
	}
	return false
}

// unspoken says whether a monitor has a policy of its own that idle doesn't
// have.
func unspoken(m *yaml.Node) bool {
	policy := find(m, "no_data")
	return policy != nil && !spoken(policy) && find(m, "idle") == nil
}

// policy writes idle, and how long, beside a no_data.
func (w *idles) policy(name string, in, policy, wait *yaml.Node, alone bool) {
	if !spoken(policy) {
		w.unspoken = append(w.unspoken, name+" ("+policy.Value+")")
		return
	}
	pairs := [][2]string{{"idle", policy.Value}}
	if alone && policy.Value != string(monitor.NoDataKeep) {
		d := "2m"
		if wait != nil {
			d = raw(wait)
		}
		pairs = append(pairs, [2]string{"idle_for", d})
	}
	w.add(in, policy, pairs...)
}

func raw(n *yaml.Node) string {
	if n.Style&(yaml.DoubleQuotedStyle|yaml.SingleQuotedStyle) != 0 {
		return fmt.Sprintf("%q", n.Value)
	}
	return n.Value
}

// add puts keys behind one that is there: on its line in a flow mapping, on
// lines of their own in a block.
func (w *idles) add(in, after *yaml.Node, pairs ...[2]string) {
	if w.seen[after] {
		return
	}
	w.seen[after] = true
	at := w.end(after)
	var b strings.Builder
	if in.Style&yaml.FlowStyle != 0 {
		for _, p := range pairs {
			b.WriteString(", " + p[0] + ": " + p[1])
		}
	} else {
		if line := bytes.IndexByte(w.data[at:], '\n'); line >= 0 {
			at += line
		} else {
			at = len(w.data)
		}
		end := "\n"
		if at > 0 && w.data[at-1] == '\r' {
			at, end = at-1, "\r\n"
		}
		indent := strings.Repeat(" ", w.keyOf(in, after).Column-1)
		for _, p := range pairs {
			b.WriteString(end + indent + p[0] + ": " + p[1])
		}
	}
	w.inserts = append(w.inserts, insert{at, b.String()})
}

func (w *idles) keyOf(in, value *yaml.Node) *yaml.Node {
	for i := 0; i+1 < len(in.Content); i += 2 {
		if unalias(in.Content[i+1]) == value {
			return in.Content[i]
		}
	}
	return in.Content[0]
}

// end is the offset behind a word. yaml.v3 counts columns in characters.
func (w *idles) end(n *yaml.Node) int {
	at := w.lines[n.Line-1]
	for range n.Column - 1 {
		at += max(1, len(firstRune(w.data[at:])))
	}
	return at + len(raw(n))
}

func firstRune(data []byte) []byte {
	n := 1
	for n < len(data) && data[n]&0xc0 == 0x80 {
		n++
	}
	return data[:min(n, len(data))]
}

func (w *idles) text() string {
	slices.SortStableFunc(w.inserts, func(a, b insert) int { return cmp.Compare(a.at, b.at) })
	var b strings.Builder
	done := 0
	for _, i := range w.inserts {
		b.Write(w.data[done:i.at])
		b.WriteString(i.text)
		done = i.at
	}
	b.Write(w.data[done:])
	return b.String()
}

func (w *idles) notes() []string {
	var notes []string
	if len(w.inserts) == 0 && len(w.unspoken) == 0 {
		notes = append(notes, "The file is version 2, and there is nothing to write out.")
	}
	if len(w.unspoken) > 0 {
		notes = append(notes, "No idle is written for "+strings.Join(w.unspoken, ", ")+
			": an idle window goes on meaning what no_data says, while idle itself knows ok, keep and alert. Without no_data it would mean ok, after 5m.")
	}
	return notes
}
