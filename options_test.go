package hawkeye_test

import (
	"errors"
	"log/slog"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/go-batteries/hawkeye"
	"github.com/go-batteries/hawkeye/store"
)

// fleetStore is a Store that says that others use it as well.
type fleetStore struct{ store.Store }

func (s fleetStore) Traits() store.Traits {
	t := s.Store.Traits()
	t.Shared = true
	return t
}

// doubtful is a Store that finds a mistake in itself.
type doubtful struct{ store.Store }

func (doubtful) Validate() error { return errors.New("the prefix is empty") }

func TestOptionMistakes(t *testing.T) {
	t.Parallel()
	memory := newMemory(t)
	tests := []struct {
		name string
		opts []hawkeye.Option
		want []string // in the error, each
	}{
		{"nil option", []hawkeye.Option{nil}, []string{"options[0]", "nil"}},
		{"nil mailer", []hawkeye.Option{hawkeye.WithMailer(nil)}, []string{"WithMailer"}},
		{"nil store", []hawkeye.Option{hawkeye.WithStore(nil)}, []string{"WithStore"}},
		{"nil logger", []hawkeye.Option{hawkeye.WithLogger(nil)}, []string{"WithLogger"}},
		{"nil route", []hawkeye.Option{hawkeye.WithRouteName(nil)}, []string{"WithRouteName"}},
		{"a store's own", []hawkeye.Option{hawkeye.WithStore(doubtful{memory})}, []string{"WithStore", "the prefix is empty"}},
		{"empty socket", []hawkeye.Option{hawkeye.WithSocket("")}, []string{"WithSocket", "WithoutSocket"}},
		{"empty datagram socket", []hawkeye.Option{hawkeye.WithDatagramSocket("")}, []string{"WithDatagramSocket"}},
		{"one path twice", []hawkeye.Option{hawkeye.WithSocket("/a"), hawkeye.WithDatagramSocket("/a")}, []string{"WithDatagramSocket", "WithSocket"}},
		{"mode without the owner", []hawkeye.Option{hawkeye.WithSocketMode(0o444)}, []string{"WithSocketMode", "0444"}},
		{"mode of 0", []hawkeye.Option{hawkeye.WithSocketMode(0)}, []string{"WithSocketMode"}},
		{"mode with type", []hawkeye.Option{hawkeye.WithSocketMode(os.ModeDir | 0o700)}, []string{"WithSocketMode"}},
		{"negative user", []hawkeye.Option{hawkeye.WithPeers(0, -1)}, []string{"WithPeers", "-1"}},
		{"sender with a header", []hawkeye.Option{hawkeye.WithFrom("a@example.com\r\nBcc: all@example.com")}, []string{"WithFrom"}},
		{"start timeout", []hawkeye.Option{hawkeye.WithStartTimeout(0)}, []string{"WithStartTimeout", "0s"}},
		{"shutdown timeout", []hawkeye.Option{hawkeye.WithShutdownTimeout(-time.Second)}, []string{"WithShutdownTimeout", "-1s"}},
		{"send timeout", []hawkeye.Option{hawkeye.WithSendTimeout(-1)}, []string{"WithSendTimeout"}},
		{"negative limits", []hawkeye.Option{hawkeye.WithLimits(hawkeye.Limits{
			MaxSeries: -1, MaxTags: -1, MaxLineBytes: -1, MaxFrameBytes: -1, MaxConnections: -1, FrameTimeout: -1, MaxAbandonedSends: -1,
		})}, []string{"MaxSeries", "MaxTags", "MaxLineBytes", "MaxFrameBytes", "MaxConnections", "FrameTimeout", "MaxAbandonedSends"}},
		{"socket and none", []hawkeye.Option{hawkeye.WithSocket("/a"), hawkeye.WithoutSocket()}, []string{"WithoutSocket", "WithSocket"}},
		{"socket and no server", []hawkeye.Option{hawkeye.WithSocket("/a"), hawkeye.WithoutServer()}, []string{"WithoutServer", "WithSocket"}},
		{"datagrams and no server", []hawkeye.Option{hawkeye.WithDatagramSocket("/a"), hawkeye.WithoutServer()}, []string{"WithoutServer", "WithDatagramSocket"}},
		{"no agent in memory", []hawkeye.Option{hawkeye.WithoutAgent()}, []string{"WithoutAgent", "not shared"}},
		{"no notifier in memory", []hawkeye.Option{hawkeye.WithoutNotifier(), hawkeye.WithStore(memory)}, []string{"WithoutNotifier", "not shared"}},
	}
	var all []hawkeye.Option
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			checkMistakes(t, tt.opts, tt.want)
		})
		switch tt.name { // what another of them undoes
		case "socket and none", "datagrams and no server", "no notifier in memory", "empty socket", "empty datagram socket", "nil store", "a store's own":
		default:
			all = append(all, tt.opts...)
		}
	}
	t.Run("all at once, in any order", func(t *testing.T) {
		t.Parallel()
		rand.Shuffle(len(all), func(i, j int) { all[i], all[j] = all[j], all[i] })
		checkMistakes(t, append(all, hawkeye.WithConfigFile("no-such-file.yaml")), []string{
			"WithMailer", "WithLogger", "WithRouteName", "WithDatagramSocket", "WithSocketMode", "WithPeers", "WithFrom",
			"WithStartTimeout", "WithShutdownTimeout", "WithSendTimeout", "MaxSeries", "WithoutServer", "WithoutAgent", "no-such-file.yaml",
		})
	})
}

