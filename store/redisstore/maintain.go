package redisstore

import (
	"context"
	"log/slog"
	"strings"
	"time"
)

// checkAgain is how soon Maintain asks again when it got no answer.
const checkAgain = time.Minute

// Maintain implements [store.Maintainer]: it looks once at how the server is
// set up, says what is unfortunate about it, and waits for ctx to end. A
// server that denies INFO is not looked at.
func (s *Store) Maintain(ctx context.Context) error {
	if s.invalid != nil {
		return s.invalid
	}
	for {
		info, err := call(ctx, s, "read server settings", func(ctx context.Context) (string, error) {
			return s.client.Info(ctx).Result()
		})
		if err == nil {
			s.judge(ctx, parseInfo(info))
		}
		if err == nil || isReply(err) {
			<-ctx.Done()
			return nil
		}
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(checkAgain):
		}
	}
}

// parseInfo reads the "name:value" lines of INFO.
func parseInfo(info string) map[string]string {
	fields := map[string]string{}
	for line := range strings.Lines(info) {
		if name, value, ok := strings.Cut(strings.TrimSpace(line), ":"); ok {
			fields[name] = value
		}
	}
	return fields
}

// judge warns of settings under which the server forgets.
func (s *Store) judge(ctx context.Context, info map[string]string) {
	s.config.logger.LogAttrs(ctx, slog.LevelInfo, "redis server",
		slog.String("component", "redisstore"),
		slog.String("version", info["redis_version"]),
		slog.String("mode", info["redis_mode"]),
		slog.String("maxmemory_policy", info["maxmemory_policy"]),
		slog.Bool("append_only_file", info["aof_enabled"] == "1"))
	if policy := info["maxmemory_policy"]; policy != "" && policy != "noeviction" {
		s.warn(ctx, "the server evicts keys when memory is full; set maxmemory-policy to noeviction or give hawkeye a server of its own",
			slog.String("maxmemory_policy", policy))
	}
	if info["aof_enabled"] == "0" {
		s.warn(ctx, "the server keeps no append-only file; after a restart replicas publish and restore what they remember")
	}
}
