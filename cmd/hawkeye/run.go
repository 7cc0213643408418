package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"os/signal"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/go-batteries/hawkeye"
)

// runCmd is hawkeye as a process of its own. Each flag may come from the
// environment instead (see environment).
type runCmd struct {
	Config      []string      `default:"${config}" help:"Configuration: files, folders or patterns; together they are one. Default: monitors.yaml." placeholder:"FILE"`
	Only        []string      `enum:"server,agent,notifier" help:"Run only these parts; the others run elsewhere over the same store: server, agent, notifier." placeholder:"PART"`
	Store       string        `default:"memory:" help:"Where counts and alerts lie: memory:, memory:FILE (kept over restarts), redis://..., rediss://... or unix://... (shared by processes). Default: memory:" placeholder:"URL"`
	Prefix      string        `default:"${prefix}" help:"What each key in Redis begins with."`
	SMTP        string        `name:"smtp" help:"Mail server: smtp://USER:PASSWORD@HOST:PORT, or smtps://. Without it mails go to the log." placeholder:"URL"`
	From        string        `help:"Sender of mails, unless the configuration has its own." placeholder:"ADDRESS"`
	Socket      string        `help:"Path of the metric server's socket. Default: one that belongs to the service's name." placeholder:"PATH"`
	Datagram    string        `help:"Path of a datagram socket for statsd clients. Default: none." placeholder:"PATH"`
	SocketMode  string        `help:"Permission bits of the sockets, such as 0660. Default: 0600." placeholder:"MODE"`
	Peers       []int         `help:"User ids that may send, beside our own and root." placeholder:"UID"`
	GaugeTTL    time.Duration `name:"gauge-ttl" help:"After how long a gauge is forgotten that isn't sent again. Default: never." placeholder:"DURATION"`
	Service     string        `help:"Name of what is watched, unless the configuration has one." placeholder:"NAME"`
	Environment string        `help:"Name of the environment, unless the configuration has one." placeholder:"NAME"`

	RequireStore bool          `help:"Exit with 75 if the store doesn't answer at the start."`
	DrainTimeout time.Duration `default:"30s" help:"How long to go on at the end until everything is evaluated and sent."`
	LogLevel     slog.Level    `default:"info" help:"debug, info, warn or error." placeholder:"LEVEL"`
	LogFormat    string        `default:"text" enum:"text,json" help:"text or json." placeholder:"FORMAT"`
}

// defaultConfig is the configuration that a working directory holds.
const defaultConfig = "monitors.yaml"

// The parts of a process.
const (
	partServer   = "server"
	partAgent    = "agent"
	partNotifier = "notifier"
)

