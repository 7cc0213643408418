package msgtmpl

import (
	"sort"
	"sync"
)

// Type is what a template may do with a value.
type Type struct {
	kind   kind
	fields map[string]*Type
	elem   *Type
}

type kind uint16

const (
	kindAny kind = 1 << iota
	kindText
	kindNumber
	kindBool
	kindTime
	kindDuration
	kindList
	kindMap
	kindStruct
)

const kindScalar = kindText | kindNumber | kindBool | kindTime | kindDuration

// String names the type in a message.
func (t *Type) String() string {
	switch t.kind {
	case kindText:
		return "text"
	case kindNumber:
		return "a number"
	case kindBool:
		return "true or false"
	case kindTime:
		return "a time"
	case kindDuration:
		return "a duration"
	case kindList:
		return "a list"
	case kindMap, kindStruct:
		return "a group of fields"
	default:
		return "a value"
	}
}

// The plain types. A number is given as any Go number, a time as time.Time,
// a duration as time.Duration.
func text() *Type     { return &Type{kind: kindText} }
func number() *Type   { return &Type{kind: kindNumber} }
func boolean() *Type  { return &Type{kind: kindBool} }
func instant() *Type  { return &Type{kind: kindTime} }
func duration() *Type { return &Type{kind: kindDuration} }

func list(elem *Type) *Type              { return &Type{kind: kindList, elem: elem} }
func textMap() *Type                     { return &Type{kind: kindMap, elem: text()} }
func structure(f map[string]*Type) *Type { return &Type{kind: kindStruct, fields: f} }

// names lists the fields of a structure, sorted.
func (t *Type) names() []string {
	all := make([]string, 0, len(t.fields))
	for name := range t.fields {
		all = append(all, name)
	}
	sort.Strings(all)
	return all
}

// Version1 returns the fields that a version-1 template knows. Data for it is
// a map with these keys; a key that is absent is missing data, not an error.
func Version1() *Type { return ofVersion1() }

// Version2 returns the fields that a version-2 template knows: all of
// version 1, and the rest.
func Version2() *Type { return ofVersion2() }

// A type isn't changed once it was made, so one does for all templates.
var (
	ofVersion1 = sync.OnceValue(func() *Type { return structure(version1()) })
	ofVersion2 = sync.OnceValue(func() *Type { return structure(version2()) })
)

func version1() map[string]*Type {
	return map[string]*Type{
		"count":       number(), // the measured value
		"threshold":   number(),
		"exceeded_by": number(), // count - threshold
		"interval":    number(), // the window in seconds
		"metric":      text(),
		"service":     text(),
		"environment": text(),
	}
}

func version2() map[string]*Type {
	fields := version1()
	for name, t := range alertFields() {
		fields[name] = t
	}
	for name, t := range map[string]*Type{
		"receiver":  text(),
		"now":       instant(),
		"alerts":    list(structure(alertFields())), // of a grouped message
		"firing":    number(),                       // how many of alerts fire
		"resolved":  number(),                       // how many of them ended
		"maybe_dup": boolean(),                      // this may be a repeat
	} {
		fields[name] = t
	}
	return fields
}

// alertFields are the fields of one alert.
func alertFields() map[string]*Type {
	return map[string]*Type{
		"monitor":        text(),
		"description":    text(),
		"metric":         text(),
		"state":          text(), // firing, resolved, nodata, error
		"level":          text(),
		"previous_level": text(),
		"reason":         text(),
		"value":          number(),
		"threshold":      number(),
		"clear":          number(),
		"compare_value":  number(), // the value that a relative threshold is against
		"total":          number(), // of divide_by
		"incomplete":     boolean(),
		"op":             text(),
		"window":         duration(),
		"started":        instant(),
		"ended":          instant(),
		"duration":       duration(), // how long it has been firing, or was
		"occurrences":    number(),   // breaches that this message stands for
		"tags":           textMap(),
		"labels":         textMap(),
		"unit":           text(),
		"runbook":        text(),
		"dashboard":      text(),
		"summary":        text(),
		"incident":       text(),
	}
}
