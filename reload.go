package hawkeye

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/go-batteries/hawkeye/internal/guard"
	"github.com/go-batteries/hawkeye/internal/monitor"
	"github.com/go-batteries/hawkeye/internal/pulse"
)

// lookEvery is how often the configuration's files are read to see whether
// they changed. What changed is used once two looks found the same, so that a
// file that is being written is left alone.
const lookEvery = time.Second

// WithoutReload leaves the configuration alone when its files change;
// [Hawkeye.Reload] still works. Default: their content is looked at every
// second, and a change is used within two or three.
func WithoutReload() Option { return optionFunc(func(c *config) { c.noReload = true }) }

// reloader keeps the configuration as its files say.
type reloader struct {
	files  []string
	logger *slog.Logger
	use    func(context.Context, []monitor.Source) error // puts them in force

	turn chan struct{} // capacity 1: one Reload at a time

	mu     sync.Mutex // guards what follows
	inUse  [32]byte   // sum of the files' content that was used last, or failed
	failed error      // why the newest content isn't used
}

// newReloader returns a reloader of a configuration that was made of files
// with the given sum.
func newReloader(c *config, loaded [32]byte, use func(context.Context, []monitor.Source) error) *reloader {
	return &reloader{files: c.files, logger: c.logger, use: use, turn: make(chan struct{}, 1), inUse: loaded}
}

// Reload reads the configuration's files again and puts them in force. What
// comes from code stays. A configuration with a mistake is not used: the old
// one goes on, and the error, which wraps [ErrInvalidConfig] or is the
// system's own, is returned and shown by [Hawkeye.Health] until a later one
// succeeds.
//
// Alerts keep their state, by the monitor's name and the group's tags, through
// every edit but removal. A monitor that is removed ends its alerts, and their
// receivers hear that it was removed, as far as those are still there. The
// service's name and environment stay what they were at [New].
//
// It returns once the configuration is in force, which evaluation follows at
// its next tick. After Shutdown it returns [ErrShutdown].
func (h *Hawkeye) Reload(ctx context.Context) error {
	ctx = guard.Context(ctx)
	if h == nil {
		return fmt.Errorf("reload: %w", ErrNilHandle)
	}
	if h.shut.hasBegun() {
		return ErrShutdown
	}
	select {
	case h.reloader.turn <- struct{}{}:
		defer func() { <-h.reloader.turn }()
	case <-ctx.Done():
		return fmt.Errorf("reload: %w", context.Cause(ctx))
	}
	sources, err := monitor.Read(h.cfg.files...)
	if err != nil {
		err = fmt.Errorf("reload: %w", err)
		h.reloader.note(h.reloader.sum(), err)
		return err
	}
	return h.use(ctx, sources)
}

// use puts files in force.
func (h *Hawkeye) use(ctx context.Context, sources []monitor.Source) error {
	set, err := h.cfg.parse(sources)
	h.reloader.note(sum(sources), err)
	if err != nil {
		h.logger.LogAttrs(ctx, slog.LevelError, "the configuration has mistakes, the one before stays in force",
			slog.Any("error", err))
		return err
	}
	if set.Hash == h.setup().Set.Hash {
		return nil
	}
	h.current.Replace(newRuleset(&h.cfg, set))
	h.reg.WatchGauges(set.Stale())
	h.notifier.Reload()
	h.logger.LogAttrs(ctx, slog.LevelInfo, "configuration reloaded", append(counted(set), slog.String("hash", set.Hash))...)
	for i := range set.Lints {
		h.logger.LogAttrs(ctx, slog.LevelWarn, "a doubt about the configuration", slog.String("doubt", set.Lints[i].String()))
	}
	return nil
}

func (r *reloader) note(sum [32]byte, err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.inUse, r.failed = sum, err
}

func (r *reloader) sum() [32]byte {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.inUse
}

// problem is why the files' newest content isn't in force; nil if it is.
func (r *reloader) problem() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.failed
}

// run looks at the files again and again. Their content is what counts, not
// their times: Kubernetes swaps a symbolic link, and a copy may keep its time.
func (r *reloader) run(ctx context.Context) error {
	ticker := time.NewTicker(lookEvery)
	defer ticker.Stop()
	before := r.sum()
	var missing string // the read error that was logged
	alive := pulse.Of(ctx)
	for {
		alive.Rest()
		select {
		case <-ticker.C:
		case <-ctx.Done():
			return nil
		}
		alive.Work()
		sources, err := monitor.Read(r.files...)
		if err != nil {
			if missing != err.Error() {
				missing = err.Error()
				r.logger.LogAttrs(ctx, slog.LevelWarn, "the configuration can't be read, it stays as it was", slog.Any("error", err))
			}
			r.note(r.sum(), err)
			continue
		}
		now := sum(sources)
		if missing != "" && now == r.sum() {
			r.note(now, nil)
		}
		missing = ""
		if now == before && now != r.sum() {
			alive.Rest() // who reloads may take its time
			select {
			case r.turn <- struct{}{}:
				alive.Work()
				_ = r.use(ctx, sources) // logged, and shown by Health
				<-r.turn
			case <-ctx.Done():
				return nil
			}
		}
		before = now
	}
}
