//go:build unix

package hawkeye_test

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/go-batteries/hawkeye"
	"github.com/go-batteries/hawkeye/store/memstore"
)

// The tests below kill real processes: this test's binary, run again with
// these set, which then runs TestProcessOfOtherTests alone.
const (
	stateEnv = "HAWKEYE_TEST_STATE"
	failEnv  = "HAWKEYE_TEST_MAILS_FAIL"
)

// process is a child that watches twoSLAs with a state file. It says on its
// standard output what happens, and counts what its standard input asks for.
type process struct {
	cmd   *exec.Cmd
	in    io.WriteCloser
	lines chan string
}

func startProcess(t *testing.T, state string, mailsFail bool) *process {
	t.Helper()
	env := []string{stateEnv + "=" + state}
	if mailsFail {
		env = append(env, failEnv+"=1")
	}
	return startChild(t, "TestProcessOfOtherTests", env...)
}

// startChild runs one test of this binary as a process of its own.
func startChild(t *testing.T, test string, env ...string) *process {
	t.Helper()
	cmd := exec.Command(os.Args[0], "-test.run=^"+test+"$")
	cmd.Env = append(os.Environ(), env...)
	cmd.Stderr = t.Output()
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	p := &process{cmd: cmd, in: in, lines: make(chan string, 1000)}
	t.Cleanup(func() { _ = cmd.Process.Kill() })
	go func() { // ends with the child
		defer close(p.lines)
		for s := bufio.NewScanner(out); s.Scan(); {
			p.lines <- s.Text()
		}
	}()
	p.await(t, "started")
	return p
}

// await reads lines until one has the prefix, and returns it. Mails that come
// before it are a mistake, unless it is one.
func (p *process) await(t *testing.T, prefix string) string {
	t.Helper()
	patience := time.After(30 * time.Second)
	for {
		select {
		case line, ok := <-p.lines:
			if !ok {
				t.Fatalf("the process ended, want %q", prefix)
			}
			if strings.HasPrefix(line, prefix) {
				return line
			}
			if strings.HasPrefix(line, "mail ") {
				t.Errorf("%q, want %q first", line, prefix)
			}
		case <-patience:
			t.Fatalf("no %q within 30 s", prefix)
		}
	}
}

// ask sends a command and waits for its answer.
func (p *process) ask(t *testing.T, command string) string {
	t.Helper()
	if _, err := fmt.Fprintln(p.in, command); err != nil {
		t.Fatalf("ask the process: %v", err)
	}
	return p.await(t, "answer ")
}

func (p *process) end(t *testing.T, sig syscall.Signal) {
	t.Helper()
	if err := p.cmd.Process.Signal(sig); err != nil {
		t.Fatal(err)
	}
	for line := range p.lines {
		if strings.HasPrefix(line, "mail ") {
			t.Errorf("%q while the process ends by %v, want none", line, sig)
		}
	}
	err := p.cmd.Wait()
	if sig == syscall.SIGTERM && err != nil {
		t.Errorf("the process ended by SIGTERM with %v, want exit code 0", err)
	}
}

func TestProcessOfOtherTests(t *testing.T) {
	state := os.Getenv(stateEnv)
	if state == "" {
		return // run as a test of its own it has nothing to do
	}
	if err := processMain(t, state); err != nil {
		t.Fatal(err)
	}
}

func processMain(t *testing.T, state string) error {
	ctx, cancel := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer cancel()
	s, err := memstore.New(memstore.WithStateFile(state))
	if err != nil {
		return err
	}
	h, err := hawkeye.New(hawkeye.WithService("shop", "test"), hawkeye.WithConfig("monitors.yaml", []byte(twoSLAs)),
		hawkeye.WithStore(s), hawkeye.WithoutSocket(), hawkeye.WithLogger(quiet()),
		hawkeye.WithMailer(hawkeye.MailerFunc(func(_ context.Context, cfg hawkeye.MailerConfig) error {
			if os.Getenv(failEnv) != "" {
				fmt.Println("tried", cfg.MessageID)
				return fmt.Errorf("421 try again later")
			}
			fmt.Printf("mail %s %q\n", cfg.MessageID, cfg.Subject+": "+cfg.Body)
			return nil
		})))
	if err != nil {
		return err
	}
	if err := h.Start(ctx); err != nil {
		return err
	}
	fmt.Println("started")
	go func() { // ends with the process
		for commands := bufio.NewScanner(os.Stdin); commands.Scan(); {
			switch commands.Text() {
			case "count":
				count(h, "http.response.400", 4)
				fmt.Println("answer counted")
			case "settle": // until what was counted before is evaluated, told and written down
				for tick := h.Stats().EvaluatedTick; h.Stats().EvaluatedTick.Sub(tick) < 2*time.Second || h.Stats().Outbox > 0 && os.Getenv(failEnv) == ""; {
					<-time.After(10 * time.Millisecond)
				}
				fmt.Println("answer settled")
			case "state":
				for _, a := range h.Alerts() {
					if strings.Contains(a.Key, "/3/") {
						fmt.Println("answer", a.State, a.Incident)
					}
				}
			}
		}
	}()
	<-ctx.Done()
	stop, cancel := inTime(3 * time.Second)
	defer cancel()
	return h.Shutdown(stop)
}

// A restart while an alert fires neither repeats nor ends it, however the
// process ended.
func TestRestartWhileAnAlertFires(t *testing.T) {
	t.Parallel()
	for _, sig := range []syscall.Signal{syscall.SIGTERM, syscall.SIGKILL} {
		t.Run(sig.String(), func(t *testing.T) {
			t.Parallel()
			state := filepath.Join(t.TempDir(), "state")
			p := startProcess(t, state, false)
			p.ask(t, "count")
			p.await(t, "mail ")
			p.ask(t, "settle")
			before := p.ask(t, "state")
			if !strings.HasPrefix(before, "answer firing ") {
				t.Fatalf("state before = %q, want firing", before)
			}
			p.end(t, sig)

			p = startProcess(t, state, false)
			p.ask(t, "settle")
			if now := p.ask(t, "state"); now != before {
				t.Errorf("state after = %q, want %q as before", now, before)
			}
			p.ask(t, "count") // more of the same, within run_every
			p.ask(t, "settle")
			if now := p.ask(t, "state"); now != before {
				t.Errorf("state after more samples = %q, want %q as before", now, before)
			}
			p.end(t, syscall.SIGTERM)
		})
	}
}

// What was decided to be told and couldn't be is told by the next process,
// under the same id, once.
func TestRestartWhileAMailCannotBeSent(t *testing.T) {
	t.Parallel()
	for _, sig := range []syscall.Signal{syscall.SIGTERM, syscall.SIGKILL} {
		t.Run(sig.String(), func(t *testing.T) {
			t.Parallel()
			state := filepath.Join(t.TempDir(), "state")
			p := startProcess(t, state, true)
			p.ask(t, "count")
			tried := strings.Fields(p.await(t, "tried "))[1]
			p.ask(t, "settle")
			if sig == syscall.SIGTERM {
				// It says what it leaves behind.
				_ = p.cmd.Process.Signal(sig)
				for range p.lines {
				}
				if err := p.cmd.Wait(); err == nil {
					t.Error("the process ended with exit code 0, want word of the mail that wasn't sent")
				}
			} else {
				p.end(t, sig)
			}

			p = startProcess(t, state, false)
			if mail := p.await(t, "mail "); strings.Fields(mail)[1] != tried {
				t.Errorf("%s after the restart, want the id %s", mail, tried)
			}
			p.ask(t, "settle")
			p.end(t, syscall.SIGTERM)
		})
	}
}
