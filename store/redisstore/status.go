package redisstore

import (
	"context"
	"fmt"
	"strconv"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/go-batteries/hawkeye/store"
)

// statusCmds ask for the time and for where the ledger stands: two cheap
// commands, or one script where the client may talk to several servers. Each
// of those has a clock of its own, and hawkeye must see but one: that of the
// ledger's.
type statusCmds struct {
	time   *redis.TimeCmd
	head   *redis.SliceCmd
	script *redis.Cmd
}

func (s *Store) queueStatus(ctx context.Context, pipe redis.Pipeliner) statusCmds {
	if _, oneServer := s.client.(*redis.Client); !oneServer {
		return statusCmds{script: pipe.Eval(ctx, statusText, []string{s.keys.ledger})}
	}
	return statusCmds{
		time: pipe.Time(ctx),
		head: pipe.HMGet(ctx, s.keys.ledger, fieldVersion, fieldEpoch, fieldRev, fieldCommit),
	}
}

// readStatus reads the answers. The Cursor is zero if no ledger is open.
func (s *Store) readStatus(ctx context.Context, cmds statusCmds) (time.Time, store.Cursor, error) {
	now, head, err := cmds.read()
	if err != nil {
		return time.Time{}, store.Cursor{}, err
	}
	if now.IsZero() {
		s.warn(ctx, "the server denies TIME; using this machine's clock")
		now = time.Now()
	}
	cursor, ok := parseHead(head)
	if !ok {
		s.skipped(ctx, s.keys.ledger, "no ledger of ours")
	}
	s.ledgerSeen.Store(!cursor.Epoch.IsZero())
	if cursor.Epoch.IsZero() {
		return now, store.Cursor{}, nil
	}
	return now, cursor, nil
}

// read returns no time where TIME is denied, and no head where the key isn't
// ours.
func (c statusCmds) read() (now time.Time, head []any, err error) {
	if c.script == nil {
		return c.time.Val(), c.head.Val(), nil
	}
	list, err := c.script.Slice()
	if err != nil {
		return now, nil, err
	}
	if len(list) != 3 {
		return now, nil, fmt.Errorf("status script answered %d values, want 3", len(list))
	}
	sec, err1 := strconv.ParseInt(text(list[0]), 10, 64)
	usec, err2 := strconv.ParseInt(text(list[1]), 10, 64)
	if err1 == nil && err2 == nil {
		now = time.Unix(sec, usec*1000)
	}
	head, _ = list[2].([]any)
	return now, head, nil
}

// Now implements [store.Samples]. It is the time of the server that holds the
// ledger, or our own where the TIME command is denied.
func (s *Store) Now(ctx context.Context) (time.Time, error) {
	const op = "read store time"
	if s.invalid != nil {
		return time.Time{}, s.invalid
	}
	pipe := s.client.Pipeline()
	status := s.queueStatus(ctx, pipe)
	if err := s.exec(ctx, op, pipe); err != nil {
		return time.Time{}, err
	}
	now, _, err := s.readStatus(ctx, status)
	if err != nil {
		return time.Time{}, fmt.Errorf("%s: %w", op, err)
	}
	return now, nil
}
