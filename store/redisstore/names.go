package redisstore

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"strconv"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/go-batteries/hawkeye/store"
)

// namesAtOnce bounds the fields of one HMGET.
const namesAtOnce = 500

// nameCmds are the commands of one publication that concern names.
type nameCmds struct {
	tick  *redis.StringCmd // nil if there are no names
	texts []*redis.SliceCmd
}

// queueNames adds the names, each unless its id is taken, and asks what the
// ids stand for.
func (s *Store) queueNames(ctx context.Context, pipe redis.Pipeliner, names []store.Name) nameCmds {
	var n nameCmds
	if len(names) == 0 {
		return n
	}
	pipe.HSetNX(ctx, s.keys.names, tickField, s.config.tick.Milliseconds())
	n.tick = pipe.HGet(ctx, s.keys.names, tickField)
	for part := range slices.Chunk(names, namesAtOnce) {
		fields := make([]string, len(part))
		for i, name := range part {
			fields[i] = nameField(name.ID)
			pipe.HSetNX(ctx, s.keys.names, fields[i], name.Text)
		}
		n.texts = append(n.texts, pipe.HMGet(ctx, s.keys.names, fields...))
	}
	s.queueExtend(ctx, pipe, s.keys.names, s.config.ledgerTTL-renewEvery, s.config.ledgerTTL)
	return n
}

// clashes are those of names whose id stands for another text.
func (s *Store) clashes(ctx context.Context, n nameCmds, names []store.Name) ([]store.Name, error) {
	if n.tick == nil {
		return nil, nil
	}
	if err := s.namesError(n.tick); err != nil {
		return nil, err
	}
	s.namesSeen.Store(true)
	s.checkTick(ctx, n.tick.Val())
	var clashes []store.Name
	for i, cmd := range n.texts {
		for j, stored := range cmd.Val() {
			if name := names[i*namesAtOnce+j]; text(stored) != name.Text {
				clashes = append(clashes, name)
			}
		}
	}
	return clashes, nil
}

// namesError says that the hash isn't ours. Without names buckets can't be
// read, so it is no case for skipping.
func (s *Store) namesError(cmd redis.Cmder) error {
	if !isWrongType(cmd.Err()) {
		return nil
	}
	s.namesSeen.Store(false)
	s.stats.foreign.Add(1)
	return fmt.Errorf("%w: %q (another type)", ErrForeign, s.keys.names)
}

// checkTick warns if those who made the names hash use ticks of another width.
func (s *Store) checkTick(ctx context.Context, width string) {
	if ms, err := strconv.ParseInt(width, 10, 64); err == nil && ms != s.config.tick.Milliseconds() {
		s.warn(ctx, "replicas under this prefix use another tick; they don't see each other's samples",
			slog.Duration("tick", s.config.tick), slog.Duration("theirs", time.Duration(ms)*time.Millisecond))
	}
}

// Names implements [store.Samples].
func (s *Store) Names(ctx context.Context, ids []uint64) (map[uint64]string, error) {
	const op = "read names"
	names := make(map[uint64]string, len(ids))
	if s.invalid != nil || len(ids) == 0 {
		return names, s.invalid
	}
	pipe := s.client.Pipeline()
	var cmds []*redis.SliceCmd
	for part := range slices.Chunk(ids, namesAtOnce) {
		fields := make([]string, len(part))
		for i, id := range part {
			fields[i] = nameField(id)
		}
		cmds = append(cmds, pipe.HMGet(ctx, s.keys.names, fields...))
	}
	if err := s.exec(ctx, op, pipe); err != nil {
		return nil, err
	}
	for i, cmd := range cmds {
		if err := s.namesError(cmd); err != nil {
			return nil, fmt.Errorf("%s: %w", op, err)
		}
		for j, stored := range cmd.Val() {
			if name, ok := stored.(string); ok {
				names[ids[i*namesAtOnce+j]] = name
			}
		}
	}
	return names, nil
}
