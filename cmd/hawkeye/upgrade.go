package main

import (
	"fmt"
	"io"
	"os"

	"github.com/go-batteries/hawkeye/cmd/hawkeye/internal/upgrade"
)

// upgradeCmd writes a version-1 file as version 2.
type upgradeCmd struct {
	File   string `arg:"" help:"A version-1 file."`
	Output string `short:"o" help:"Write this file instead of the standard output." placeholder:"FILE"`
}

// Run writes the file, and what is to be known about it.
func (cmd *upgradeCmd) Run(c *console) error {
	data, err := os.ReadFile(cmd.File)
	if err != nil {
		return err
	}
	r, err := upgrade.File(cmd.File, data)
	if err != nil {
		return told(c, err)
	}
	write := func(w io.Writer) error {
		_, err := io.WriteString(w, r.Text)
		return err
	}
	if cmd.Output == "" {
		err = write(c.out)
	} else {
		err = writeFile(cmd.Output, write)
	}
	for _, note := range r.Notes {
		fmt.Fprintln(c.err, "note: "+note)
	}
	return err
}
