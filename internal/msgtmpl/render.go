package msgtmpl

import (
	"errors"
	"fmt"
	"sort"
	"strings"
	"text/template/parse"
	"time"
)

// Errors of [Template.Render]. Whoever gets one sends a default text instead:
// no message is lost to its template.
var (
	ErrTooLong  = errors.New("the rendered text is longer than 64 KiB")
	ErrTooMuch  = errors.New("the template takes too many steps")
	ErrBadValue = errors.New("the template can't use a value")
)

// Render runs the template over data, a map with the fields of the [Type] it
// was parsed with. A field that is absent or nil prints as n/a, is false in an
// if, and is replaced by default; a tag that is absent is the empty text.
//
// Render stops with [ErrTooMuch] or [ErrTooLong] at fixed bounds, a few
// milliseconds at most, and with an error that wraps [ErrBadValue] where a
// function can't use what it is given. It is safe for concurrent use.
func (t *Template) Render(data map[string]any) (string, error) {
	if t == nil || t.root == nil {
		return "", nil
	}
	r := renderer{root: data, zones: t.zones}
	if err := r.list(t.root, data); err != nil {
		return "", err
	}
	return r.out.String(), nil
}

// renderer is one run of a template.
type renderer struct {
	root  map[string]any
	zones map[string]*time.Location
	out   strings.Builder
	steps int
}

// step charges for a node and for size bytes handled.
func (r *renderer) step(size int) error {
	r.steps += 1 + size/64
	if r.steps > maxSteps {
		return ErrTooMuch
	}
	return nil
}

func (r *renderer) write(s string) error {
	if r.out.Len()+len(s) > MaxOutputBytes {
		return ErrTooLong
	}
	r.out.WriteString(s)
	return r.step(len(s))
}

func (r *renderer) list(n *parse.ListNode, dot any) error {
	if n == nil {
		return nil
	}
	for _, node := range n.Nodes {
		if err := r.node(node, dot); err != nil {
			return err
		}
	}
	return nil
}

func (r *renderer) node(node parse.Node, dot any) error {
	switch n := node.(type) {
	case *parse.TextNode:
		return r.write(string(n.Text))
	case *parse.ActionNode:
		v, err := r.pipe(n.Pipe, dot)
		if err != nil {
			return err
		}
		return r.write(Format(v))
	case *parse.IfNode:
		v, err := r.pipe(n.Pipe, dot)
		if err != nil {
			return err
		}
		if truth(v) {
			return r.list(n.List, dot)
		}
		return r.list(n.ElseList, dot)
	case *parse.WithNode:
		v, err := r.pipe(n.Pipe, dot)
		if err != nil {
			return err
		}
		if truth(v) {
			return r.list(n.List, v)
		}
		return r.list(n.ElseList, dot)
	case *parse.RangeNode:
		return r.rangeOver(n, dot)
	}
	return nil
}

func (r *renderer) rangeOver(n *parse.RangeNode, dot any) error {
	v, err := r.pipe(n.Pipe, dot)
	if err != nil {
		return err
	}
	elems, err := elements(v)
	if err != nil {
		return err
	}
	if len(elems) == 0 {
		return r.list(n.ElseList, dot)
	}
	for _, e := range elems {
		if err := r.step(0); err != nil {
			return err
		}
		if err := r.list(n.List, e); err != nil {
			return err
		}
	}
	return nil
}

// elements lists what range goes over: a list, or the values of a map in the
// order of its keys.
func elements(v any) ([]any, error) {
	switch v := v.(type) {
	case nil:
		return nil, nil
	case []any:
		return v, nil
	case []string:
		return anys(v), nil
	case []map[string]any:
		return anys(v), nil
	case map[string]string:
		return values(v), nil
	case map[string]any:
		return values(v), nil
	}
	return nil, badValue("range", v)
}

func anys[T any](list []T) []any {
	out := make([]any, len(list))
	for i, e := range list {
		out[i] = e
	}
	return out
}

