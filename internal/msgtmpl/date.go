package msgtmpl

import (
	"errors"
	"fmt"
	"strconv"
	"text/template/parse"
	"time"

	"github.com/go-batteries/hawkeye/internal/zone"
)

// dateUsage says what date takes. The time zone may stand behind the time, or,
// if the time is piped in, before it.
const dateUsage = `a layout such as "15:04", a time, and perhaps a time zone such as "Europe/Berlin"`

// date checks the arguments of date, of which nodes are those that weren't
// piped in.
func (c *checker) date(id *parse.IdentifierNode, args []*Type, at []int, nodes []parse.Node) {
	is := func(i int, k kind) bool { return args[i].kind&(k|kindAny) != 0 }
	fits := len(args) == 2 && is(1, kindTime) ||
		len(args) == 3 && (is(1, kindTime) && is(2, kindText) || is(1, kindText) && is(2, kindTime))
	if !fits {
		c.fail(int(id.Pos), "date takes "+dateUsage, "")
		return
	}
	for i, n := range nodes {
		name, ok := n.(*parse.StringNode)
		if i == 0 || !ok {
			continue
		}
		loc, err := zone.Load(name.Text)
		var e *zone.Error
		if errors.As(err, &e) {
			suggestion := e.Suggestion
			if suggestion != "" {
				suggestion = strconv.Quote(suggestion)
			}
			c.fail(at[i], e.Message, suggestion)
			continue
		}
		if c.zones == nil {
			c.zones = make(map[string]*time.Location)
		}
		c.zones[name.Text] = loc
	}
}

// location returns the time zone of a name. Those that are written in the
// template were found when it was read.
func (r *renderer) location(name string) (*time.Location, error) {
	if loc := r.zones[name]; loc != nil {
		return loc, nil
	}
	loc, err := zone.Load(name)
	if err != nil {
		return nil, fmt.Errorf("%w: date was given %q: %w", ErrBadValue, name, err)
	}
	return loc, nil
}

func callDate(r *renderer, args []any) (any, error) {
	when := args[1]
	if len(args) == 3 {
		name, isName := args[2].(string)
		if !isName {
			when = args[2]
			name, isName = args[1].(string)
		}
		t, isTime := when.(time.Time)
		if !isName {
			return nil, badValue("date", args[1])
		}
		if isTime && !t.IsZero() {
			loc, err := r.location(name)
			if err != nil {
				return nil, err
			}
			when = t.In(loc)
		}
	}
	t, ok := when.(time.Time)
	if !ok || t.IsZero() {
		return nil, nil
	}
	return t.Format(Format(args[0])), nil
}
