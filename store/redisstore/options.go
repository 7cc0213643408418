package redisstore

import (
	"errors"
	"fmt"
	"log/slog"
	"reflect"
	"strings"
	"time"

	"github.com/go-batteries/hawkeye/internal/guard"
	"github.com/redis/go-redis/v9"
)

// Defaults of the options.
const (
	DefaultPrefix    = "hawkeye"
	DefaultTick      = time.Second
	DefaultRetention = 5 * time.Minute
	DefaultLedgerTTL = 7 * 24 * time.Hour
)

// ErrInvalidOption is wrapped by the errors of [Store.Validate].
var ErrInvalidOption = errors.New("redisstore: invalid option")

// Option configures a Store. The order of options doesn't matter.
type Option interface{ apply(*config) }

type option func(*config)

func (o option) apply(c *config) { o(c) }

type config struct {
	prefix    string
	tick      time.Duration
	retention time.Duration
	ledgerTTL time.Duration
	logger    *slog.Logger
}

func defaultConfig() config {
	return config{
		prefix:    DefaultPrefix,
		tick:      DefaultTick,
		retention: DefaultRetention,
		ledgerTTL: DefaultLedgerTTL,
		logger:    slog.Default(),
	}
}

// WithPrefix sets what every key begins with, overriding [DefaultPrefix]
// ("hawkeye"); a colon follows it. Services with different prefixes share a
// server without seeing each other, and an ACL can name the prefix.
//
// Validate reports a prefix that is empty, longer than 100 bytes, or holds a
// space, a control character, one of {}*?[]\ or anything that isn't ASCII.
func WithPrefix(prefix string) Option {
	return option(func(c *config) { c.prefix = prefix })
}

// WithTick sets the width of a fine tick, overriding [DefaultTick] (1s): how
// often each replica writes, and how soon a breach is seen. All replicas that
// share a prefix must agree on it; those that don't are warned and do not see
// each other's samples. Take a new prefix to change it.
//
// Validate reports d < 10ms, d > 1m, and a d that isn't whole milliseconds.
func WithTick(d time.Duration) Option {
	return option(func(c *config) { c.tick = d })
}

// WithRetention sets how long a fine bucket stays readable after its tick,
// overriding [DefaultRetention] (5m): how long an outage of the evaluator may
// last without losing the fine resolution, and what each process keeps of its
// own to publish again.
//
// Validate reports d < 20 ticks and d > 24h.
func WithRetention(d time.Duration) Option {
	return option(func(c *config) { c.retention = d })
}

// WithLedgerTTL sets how long the ledger and the names of series outlive the
// last process that used them, overriding [DefaultLedgerTTL] (7 days).
//
// Validate reports a d that is less than an hour or less than the retention.
func WithLedgerTTL(d time.Duration) Option {
	return option(func(c *config) { c.ledgerTTL = d })
}

// WithLogger sets where warnings go, overriding [slog.Default].
//
// Validate reports nil.
func WithLogger(l *slog.Logger) Option {
	return option(func(c *config) { c.logger = l })
}

func (c *config) validate(client redis.UniversalClient) error {
	var errs []error
	bad := func(format string, args ...any) {
		errs = append(errs, fmt.Errorf("%w: "+format, append([]any{ErrInvalidOption}, args...)...))
	}
	if isNil(client) {
		bad("New: client is nil")
	}
	if _, ring := client.(*redis.Ring); ring {
		bad("New: client is a *redis.Ring, which can't fail over")
	}
	if c.prefix == "" || len(c.prefix) > 100 || strings.ContainsFunc(c.prefix, unfitForPrefix) {
		bad("WithPrefix(%q): want 1 to 100 printable ASCII characters without space and {}*?[]\\", c.prefix)
	}
	if c.tick < 10*time.Millisecond || c.tick > time.Minute || c.tick%time.Millisecond != 0 {
		bad("WithTick(%v): want whole milliseconds from 10ms to 1m", c.tick)
	}
	if c.retention < 20*c.tick || c.retention > 24*time.Hour {
		bad("WithRetention(%v): want 20 ticks (%v) to 24h", c.retention, 20*c.tick)
	}
	if c.ledgerTTL < time.Hour || c.ledgerTTL < c.retention {
		bad("WithLedgerTTL(%v): want at least 1h and the retention (%v)", c.ledgerTTL, c.retention)
	}
	if c.logger == nil {
		bad("WithLogger: logger is nil")
	}
	c.logger = guard.Logger(c.logger)
	return errors.Join(errs...)
}

func unfitForPrefix(r rune) bool {
	return r <= ' ' || r > '~' || strings.ContainsRune(`{}*?[]\`, r)
}

// isNil also recognises a nil *redis.Client in the interface, which is what a
// caller has who ignored the error of its own constructor.
func isNil(client redis.UniversalClient) bool {
	if client == nil {
		return true
	}
	v := reflect.ValueOf(client)
	return v.Kind() == reflect.Pointer && v.IsNil()
}
