package redisstore

import (
	"context"
	_ "embed" // the scripts
	"fmt"
	"strings"

	"github.com/redis/go-redis/v9"

	"github.com/go-batteries/hawkeye/store"
)

// The scripts, each with a header that says what it takes and returns.
var (
	//go:embed lua/status.lua
	statusSource string
	//go:embed lua/extend.lua
	extendSource string
	//go:embed lua/names.lua
	namesSource string
	//go:embed lua/commit.lua
	commitSource string
	//go:embed lua/changes.lua
	changesSource string
	//go:embed lua/stage.lua
	stageSource string
	//go:embed lua/restore.lua
	restoreSource string
)

// status, extend and names travel in pipelines, where EVALSHA would fail after a
// SCRIPT FLUSH, and so go out as their text each time.
var (
	statusText = uncomment(statusSource)
	extendText = uncomment(extendSource)
	namesText  = uncomment(namesSource)
)

var (
	commitScript  = newScript(commitSource, "allow-oom")
	changesScript = newScript(changesSource, "no-writes")
	stageScript   = newScript(stageSource, "allow-oom")
	restoreScript = newScript(restoreSource, "allow-oom")
)

// script is one that may run while memory is full, or, if it doesn't write,
// while the disk is. Servers before Redis 7 don't know how to be told; they
// get the plain one.
type script struct{ flagged, plain *redis.Script }

func newScript(source, flag string) script {
	text := uncomment(source)
	return script{
		flagged: redis.NewScript("#!lua flags=" + flag + "\n" + text),
		plain:   redis.NewScript(text),
	}
}

// uncomment drops lines that are only a comment.
func uncomment(source string) string {
	var b strings.Builder
	for line := range strings.Lines(source) {
		if !strings.HasPrefix(line, "--") {
			b.WriteString(line)
		}
	}
	return b.String()
}

// run calls a script that answers with a status and details.
func (s *Store) run(ctx context.Context, op string, sc script, keys []string, args ...any) (string, []any, error) {
	reply, err := call(ctx, s, op, func(ctx context.Context) (any, error) {
		return s.eval(ctx, sc, keys, args)
	})
	if err != nil {
		return "", nil, err
	}
	list, _ := reply.([]any)
	if len(list) == 0 {
		return "", nil, fmt.Errorf("%s: script answered %T", op, reply)
	}
	status, detail := text(list[0]), list[1:]
	switch status {
	case "foreign", "version":
		s.stats.foreign.Add(1)
		return "", nil, fmt.Errorf("%s: %w: %q (%s %s)", op, ErrForeign, keys[0], status, textAt(detail, 0))
	case "epoch":
		return "", nil, fmt.Errorf("%s: %w", op, store.ErrEpoch)
	}
	return status, detail, nil
}

func (s *Store) eval(ctx context.Context, sc script, keys []string, args []any) (any, error) {
	if !s.plain.Load() {
		reply, err := sc.flagged.Run(ctx, s.client, keys, args...).Result()
		if err == nil || !strings.Contains(err.Error(), "compiling script") {
			return reply, err
		}
		s.plain.Store(true)
	}
	return sc.plain.Run(ctx, s.client, keys, args...).Result()
}

// text reads a string of a script's reply, "" if it is none.
func text(v any) string {
	t, _ := v.(string)
	return t
}

func textAt(list []any, i int) string {
	if i >= len(list) {
		return ""
	}
	return text(list[i])
}
