package hawkeye

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"math"
	"net/http"
	"slices"
	"strings"
	"time"
	"unicode"

	"github.com/go-batteries/hawkeye/internal/guard"
	"github.com/go-batteries/hawkeye/internal/ledger"
	"github.com/go-batteries/hawkeye/internal/monitor"
	"github.com/go-batteries/hawkeye/internal/trouble"
	"github.com/go-batteries/hawkeye/store"
	"github.com/go-batteries/hawkeye/store/memstore"
)

// Defaults of the options of the same name.
const (
	DefaultStartTimeout    = 2 * time.Second
	DefaultShutdownTimeout = 10 * time.Second
	DefaultSendTimeout     = 30 * time.Second
	// DefaultBlindAfter is how long a shared Store may be away before a
	// replica looks at its own counts alone.
	DefaultBlindAfter = 30 * time.Second
)

// Store is where what is counted and decided lies; see package store for its
// contract, store/memstore for the default and store/redisstore for a fleet.
type Store = store.Store

// Option changes what [New] makes. Options only record: New looks at all of
// them together, so their order doesn't matter, and reports every mistake at
// once.
type Option interface{ apply(*config) }

type optionFunc func(*config)

func (f optionFunc) apply(c *config) { f(c) }

// Limits bound what hawkeye takes in. A zero field means its default.
type Limits struct {
	// MaxSeries is how many series (name and tags) this process keeps;
	// default 10,000. What comes beyond goes to one overflow series a name.
	MaxSeries int
	// MaxTags is how many tags a series may have; default 64.
	MaxTags int
	// MaxLineBytes is the longest statsd line; default 8 KiB.
	MaxLineBytes int
	// MaxFrameBytes is the longest frame or JSON-RPC request; default 1 MiB.
	MaxFrameBytes int
	// MaxConnections is how many connections the socket serves; default
	// 1,024. More are accepted and closed at once.
	MaxConnections int
	// FrameTimeout is the time to finish a line, frame or request that was
	// begun; default 5 s.
	FrameTimeout time.Duration
	// MaxAbandonedSends is how many Sends that ignore their ctx may be
	// outstanding for a receiver before its further messages wait;
	// default 3. Nor is it sent more than so many at a time, or than 4.
	MaxAbandonedSends int
}

// config is what the options wrote down. Nothing in it is looked at before
// validate.
type config struct {
	service, environment string
	files                []string
	sources              []monitor.Source
	monitors             []Monitor
	code                 monitor.Options // what else comes from code
	noReload             bool
	mailer               MailingService
	sender               string
	store                Store
	storeSet             bool
	socket               string
	noSocket             bool
	datagram             string
	socketMode           fs.FileMode
	peers                []int
	anyPeer              bool
	gaugeDelta           bool
	gaugeTTL             time.Duration
	logger               *slog.Logger
	limits               Limits
	startTimeout         time.Duration
	shutdownTimeout      time.Duration
	sendTimeout          time.Duration
	blindAfter           time.Duration
	requireStore         bool
	noServer             bool
	noAgent              bool
	noNotifier           bool
	route                func(*http.Request) string
	reads                ledger.Formats
	problems             []error
}

// records says whether this process does nothing but count, for whatever
// fleet.
func (c *config) records() bool { return c.noAgent && c.noNotifier }

// WithService names what is watched: both go into every message. The service
// also names the default socket. Replicas that share a Store must have the same
// service and environment: those of others are refused, see docs/fleet.md.
// Default: the name of the executable, and no
// environment.
func WithService(name, environment string) Option {
	return optionFunc(func(c *config) { c.service, c.environment = name, environment })
}

// WithConfigFile adds files of monitors (see docs/monitors.md). They are read
// by [New]. Several files, and monitors given by [WithMonitors], make a union;
// the same name twice is an error that names both places.
func WithConfigFile(paths ...string) Option {
	paths = slices.Clone(paths)
	return optionFunc(func(c *config) { c.files = append(c.files, paths...) })
}

// WithMonitors adds monitors from code; see [WithConfigFile].
func WithMonitors(monitors ...Monitor) Option {
	monitors = slices.Clone(monitors)
	for i := range monitors {
		monitors[i] = monitors[i].clone()
	}
	return optionFunc(func(c *config) { c.monitors = append(c.monitors, monitors...) })
}

// WithMailer sets who carries mail. Default: the whole mail goes to the log,
// and Start warns that it does.
func WithMailer(m MailingService) Option {
	return optionFunc(func(c *config) {
		if f, ok := m.(MailerFunc); m == nil || ok && f == nil {
			c.problem("WithMailer", "want a MailingService, got nil")
		}
		c.mailer = m
	})
}

// WithFrom sets the sender of mails, unless a configuration file has its
// own `from`. Default: empty, which leaves it to the MailingService.
func WithFrom(address string) Option {
	return optionFunc(func(c *config) {
		if strings.ContainsFunc(address, unicode.IsControl) {
			c.problem("WithFrom", fmt.Sprintf("want an address without control characters, got %q", address))
		}
		c.sender = address
	})
}

