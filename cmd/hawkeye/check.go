package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/go-batteries/hawkeye/internal/monitor"
)

// checkCmd tells what is wrong with configuration files, and what is doubtful.
type checkCmd struct {
	Files  []string `arg:"" help:"Files, folders or patterns, - for the standard input; together they are one configuration."`
	Each   bool     `help:"Check each file as a configuration of its own."`
	Strict bool     `help:"Exit with 1 if there are doubts."`
	JSON   bool     `help:"Write JSON." xor:"form" name:"json"`
	GitHub bool     `help:"Write annotations for GitHub's workflows." xor:"form" name:"github"`
	configFlags
}

// finding is a mistake or a doubt.
type finding struct {
	Severity string `json:"severity"` // error or lint
	File     string `json:"file,omitempty"`
	Line     int    `json:"line,omitempty"`
	Column   int    `json:"column,omitempty"`
	Key      string `json:"key,omitempty"`
	Message  string `json:"message"`
	Snippet  string `json:"snippet,omitempty"`
	// Suggestion is what was probably meant.
	Suggestion string `json:"suggestion,omitempty"`

	text string
}

// Run checks the files.
func (cmd *checkCmd) Run(c *console) error {
	groups := [][]string{cmd.Files}
	if cmd.Each {
		groups = nil
		for _, f := range cmd.Files {
			groups = append(groups, []string{f})
		}
	}
	var found []finding
	var sets []*monitor.Set
	for _, files := range groups {
		set, err := cmd.parse(c, files)
		if set != nil {
			sets = append(sets, set)
		}
		found = append(found, findings(set, err)...)
	}
	switch {
	case cmd.JSON:
		writeJSON(c, found)
	case cmd.GitHub:
		writeGitHub(c, found)
	default:
		writeText(c, found, sets)
	}
	errs, lints := tally(found)
	switch {
	case errs > 0:
		return exitCode(exitError)
	case lints > 0 && cmd.Strict:
		return exitCode(exitFound)
	}
	return nil
}

// findings are what loading found: the set's doubts, or the error's mistakes
// and doubts.
func findings(set *monitor.Set, err error) []finding {
	var found []finding
	add := func(severity string, problems []monitor.Problem) {
		for _, p := range problems {
			found = append(found, finding{
				Severity: severity, File: p.File, Line: p.Line, Column: p.Col, Key: p.Key,
				Message: p.Message, Snippet: p.Snippet, Suggestion: p.Suggestion, text: p.String(),
			})
		}
	}
	var errs *monitor.Errors
	switch {
	case errors.As(err, &errs):
		add("error", errs.Problems)
		add("lint", errs.Lints)
	case err != nil:
		found = append(found, finding{Severity: "error", Message: err.Error(), text: err.Error()})
	default:
		add("lint", set.Lints)
	}
	return found
}

func tally(found []finding) (errs, lints int) {
	for _, f := range found {
		if f.Severity == "error" {
			errs++
		} else {
			lints++
		}
	}
	return errs, lints
}

func writeText(c *console, found []finding, sets []*monitor.Set) {
	for _, f := range found {
		text := f.text
		if f.Severity == "lint" {
			text = strings.Replace(text, f.Message, "doubtful: "+f.Message, 1)
		}
		fmt.Fprintln(c.out, text)
	}
	errs, lints := tally(found)
	switch {
	case errs > 0 && lints > 0:
		fmt.Fprintf(c.err, "%s, %s\n", counted(errs, "error"), counted(lints, "doubt"))
	case errs > 0:
		fmt.Fprintln(c.err, counted(errs, "error"))
	default:
		fmt.Fprintln(c.err, summary(sets, lints))
	}
}

// summary says what there is in sets without a mistake.
func summary(sets []*monitor.Set, lints int) string {
	var files, monitors, receivers int
	for _, s := range sets {
		files += len(s.Files)
		monitors += len(s.Monitors) + len(s.SLOs) + len(s.Heartbeats)
		receivers += len(s.Receivers)
	}
	text := fmt.Sprintf("%s: %s, %s", counted(files, "file"), counted(monitors, "alert"), counted(receivers, "receiver"))
	if lints > 0 {
		return text + ", " + counted(lints, "doubt")
	}
	return text + ", no mistakes"
}

func writeJSON(c *console, found []finding) {
	errs, lints := tally(found)
	if found == nil {
		found = []finding{}
	}
	enc := json.NewEncoder(c.out)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	_ = enc.Encode(struct {
		Errors   int       `json:"errors"`
		Lints    int       `json:"lints"`
		Findings []finding `json:"findings"`
	}{errs, lints, found})
}

var (
	githubText     = strings.NewReplacer("%", "%25", "\r", "%0D", "\n", "%0A")
	githubProperty = strings.NewReplacer("%", "%25", "\r", "%0D", "\n", "%0A", ":", "%3A", ",", "%2C")
)

// writeGitHub writes workflow commands:
// https://docs.github.com/actions/reference/workflows-and-actions/workflow-commands
func writeGitHub(c *console, found []finding) {
	for _, f := range found {
		command := "error"
		if f.Severity == "lint" {
			command = "warning"
		}
		var place []string
		if f.File != "" {
			place = append(place, "file="+githubProperty.Replace(f.File))
		}
		if f.Line > 0 {
			place = append(place, fmt.Sprintf("line=%d,col=%d", f.Line, f.Column))
		}
		place = append(place, "title=hawkeye")
		text := f.Message
		if f.Key != "" {
			text = f.Key + ": " + text
		}
		if f.Suggestion != "" {
			text += "; did you mean " + f.Suggestion + "?"
		}
		fmt.Fprintf(c.out, "::%s %s::%s\n", command, strings.Join(place, ","), githubText.Replace(text))
	}
}
