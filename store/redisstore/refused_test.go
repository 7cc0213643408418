//go:build unix

package redisstore_test

import (
	"strings"
	"testing"

	"github.com/redis/go-redis/v9"

	"github.com/go-batteries/hawkeye/store"
	"github.com/go-batteries/hawkeye/store/redisstore"
	"github.com/go-batteries/hawkeye/store/redisstore/redistest"
)

// go-redis gives the commands of a pipeline no error when the server refuses
// the connection itself. Taken for a success, what was counted is lost.
func TestRefusedConnectionIsAnError(t *testing.T) {
	t.Parallel()
	open, locked := redistest.Start(t, redistest.Config{}), redistest.Start(t, redistest.Config{})
	if err := locked.Client().ConfigSet(t.Context(), "requirepass", "sesame").Err(); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name   string
		server *redistest.Server
		change func(*redis.Options)
		want   string
	}{
		{"a wrong password", locked, func(o *redis.Options) { o.Password = "wrong" }, "WRONGPASS"},
		{"no password", locked, func(o *redis.Options) { o.Password = "" }, "NOAUTH"},
		{"a user that isn't there", open, func(o *redis.Options) { o.Username, o.Password = "nobody", "x" }, "WRONGPASS"},
		{"a database that isn't there", open, func(o *redis.Options) { o.DB = 99 }, "out of range"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			o := c.server.Options()
			c.change(o)
			client := redis.NewClient(o)
			t.Cleanup(func() { client.Close() })
			s := redisstore.New(client, redisstore.WithLogger(quiet))
			w := store.NewID()
			_, publishErr := s.Publish(t.Context(), store.Publication{Writer: w, Buckets: []store.Bucket{{Tick: 5, Writer: w}}})
			_, nowErr := s.Now(t.Context())
			_, readErr := s.Read(t.Context(), []store.TickQuery{{Tick: 5}, {Tick: 6, Known: 1}})
			_, namesErr := s.Names(t.Context(), []uint64{1})
			for call, err := range map[string]error{"Publish()": publishErr, "Now()": nowErr, "Read()": readErr, "Names()": namesErr} {
				if err == nil || !strings.Contains(err.Error(), c.want) {
					t.Errorf("%s = %v, want an error with %q", call, err, c.want)
				}
			}
		})
	}
}