func values[T any](m map[string]T) []any {
	out := make([]any, 0, len(m))
	for _, k := range sortedKeys(m) {
		out = append(out, m[k])
	}
	return out
}

func sortedKeys[T any](m map[string]T) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	sort.Strings(keys)
	return keys
}

func badValue(who string, v any) error {
	return fmt.Errorf("%w: %s was given %s", ErrBadValue, who, describe(v))
}

func (r *renderer) pipe(p *parse.PipeNode, dot any) (any, error) {
	var v any
	for i, cmd := range p.Cmds {
		if err := r.step(0); err != nil {
			return nil, err
		}
		next, err := r.command(cmd, dot, v, i > 0)
		if err != nil {
			return nil, err
		}
		v = next
	}
	return v, nil
}

func (r *renderer) command(cmd *parse.CommandNode, dot, piped any, isPiped bool) (any, error) {
	id, ok := cmd.Args[0].(*parse.IdentifierNode)
	if !ok {
		return r.operand(cmd.Args[0], dot)
	}
	args := make([]any, 0, len(cmd.Args))
	size := 0
	for _, a := range cmd.Args[1:] {
		v, err := r.operand(a, dot)
		if err != nil {
			return nil, err
		}
		args = append(args, v)
	}
	if isPiped {
		args = append(args, piped)
	}
	for _, a := range args {
		size += sizeOf(a)
	}
	if err := r.step(size); err != nil {
		return nil, err
	}
	v, err := functions[id.Ident].call(r, args)
	if s, ok := v.(string); ok && len(s) > MaxOutputBytes {
		return nil, ErrTooLong
	}
	return v, err
}

// sizeOf is what handling v costs, in bytes.
func sizeOf(v any) int {
	switch v := v.(type) {
	case string:
		return len(v)
	case []any:
		return 64 * len(v)
	case []string:
		return 64 * len(v)
	case []map[string]any:
		return 64 * len(v)
	case map[string]string:
		return 64 * len(v)
	case map[string]any:
		return 64 * len(v)
	}
	return 0
}

func (r *renderer) operand(node parse.Node, dot any) (any, error) {
	switch n := node.(type) {
	case *parse.DotNode:
		return normal(dot), nil
	case *parse.FieldNode:
		return follow(dot, n.Ident), nil
	case *parse.VariableNode:
		return follow(r.root, n.Ident[1:]), nil
	case *parse.StringNode:
		return n.Text, nil
	case *parse.NumberNode:
		return n.Float64, nil
	case *parse.BoolNode:
		return n.True, nil
	case *parse.PipeNode:
		return r.pipe(n, dot)
	case *parse.IdentifierNode:
		return functions[n.Ident].call(r, nil)
	}
	return nil, badValue("the template", nil)
}

// follow walks a chain of fields. What is absent is nil, but the empty text
// for a tag or label.
func follow(v any, idents []string) any {
	for _, name := range idents {
		switch m := v.(type) {
		case map[string]any:
			v = m[name]
		case map[string]string:
			v = m[name]
		default:
			return nil
		}
	}
	return normal(v)
}

// normal turns every number into a float64.
func normal(v any) any {
	switch v := v.(type) {
	case int:
		return float64(v)
	case int32:
		return float64(v)
	case int64:
		return float64(v)
	case uint:
		return float64(v)
	case uint32:
		return float64(v)
	case uint64:
		return float64(v)
	case float32:
		return float64(v)
	}
	return v
}

// truth is what if asks: zero, empty and missing are false.
func truth(v any) bool {
	switch v := normal(v).(type) {
	case nil:
		return false
	case bool:
		return v
	case string:
		return v != ""
	case float64:
		return v != 0 && v == v
	case time.Duration:
		return v != 0
	case time.Time:
		return !v.IsZero()
	case []any, []string, []map[string]any, map[string]string, map[string]any:
		return sizeOf(v) > 0
	}
	return false
}
