package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/go-batteries/hawkeye/notify/smtp"
)

const oneMonitor = "version: 1\nmonitors:\n  - {metric: orders.failed, type: c, interval: 20, notifier: email, triggers: [{threshold: 10, run_every: 5, to: [oncall@example.com]}]}\n"

// parsed reads a command line in a folder with the given files, and with an
// environment of its own.
func parsed(t *testing.T, files, env map[string]string, args ...string) (*commands, string, error) {
	t.Helper()
	t.Chdir(t.TempDir())
	for name, text := range files {
		if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	var out bytes.Buffer
	vars := map[string]string{}
	for name, value := range env {
		vars[name] = value
		t.Setenv(name, value) // os.Environ is what is searched for misspelt names
	}
	cli := &commands{}
	_, err := parse(args, cli, &console{
		in: strings.NewReader(""), out: &out, err: &out,
		lookupEnv: func(name string) (string, bool) { value, ok := vars[name]; return value, ok },
		setenv:    func(name, value string) error { vars[name] = value; return nil },
	})
	return cli, out.String(), err
}

// TestEnvironment: flags go before HAWKEYE_ variables, those before .env, and
// that before the defaults.
func TestEnvironment(t *testing.T) {
	files := map[string]string{".env": "# seed\nHAWKEYE_SERVICE=file\nHAWKEYE_STORE=\"redis://file:6379/0\"\nexport HAWKEYE_CONFIG=a.yaml,b.yaml\nHAWKEYE_DRAIN_TIMEOUT=7s\nHAWKEYE_ONLY=server,agent\n"}
	env := map[string]string{"HAWKEYE_STORE": "memory:env", "HAWKEYE_SMTP": "", "HAWKEYE_PREFIX": "env"}
	cli, out, err := parsed(t, files, env, "run", "--prefix", "flag", "--only", "notifier")
	if err != nil || out != "" {
		t.Fatalf("parse = %v, said %q", err, out)
	}
	want := runCmd{
		Config: []string{"a.yaml", "b.yaml"}, Only: []string{"notifier"}, Store: "memory:env", Prefix: "flag",
		Service: "file", DrainTimeout: 7 * time.Second, LogFormat: "text",
	}
	if diff := cmp.Diff(want, cli.Run); diff != "" {
		t.Errorf("run's flags (-want +got):\n%s", diff)
	}
	cli, _, err = parsed(t, nil, nil, "run")
	if want := (runCmd{Config: []string{"monitors.yaml"}, Store: "memory:", Prefix: "hawkeye", DrainTimeout: 30 * time.Second, LogFormat: "text"}); err != nil || !cmp.Equal(want, cli.Run) {
		t.Errorf("defaults (-want +got):\n%s%v", cmp.Diff(want, cli.Run), err)
	}
	cli, _, err = parsed(t, map[string]string{".env": "HAWKEYE_SOCKET=./x.sock\n"}, nil, "send", "a:1|c")
	if err != nil || cli.Send.Socket != "./x.sock" {
		t.Errorf("send's socket = %q, %v, want the one of .env", cli.Send.Socket, err)
	}
	if _, out, err := parsed(t, nil, map[string]string{"HAWKEYE_STROE": "x"}, "run"); err != nil || !strings.Contains(out, "HAWKEYE_STROE is not used; did you mean HAWKEYE_STORE?") {
		t.Errorf("a misspelt variable: said %q, %v", out, err)
	}
	if cli, _, err := parsed(t, map[string]string{".env": "broken\n"}, map[string]string{"HAWKEYE_STROE": "x"}, "version"); err != nil || cli == nil {
		t.Errorf("version looks at .env: %v", err)
	}
}

// TestEnvFileMistakes are told with their line and without their text, which
// may be a secret.
func TestEnvFileMistakes(t *testing.T) {
	for text, line := range map[string]string{
		"A=1\nsecret\nB=2\n":       ".env:2:",
		"A=1\nB=\"two\nC=secret\n": ".env:2:",
		"secret":                   ".env:1:",
	} {
		_, out, err := parsed(t, map[string]string{".env": text}, nil, "run")
		if err == nil || !strings.Contains(err.Error(), line) || strings.Contains(err.Error()+out, "secret") {
			t.Errorf("%q: %v (said %q), want %s and no text of the file", text, err, out, line)
		}
	}
}

// TestRunRefuses what can't work, before anything is started.
func TestRunRefuses(t *testing.T) {
	dir := t.TempDir()
	t.Chdir(dir)
	write := func(name, text string) {
		t.Helper()
		if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if r := invoke(t, "run"); r.code != exitError || !strings.Contains(r.err, "there is no monitors.yaml in this folder") {
		t.Errorf("run in an empty folder = %d, %s", r.code, r.err)
	}
	if r := invoke(t, "run", "--only", "agent", "--store", "redis://127.0.0.1:1"); r.code != exitError || !strings.Contains(r.err, "there is no monitors.yaml") {
		t.Errorf("run --only agent in an empty folder = %d, %s", r.code, r.err)
	}
	write("monitors.yaml", oneMonitor)
	write("broken.yaml", "version: 2\nmonitor: []\n")
	if err := os.Mkdir("conf.d", 0o700); err != nil {
		t.Fatal(err)
	}
	tests := map[string]struct {
		args string
		want []string
	}{
		"mistake":           {"--config broken.yaml", []string{"broken.yaml:2:1: monitor", "did you mean"}},
		"no file":           {"--config none.yaml", []string{"none.yaml: no such file"}},
		"empty folder":      {"--config conf.d", []string{`the folder "conf.d" holds no .yaml or .yml file`}},
		"only in memory":    {"--only server", []string{"--only server needs a store that processes share"}},
		"two in memory":     {"--only agent,notifier --store memory:x", []string{"--only agent,notifier needs a store that processes share"}},
		"no such part":      {"--only mailer", []string{"--only must be one of", "mailer"}},
		"store typo":        {"--store reddis://:hunter2@localhost", []string{"did you mean redis:?"}},
		"store of nothing":  {"--store localhost:6379", []string{"--store: expected memory:"}},
		"store without :":   {"--store hunter2", []string{"--store: expected memory:"}},
		"password with @":   {"--store redis://:hunter2%@localhost", []string{"--store: the URL can't be read: invalid URL escape", "%40"}},
		"store parameter":   {"--store redis://:hunter2@localhost?x=1", []string{"--store: redis: unexpected option: x"}},
		"database":          {"--store redis://:hunter2@localhost/nine", []string{"--store: redis: invalid database number"}},
		"prefix":            {"--store redis://localhost --prefix {x}", []string{"WithPrefix"}},
		"smtp scheme":       {"--smtp http://u:hunter2@h", []string{"--smtp: expected smtp://HOST:PORT"}},
		"smtp URL":          {"--smtp smtp://u:hunter2%@h", []string{"--smtp: the URL can't be read"}},
		"smtp host":         {"--smtp smtp://u:hunter2@:25", []string{"--smtp: expected the name of a mail server"}},
		"smtp path":         {"--smtp smtp://u:hunter2@h/x", []string{"--smtp: expected nothing behind the port"}},
		"smtp tls":          {"--smtp smtp://u:hunter2@h?tls=maybe", []string{"tls: expected starttls, opportunistic or none"}},
		"smtps tls":         {"--smtp smtps://u:hunter2@h?tls=none", []string{"smtps:// is TLS from the first byte"}},
		"smtp parameter":    {"--smtp smtp://h?x=1", []string{`unknown parameter "x"`}},
		"smtp no password":  {"--smtp smtp://u@h", []string{"want both or neither"}},
		"from":              {"--smtp smtp://h --from nobody", []string{"smtp.Config.From"}},
		"mode":              {"--socket-mode 0999", []string{"--socket-mode: expected permission bits such as 0660"}},
		"mode without us":   {"--socket-mode 0060", []string{"WithSocketMode"}},
		"several at once":   {"--smtp http://h --store x", []string{"--smtp:", "--store:"}},
		"a drain of nought": {"--drain-timeout 0s", []string{"WithShutdownTimeout"}},
		"unknown flag":      {"--stroe x", []string{"unknown flag --stroe, did you mean"}},
	}
	for name, tt := range tests {
		r := invoke(t, append([]string{"run"}, strings.Fields(tt.args)...)...)
		for _, want := range tt.want {
			if r.code != exitError || !strings.Contains(r.err, want) {
				t.Errorf("%s: run %s = %d, %s, want %d and %q", name, tt.args, r.code, r.err, exitError, want)
			}
		}
		if strings.Contains(r.err+r.out, "hunter2") {
			t.Errorf("%s: shows the password: %s", name, r.err)
		}
	}
}

// TestRequireStore: a store that doesn't answer has an exit code of its own.
func TestRequireStore(t *testing.T) {
	t.Chdir(t.TempDir())
	if err := os.WriteFile("monitors.yaml", []byte(oneMonitor), 0o600); err != nil {
		t.Fatal(err)
	}
	r := invoke(t, "run", "--only", "agent", "--require-store", "--store", "redis://127.0.0.1:1", "--drain-timeout", "1s")
	if r.code != exitNoStore || !strings.Contains(r.err, "store unavailable") {
		t.Errorf("run --require-store = %d, %s, want %d", r.code, r.err, exitNoStore)
	}
}

func TestSMTPURL(t *testing.T) {
	t.Parallel()
	tests := map[string]smtp.Config{
		"smtp://mail.example.com":                      {Host: "mail.example.com"},
		"smtp://mail.example.com:25?tls=none":          {Host: "mail.example.com", Port: 25, TLS: smtp.TLSNone},
		"smtps://u%40x:p%2Fw@mail.example.com":         {Host: "mail.example.com", TLS: smtp.TLSImplicit, Username: "u@x", Password: "p/w"},
		"smtp://[::1]:2525/?tls=opportunistic":         {Host: "::1", Port: 2525, TLS: smtp.TLSOpportunistic},
		"smtp://u:p@mail.example.com:587?tls=starttls": {Host: "mail.example.com", Port: 587, TLS: smtp.TLSStartTLS, Username: "u", Password: "p"},
	}
	for text, want := range tests {
		if got, err := smtpConfig(text); err != nil || !cmp.Equal(got, want) {
			t.Errorf("smtpConfig(%q) = %+v, %v, want %+v", text, got, err, want)
		}
	}
}

// TestCheckStandardInput: - is a file like any other.
func TestCheckStandardInput(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		text string
		args []string
		code int
		want string
	}{
		"fine":    {oneMonitor, []string{"check", "-"}, exitFine, "1 file: 1 alert"},
		"mistake": {"version: 2\nmonitor: []\n", []string{"check", "-"}, exitError, "<standard input>:2:1: monitor"},
		"json":    {"version: 2\nmonitor: []\n", []string{"check", "--json", "--each", "-"}, exitError, `"file": "<standard input>"`},
		"preview": {oneMonitor, []string{"preview", "-"}, exitFine, "orders.failed"},
	} {
		var out, errs bytes.Buffer
		code := run(tt.args, &console{in: strings.NewReader(tt.text), out: &out, err: &errs, lookupEnv: func(string) (string, bool) { return "", false }})
		if code != tt.code || !strings.Contains(out.String()+errs.String(), tt.want) {
			t.Errorf("%s: %v = %d, %s%s, want %d and %q", name, tt.args, code, &out, &errs, tt.code, tt.want)
		}
	}
}

// fullDisk takes nothing.
type fullDisk struct{}

func (fullDisk) Write([]byte) (int, error) { return 0, os.ErrInvalid }

// TestUnwrittenOutput: what couldn't be written is no success, whichever
// command it is.
func TestUnwrittenOutput(t *testing.T) {
	t.Parallel()
	const config = "../../testdata/api-errors.yaml"
	for _, args := range []string{
		"check --json " + config, "check --github --strict testdata/lint.yaml", "preview " + config, "version", "schema",
		"test -v ../../testdata/api-errors_test.yaml", "upgrade ../../testdata/monitors.yaml", "generate --series 2 --duration 10s",
		"backtest " + config + " -s testdata/samples.jsonl", "explain " + config + " -s testdata/samples.jsonl --at 5s", "explain --help", "--help",
	} {
		var errs bytes.Buffer
		code := run(strings.Fields(args), &console{in: strings.NewReader(""), out: fullDisk{}, err: &errs, lookupEnv: func(string) (string, bool) { return "", false }})
		if code != exitError || !strings.Contains(errs.String(), "write the output: invalid argument") {
			t.Errorf("hawkeye %s to a full disk = %d, %s, want %d", args, code, &errs, exitError)
		}
	}
}

// TestMatchOfNothing: a misspelt --match must not look like passing tests.
func TestMatchOfNothing(t *testing.T) {
	t.Parallel()
	r := invoke(t, "test", "--match", "no such test", "../../testdata/api-errors_test.yaml")
	if r.code != exitError || !strings.Contains(r.err, `matches "no such test"`) {
		t.Errorf("test --match = %d, %s, want %d", r.code, r.err, exitError)
	}
	if r := invoke(t, "test", "--match", "broken route tells", "../../testdata/api-errors_test.yaml", "testdata/fails_test.yaml"); r.code != exitFine {
		t.Errorf("--match that matches in one of two files = %d, %s", r.code, r.err)
	}
}

// TestBrokenFileInJUnit: CI that shows only the report must see a file that
// couldn't be run.
func TestBrokenFileInJUnit(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "junit.xml")
	if r := invoke(t, "test", "--junit", path, "../../testdata/api-errors_test.yaml", "testdata/broken_test.yaml", "testdata/noconfig_test.yaml"); r.code != exitError {
		t.Errorf("exit code = %d, want %d", r.code, exitError)
	}
	text := string(read(t, path))
	for _, want := range []string{`<testsuite name="testdata/broken_test.yaml" tests="1" failures="0" errors="1"`, `<error message="testdata/broken_test.yaml`, `<testsuite name="testdata/noconfig_test.yaml" tests="1" failures="0" errors="1"`} {
		if !strings.Contains(text, want) {
			t.Errorf("the report lacks %s:\n%s", want, text)
		}
	}
}
