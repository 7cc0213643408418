package main

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"gopkg.in/yaml.v3"

	"github.com/go-batteries/hawkeye/internal/monitor"
)

const corpus = "../../internal/monitor/testdata/"

// beyond are the broken files of the corpus whose mistake a schema can't see,
// by the reason.
var beyond = map[string][]string{
	"what the text itself looks like, before it is data": {
		"v1_explicit_tag", "v1_own_tag", "v2_tag", "v2_secret_shown", "v1_hex", "v2_thousands_underscore", "v1_second_document", "v1_huge_number",
	},
	"what a template says": {
		"v1_subject_template", "v1_template_*", "v1_unknown_field", "v2_template_*", "v2_variable_then_template",
	},
	"what a variable holds": {
		"v2_unset_variable", "v2_unset_variable_in_text", "v2_variable_no_duration", "v2_bad_variable",
	},
	"whether an address, a matcher, a zone or a day is one": {
		"v1_address_injection", "v1_addresses_in_one", "v1_bad_address", "v2_receiver_address",
		"v2_bad_matcher_op", "v2_divisor_matcher", "v2_bad_regexp", "v2_huge_regexp", "v2_matcher_in_block",
		"v2_mute_clock", "v2_mute_days", "v2_mute_location", "v2_mute_weekday", "v2_heartbeat_location",
		"v2_heartbeat_schedule_value", "v2_heartbeat_schedule_weekday", "v2_heartbeat_schedule_step", "v2_heartbeat_schedule_never",
	},
	"how two values stand to each other": {
		"v1_aggregate_of_counter", "v1_duplicate_trigger", "v1_empty_recipients", "v2_clear_kind", "v2_level_twice",
		"v2_fallback_after_alone", "v2_min_total_alone", "v2_min_total_of_counter", "v2_stale_counter", "v2_mute_same", "v2_nobody_told", "v2_percentile_of_counter", "v2_receiver_own_fallback",
		"v2_relative_without_compare", "v2_same_name_twice", "v2_three_levels_unnamed",
	},
	"what a name refers to": {
		"v2_receiver_kind", "v2_unknown_mute_time", "v2_unknown_receiver", "v2_unknown_receiver_trigger",
	},
	"how long a duration is":      {"v2_fallback_after_long", "v2_window_too_long", "v2_idle_for_long", "v2_stale_short", "v2_zero_window", "v2_heartbeat_early_short"},
	"how many lines a text has":   {"v2_summary_lines"},
	"how much aliases make of it": {"alias_bomb"},
}

func isBeyond(name string) bool {
	for _, patterns := range beyond {
		for _, p := range patterns {
			if ok, _ := filepath.Match(p, name); ok {
				return true
			}
		}
	}
	return false
}

