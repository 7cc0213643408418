package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"

	"github.com/go-batteries/hawkeye/internal/monitor"
)

// configFlags are the flags of all commands that read configuration files.
type configFlags struct {
	Env map[string]string `help:"Set a variable that the files use; others come from the environment." placeholder:"NAME=VALUE"`
}

func (f *configFlags) options(c *console) monitor.Options {
	return monitor.Options{LookupEnv: func(name string) (string, bool) {
		if v, ok := f.Env[name]; ok {
			return v, true
		}
		return c.lookupEnv(name)
	}}
}

// stdinName stands for the standard input among files, and stdinShown for it
// in messages.
const (
	stdinName  = "-"
	stdinShown = "<standard input>"
)

// parse reads a configuration: files, folders and patterns, and - for the
// standard input.
func (f *configFlags) parse(c *console, files []string) (*monitor.Set, error) {
	var sources []monitor.Source
	var failed []error
	for _, name := range files {
		if name == stdinName {
			data, err := io.ReadAll(io.LimitReader(c.in, monitor.MaxFileBytes+1))
			if err != nil {
				failed = append(failed, fmt.Errorf("read configuration: %s: %w", stdinShown, err))
			}
			sources = append(sources, monitor.Source{Name: stdinShown, Data: data})
			continue
		}
		read, err := readNamed(name)
		if err != nil {
			failed = append(failed, err)
		}
		for _, s := range read {
			if !slices.ContainsFunc(sources, func(t monitor.Source) bool { return t.Name == s.Name }) {
				sources = append(sources, s)
			}
		}
	}
	if err := errors.Join(failed...); err != nil {
		return nil, err
	}
	return f.options(c).Parse(sources...)
}

// readNamed reads the files of a name, and a pipe such as a shell's <(command):
// somebody waits for the command, so it may wait for the pipe.
func readNamed(name string) ([]monitor.Source, error) {
	info, err := os.Stat(name)
	if err != nil || info.Mode()&os.ModeNamedPipe == 0 {
		return monitor.Read(name)
	}
	pipe, err := os.Open(name)
	if err != nil {
		return nil, fmt.Errorf("read configuration: %w", err)
	}
	defer pipe.Close()
	data, err := io.ReadAll(io.LimitReader(pipe, monitor.MaxFileBytes+1))
	if err != nil {
		return nil, fmt.Errorf("read configuration: %w", err)
	}
	return []monitor.Source{{Name: name, Data: data}}, nil
}

// load reads a configuration; its mistakes, and none of its doubts, are told.
func (f *configFlags) load(c *console, files []string) (*monitor.Set, error) {
	set, err := f.parse(c, files)
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
