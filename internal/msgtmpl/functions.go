package msgtmpl

import (
	"math"
	"net/url"
	"sort"
	"strings"
	"time"
	"unicode/utf8"
)

// function is one that templates may call.
type function struct {
	usage    string // "two texts and a text": what it takes
	min, max int
	params   []kind // of the arguments, the last for all further ones
	result   func(args []*Type) *Type
	call     func(r *renderer, args []any) (any, error)
}

// functions is what templates may call. It is filled here and only read.
var functions = map[string]function{
	"percent":            onNumber("a fraction", FormatPercent),
	"humanize":           onNumber("a number", func(v float64) string { return humanize(v, 1000, "kMGTPE") }),
	"humanize1024":       onNumber("a number", func(v float64) string { return humanize(v, 1024, "KMGTPE") }),
	"bytes":              onNumber("a number of bytes", FormatBytes),
	"humanizeDuration":   {"a duration, or a number of seconds", 1, 1, []kind{kindNumber | kindDuration}, gives(text), callDuration},
	"humanizePercentage": onNumber("a fraction", FormatPercent),
	"duration":           {"a duration, or a number of seconds", 1, 1, []kind{kindNumber | kindDuration}, gives(text), callDuration},
	"since":              {"a time", 1, 1, []kind{kindTime}, gives(duration), callSince},
	"date":               {dateUsage, 2, 3, []kind{kindText, kindText | kindTime}, gives(text), callDate},
	"round":              {"a number of decimals, and a number", 2, 2, []kind{kindNumber}, gives(number), callRound},
	"upper":              onText(strings.ToUpper),
	"lower":              onText(strings.ToLower),
	"trim":               onText(strings.TrimSpace),
	"urlquery":           onText(url.QueryEscape),
	"truncate":           {"a number of characters, and a text", 2, 2, []kind{kindNumber, kindScalar}, gives(text), callTruncate},
	"replace":            {"an old text, a new text, and a text", 3, 3, []kind{kindText, kindText, kindScalar}, gives(text), callReplace},
	"join":               {"a separator, and a list or tags", 2, 2, []kind{kindText, kindList | kindMap}, gives(text), callJoin},
	"default":            {"a value instead, and a value", 2, 2, []kind{kindAny}, typeOfLast, callDefault},
	"index":              {"a list or tags, and a name or a number", 2, 2, []kind{kindList | kindMap, kindText | kindNumber}, typeOfElem, callIndex},
	"len":                {"a list, tags or a text", 1, 1, []kind{kindList | kindMap | kindText}, gives(number), callLen},
	"eq":                 {"two values", 2, 2, []kind{kindAny}, gives(boolean), compare(func(c int) bool { return c == 0 })},
	"ne":                 {"two values", 2, 2, []kind{kindAny}, gives(boolean), compare(func(c int) bool { return c != 0 })},
	"lt":                 {"two values", 2, 2, []kind{kindAny}, gives(boolean), compare(func(c int) bool { return c == -1 })},
	"le":                 {"two values", 2, 2, []kind{kindAny}, gives(boolean), compare(func(c int) bool { return c == -1 || c == 0 })},
	"gt":                 {"two values", 2, 2, []kind{kindAny}, gives(boolean), compare(func(c int) bool { return c == 1 })},
	"ge":                 {"two values", 2, 2, []kind{kindAny}, gives(boolean), compare(func(c int) bool { return c == 1 || c == 0 })},
	"not":                {"a value", 1, 1, []kind{kindAny}, gives(boolean), callNot},
	"and":                {"values", 1, 16, []kind{kindAny}, typeOfLast, callAnd},
	"or":                 {"values", 1, 16, []kind{kindAny}, typeOfLast, callOr},
}

func functionNames() []string {
	all := make([]string, 0, len(functions))
	for name := range functions {
		all = append(all, name)
	}
	sort.Strings(all)
	return all
}

func gives(t func() *Type) func([]*Type) *Type {
	return func([]*Type) *Type { return t() }
}

func typeOfLast(args []*Type) *Type {
	if len(args) == 0 {
		return anything()
	}
	return args[len(args)-1]
}

func typeOfElem(args []*Type) *Type {
	if len(args) > 0 && args[0].elem != nil {
		return args[0].elem
	}
	return anything()
}

// onNumber makes a function of a number. What is missing stays missing.
func onNumber(usage string, f func(float64) string) function {
	return function{usage, 1, 1, []kind{kindNumber}, gives(text), func(_ *renderer, args []any) (any, error) {
		switch v := args[0].(type) {
		case nil:
			return nil, nil
		case float64:
			return f(v), nil
		}
		return nil, badValue("a function of a number", args[0])
	}}
}

// onText makes a function of a text, or of anything as it prints.
func onText(f func(string) string) function {
	return function{"a text", 1, 1, []kind{kindScalar}, gives(text), func(_ *renderer, args []any) (any, error) {
		return f(Format(args[0])), nil
	}}
}

// FormatBytes prints a size with a binary prefix: 1.5MiB.
func FormatBytes(v float64) string {
	s := humanize(v, 1024, "KMGTPE")
	if strings.HasSuffix(s, missing) {
		return s
	}
	if last := s[len(s)-1]; last >= '0' && last <= '9' {
		return s + "B"
	}
	return s + "iB"
}

