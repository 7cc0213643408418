package main

import (
	"errors"
	"fmt"
	"strings"

	"github.com/go-batteries/hawkeye/internal/monitor"
)

// configFlags are the flags of all commands that read configuration files.
type configFlags struct {
	Env  map[string]string `help:"Set a variable that the files use; others come from the environment." placeholder:"NAME=VALUE"`
	Kind []string          `help:"Accept a kind of receiver that the program registers." placeholder:"KIND"`
}

func (f *configFlags) options(c *console) monitor.Options {
	return monitor.Options{Kinds: f.Kind, LookupEnv: func(name string) (string, bool) {
		if v, ok := f.Env[name]; ok {
			return v, true
		}
		return c.lookupEnv(name)
	}}
}

// load reads a configuration; its mistakes, and none of its doubts, are told.
func (f *configFlags) load(c *console, files []string) (*monitor.Set, error) {
	set, err := f.options(c).Load(files...)
	return set, told(c, err)
}

// told tells the mistakes in a file, if that is what err is.
func told(c *console, err error) error {
	var errs *monitor.Errors
	if !errors.As(err, &errs) {
		return err
	}
	fmt.Fprintln(c.err, strings.TrimSuffix(errs.Error(), "\n"))
	return exitCode(exitError)
}

// counted writes "1 error", "2 errors".
func counted(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}