// WithStore sets where counts and decisions lie. It stays the caller's:
// Shutdown doesn't close it. Default: memory.
func WithStore(s Store) Option {
	return optionFunc(func(c *config) {
		if s == nil {
			c.problem("WithStore", "want a Store, got nil")
		}
		c.store, c.storeSet = s, true
	})
}

// WithSocket sets the path of the metric server's stream socket. Then a path
// that can't be bound is an error of Start. Default: [DefaultSocketPath] of the
// service, and if that can't be bound, because another live process holds it
// say, a warning, and it is tried again in the background.
func WithSocket(path string) Option {
	return optionFunc(func(c *config) {
		if path == "" {
			c.problem("WithSocket", "want a path, got none; WithoutSocket turns the socket off")
		}
		c.socket = path
	})
}

// WithoutSocket turns the stream socket off, and so, unless there is a
// datagram socket, the metric server; what this process counts itself is not
// affected.
func WithoutSocket() Option { return optionFunc(func(c *config) { c.noSocket = true }) }

// WithDatagramSocket adds a Unix datagram socket for statsd clients that only
// speak datagrams. Default: none.
func WithDatagramSocket(path string) Option {
	return optionFunc(func(c *config) {
		if path == "" {
			c.problem("WithDatagramSocket", "want a path, got none")
		}
		c.datagram = path
	})
}

// WithSocketMode sets the permission bits of the socket files. Default 0600.
// The directory of the default path stays 0700 whatever the mode is.
func WithSocketMode(mode fs.FileMode) Option {
	return optionFunc(func(c *config) {
		if mode&^fs.ModePerm != 0 || mode&0o600 != 0o600 {
			c.problem("WithSocketMode", fmt.Sprintf("want permission bits with at least 0600, got %#o", uint32(mode)))
		}
		c.socketMode = mode
	})
}

// WithPeers sets which users may connect, by user id, where the system tells
// (Linux). Default: the process's own and root. No uid at all lets everybody
// in whom the file's mode lets in.
func WithPeers(uids ...int) Option {
	uids = slices.Clone(uids)
	return optionFunc(func(c *config) {
		for _, uid := range uids {
			if uid < 0 || int64(uid) > math.MaxUint32 {
				c.problem("WithPeers", fmt.Sprintf("want user ids, got %d", uid))
			}
		}
		c.peers, c.anyPeer = uids, len(uids) == 0
	})
}

// WithGaugeDelta makes a signed gauge on the wire ("g:-10|g") a change, as
// Etsy's statsd has it. Default: it sets the value, as DogStatsD has it.
func WithGaugeDelta() Option { return optionFunc(func(c *config) { c.gaugeDelta = true }) }

// WithGaugeTTL sets after how long a gauge is forgotten that comes by the socket
// and isn't sent again: whoever sent it may be gone, and the value of then says
// nothing of now. It has no value from then on, until it is sent again. What
// this process records itself stays. Default: gauges stay as long as this
// process lives. [Monitor.StaleAfter] is for a single monitor, and for gauges of
// any origin.
//
// New returns an error wrapping [ErrInvalidOption] if d < 1s.
func WithGaugeTTL(d time.Duration) Option {
	return optionFunc(func(c *config) {
		if d < time.Second {
			c.problem("WithGaugeTTL", fmt.Sprintf("want at least 1s, got %v", d))
		}
		c.gaugeTTL = d
	})
}

// WithLogger sets the logger. Default: [slog.Default] at the time of New.
func WithLogger(l *slog.Logger) Option {
	return optionFunc(func(c *config) {
		if l == nil {
			c.problem("WithLogger", "want a logger, got nil; slog.New(slog.DiscardHandler) is silent")
		}
		c.logger = l
	})
}

// WithLimits sets the bounds of what is taken in.
func WithLimits(l Limits) Option { return optionFunc(func(c *config) { c.limits = l }) }

// WithStartTimeout sets how long Start waits for the Store before it warns
// and goes on without. Default [DefaultStartTimeout].
func WithStartTimeout(d time.Duration) Option {
	return optionFunc(func(c *config) { c.startTimeout = c.positive("WithStartTimeout", d) })
}

// WithShutdownTimeout sets how long the Shutdown of [Hawkeye.Run] may take,
// and any other whose ctx has no deadline. Default [DefaultShutdownTimeout].
func WithShutdownTimeout(d time.Duration) Option {
	return optionFunc(func(c *config) { c.shutdownTimeout = c.positive("WithShutdownTimeout", d) })
}

// WithSendTimeout sets the deadline of one Send. Default
// [DefaultSendTimeout].
func WithSendTimeout(d time.Duration) Option {
	return optionFunc(func(c *config) { c.sendTimeout = c.positive("WithSendTimeout", d) })
}

// WithBlindAfter sets how long a shared Store may be away, or nothing may be
// evaluated in the whole fleet for another reason, before this process
// evaluates what it counts itself, and tells of it if it is among the first
// three of the replicas it last knew. Only growing counters are looked at:
// what one replica counts is in breach for the whole fleet, too. Default
// [DefaultBlindAfter].
func WithBlindAfter(d time.Duration) Option {
	return optionFunc(func(c *config) { c.blindAfter = c.positive("WithBlindAfter", d) })
}

