package main

import (
	_ "embed"
	"io"
)

// schemaCmd prints the JSON Schema of monitors.yaml.
type schemaCmd struct{}

// schema is draft 7 of JSON Schema. A test keeps it equal to the validator, as
// far as a schema can say what is wrong.
//
//go:embed schema.json
var schema string

// Run prints the schema.
func (schemaCmd) Run(c *console) error {
	_, err := io.WriteString(c.out, schema)
	return err
}
