// Command hawkeye runs the metric server, the agent and the notifier as a
// process of their own (docs/standalone.md), sends samples to one, and checks,
// tests, tries out and explains configurations without a running program
// (docs/monitors.md, docs/testing.md).
package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	_ "time/tzdata" // mute times name zones, wherever the command runs

	"github.com/alecthomas/kong"

	"github.com/go-batteries/hawkeye/store/redisstore"
)

// The exit codes of all commands.
const (
	exitFine  = 0 // nothing to complain about
	exitFound = 1 // tests failed, or doubts with --strict
	exitError = 2 // the command line or a file is wrong, or the output can't be written

	exitNoStore = 75 // the store doesn't answer, with run --require-store: EX_TEMPFAIL of sysexits.h
)

// commands are what hawkeye can do.
type commands struct {
	Run      runCmd      `cmd:"" help:"Run the metric server, the agent and the notifier, or some of them."`
	Send     sendCmd     `cmd:"" help:"Send samples to a running metric server."`
	Check    checkCmd    `cmd:"" help:"Find every mistake in configuration files."`
	Test     testCmd     `cmd:"" help:"Run test files over virtual time."`
	Backtest backtestCmd `cmd:"" help:"Show what a configuration would have told of recorded samples."`
	Explain  explainCmd  `cmd:"" help:"Explain how alerts stand at a moment of recorded samples."`
	Preview  previewCmd  `cmd:"" help:"Show every message that a configuration can send."`
	Schema   schemaCmd   `cmd:"" help:"Print the JSON Schema of monitors.yaml, for editors."`
	Upgrade  upgradeCmd  `cmd:"" help:"Write a version-1 file as version 2, or write out what a version-2 file leaves to defaults that are others by now."`
	Generate generateCmd `cmd:"" help:"Make up recorded samples, to try backtest with."`
	Version  versionCmd  `cmd:"" help:"Print the version."`
}

// console is where a command reads and writes.
type console struct {
	in        io.Reader
	out, err  io.Writer
	lookupEnv func(string) (string, bool)
	setenv    func(name, value string) error
}

// cut says that samples, or sums, were more than is counted.
func (c *console) cut(what string, n uint64) {
	if n > 0 {
		fmt.Fprintf(c.err, "hawkeye: %s: what was counted is more than 1e18 %s, and was cut to that as a program cuts it\n", what, times(int(min(n, 1<<31))))
	}
}

// exitCode ends a command that did its work and has something to say by its
// exit code.
type exitCode int

func (e exitCode) Error() string { return fmt.Sprintf("exit code %d", int(e)) }

func main() {
	os.Exit(run(os.Args[1:], &console{in: os.Stdin, out: os.Stdout, err: os.Stderr, lookupEnv: os.LookupEnv, setenv: os.Setenv}))
}

// run runs a command line and returns the exit code. Output that couldn't be
// written is an error of every command: half a report must not look like one.
func run(args []string, c *console) int {
	checked := *c
	out := &checkedWriter{w: c.out}
	checked.out = out
	code := execute(args, &checked)
	if out.err != nil {
		fmt.Fprintf(c.err, "hawkeye: write the output: %v\n", out.err)
		return exitError
	}
	return code
}

// checkedWriter keeps the first error of a writer, after which it writes
// nothing more.
type checkedWriter struct {
	w   io.Writer
	err error
}

func (c *checkedWriter) Write(p []byte) (int, error) {
	if c.err != nil {
		return 0, c.err
	}
	n, err := c.w.Write(p)
	c.err = err
	return n, err
}

// execute runs a command line.
func execute(args []string, c *console) (code int) {
	defer func() {
		if p := recover(); p != nil {
			end, ok := p.(done)
			if !ok {
				panic(p)
			}
			code = int(end)
		}
	}()
	ctx, err := parse(args, &commands{}, c)
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

// done ends a command line that asked for help.
type done int

// parse reads a command line into cli.
func parse(args []string, cli *commands, c *console) (*kong.Context, error) {
	parser, err := kong.New(cli,
		kong.Name("hawkeye"),
		kong.Description("Alerting on what programs count: as a process of its own, and tools for monitors.yaml."),
		kong.Writers(c.out, c.err),
		kong.Exit(func(code int) { panic(done(code)) }), // after --help
		kong.ConfigureHelp(kong.HelpOptions{Compact: true}),
		kong.Vars{"config": defaultConfig, "prefix": redisstore.DefaultPrefix},
		kong.Bind(c),
		kong.Resolvers(environment(c)),
	)
	if err != nil {
		panic(err) // the declarations above are wrong
	}
	return parser.Parse(args)
}