func callDuration(_ *renderer, args []any) (any, error) {
	switch v := args[0].(type) {
	case nil:
		return nil, nil
	case time.Duration:
		return FormatDuration(v), nil
	case float64:
		if math.IsNaN(v) || math.Abs(v) > math.MaxInt64/float64(time.Second) {
			return nil, nil
		}
		return FormatDuration(time.Duration(v * float64(time.Second))), nil
	}
	return nil, badValue("humanizeDuration", args[0])
}

func callSince(r *renderer, args []any) (any, error) {
	t, ok := args[0].(time.Time)
	if !ok || t.IsZero() {
		return nil, nil
	}
	now, ok := r.root["now"].(time.Time)
	if !ok {
		now = time.Now()
	}
	return now.Sub(t), nil
}

func callRound(_ *renderer, args []any) (any, error) {
	digits, ok := args[0].(float64)
	v, ok2 := args[1].(float64)
	if args[1] == nil {
		return nil, nil
	}
	if !ok || !ok2 {
		return nil, badValue("round", args[1])
	}
	return roundTo(v, int(min(max(digits, 0), 12))), nil
}

func callTruncate(_ *renderer, args []any) (any, error) {
	n, ok := args[0].(float64)
	if !ok || n < 0 || n > MaxOutputBytes {
		return nil, badValue("truncate", args[0])
	}
	s := Format(args[1])
	if utf8.RuneCountInString(s) <= int(n) {
		return s, nil
	}
	return string([]rune(s)[:int(n)]) + "…", nil
}

func callReplace(_ *renderer, args []any) (any, error) {
	from, to, s := Format(args[0]), Format(args[1]), Format(args[2])
	if from == "" {
		return s, nil
	}
	if len(s)+strings.Count(s, from)*(len(to)-len(from)) > MaxOutputBytes {
		return nil, ErrTooLong
	}
	return strings.ReplaceAll(s, from, to), nil
}

func callJoin(_ *renderer, args []any) (any, error) {
	if m, ok := args[1].(map[string]string); ok {
		return joinLimited(Format(args[0]), pairs(m))
	}
	elems, err := elements(args[1])
	if err != nil {
		return nil, err
	}
	return joinLimited(Format(args[0]), elems)
}

func pairs(m map[string]string) []any {
	out := make([]any, 0, len(m))
	for _, k := range sortedKeys(m) {
		out = append(out, k+"="+m[k])
	}
	return out
}

func joinLimited(sep string, elems []any) (any, error) {
	var b strings.Builder
	for i, e := range elems {
		if i > 0 {
			b.WriteString(sep)
		}
		b.WriteString(Format(e))
		if b.Len() > MaxOutputBytes {
			return nil, ErrTooLong
		}
	}
	return b.String(), nil
}

func callDefault(_ *renderer, args []any) (any, error) {
	if args[1] == nil || args[1] == "" {
		return args[0], nil
	}
	return args[1], nil
}

func callIndex(_ *renderer, args []any) (any, error) {
	switch m := args[0].(type) {
	case nil:
		return nil, nil
	case map[string]string:
		return m[Format(args[1])], nil
	case map[string]any:
		return normal(m[Format(args[1])]), nil
	}
	elems, err := elements(args[0])
	if err != nil {
		return nil, err
	}
	i, ok := args[1].(float64)
	if !ok || i < 0 || i >= float64(len(elems)) {
		return nil, nil
	}
	return normal(elems[int(i)]), nil
}

func callLen(_ *renderer, args []any) (any, error) {
	if s, ok := args[0].(string); ok {
		return float64(utf8.RuneCountInString(s)), nil
	}
	if _, isMap := args[0].(map[string]any); isMap {
		return nil, badValue("len", args[0])
	}
	elems, err := elements(args[0])
	return float64(len(elems)), err
}

func callNot(_ *renderer, args []any) (any, error) { return !truth(args[0]), nil }

func callAnd(_ *renderer, args []any) (any, error) {
	for _, a := range args {
		if !truth(a) {
			return a, nil
		}
	}
	return args[len(args)-1], nil
}

func callOr(_ *renderer, args []any) (any, error) {
	for _, a := range args {
		if truth(a) {
			return a, nil
		}
	}
	return args[len(args)-1], nil
}

// incomparable is the order of values of which none is before the other.
const incomparable = 2

// compare makes a comparison. Values of different types, and what is missing,
// are unequal and in no order.
func compare(want func(order int) bool) func(*renderer, []any) (any, error) {
	return func(_ *renderer, args []any) (any, error) {
		return want(order(args[0], args[1])), nil
	}
}

func order(a, b any) int {
	switch a := a.(type) {
	case float64:
		if b, ok := seconds(b); ok {
			return orderNumbers(a, b)
		}
	case time.Duration:
		if b, ok := seconds(b); ok {
			return orderNumbers(a.Seconds(), b)
		}
	case string:
		if b, ok := b.(string); ok {
			return strings.Compare(a, b)
		}
	case bool:
		if b, ok := b.(bool); ok && a == b {
			return 0
		}
	case time.Time:
		if b, ok := b.(time.Time); ok {
			return a.Compare(b)
		}
	}
	return incomparable
}

// seconds is v as a number; a duration in seconds.
func seconds(v any) (float64, bool) {
	switch v := v.(type) {
	case float64:
		return v, true
	case time.Duration:
		return v.Seconds(), true
	}
	return 0, false
}

func orderNumbers(a, b float64) int {
	switch {
	case a < b:
		return -1
	case a > b:
		return 1
	case a == b:
		return 0
	}
	return incomparable
}
