package testfile

import (
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
)

// shorthandError is a mistake at a byte of a shorthand.
type shorthandError struct {
	offset  int
	message string
}

func (e *shorthandError) Error() string { return e.message }

const expectedValue = "expected a value such as 5, 5x10 (eleven times 5), 0+5x10 (0 5 ... 50), 0.2*30 (30 observations), _ (nothing) or gone"

// Values reads the shorthand of a series, values parted by spaces:
//
//	5        a value
//	5x10     it and ten more like it
//	0+5x10   0 and ten more, each greater by 5; 50-5x10 likewise, less by 5
//	0.2*30   a value that is recorded 30 times; also 0.2*30x10
//	_  _x10  nothing, ten times nothing
//	gone     from here on the process is gone
//
// But for the last two it is that of Prometheus's promtool.
func Values(text string) ([]Value, error) {
	var values []Value
	for pos := 0; pos < len(text); {
		if text[pos] == ' ' || text[pos] == '\n' || text[pos] == '\t' || text[pos] == '\r' {
			pos++
			continue
		}
		word := text[pos:]
		if end := strings.IndexAny(word, " \n\t\r"); end >= 0 {
			word = word[:end]
		}
		more, err := expand(values, word)
		if err != nil {
			return nil, &shorthandError{pos, err.Error()}
		}
		values = more
		pos += len(word)
	}
	return values, nil
}

// expand appends the values that a word stands for.
func expand(values []Value, word string) ([]Value, error) {
	if word == "gone" {
		return append(values, Value{Gone: true}), nil
	}
	body, repeat, err := cutRepeat(word)
	if err != nil {
		return nil, err
	}
	if body == "_" {
		if repeat < 0 {
			repeat = 1
		}
		return fill(values, Value{}, 0, repeat)
	}
	if body == "stale" {
		return nil, errors.New("stale is promtool's word; a process that is no longer there is written gone")
	}
	first, step, times, err := parts(body)
	if err != nil {
		return nil, err
	}
	if repeat < 0 {
		if step != 0 {
			return nil, errors.New("a step needs a number of steps, as in " + body + "x10")
		}
		repeat = 0
	}
	return fill(values, Value{V: first, Times: times}, step, repeat+1)
}

func fill(values []Value, v Value, step float64, n int) ([]Value, error) {
	if len(values)+n > MaxValues {
		return nil, fmt.Errorf("a series has at most %d values", MaxValues)
	}
	first := v.V
	for i := range n {
		v.V = first + float64(i)*step
		if math.IsInf(v.V, 0) {
			return nil, errors.New("the values grow beyond all numbers")
		}
		values = append(values, v)
	}
	return values, nil
}

// cutRepeat splits "body xN"; -1 is no N.
func cutRepeat(word string) (body string, n int, err error) {
	i := strings.LastIndexByte(word, 'x')
	if i < 0 {
		return word, -1, nil
	}
	n, err = strconv.Atoi(word[i+1:])
	if err != nil || n < 0 || word[i+1] == '+' || word[i+1] == '-' {
		return "", 0, errors.New("after x expected a whole number, as in 5x10")
	}
	return word[:i], n, nil
}

// parts reads first, first+step, first-step, first*times.
func parts(body string) (first, step float64, times int, err error) {
	times = 1
	if head, tail, ok := strings.Cut(body, "*"); ok {
		times, err = strconv.Atoi(tail)
		if err != nil || times < 1 || times > MaxValues || tail[0] == '+' {
			return 0, 0, 0, errors.New("after * expected a whole number, as in 0.2*30")
		}
		body = head
	}
	sign := signAt(body)
	if sign > 0 {
		if step, err = readNumber(body[sign+1:]); err != nil {
			return 0, 0, 0, err
		}
		if body[sign] == '-' {
			step = -step
		}
		body = body[:sign]
	}
	first, err = readNumber(body)
	return first, step, times, err
}

// signAt finds the sign between a first value and a step; 0 is none.
func signAt(s string) int {
	for i := 1; i < len(s); i++ {
		if (s[i] == '+' || s[i] == '-') && s[i-1] != 'e' && s[i-1] != 'E' {
			return i
		}
	}
	return 0
}

func readNumber(s string) (float64, error) {
	v, err := strconv.ParseFloat(s, 64)
	if err != nil || strings.ContainsAny(s, "xXpP_") {
		return 0, errors.New(expectedValue)
	}
	if math.IsNaN(v) || math.IsInf(v, 0) {
		return 0, errors.New("only finite numbers are counted")
	}
	return v, nil
}
