package monitor

import (
	"strconv"
	"strings"

	"gopkg.in/yaml.v3"
)

// place is where a checked value was written: in a file, or, with r nil, in
// code. Checks name the parts of the value by their keys, relative to it.
type place struct {
	r    *reader
	path string
}

// sub is the place of a part.
func (p place) sub(rel string) place {
	if p.r == nil {
		rel = goPath(rel)
	}
	switch {
	case rel == "":
		return p
	case strings.HasPrefix(rel, "["):
		return place{p.r, p.path + rel}
	}
	return place{p.r, child(p.path, rel)}
}

// goPath spells a path of keys as one of Go fields: triggers[0].keep_firing_for
// is Triggers[0].KeepFiringFor.
func goPath(rel string) string {
	var b strings.Builder
	upper := true
	for _, r := range rel {
		switch {
		case r == '_':
			upper = true
			continue
		case upper:
			b.WriteString(strings.ToUpper(string(r)))
		default:
			b.WriteRune(r)
		}
		upper = r == '.'
	}
	return b.String()
}

// node returns the node at the place, or that of the nearest value around it,
// and whether it is the place's own.
func (p place) node() (n *yaml.Node, own bool) {
	for path := p.path; ; own = false {
		if n := p.r.nodes[path]; n != nil {
			return n, path == p.path
		}
		i := strings.LastIndexAny(path, ".[")
		if i < 0 {
			return p.r.nodes[""], false
		}
		path = path[:i]
	}
}

// broken says that a problem with the part was told already.
func (p place) broken(rel string) bool {
	return p.r != nil && (p.r.spent || p.r.broken[p.sub(rel).path])
}

// problem is a problem of the part rel, or of what should hold it.
func (p place) problem(rel, message, suggestion string) Problem {
	at := p.sub(rel)
	if p.r == nil {
		return Problem{Key: at.path, Message: message, Suggestion: suggestion}
	}
	n, _ := at.node()
	return *p.r.file.at(mark{n.Line, n.Column}, at.path, message, suggestion)
}

// problemWithin is a problem at a byte of the text rel.
func (p place) problemWithin(rel string, offset int, message, suggestion string) Problem {
	at := p.sub(rel)
	if p.r == nil {
		return Problem{Key: at.path, Message: "character " + strconv.Itoa(offset+1) + ": " + message, Suggestion: suggestion}
	}
	n, own := at.node()
	if !own || p.r.sink.full() {
		return p.problem(rel, message, suggestion)
	}
	if p.r.version >= 2 {
		s, _ := substitute(n.Value, p.r.lookup)
		offset = s.source(offset)
	}
	return *p.r.file.at(p.r.file.within(n, offset), at.path, message, suggestion)
}

// position is the place as a Position.
func (p place) position() Position {
	if p.r == nil {
		return Position{File: p.path}
	}
	n, _ := p.node()
	return Position{File: p.r.file.name, Line: n.Line, Col: n.Column}
}

// String is the place as messages name it.
func (p Position) String() string {
	if p.Line == 0 {
		return p.File
	}
	return p.File + ":" + strconv.Itoa(p.Line) + ":" + strconv.Itoa(p.Col)
}
