package upgrade

import (
	"strings"

	"gopkg.in/yaml.v3"
)

func mapping() *yaml.Node { return &yaml.Node{Kind: yaml.MappingNode} }

// scalar is a value that is written as it is, text one that is quoted if it
// has to be.
func scalar(value string) *yaml.Node { return &yaml.Node{Kind: yaml.ScalarNode, Value: value} }

func text(value string) *yaml.Node {
	return &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!str", Value: value}
}

func quoted(value string) *yaml.Node {
	n := text(value)
	n.Style = yaml.DoubleQuotedStyle
	return n
}

func flow(items ...*yaml.Node) *yaml.Node {
	return &yaml.Node{Kind: yaml.SequenceNode, Style: yaml.FlowStyle, Content: items}
}

// set adds a key.
func set(m *yaml.Node, key string, value *yaml.Node) {
	m.Content = append(m.Content, text(key), value)
}

// child returns the value of a key, nil if there is none.
func child(m *yaml.Node, key string) *yaml.Node {
	for i := 0; i+1 < len(m.Content); i += 2 {
		if m.Content[i].Value == key {
			return resolved(m.Content[i+1], 0)
		}
	}
	return nil
}

func empty(n *yaml.Node) bool { return n == nil || n.Tag == "!!null" || n.Value == "" }

// resolved follows aliases, and merges what << brings in.
func resolved(n *yaml.Node, depth int) *yaml.Node {
	for n.Kind == yaml.AliasNode {
		n = n.Alias
	}
	if n.Kind != yaml.MappingNode || depth > 64 {
		return n
	}
	own := *n
	own.Content = nil
	var merged []*yaml.Node
	have := map[string]bool{}
	for i := 0; i+1 < len(n.Content); i += 2 {
		key, value := n.Content[i], n.Content[i+1]
		if key.Tag == "!!merge" {
			merged = append(merged, value)
			continue
		}
		have[key.Value] = true
		own.Content = append(own.Content, key, value)
	}
	for _, m := range merged {
		m = resolved(m, depth+1)
		parts := []*yaml.Node{m}
		if m.Kind == yaml.SequenceNode {
			parts = m.Content
		}
		for _, p := range parts {
			p = resolved(p, depth+1)
			for i := 0; i+1 < len(p.Content); i += 2 {
				if key := p.Content[i]; !have[key.Value] {
					have[key.Value] = true
					own.Content = append(own.Content, key, p.Content[i+1])
				}
			}
		}
	}
	return &own
}

// copied is a scalar without its comments, its anchor, and what its place
// was.
func copied(n *yaml.Node) *yaml.Node {
	return &yaml.Node{Kind: n.Kind, Style: n.Style, Tag: n.Tag, Value: n.Value}
}

// comment adds the comments of a key and its value to the key called name.
func comment(m *yaml.Node, name string, key, value *yaml.Node) {
	for i := 0; i+1 < len(m.Content); i += 2 {
		if m.Content[i].Value != name {
			continue
		}
		k, v := m.Content[i], m.Content[i+1]
		k.HeadComment = joined(k.HeadComment, joined(key.HeadComment, value.HeadComment))
		k.FootComment = joined(k.FootComment, joined(key.FootComment, value.FootComment))
		line := joined(key.LineComment, value.LineComment)
		if v.LineComment != "" && line != "" {
			k.HeadComment = joined(k.HeadComment, line)
			return
		}
		if v.Kind == yaml.ScalarNode || v.Style == yaml.FlowStyle {
			v.LineComment = joined(v.LineComment, line)
		} else {
			k.HeadComment = joined(k.HeadComment, line)
		}
		return
	}
}

// joined puts one comment below another.
func joined(a, b string) string {
	switch {
	case a == "" || a == b:
		return b
	case b == "":
		return a
	}
	return a + "\n" + b
}

// word makes of a mail address a name for its receiver.
func word(address string) string {
	if i := strings.LastIndexByte(address, '<'); i >= 0 {
		address = address[i+1:]
	}
	local, _, _ := strings.Cut(address, "@")
	clean := strings.Map(func(r rune) rune {
		switch {
		case r >= 'a' && r <= 'z', r >= '0' && r <= '9', r == '-', r == '_', r == '.':
			return r
		case r >= 'A' && r <= 'Z':
			return r + 'a' - 'A'
		}
		return '-'
	}, local)
	if clean = strings.Trim(clean, "-."); clean == "" {
		return "receiver"
	}
	return clean
}

// spaced puts an empty line between the monitors of a file.
func spaced(s string) string {
	var b strings.Builder
	inside, before := false, ""
	for line := range strings.SplitAfterSeq(s, "\n") {
		begins := strings.HasPrefix(line, "  - ") || strings.HasPrefix(line, "  #")
		if inside && begins && before != "monitors:\n" && !strings.HasPrefix(before, "  #") {
			b.WriteString("\n")
		}
		inside = inside || line == "monitors:\n"
		b.WriteString(line)
		before = line
	}
	return b.String()
}
