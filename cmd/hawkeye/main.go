// Command hawkeye checks, tests, tries out and explains configurations of
// hawkeye, without a running program. docs/monitors.md and docs/testing.md
// explain its commands.
package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	_ "time/tzdata" // mute times name zones, wherever the command runs

	"github.com/alecthomas/kong"
)

// The exit codes of all commands.
const (
	exitFine  = 0 // nothing to complain about
	exitFound = 1 // tests failed, or doubts with --strict
	exitError = 2 // the command line or a file is wrong
)

// commands are what hawkeye can do.
type commands struct {
	Check    checkCmd    `cmd:"" help:"Find every mistake in configuration files."`
	Test     testCmd     `cmd:"" help:"Run test files over virtual time."`
	Backtest backtestCmd `cmd:"" help:"Show what a configuration would have told of recorded samples."`
	Explain  explainCmd  `cmd:"" help:"Explain how alerts stand at a moment of recorded samples."`
	Preview  previewCmd  `cmd:"" help:"Show every message that a configuration can send."`
	Schema   schemaCmd   `cmd:"" help:"Print the JSON Schema of monitors.yaml, for editors."`
	Upgrade  upgradeCmd  `cmd:"" help:"Write a version-1 file as version 2."`
	Generate generateCmd `cmd:"" help:"Make up recorded samples, to try backtest with."`
	Version  versionCmd  `cmd:"" help:"Print the version."`
}

// console is where a command reads and writes.
type console struct {
	in        io.Reader
	out, err  io.Writer
	lookupEnv func(string) (string, bool)
}

// exitCode ends a command that did its work and has something to say by its
// exit code.
type exitCode int

func (e exitCode) Error() string { return fmt.Sprintf("exit code %d", int(e)) }

func main() {
	os.Exit(run(os.Args[1:], &console{in: os.Stdin, out: os.Stdout, err: os.Stderr, lookupEnv: os.LookupEnv}))
}

// run runs a command line and returns the exit code.
func run(args []string, c *console) (code int) {
	type done int
	defer func() {
		if p := recover(); p != nil {
			end, ok := p.(done)
			if !ok {
				panic(p)
			}
			code = int(end)
		}
	}()
	var cli commands
	parser, err := kong.New(&cli,
		kong.Name("hawkeye"),
		kong.Description("Alerting on what Go programs count: tools for monitors.yaml."),
		kong.Writers(c.out, c.err),
		kong.Exit(func(code int) { panic(done(code)) }), // after --help
		kong.ConfigureHelp(kong.HelpOptions{Compact: true}),
		kong.Bind(c),
	)
	if err != nil {
		panic(err) // the declarations above are wrong
	}
	ctx, err := parser.Parse(args)
	if err != nil {
		fmt.Fprintf(c.err, "hawkeye: %v\n", err)
		fmt.Fprintln(c.err, "hawkeye --help lists the commands, hawkeye COMMAND --help explains one.")
		return exitError
	}
	err = ctx.Run()
	var exit exitCode
	switch {
	case err == nil:
		return exitFine
	case errors.As(err, &exit):
		return int(exit)
	default:
		fmt.Fprintf(c.err, "hawkeye: %v\n", err)
		return exitError
	}
}
