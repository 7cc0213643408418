package redisstore

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/go-batteries/hawkeye/store"
)

const (
	// namesAgain is after which time names are sent once more. In a Cluster
	// they may lie on another master than the buckets that need them, and its
	// failover may lose them without anybody missing a bucket.
	namesAgain = 30 * time.Second
	// maxNamesAgain bounds those that wait for it.
	maxNamesAgain = 100_000
	// maxMarks bounds the writers of one process that we remember.
	maxMarks = 1_000
	// namesAtOnce bounds the fields of one HMGET.
	namesAtOnce = 500
)

// nameKeeper remembers what this process knows of the names hash.
type nameKeeper struct {
	mu sync.Mutex // guards the rest
	// marks holds, by writer, the mark of the hash that its names are in.
	// Another mark means that the hash was lost, evicted say, and made anew,
	// and with it the writer's names.
	marks map[store.ID]string
	again []sentNames
	count int // names in again
}

type sentNames struct {
	at    time.Time
	names []store.Name
}

// nameCmds are the commands of one publication that concern names.
type nameCmds struct {
	mark  *redis.StringCmd // nil if nobody needs it
	sent  []store.Name     // those of the publication, then those sent again
	again []sentNames
	texts []*redis.SliceCmd // of those of the publication
}

// queueNames adds the names that are new, those whose time for a second
// sending has come, and a look at the mark if the writer checks its buckets.
func (s *Store) queueNames(ctx context.Context, pipe redis.Pipeliner, p store.Publication) *nameCmds {
	n := &nameCmds{sent: p.Names, again: s.names.due(time.Now())}
	for _, batch := range n.again {
		n.sent = slices.Concat(n.sent, batch.names)
	}
	if len(n.sent) == 0 && len(p.Check) == 0 {
		return n
	}
	if len(n.sent) > 0 {
		pipe.HSetNX(ctx, s.keys.names, nameMark, fmt.Sprintf("%d %v", s.config.tick.Milliseconds(), store.NewID()))
	}
	n.mark = pipe.HGet(ctx, s.keys.names, nameMark)
	for _, name := range n.sent {
		pipe.HSetNX(ctx, s.keys.names, nameField(name.ID), name.Text)
	}
	for part := range slices.Chunk(p.Names, namesAtOnce) {
		fields := make([]string, len(part))
		for i, name := range part {
			fields[i] = nameField(name.ID)
		}
		n.texts = append(n.texts, pipe.HMGet(ctx, s.keys.names, fields...))
	}
	if len(n.sent) > 0 {
		pipe.PExpire(ctx, s.keys.names, s.config.ledgerTTL)
	}
	return n
}

// readNames finds the clashes, and whether the hash was lost since the writer
// last looked.
func (s *Store) readNames(ctx context.Context, n *nameCmds, p store.Publication) (clashes []store.Name, lost bool, err error) {
	if n.mark == nil {
		return nil, false, nil
	}
	if err := s.namesError(n.mark.Err()); err != nil {
		s.names.keep(n.again...)
		return nil, false, err
	}
	for i, cmd := range n.texts {
		for j, stored := range cmd.Val() {
			name := p.Names[i*namesAtOnce+j]
			if stored != nil && text(stored) != name.Text {
				clashes = append(clashes, name)
			}
		}
	}
	mark := n.mark.Val()
	if len(p.Names) > 0 {
		s.names.keep(sentNames{at: time.Now(), names: slices.Clone(p.Names)})
	}
	s.checkTick(ctx, mark)
	return clashes, s.names.lost(p.Writer, mark, len(p.Check) > 0), nil
}

// namesError says that the hash isn't ours. Without names buckets can't be
// read, so it is no case for skipping.
func (s *Store) namesError(err error) error {
	if !isWrongType(err) {
		return nil
	}
	s.stats.foreign.Add(1)
	return fmt.Errorf("%w: %q (another type)", ErrForeign, s.keys.names)
}

// checkTick warns if those who made the names hash use ticks of another width.
func (s *Store) checkTick(ctx context.Context, mark string) {
	width, _, _ := strings.Cut(mark, " ")
	if ms, err := strconv.ParseInt(width, 10, 64); err == nil && ms != s.config.tick.Milliseconds() {
		s.warn(ctx, "replicas under this prefix use another tick; they don't see each other's samples",
			slog.Duration("tick", s.config.tick), slog.Duration("theirs", time.Duration(ms)*time.Millisecond))
	}
}

// lost compares the hash's mark with the one that writer last saw. A loss is
// told when the writer checks, for then it can be told what to publish again.
func (k *nameKeeper) lost(writer store.ID, mark string, checks bool) bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	before, seen := k.marks[writer]
	if seen && before != mark {
		if checks && mark != "" {
			k.marks[writer] = mark
		}
		return checks
	}
	if mark != "" && !seen {
		if len(k.marks) >= maxMarks {
			clear(k.marks)
		}
		k.marks[writer] = mark
	}
	return false
}

// due takes out the names whose time for a second sending has come.
func (k *nameKeeper) due(now time.Time) []sentNames {
	k.mu.Lock()
	defer k.mu.Unlock()
	i := 0
	for i < len(k.again) && now.Sub(k.again[i].at) >= namesAgain {
		k.count -= len(k.again[i].names)
		i++
	}
	due := slices.Clone(k.again[:i])
	k.again = slices.Delete(k.again, 0, i)
	return due
}

// keep puts names away for a second sending, those that failed in front.
func (k *nameKeeper) keep(batches ...sentNames) {
	k.mu.Lock()
	defer k.mu.Unlock()
	for _, b := range batches {
		if k.count+len(b.names) > maxNamesAgain {
			continue
		}
		k.count += len(b.names)
		i, _ := slices.BinarySearchFunc(k.again, b, func(a, b sentNames) int { return a.at.Compare(b.at) })
		k.again = slices.Insert(k.again, i, b)
	}
}

// Names implements [store.Samples].
func (s *Store) Names(ctx context.Context, ids []uint64) (map[uint64]string, error) {
	const op = "read names"
	if s.invalid != nil {
		return nil, s.invalid
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
	names := make(map[uint64]string, len(ids))
	if len(cmds) == 0 {
		return names, nil
	}
	if err := s.exec(ctx, op, pipe); err != nil {
		return nil, err
	}
	for i, cmd := range cmds {
		if err := s.namesError(cmd.Err()); err != nil {
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
