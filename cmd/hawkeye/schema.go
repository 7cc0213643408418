package main

import (
	_ "embed"
	"encoding/json"
	"maps"
)

// schemaCmd prints the JSON Schema of monitors.yaml.
type schemaCmd struct{}

// schemaSource is draft 7 of JSON Schema, but for what would stand in it
// several times; see wholeSchema.
//
//go:embed schema.json
var schemaSource []byte

// Run prints the schema.
func (schemaCmd) Run(c *console) error {
	schema, err := wholeSchema()
	if err != nil {
		return err
	}
	out := json.NewEncoder(c.out)
	out.SetEscapeHTML(false)
	out.SetIndent("", "  ")
	return out.Encode(schema)
}

// wholeSchema returns the schema with what draft 7 can't share between
// mappings that allow no other keys: the keys of "about" in monitors, SLOs and
// heartbeats, and those of a monitor, but for its name, in "defaults". A test
// keeps it equal to the validator, as far as a schema can say what is wrong.
func wholeSchema() (map[string]any, error) {
	var schema struct {
		Definitions map[string]map[string]any `json:"definitions"`
	}
	var whole map[string]any
	for _, to := range []any{&schema, &whole} {
		if err := json.Unmarshal(schemaSource, to); err != nil {
			return nil, err
		}
	}
	definitions := schema.Definitions
	about := definitions["about"]
	delete(definitions, "about")
	for _, name := range []string{"monitor", "slo", "heartbeat"} {
		maps.Copy(definitions[name]["properties"].(map[string]any), about)
	}
	defaults := maps.Clone(definitions["monitor"]["properties"].(map[string]any))
	delete(defaults, "name")
	definitions["defaults"] = map[string]any{"type": "object", "additionalProperties": false, "properties": defaults}
	whole["definitions"] = definitions
	return whole, nil
}
