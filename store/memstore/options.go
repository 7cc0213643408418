package memstore

import (
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/go-batteries/hawkeye/internal/guard"
)

// What a Store does unless an [Option] says otherwise.
const (
	DefaultTick          = 200 * time.Millisecond
	DefaultRetention     = 5 * time.Minute
	DefaultStateInterval = 10 * time.Second
)

const (
	minTick           = 10 * time.Millisecond
	minRetentionTicks = 10 // a writer is live by the ten ticks before
	minStateInterval  = time.Second
)

// ErrInvalidOption is wrapped by every error of [New] that an [Option] is to
// blame for.
var ErrInvalidOption = errors.New("memstore: invalid option")

// Option changes what [New] makes. The order of options does not matter.
type Option interface{ apply(*config) }

type option func(*config)

func (o option) apply(c *config) { o(c) }

// WithTick sets the width of the finest tick, overriding [DefaultTick]
// (200ms). It is how soon a sample can be evaluated.
//
// New returns an error if d < 10ms.
func WithTick(d time.Duration) Option {
	return option(func(c *config) { c.tick = d })
}

// WithRetention sets how long fine buckets stay readable, overriding
// [DefaultRetention] (5 minutes).
//
// New returns an error if d is shorter than ten ticks.
func WithRetention(d time.Duration) Option {
	return option(func(c *config) { c.retention = d })
}

// WithStateFile names the file that keeps the Store over a restart; there is
// none by default. The file belongs to one process at a time; its directory
// must exist. It is written with mode 0600, by [Store.Maintain] and
// [Store.Sync], each time as a new file that replaces the old one.
//
// New returns an error if path is empty, its directory does not exist, or
// path is something other than a regular file.
func WithStateFile(path string) Option {
	return option(func(c *config) { c.stateFile, c.hasStateFile = path, true })
}

// WithStateInterval sets how often [Store.Maintain] writes the state file,
// overriding [DefaultStateInterval] (10s): a crash loses as much. Without
// [WithStateFile] it changes nothing.
//
// New returns an error if d < 1s.
func WithStateInterval(d time.Duration) Option {
	return option(func(c *config) { c.stateInterval = d })
}

// WithLogger sets where warnings about the state file go, overriding
// [slog.Default].
//
// New returns an error if l is nil.
func WithLogger(l *slog.Logger) Option {
	return option(func(c *config) { c.logger = l })
}

type config struct {
	tick          time.Duration
	retention     time.Duration
	stateFile     string
	hasStateFile  bool
	stateInterval time.Duration
	logger        *slog.Logger
}

func defaultConfig() config {
	return config{
		tick:          DefaultTick,
		retention:     DefaultRetention,
		stateInterval: DefaultStateInterval,
		logger:        slog.Default(),
	}
}

func (c *config) validate() error {
	var errs []error
	bad := func(format string, args ...any) {
		errs = append(errs, fmt.Errorf("%w: "+format, append([]any{ErrInvalidOption}, args...)...))
	}
	if c.tick < minTick {
		bad("WithTick(%v): the least is %v", c.tick, minTick)
	}
	if c.retention < minRetentionTicks*c.tick || c.retention <= 0 {
		bad("WithRetention(%v): the least is %d ticks of %v", c.retention, minRetentionTicks, c.tick)
	}
	if c.stateInterval < minStateInterval {
		bad("WithStateInterval(%v): the least is %v", c.stateInterval, minStateInterval)
	}
	if c.hasStateFile {
		path, err := resolve(c.stateFile)
		if err != nil {
			bad("WithStateFile(%q): %w", c.stateFile, err)
		}
		c.stateFile = path
	}
	if c.logger == nil {
		bad("WithLogger(nil)")
	}
	c.logger = guard.Logger(c.logger)
	return errors.Join(errs...)
}