func compileSchema(t testing.TB) *jsonschema.Schema {
	t.Helper()
	var printed bytes.Buffer
	if err := (schemaCmd{}).Run(&console{out: &printed}); err != nil {
		t.Fatal(err)
	}
	doc, err := jsonschema.UnmarshalJSON(&printed)
	if err != nil {
		t.Fatal(err)
	}
	c := jsonschema.NewCompiler()
	c.DefaultDraft(jsonschema.Draft7)
	if err := c.AddResource("monitors.json", doc); err != nil {
		t.Fatal(err)
	}
	s, err := c.Compile("monitors.json")
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// toJSON makes of YAML what an editor hands to its schema validator. It
// returns false for what isn't even YAML.
func toJSON(data []byte) (v any, ok bool) {
	defer func() {
		if recover() != nil {
			v, ok = nil, false
		}
	}()
	if yaml.Unmarshal(data, &v) != nil {
		return nil, false
	}
	return plainJSON(v, 0)
}

func plainJSON(v any, depth int) (any, bool) {
	if depth > 100 {
		return nil, false
	}
	switch x := v.(type) {
	case map[string]any:
		m := make(map[string]any, len(x))
		for k, e := range x {
			p, ok := plainJSON(e, depth+1)
			if !ok {
				return nil, false
			}
			m[k] = p
		}
		return m, true
	case []any:
		l := make([]any, len(x))
		for i, e := range x {
			p, ok := plainJSON(e, depth+1)
			if !ok {
				return nil, false
			}
			l[i] = p
		}
		return l, true
	case map[any]any:
		return nil, false
	case float64:
		if math.IsNaN(x) || math.IsInf(x, 0) {
			return nil, false
		}
		return json.Number(fmt.Sprintf("%v", x)), true
	case int, int64, uint64:
		return json.Number(fmt.Sprintf("%d", x)), true
	case nil, string, bool:
		return x, true
	default:
		return fmt.Sprint(x), true // a date is a text
	}
}

func corpusOptions() monitor.Options {
	env := map[string]string{
		"SLACK_WEBHOOK_URL": "https://hooks.example.com/T0/secret", "TEAM_MAIL": "team@example.com",
		"EMPTY": "", "NOT_A_DURATION": "hunter2",
	}
	return monitor.Options{Kinds: []string{"slack"}, LookupEnv: func(name string) (string, bool) {
		v, ok := env[name]
		return v, ok
	}}
}

// TestSchemaOverCorpus: good and doubtful files pass; broken ones fail unless
// their mistake is beyond a schema; and nothing is beyond that isn't.
func TestSchemaOverCorpus(t *testing.T) {
	t.Parallel()
	s := compileSchema(t)
	for _, pattern := range []string{"good/*.yaml", "lint/*.yaml", "../../../testdata/monitors.yaml", "../../../testdata/api-errors.yaml"} {
		names, err := filepath.Glob(corpus + pattern)
		if err != nil || len(names) == 0 {
			t.Fatalf("found no files like %s, %v", pattern, err)
		}
		for _, name := range names {
			if v, ok := toJSON(read(t, name)); !ok {
				t.Errorf("%s is no JSON", name)
			} else if err := s.Validate(v); err != nil {
				t.Errorf("the schema rejects %s: %v", name, err)
			}
		}
	}
	names, err := filepath.Glob(corpus + "bad/*.yaml")
	if err != nil || len(names) < 60 {
		t.Fatalf("found %d broken files, %v", len(names), err)
	}
	caught := 0
	for _, path := range names {
		name := strings.TrimSuffix(filepath.Base(path), ".yaml")
		v, ok := toJSON(read(t, path))
		if !ok {
			continue // the YAML parser tells
		}
		switch err := s.Validate(v); {
		case err == nil && !isBeyond(name):
			t.Errorf("the schema accepts %s, and nothing says why", name)
		case err != nil && isBeyond(name):
			t.Errorf("the schema rejects %s, which is said to be beyond it", name)
		case err != nil:
			caught++
		}
	}
	t.Logf("of %d broken files the schema rejects %d", len(names), caught)
}

// TestSchemaRejectsNothingRight breaks every value of good files in many ways.
// What the schema rejects, the validator must reject; and an unknown key, or a
// list or mapping in place of a text, which the validator rejects, the schema
// must reject.
func TestSchemaRejectsNothingRight(t *testing.T) {
	t.Parallel()
	s := compileSchema(t)
	names, err := filepath.Glob(corpus + "good/*.yaml")
	if err != nil || len(names) == 0 {
		t.Fatalf("found no files, %v", err)
	}
	var tried atomic.Int64
	t.Cleanup(func() {
		if n := tried.Load(); n < 500 {
			t.Errorf("tried %d broken files, want at least 500", n)
		}
	})
	const shards = 4
	for _, name := range append(names, "../../testdata/api-errors.yaml") {
		for shard := range shards {
			t.Run(fmt.Sprintf("%s %d", filepath.Base(name), shard), func(t *testing.T) {
				t.Parallel()
				var root yaml.Node
				if err := yaml.Unmarshal(read(t, name), &root); err != nil {
					t.Fatal(err)
				}
				for i, m := range mutations(root.Content[0], "") {
					if i%shards == shard && m.check(t, s, &root) {
						tried.Add(1)
					}
				}
			})
		}
	}
}

// check compares what the schema and the validator say to a broken file. It
// returns false if there is no such file.
func (m *mutation) check(t *testing.T, s *jsonschema.Schema, root *yaml.Node) bool {
	undo := m.apply()
	data, err := yaml.Marshal(root)
	undo()
	if err != nil {
		return false
	}
	v, ok := toJSON(data)
	if !ok {
		return false
	}
	_, validator := corpusOptions().Parse(monitor.Source{Name: "broken.yaml", Data: data})
	rejected := s.Validate(v)
	if rejected != nil && validator == nil {
		t.Errorf("%s: the schema rejects what the validator accepts: %v", m.what, rejected)
	}
	if rejected == nil && validator != nil && m.structural {
		t.Errorf("%s: the schema accepts what the validator rejects: %v", m.what, validator)
	}
	return true
}

var (
	inReceivers = regexp.MustCompile(`^\.receivers\.\w+$`)
	everything  = flag.Bool("everything", false, "try every scalar in place of every value, which takes long")
)

// mutation is a way to break a file.
type mutation struct {
	what       string
	structural bool
	apply      func() (undo func())
}

// scalars are put in place of every value.
var scalars = []string{
	"0", "-1", "3", "0.5", "1e3", "7x", "true", "yes", "null", "5s", "1h30m", "-5s", "2%", "+50%", "300ms", "10MB", "never",
	">=", "sum", "p99", "p", "counter", "c", "email", "keep", "22:00", "2", "${EMPTY}", "${TEAM_MAIL}", "text", `"3"`, `""`, `" 5s "`, `"2 %"`, ".5", "5.",
}

func mutations(n *yaml.Node, path string) []mutation {
	var all []mutation
	if n.Kind == yaml.MappingNode {
		all = append(all, mutation{path + ": an unknown key", true, func() func() {
			old := n.Content
			n.Content = append(slices.Clone(old), &yaml.Node{Kind: yaml.ScalarNode, Value: "zzz"}, &yaml.Node{Kind: yaml.ScalarNode, Value: "1"})
			return func() { n.Content = old }
		}})
	}
	for i := 0; i < len(n.Content); i++ {
		child, here := n.Content[i], fmt.Sprintf("%s[%d]", path, i)
		if n.Kind == yaml.MappingNode {
			if i%2 == 0 {
				key := child.Value
				all = append(all, mutation{path + " without " + key, false, func() func() {
					old := n.Content
					n.Content = slices.Delete(slices.Clone(old), i, i+2)
					return func() { n.Content = old }
				}})
				continue
			}
			here = path + "." + n.Content[i-1].Value
		}
		if strings.Contains(here, ".slack") || strings.HasPrefix(here, ".x-") {
			continue // what they hold is nobody's business
		}
		all = append(all, replacements(child, here)...)
		all = append(all, mutations(child, here)...)
	}
	return all
}

// replacements puts other values in place of n.
func replacements(n *yaml.Node, path string) []mutation {
	var all []mutation
	put := func(what string, structural bool, text string) {
		all = append(all, mutation{path + " = " + what, structural, func() func() {
			var doc yaml.Node
			if yaml.Unmarshal([]byte(text), &doc) != nil {
				return func() {}
			}
			old := *n
			*n = *doc.Content[0]
			n.Anchor = old.Anchor
			return func() { *n = old }
		}})
	}
	for i, s := range scalars {
		if *everything || (i+len(path))%18 == 0 {
			put(s, false, s)
		}
	}
	put("a list of lists", true, "[[[1]]]")
	// In a receiver an unknown mapping may be a kind that a program has.
	put("an unknown mapping", !inReceivers.MatchString(path), "{zzz: {zzz: [1]}}")
	return all
}

func read(t testing.TB, name string) []byte {
	t.Helper()
	data, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return data
}
