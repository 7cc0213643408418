package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"strings"

	"github.com/alecthomas/kong"
	"github.com/joho/godotenv"

	"github.com/go-batteries/hawkeye/internal/nearest"
)

const (
	// envFile is read from the working directory.
	envFile = ".env"
	// envPrefix is what the variables for flags begin with: --store is
	// HAWKEYE_STORE.
	envPrefix = "HAWKEYE_"
)

// environment finds the values of the flags of the commands that talk to a
// running process, or are one: of a flag that isn't on the command line, the
// variable of its name, from the environment or, if it isn't set there, from
// the file .env in the working directory. The file's other variables are set
// too, for the configuration to use.
func environment(c *console) kong.Resolver { return &envResolver{console: c} }

type envResolver struct {
	console *console
	read    bool
	err     error
}

// Validate has nothing to say: which variables there are depends on the command.
func (r *envResolver) Validate(*kong.Application) error { return nil }

// Resolve is called for each flag of the command.
func (r *envResolver) Resolve(ctx *kong.Context, parent *kong.Path, flag *kong.Flag) (any, error) {
	command := parent.Node()
	if command == nil || command.Name != "run" && command.Name != "send" || flag.Name == "help" {
		return nil, nil
	}
	if !r.read {
		r.read = true
		if r.err = r.readFile(); r.err == nil {
			r.warn(command)
		}
	}
	if r.err != nil {
		return nil, r.err
	}
	if value, _ := r.console.lookupEnv(envName(flag)); value != "" {
		return value, nil
	}
	return nil, nil
}

func envName(flag *kong.Flag) string {
	return envPrefix + strings.ToUpper(strings.ReplaceAll(flag.Name, "-", "_"))
}

// readFile sets the variables of .env that the environment doesn't have.
func (r *envResolver) readFile() error {
	data, err := os.ReadFile(envFile)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	data = append(data, '\n') // or a broken last line is left out in silence
	vars, err := godotenv.UnmarshalBytes(data)
	if err != nil {
		return fmt.Errorf("%s:%d: expected NAME=VALUE", envFile, brokenLine(string(data))) // the text may be a secret
	}
	for name, value := range vars {
		if _, set := r.console.lookupEnv(name); set {
			continue
		}
		if err := r.console.setenv(name, value); err != nil {
			return fmt.Errorf("%s: set %s: %w", envFile, name, err)
		}
	}
	return nil
}

// brokenLine finds the line at which a file can't be read: all that is before
// it can be.
func brokenLine(text string) int {
	lines := strings.SplitAfter(text, "\n")
	for n := len(lines); n > 1; n-- {
		if _, err := godotenv.Unmarshal(strings.Join(lines[:n-1], "")); err == nil {
			return n
		}
	}
	return 1
}

// warn tells of variables that look like a flag's and are none.
func (r *envResolver) warn(command *kong.Node) {
	var names []string
	for _, flag := range command.Flags {
		names = append(names, envName(flag))
	}
	for _, variable := range os.Environ() {
		name, _, _ := strings.Cut(variable, "=")
		if !strings.HasPrefix(name, envPrefix) || slices.Contains(names, name) {
			continue
		}
		if meant := nearest.Of(name, names); meant != "" {
			fmt.Fprintf(r.console.err, "hawkeye: the variable %s is not used; did you mean %s?\n", name, meant)
		}
	}
}