func checkMistakes(t *testing.T, opts []hawkeye.Option, want []string) {
	t.Helper()
	h, err := hawkeye.New(opts...)
	if h != nil || !errors.Is(err, hawkeye.ErrInvalidOption) {
		t.Fatalf("New() = %v, %v, want nil and %v", h, err, hawkeye.ErrInvalidOption)
	}
	for _, text := range want {
		if !strings.Contains(err.Error(), text) {
			t.Errorf("New() = %v\nwant word of %q", err, text)
		}
	}
	for _, line := range strings.Split(err.Error(), "\n") {
		if n := strings.Count(line, "hawkeye: "); n > 1 {
			t.Errorf("line %q has the prefix %d times, want once", line, n)
		}
	}
}

func TestOrderOfOptionsDoesNotMatter(t *testing.T) {
	t.Parallel()
	path := filepath.Join(socketDir(t), "s")
	opts := []hawkeye.Option{
		hawkeye.WithService("shop", "test"), hawkeye.WithSocket(path), hawkeye.WithMailer(&mailbox{}),
		hawkeye.WithConfigFile(writeConfig(t, twoSLAs)), hawkeye.WithLogger(quiet()), hawkeye.WithFrom("shop@example.com"),
		hawkeye.WithMonitors(hawkeye.Monitor{Metric: "m", Triggers: []hawkeye.Trigger{{Threshold: 1, To: []string{"a@example.com"}}}}),
	}
	for range 10 {
		rand.Shuffle(len(opts), func(i, j int) { opts[i], opts[j] = opts[j], opts[i] })
		h, err := hawkeye.New(opts...)
		if err != nil {
			t.Fatalf("New() = %v, want nil", err)
		}
		if got := len(h.Alerts()); got != 3 {
			t.Errorf("%d alerts, want 3 in any order", got)
		}
	}
}

// Server, agent and notifier can be left out of a process that shares its
// Store with others.
func TestPartsLeftOut(t *testing.T) {
	t.Parallel()
	for name, opts := range map[string][]hawkeye.Option{
		"server":   {hawkeye.WithoutServer()},
		"agent":    {hawkeye.WithoutAgent(), hawkeye.WithoutServer()},
		"notifier": {hawkeye.WithoutNotifier(), hawkeye.WithoutServer()},
		"all":      {hawkeye.WithoutAgent(), hawkeye.WithoutNotifier(), hawkeye.WithoutServer()},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			opts = append(opts, hawkeye.WithStore(fleetStore{newMemory(t)}), hawkeye.WithLogger(slog.New(slog.DiscardHandler)))
			h, err := hawkeye.New(opts...)
			if err != nil {
				t.Fatalf("New() = %v, want nil", err)
			}
			if err := h.Start(t.Context()); err != nil {
				t.Fatalf("Start() = %v, want nil", err)
			}
			h.Incr("orders")
			if r, err := h.Query(t.Context(), "orders", time.Minute); err != nil || r.Value != 1 {
				t.Errorf("Query() = %+v, %v, want 1", r, err)
			}
			stop(t, h)
		})
	}
}

// Files and monitors from code make a union, and a name that is in both is a
// mistake of both.
func TestUnionOfFilesAndCode(t *testing.T) {
	t.Parallel()
	const orders = `version: 2
receivers: {team: {email: {to: [a@example.com]}}}
monitors:
  - {name: orders, metric: orders, triggers: [{threshold: 5, notify: [team]}]}
`
	code := func(name string) hawkeye.Option {
		return hawkeye.WithMonitors(hawkeye.Monitor{Name: name, Metric: "m", Triggers: []hawkeye.Trigger{{Threshold: 1, To: []string{"a@example.com"}}}})
	}
	one, two := writeConfig(t, orders), writeConfig(t, twoSLAs)
	h, err := hawkeye.New(hawkeye.WithConfigFile(one), code("mine"), hawkeye.WithConfigFile(two), hawkeye.WithoutSocket())
	if err != nil {
		t.Fatalf("New() = %v, want nil", err)
	}
	if got := len(h.Alerts()); got != 4 {
		t.Errorf("%d alerts of two files and the code, want 4", got)
	}
	again := writeConfig(t, orders)
	for name, tt := range map[string]struct {
		opts []hawkeye.Option
		want []string
	}{
		"file and file":       {[]hawkeye.Option{hawkeye.WithConfigFile(one, again)}, []string{one + ":4:", again + ":"}},
		"file and code":       {[]hawkeye.Option{hawkeye.WithConfigFile(one), code("orders")}, []string{one + ":4:", "WithMonitors[0]"}},
		"code and code":       {[]hawkeye.Option{code("x"), code("x")}, []string{"WithMonitors[0]", "WithMonitors[1]"}},
		"two files that fail": {[]hawkeye.Option{hawkeye.WithConfigFile(writeConfig(t, "version: 1\nmonitor: []\n"), "gone.yaml")}, []string{"monitors.yaml:2:1", "gone.yaml"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := hawkeye.New(append(tt.opts, hawkeye.WithoutSocket())...)
			if !errors.Is(err, hawkeye.ErrInvalidConfig) || errors.Is(err, hawkeye.ErrInvalidOption) {
				t.Fatalf("New() = %v, want %v", err, hawkeye.ErrInvalidConfig)
			}
			for _, text := range tt.want {
				if !strings.Contains(err.Error(), text) {
					t.Errorf("New() = %v\nwant word of %q", err, text)
				}
			}
		})
	}
}
