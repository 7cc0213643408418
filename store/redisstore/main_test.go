package redisstore_test

import (
	"context"
	"log/slog"
	"os"
	"testing"

	"github.com/redis/go-redis/v9"
)

// quiet is for Stores whose warnings no test looks at.
var quiet = slog.New(slog.DiscardHandler)

// silence drops what go-redis prints about the connections that tests cut.
type silence struct{}

func (silence) Printf(context.Context, string, ...any) {}

func TestMain(m *testing.M) {
	redis.SetLogger(silence{})
	os.Exit(m.Run())
}
