package main

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/go-batteries/hawkeye/internal/evaluate"
	"github.com/go-batteries/hawkeye/internal/message"
	"github.com/go-batteries/hawkeye/internal/monitor"
	"github.com/go-batteries/hawkeye/internal/notify"
)

// previewCmd renders every message that a configuration can send.
type previewCmd struct {
	Files       []string `arg:"" help:"The configuration: files or patterns."`
	Output      string   `short:"o" help:"Write a file for each message into this folder, which is made." placeholder:"DIR"`
	Monitor     string   `help:"Only the messages of this monitor."`
	Service     string   `default:"example" help:"The service's name, if the files have none."`
	Environment string   `default:"prod" help:"The environment's name, if the files have none."`
	configFlags
}

// previewed is one message.
type previewed struct {
	name, to string
	text     message.Text
}

// Run renders the messages.
func (cmd *previewCmd) Run(c *console) error {
	set, err := cmd.load(c, cmd.Files)
	if err != nil {
		return err
	}
	if set.Service != "" {
		cmd.Service = set.Service
	}
	if set.Environment != "" {
		cmd.Environment = set.Environment
	}
	all := cmd.messages(set)
	if len(all) == 0 && cmd.Monitor != "" {
		return unknownMonitor(set, cmd.Monitor)
	}
	broken := 0
	for i := range all {
		if all[i].text.Problem != "" {
			broken++
			fmt.Fprintf(c.err, "%s: the template fails: %s\n", all[i].name, all[i].text.Problem)
		}
	}
	if cmd.Output == "" {
		for i := range all {
			if i > 0 {
				fmt.Fprintln(c.out)
			}
			all[i].write(c.out)
		}
	} else if err := writeAll(cmd.Output, all); err != nil {
		return err
	}
	fmt.Fprintln(c.err, counted(len(all), "message"))
	if broken > 0 {
		return exitCode(exitFound)
	}
	return nil
}

func (p *previewed) write(w io.Writer) {
	fmt.Fprintf(w, "=== %s\nTo: %s\nSubject: %s\n\n%s\n", p.name, p.to, p.text.Subject, strings.TrimRight(p.text.Body, "\n"))
}

func writeAll(dir string, all []previewed) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	for i := range all {
		name := filepath.Join(dir, fileName(all[i].name)+".txt")
		err := writeFile(name, func(w io.Writer) error {
			all[i].write(w)
			return nil
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// fileName makes of a message's name what any system takes as a file's.
func fileName(s string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r >= 'a' && r <= 'z', r >= 'A' && r <= 'Z', r >= '0' && r <= '9', r == '.', r == '-', r == '_':
			return r
		}
		return '_'
	}, s)
}

// previewTime is when the made-up messages are sent, previewFired when what
// they tell of began.
var (
	previewTime  = time.Date(2026, 1, 5, 10, 0, 0, 0, time.UTC)
	previewFired = previewTime.Add(-17 * time.Minute)
)

// messages makes up every message.
func (cmd *previewCmd) messages(set *monitor.Set) []previewed {
	renderer := message.New(set, cmd.Service, cmd.Environment)
	var all []previewed
	for _, rule := range evaluate.NewPlan(set, time.Second).Rules {
		if cmd.Monitor != "" && rule.Alert.Key != cmd.Monitor && rule.Monitor.Name != cmd.Monitor {
			continue
		}
		for i := range rule.Monitor.Triggers {
			for _, row := range cmd.rows(rule, i) {
				for _, to := range receivers(set, &rule.Monitor.Triggers[i], row) {
					row.Receiver = to
					row.ID = notify.RowID("preview", row.Snapshot.Level, 1, to)
					m := notify.Message{
						ID: row.ID, Receiver: to, Rows: []*notify.Row{row},
						Coming: map[string]*notify.Coming{row.ID: coming(&rule.Monitor.Triggers[i], row)},
					}
					kind := string(row.Kind)
					if row.Escalated {
						kind = "escalated"
					}
					name := strings.Join([]string{rule.Alert.Key, row.Snapshot.Level, kind, to}, " ")
					all = append(all, previewed{name, to, renderer.Render(&m, previewTime)})
				}
			}
		}
	}
	return all
}

// receivers are whom a row is told.
func receivers(set *monitor.Set, t *monitor.Trigger, row *notify.Row) []string {
	var names []string
	if row.Escalated {
		for _, e := range t.Escalate {
			names = append(names, e.Notify...)
		}
		return names
	}
	for _, name := range t.Notify {
		if r := set.Receiver(name); r != nil && !(row.Ends() && r.SkipResolved) {
			names = append(names, name)
		}
	}
	return names
}