// WithRequireStore makes it an error of Start, wrapping
// [ErrStoreUnavailable], when the Store doesn't answer in time. Default: a
// warning, because a monitor must not keep its host from starting.
func WithRequireStore() Option { return optionFunc(func(c *config) { c.requireStore = true }) }

// WithoutServer leaves out the metric server: this process takes no samples
// from others.
func WithoutServer() Option { return optionFunc(func(c *config) { c.noServer = true }) }

// WithoutAgent leaves evaluation to other processes on the same Store. With a
// Store that isn't shared that is an error of New.
func WithoutAgent() Option { return optionFunc(func(c *config) { c.noAgent = true }) }

// WithoutNotifier leaves sending to other processes on the same Store. With a
// Store that isn't shared that is an error of New.
func WithoutNotifier() Option { return optionFunc(func(c *config) { c.noNotifier = true }) }

// WithRouteName sets how the middleware names the route of a request, for routers
// whose pattern isn't in the request. An empty answer means that the request
// is looked at as if there were no WithRouteName. The answer must come from a
// bounded set: never the raw path. A panic counts as an empty answer.
func WithRouteName(route func(*http.Request) string) Option {
	return optionFunc(func(c *config) {
		if route == nil {
			c.problem("WithRouteName", "want a function, got nil")
		}
		c.route = route
	})
}

func (c *config) problem(option, text string) {
	c.problems = append(c.problems, fmt.Errorf("%w: %s: %s", ErrInvalidOption, option, text))
}

func (c *config) positive(option string, d time.Duration) time.Duration {
	if d <= 0 {
		c.problem(option, fmt.Sprintf("want a positive duration, got %v", d))
	}
	return d
}

// validate looks at all options together and returns every mistake.
func (c *config) validate() error {
	if c.noSocket && c.socket != "" {
		c.problem("WithoutSocket", "contradicts WithSocket")
	}
	if c.noServer && c.socket != "" {
		c.problem("WithoutServer", "contradicts WithSocket")
	}
	if c.noServer && c.datagram != "" {
		c.problem("WithoutServer", "contradicts WithDatagramSocket")
	}
	if c.socket != "" && c.socket == c.datagram {
		c.problem("WithDatagramSocket", "is the path of WithSocket as well")
	}
	c.limits.validate(c)
	c.guardStore()
	shared := c.storeSet && c.store != nil && c.store.Traits().Shared
	if !shared && c.noAgent {
		c.problem("WithoutAgent", "needs a Store that is shared with a process that evaluates; this one is not shared")
	}
	if !shared && c.noNotifier {
		c.problem("WithoutNotifier", "needs a Store that is shared with a process that notifies; this one is not shared")
	}
	if v, ok := guard.As[interface{ Validate() error }](c.store); ok {
		if err := guard.Step(v.Validate); err != nil {
			c.problems = append(c.problems, fmt.Errorf("%w: WithStore: %w", ErrInvalidOption, err))
		}
	}
	return errors.Join(c.problems...)
}

// guardStore puts a guard before a Store that isn't hawkeye's own memory.
func (c *config) guardStore() {
	if _, own := c.store.(*memstore.Store); c.store == nil || own && !guard.IsNilPointer(c.store) {
		return
	}
	if guard.IsNilPointer(c.store) {
		c.problem("WithStore", fmt.Sprintf("want a Store, got a nil %T", c.store))
		c.store = nil
		return
	}
	guarded, err := guard.NewStore(c.store)
	if err != nil {
		c.problem("WithStore", err.Error())
		c.store = nil
		return
	}
	c.store = guarded
}

func (l Limits) validate(c *config) {
	for _, f := range []struct {
		name  string
		value int64
	}{
		{"MaxSeries", int64(l.MaxSeries)}, {"MaxTags", int64(l.MaxTags)},
		{"MaxLineBytes", int64(l.MaxLineBytes)}, {"MaxFrameBytes", int64(l.MaxFrameBytes)},
		{"MaxConnections", int64(l.MaxConnections)}, {"FrameTimeout", int64(l.FrameTimeout)},
		{"MaxAbandonedSends", int64(l.MaxAbandonedSends)},
	} {
		if f.value < 0 {
			c.problem("WithLimits", fmt.Sprintf("%s is negative; 0 means its default", f.name))
		}
	}
}

// guardRoute makes a function of WithRouteName harmless: a request that was
// answered mustn't fail because of its name.
func guardRoute(logger *slog.Logger, route func(*http.Request) string) func(*http.Request) string {
	if route == nil {
		return nil
	}
	failing := trouble.New(logger, "the function of WithRouteName panics, and names no route", "the function of WithRouteName names routes again")
	return func(r *http.Request) (name string) {
		defer func() {
			if v := recover(); v != nil {
				name = ""
				failing.Note(context.Background(), guard.Caught(v))
			}
		}()
		return route(r)
	}
}
