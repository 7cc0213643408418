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

const (
	// namesAtOnce bounds the names of one script or HMGET.
	namesAtOnce = 500
	// namesFor is how long a name stays at least after it was published last.
	// Processes publish theirs again twice within a retention, which is at
	// most as long.
	namesFor = 24 * time.Hour
	// namesLonger is by how much a name outlives the buckets that it came
	// with: those that come after it, under a name that was published
	// already, need it for that much longer.
	namesLonger = time.Hour
	// fieldNamesSet is the field that tells one set of names from another.
	fieldNamesSet = "set"
	// namesSetEvery is how often it is asked for.
	namesSetEvery     = time.Second
	namesSetInCluster = 5 * time.Second
)

// queueNames adds the names, each unless its id is taken, to stay for as long
// as the buckets that use them, which are kept for keep. It lets go of others
// that nothing needs any more.
func (s *Store) queueNames(ctx context.Context, pipe redis.Pipeliner, names []store.Name, keep time.Duration) []*redis.Cmd {
	var cmds []*redis.Cmd
	for part := range slices.Chunk(names, namesAtOnce) {
		cmds = append(cmds, s.queueNamesPart(ctx, pipe, part, keep))
	}
	return cmds
}

func (s *Store) queueNamesPart(ctx context.Context, pipe redis.Pipeliner, part []store.Name, keep time.Duration) *redis.Cmd {
	least := max(keep+namesLonger, namesFor)
	args := make([]any, 0, 7+2*len(part))
	args = append(args, s.config.tick.Milliseconds(), time.Now().UnixMilli(),
		least.Milliseconds(), (least + least/8).Milliseconds(),
		(s.config.ledgerTTL - renewEvery).Milliseconds(), s.config.ledgerTTL.Milliseconds(), store.NewID().String())
	for _, name := range part {
		args = append(args, nameField(name.ID), name.Text)
	}
	return pipe.Eval(ctx, namesText, []string{s.keys.names, s.keys.until}, args...)
}

// queueNamesSet asks which set of names is stored, now and then: in a Cluster
// seldom, because names have a master of their own there.
func (s *Store) queueNamesSet(ctx context.Context, pipe redis.Pipeliner, published bool) *redis.StringCmd {
	pause := namesSetEvery
	if _, oneServer := s.client.(*redis.Client); !oneServer {
		pause = namesSetInCluster
	}
	if !every(&s.lastNamesSet, pause) && !published {
		return nil
	}
	return pipe.HGet(ctx, s.keys.names, fieldNamesSet)
}

// readNamesSet returns the set as it was seen last: zero if there are no
// names, or those who made them don't say.
func (s *Store) readNamesSet(cmd *redis.StringCmd) store.ID {
	s.namesSetMu.Lock()
	defer s.namesSetMu.Unlock()
	if cmd != nil && !isWrongType(cmd.Err()) {
		s.namesSet, _ = store.ParseID(cmd.Val()) // zero if it is none
	}
	return s.namesSet
}

// clashes are those of names whose id stands for another text.
func (s *Store) clashes(ctx context.Context, cmds []*redis.Cmd, names []store.Name) ([]store.Name, error) {
	var clashes []store.Name
	for i, cmd := range cmds {
		reply, _ := cmd.Slice()
		if textAt(reply, 0) != "ok" {
			return nil, s.foreignNames(textAt(reply, 1))
		}
		s.namesSeen.Store(true)
		s.checkTick(ctx, textAt(reply, 1))
		for _, at := range reply[min(2, len(reply)):] {
			if n, ok := at.(int64); ok && 0 < n && int(n) <= len(names)-i*namesAtOnce {
				clashes = append(clashes, names[i*namesAtOnce+int(n)-1])
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
	return s.foreignNames(s.keys.names)
}

func (s *Store) foreignNames(key string) error {
	s.namesSeen.Store(false)
	s.stats.foreign.Add(1)
	return fmt.Errorf("%w: %q (another type)", ErrForeign, key)
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
