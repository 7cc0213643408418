package msgtmpl

import (
	"strconv"
	"strings"
	"text/template/parse"
	"time"

	"github.com/go-batteries/hawkeye/internal/nearest"
)

// maxErrors is how many mistakes of one template are told.
const maxErrors = 20

// checker walks a parse tree with the types of its fields and collects every
// mistake.
type checker struct {
	text string
	root *Type
	errs Errors
	// zones are those that are written in the template.
	zones map[string]*time.Location
}

func (c *checker) fail(at int, message, suggestion string) {
	if len(c.errs) >= maxErrors {
		return
	}
	c.errs = append(c.errs, Error{min(max(at, 0), len(c.text)), message, suggestion})
}

func anything() *Type { return &Type{kind: kindAny} }

func (c *checker) list(n *parse.ListNode, dot *Type, depth int) {
	if n == nil {
		return
	}
	if depth > maxDepth {
		c.fail(int(n.Pos), "if, with and range nest too deeply", "")
		return
	}
	for _, node := range n.Nodes {
		c.node(node, dot, depth)
	}
}

func (c *checker) node(node parse.Node, dot *Type, depth int) {
	switch n := node.(type) {
	case *parse.TextNode, *parse.CommentNode:
	case *parse.ActionNode:
		c.pipe(n.Pipe, dot, depth)
	case *parse.IfNode:
		c.pipe(n.Pipe, dot, depth)
		c.list(n.List, dot, depth+1)
		c.list(n.ElseList, dot, depth+1)
	case *parse.WithNode:
		c.list(n.List, c.pipe(n.Pipe, dot, depth), depth+1)
		c.list(n.ElseList, dot, depth+1)
	case *parse.RangeNode:
		t := c.pipe(n.Pipe, dot, depth)
		if t.kind&(kindList|kindMap|kindAny) == 0 {
			c.fail(int(n.Pipe.Pos), "range needs a list or tags, this is "+t.String(), "")
			return
		}
		elem := t.elem
		if elem == nil {
			elem = anything()
		}
		c.list(n.List, elem, depth+1)
		c.list(n.ElseList, dot, depth+1)
	case *parse.TemplateNode:
		c.fail(int(n.Pos), "templates inside templates aren't allowed", "")
	default:
		c.fail(int(node.Position()), strconv.Quote(node.String())+" isn't allowed here", "")
	}
}

// pipe checks a pipeline and returns the type of its value.
func (c *checker) pipe(p *parse.PipeNode, dot *Type, depth int) *Type {
	if len(p.Decl) > 0 {
		c.fail(int(p.Decl[0].Pos), "variables aren't allowed", "")
		return anything()
	}
	if depth > maxDepth {
		c.fail(int(p.Pos), "parentheses nest too deeply", "")
		return anything()
	}
	var t *Type
	for _, cmd := range p.Cmds {
		t = c.command(cmd, t, dot, depth)
	}
	if t == nil {
		t = anything()
	}
	return t
}

// command checks one command of a pipeline; piped is what flows into it, nil
// for the first.
func (c *checker) command(cmd *parse.CommandNode, piped, dot *Type, depth int) *Type {
	id, ok := cmd.Args[0].(*parse.IdentifierNode)
	if !ok {
		if piped != nil || len(cmd.Args) > 1 {
			c.fail(int(cmd.Args[0].Position()), strconv.Quote(cmd.Args[0].String())+" is not a function", "")
			return anything()
		}
		return c.operand(cmd.Args[0], dot, depth)
	}
	f, ok := functions[id.Ident]
	if !ok {
		c.unknownFunction(id)
		return anything()
	}
	args := make([]*Type, 0, len(cmd.Args))
	at := make([]int, 0, len(cmd.Args))
	for _, a := range cmd.Args[1:] {
		args = append(args, c.operand(a, dot, depth))
		at = append(at, c.start(a))
	}
	if piped != nil {
		args = append(args, piped)
		at = append(at, int(id.Pos))
	}
	before := len(c.errs)
	t := c.call(id, f, args, at)
	if id.Ident == "date" && len(c.errs) == before {
		c.date(id, args, at, cmd.Args[1:])
	}
	return t
}

