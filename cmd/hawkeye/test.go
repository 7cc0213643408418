package main

import (
	"encoding/xml"
	"fmt"
	"io"
	"os"
	"regexp"
	"strings"
	"time"

	"github.com/go-batteries/hawkeye/internal/testfile"
)

// testCmd runs test files.
type testCmd struct {
	Files   []string `arg:"" help:"Test files."`
	Match   string   `help:"Run only the tests whose name matches." placeholder:"REGEXP"`
	JUnit   string   `help:"Write the results as JUnit XML too." placeholder:"FILE" name:"junit"`
	Verbose bool     `short:"v" help:"Show each test, and the messages that were sent."`
	configFlags
}

// tested is a file with its results.
type tested struct {
	file    *testfile.File
	results []testfile.Result
}

// Run runs the tests of all files.
func (cmd *testCmd) Run(c *console) error {
	match, err := regexp.Compile(cmd.Match)
	if err != nil {
		return fmt.Errorf("--match: %w", err)
	}
	var all []tested
	broken := false
	for _, name := range cmd.Files {
		t, err := cmd.file(c, name, match)
		if err != nil {
			broken = true
			if err := told(c, err); err != exitCode(exitError) {
				fmt.Fprintf(c.err, "hawkeye: %v\n", err)
			}
			continue
		}
		all = append(all, *t)
		cmd.show(c, t)
	}
	if cmd.JUnit != "" {
		if err := writeFile(cmd.JUnit, func(w io.Writer) error { return writeJUnit(w, all) }); err != nil {
			return err
		}
	}
	passed, failed := 0, 0
	for _, t := range all {
		for _, r := range t.results {
			if len(r.Failures) > 0 {
				failed++
			} else {
				passed++
			}
		}
	}
	fmt.Fprintf(c.err, "%s passed, %d failed\n", counted(passed, "test"), failed)
	switch {
	case broken:
		return exitCode(exitError)
	case failed > 0:
		return exitCode(exitFound)
	}
	return nil
}

func (cmd *testCmd) file(c *console, name string, match *regexp.Regexp) (*tested, error) {
	data, err := os.ReadFile(name)
	if err != nil {
		return nil, err
	}
	f, err := testfile.Parse(name, data)
	if err != nil {
		return nil, err
	}
	kept := f.Tests[:0]
	for _, t := range f.Tests {
		if match.MatchString(t.Name) {
			kept = append(kept, t)
		}
	}
	f.Tests = kept
	set, err := f.Load(cmd.options(c))
	if err != nil {
		return nil, err
	}
	return &tested{f, f.Run(set)}, nil
}

func (cmd *testCmd) show(c *console, t *tested) {
	for i := range t.results {
		r := &t.results[i]
		switch {
		case len(r.Failures) > 0:
			fmt.Fprintf(c.out, "FAIL %s: %s\n", t.file.Name, r.Test.Name)
			for _, f := range r.Failures {
				fmt.Fprintf(c.out, "%s:%d: %s\n", t.file.Name, f.Line, f.Text)
			}
		case cmd.Verbose:
			fmt.Fprintf(c.out, "ok   %s: %s\n", t.file.Name, r.Test.Name)
		}
		if cmd.Verbose {
			for _, m := range r.Messages {
				fmt.Fprintf(c.out, "     %s\n", testfile.Line(m, m.At.Sub(t.file.Start)))
			}
		}
	}
}

// The parts of a JUnit report that its readers agree about.
type (
	junitSuites struct {
		XMLName xml.Name     `xml:"testsuites"`
		Suites  []junitSuite `xml:"testsuite"`
	}
	junitSuite struct {
		Name     string      `xml:"name,attr"`
		Tests    int         `xml:"tests,attr"`
		Failures int         `xml:"failures,attr"`
		Time     string      `xml:"time,attr"`
		Cases    []junitCase `xml:"testcase"`
	}
	junitCase struct {
		Name    string        `xml:"name,attr"`
		Class   string        `xml:"classname,attr"`
		File    string        `xml:"file,attr"`
		Line    int           `xml:"line,attr"`
		Time    string        `xml:"time,attr"`
		Failure *junitFailure `xml:"failure,omitempty"`
	}
	junitFailure struct {
		Message string `xml:"message,attr"`
		Text    string `xml:",chardata"`
	}
)

func writeJUnit(w io.Writer, all []tested) error {
	var report junitSuites
	for _, t := range all {
		suite := junitSuite{Name: t.file.Name, Tests: len(t.results)}
		var took time.Duration
		for i := range t.results {
			r := &t.results[i]
			took += r.Took
			one := junitCase{Name: r.Test.Name, Class: t.file.Name, File: t.file.Name, Line: r.Test.Line, Time: seconds(r.Took)}
			if len(r.Failures) > 0 {
				suite.Failures++
				one.Failure = junitFailureOf(t.file.Name, r.Failures)
			}
			suite.Cases = append(suite.Cases, one)
		}
		suite.Time = seconds(took)
		report.Suites = append(report.Suites, suite)
	}
	if _, err := io.WriteString(w, xml.Header); err != nil {
		return err
	}
	enc := xml.NewEncoder(w)
	enc.Indent("", "  ")
	if err := enc.Encode(report); err != nil {
		return err
	}
	_, err := io.WriteString(w, "\n")
	return err
}

func junitFailureOf(file string, failures []testfile.Failure) *junitFailure {
	message, _, _ := strings.Cut(failures[0].Text, "\n")
	var b strings.Builder
	for _, f := range failures {
		fmt.Fprintf(&b, "%s:%d: %s\n", file, f.Line, f.Text)
	}
	return &junitFailure{Message: message, Text: b.String()}
}

func seconds(d time.Duration) string { return fmt.Sprintf("%.3f", d.Seconds()) }

// writeFile writes a file, and tells if that fails at the very end.
func writeFile(name string, write func(io.Writer) error) (err error) {
	f, err := os.Create(name)
	if err != nil {
		return err
	}
	defer func() {
		if cerr := f.Close(); err == nil {
			err = cerr
		}
	}()
	return write(f)
}