// Run runs until SIGINT or SIGTERM, then sends what is still to be told. A
// second signal ends it at once.
func (cmd *runCmd) Run(c *console) error {
	logger := cmd.logger(c)
	opts, closeStore, err := cmd.options(c, logger)
	if err != nil {
		return err
	}
	defer closeStore()
	h, err := hawkeye.New(opts...)
	if err != nil {
		return cmd.explain(c, err)
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	context.AfterFunc(ctx, stop) // the next signal does what it does without us
	defer reloadOnHangUp(ctx, h, logger)()
	err = h.Run(ctx)
	if errors.Is(err, hawkeye.ErrStoreUnavailable) {
		fmt.Fprintf(c.err, "hawkeye: %v\n", err)
		return exitCode(exitNoStore)
	}
	return err
}

// has says whether a part runs in this process.
func (cmd *runCmd) has(part string) bool {
	return len(cmd.Only) == 0 || slices.Contains(cmd.Only, part)
}

// options are those of the handle. The flags of a part that isn't run are
// looked at and left out, so that all processes can share one environment.
func (cmd *runCmd) options(c *console, logger *slog.Logger) (opts []hawkeye.Option, closeStore func(), err error) {
	var problems []error
	note := func(err error) {
		if err != nil {
			problems = append(problems, err)
		}
	}
	mailer, err := cmd.mailer()
	note(err)
	mode, err := cmd.socketMode()
	note(err)
	files, err := cmd.files()
	note(err)
	place, err := cmd.openStore(logger)
	note(err)
	if err == nil && len(cmd.Only) > 0 && !place.shared && !(cmd.has(partServer) && cmd.has(partAgent) && cmd.has(partNotifier)) {
		note(fmt.Errorf("--only %s needs a store that processes share: --store redis://...; the store is %s",
			strings.Join(cmd.Only, ","), place.name))
	}
	if err := errors.Join(problems...); err != nil {
		place.close()
		return nil, nil, err
	}
	opts = []hawkeye.Option{
		hawkeye.WithLogger(logger), hawkeye.WithStore(place.store), hawkeye.WithConfigFile(files...),
		hawkeye.WithService(cmd.Service, cmd.Environment), hawkeye.WithShutdownTimeout(cmd.DrainTimeout),
	}
	add := func(on bool, o ...hawkeye.Option) {
		if on {
			opts = append(opts, o...)
		}
	}
	add(!cmd.has(partServer), hawkeye.WithoutServer())
	add(!cmd.has(partAgent), hawkeye.WithoutAgent())
	add(!cmd.has(partNotifier), hawkeye.WithoutNotifier())
	add(cmd.has(partServer) && cmd.Socket != "", hawkeye.WithSocket(cmd.Socket))
	add(cmd.has(partServer) && cmd.Datagram != "", hawkeye.WithDatagramSocket(cmd.Datagram))
	add(mode != 0, hawkeye.WithSocketMode(mode))
	add(cmd.GaugeTTL != 0, hawkeye.WithGaugeTTL(cmd.GaugeTTL))
	add(len(cmd.Peers) > 0, hawkeye.WithPeers(append(cmd.Peers, os.Getuid())...))
	add(mailer != nil, hawkeye.WithMailer(mailer))
	add(cmd.From != "", hawkeye.WithFrom(cmd.From))
	add(cmd.RequireStore, hawkeye.WithRequireStore())
	return opts, place.close, nil
}

// files are the configuration's. A process that only takes samples doesn't
// need one, unless it was asked for.
func (cmd *runCmd) files() ([]string, error) {
	if !slices.Equal(cmd.Config, []string{defaultConfig}) {
		return cmd.Config, nil
	}
	switch _, err := os.Stat(defaultConfig); {
	case err == nil:
		return cmd.Config, nil
	case !errors.Is(err, fs.ErrNotExist):
		return nil, fmt.Errorf("read configuration: %w", err)
	case cmd.has(partAgent) || cmd.has(partNotifier):
		return nil, fmt.Errorf("there is no %s in this folder; --config names another file", defaultConfig)
	}
	return nil, nil
}

// socketMode reads the permission bits; 0 stands for the default.
func (cmd *runCmd) socketMode() (fs.FileMode, error) {
	if cmd.SocketMode == "" {
		return 0, nil
	}
	var mode uint32
	if _, err := fmt.Sscanf(cmd.SocketMode+" ", "%o ", &mode); err != nil || mode == 0 || mode > uint32(fs.ModePerm) {
		return 0, fmt.Errorf("--socket-mode: expected permission bits such as 0660, found %q", cmd.SocketMode)
	}
	return fs.FileMode(mode), nil
}

func (cmd *runCmd) logger(c *console) *slog.Logger {
	options := &slog.HandlerOptions{Level: cmd.LogLevel}
	if cmd.LogFormat == "json" {
		return slog.New(slog.NewJSONHandler(c.err, options))
	}
	return slog.New(slog.NewTextHandler(c.err, options))
}

// explain tells the mistakes of a configuration as check does.
func (cmd *runCmd) explain(c *console, err error) error {
	if errors.Is(err, hawkeye.ErrInvalidConfig) && told(c, err) == exitCode(exitError) {
		return exitCode(exitError)
	}
	return err
}

// reloadOnHangUp reads the configuration again at each SIGHUP. The handle
// itself logs what comes of it.
func reloadOnHangUp(ctx context.Context, h *hawkeye.Hawkeye, logger *slog.Logger) (stop func()) {
	hangUp := make(chan os.Signal, 1)
	signal.Notify(hangUp, syscall.SIGHUP)
	done := make(chan struct{})
	go func() {
		defer close(done)
		for range hangUp {
			if err := h.Reload(ctx); err != nil && !errors.Is(err, hawkeye.ErrInvalidConfig) && !errors.Is(err, hawkeye.ErrShutdown) {
				logger.Error("the configuration can't be read, the one before stays in force", "error", err)
			}
		}
	}()
	return func() {
		signal.Stop(hangUp)
		close(hangUp)
		<-done
	}
}
