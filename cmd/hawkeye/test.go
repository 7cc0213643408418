package main

import (
	"encoding/xml"
	"fmt"
	"io"
	"os"
	"regexp"
	"slices"
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

// tested is a file with its results, or why it couldn't be run.
type tested struct {
	name    string
	file    *testfile.File
	results []testfile.Result
	skipped int // tests that don't match
	broken  error
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
		t := tested{name: name}
		if t.broken = cmd.file(c, &t, match); t.broken != nil {
			broken = true
			if err := told(c, t.broken); err != exitCode(exitError) {
				fmt.Fprintf(c.err, "hawkeye: %v\n", err)
			}
		}
		all = append(all, t)
		cmd.show(c, &t)
	}
	if cmd.JUnit != "" {
		if err := writeFile(cmd.JUnit, func(w io.Writer) error { return writeJUnit(w, all) }); err != nil {
			return err
		}
	}
	passed, failed, skipped := 0, 0, 0
	for _, t := range all {
		skipped += t.skipped
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
	case passed == 0 && skipped > 0:
		return fmt.Errorf("--match: none of %s matches %q", counted(skipped, "test"), cmd.Match)
	}
	return nil
}

// file runs the tests of a file.
func (cmd *testCmd) file(c *console, t *tested, match *regexp.Regexp) error {
	data, err := os.ReadFile(t.name)
	if err != nil {
		return err
	}
	f, err := testfile.Parse(t.name, data)
	if err != nil {
		return err
	}
	all := len(f.Tests)
	f.Tests = slices.DeleteFunc(f.Tests, func(t testfile.Test) bool { return !match.MatchString(t.Name) })
	t.skipped = all - len(f.Tests)
	set, err := f.Load(cmd.options(c))
	if err != nil {
		return err
	}
	t.file, t.results = f, f.Run(set)
	return nil
}

func (cmd *testCmd) show(c *console, t *tested) {
	for i := range t.results {
		r := &t.results[i]
		c.cut(t.file.Name+": "+r.Test.Name, r.Saturated)
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
		Errors   int         `xml:"errors,attr"`
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
		Error   *junitFailure `xml:"error,omitempty"`
	}
	junitFailure struct {
		Message string `xml:"message,attr"`
		Text    string `xml:",chardata"`
	}
)

func writeJUnit(w io.Writer, all []tested) error {
	var report junitSuites
	for _, t := range all {
		suite := junitSuite{Name: t.name, Tests: len(t.results)}
		var took time.Duration
		if t.broken != nil {
			suite.Tests, suite.Errors = 1, 1
			suite.Cases = []junitCase{{
				Name: t.name, Class: t.name, File: t.name, Time: seconds(0), Error: junitError(t.broken),
			}}
		}
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

// junitError is why a file couldn't be run.
func junitError(err error) *junitFailure {
	text := strings.TrimSpace(err.Error())
	message, _, _ := strings.Cut(text, "\n")
	return &junitFailure{Message: message, Text: text + "\n"}
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