func (c *checker) unknownFunction(id *parse.IdentifierNode) {
	if len(c.errs) >= maxErrors {
		return
	}
	suggestion := nearest.Of(id.Ident, functionNames())
	if _, ok := c.root.fields[id.Ident]; ok {
		suggestion = "." + id.Ident
	}
	c.fail(int(id.Pos), "unknown function "+strconv.Quote(id.Ident)+"; there are "+
		strings.Join(functionNames(), ", "), suggestion)
}

// call checks the arguments of a function and returns its result's type.
func (c *checker) call(id *parse.IdentifierNode, f function, args []*Type, at []int) *Type {
	if len(args) < f.min || len(args) > f.max {
		c.fail(int(id.Pos), id.Ident+" takes "+f.usage+", not "+strconv.Itoa(len(args))+" values", "")
		return f.result(args)
	}
	for i, a := range args {
		want := f.params[min(i, len(f.params)-1)]
		if a.kind != kindAny && want&kindAny == 0 && a.kind&want == 0 {
			c.fail(at[i], id.Ident+" takes "+f.usage+", this is "+a.String(), "")
		}
	}
	return f.result(args)
}

// operand checks a value and returns its type.
func (c *checker) operand(node parse.Node, dot *Type, depth int) *Type {
	switch n := node.(type) {
	case *parse.DotNode:
		return dot
	case *parse.FieldNode:
		return c.chain(dot, n.Ident, c.start(n))
	case *parse.VariableNode:
		if n.Ident[0] != "$" {
			c.fail(int(n.Pos), "variables aren't allowed", "")
			return anything()
		}
		return c.chain(c.root, n.Ident[1:], c.start(n)+1)
	case *parse.StringNode:
		return text()
	case *parse.NumberNode:
		if !n.IsFloat || strings.HasPrefix(n.Text, "'") {
			c.fail(int(n.Pos), n.Text+" is no number", "")
		}
		return number()
	case *parse.BoolNode:
		return boolean()
	case *parse.PipeNode:
		return c.pipe(n, dot, depth+1)
	case *parse.IdentifierNode:
		return c.command(&parse.CommandNode{NodeType: parse.NodeCommand, Pos: n.Pos, Args: []parse.Node{n}}, nil, dot, depth)
	default:
		c.fail(int(node.Position()), strconv.Quote(node.String())+" isn't allowed here", "")
		return anything()
	}
}

// start is where an operand begins. The parser gives a chain of fields the
// position of its second one.
func (c *checker) start(node parse.Node) int {
	at := int(node.Position())
	switch n := node.(type) {
	case *parse.FieldNode:
		if len(n.Ident) > 1 {
			return strings.LastIndex(c.text[:at], "."+n.Ident[0])
		}
	case *parse.VariableNode:
		if len(n.Ident) > 1 {
			return strings.LastIndex(c.text[:at], n.Ident[0])
		}
	}
	return at
}

// chain follows fields from t; at is where the first one's dot stands.
func (c *checker) chain(t *Type, idents []string, at int) *Type {
	for _, name := range idents {
		switch t.kind {
		case kindAny:
			return t
		case kindMap:
			t = t.elem
		case kindStruct:
			next, ok := t.fields[name]
			if !ok {
				c.unknownField(t, name, at)
				return anything()
			}
			t = next
		default:
			c.fail(at, "."+name+" asks for a field of "+t.String()+", which has none", "")
			return anything()
		}
		at += 1 + len(name)
	}
	return t
}

func (c *checker) unknownField(t *Type, name string, at int) {
	if len(c.errs) >= maxErrors {
		return
	}
	suggestion := nearest.Of(name, t.names())
	if suggestion != "" {
		suggestion = "." + suggestion
	}
	c.fail(at, "unknown field ."+name+"; there are ."+strings.Join(t.names(), ", ."), suggestion)
}
