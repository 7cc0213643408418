package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"strings"

	"github.com/redis/go-redis/v9"

	"github.com/go-batteries/hawkeye"
	"github.com/go-batteries/hawkeye/internal/nearest"
	"github.com/go-batteries/hawkeye/store/memstore"
	"github.com/go-batteries/hawkeye/store/redisstore"
)

// storePlace is an open store.
type storePlace struct {
	store  hawkeye.Store
	name   string // for people: without password
	shared bool
	closer func() error
}

func (p *storePlace) close() {
	if p != nil && p.closer != nil {
		_ = p.closer() // connections that nobody uses any more
	}
}

// openStore makes the store that --store names. No error shows the URL, which
// may hold a password.
func (cmd *runCmd) openStore(logger *slog.Logger) (*storePlace, error) {
	scheme, rest, found := strings.Cut(cmd.Store, ":")
	if !found && scheme != "memory" {
		return nil, errors.New("--store: expected memory:, memory:FILE or redis://HOST:PORT")
	}
	switch scheme {
	case "memory":
		return memoryStore(rest, logger)
	case "redis", "rediss", "unix":
		return cmd.redisStore(scheme, logger)
	}
	hint := ""
	if meant := nearest.Of(scheme, []string{"memory", "redis", "rediss", "unix"}); meant != "" {
		hint = "; did you mean " + meant + ":?"
	}
	return nil, fmt.Errorf("--store: expected memory:, memory:FILE or redis://..., found %.20q:...%s", scheme, hint)
}

func memoryStore(path string, logger *slog.Logger) (*storePlace, error) {
	opts := []memstore.Option{memstore.WithLogger(logger)}
	if path != "" {
		opts = append(opts, memstore.WithStateFile(path))
	}
	s, err := memstore.New(opts...)
	if err != nil {
		return nil, fmt.Errorf("--store: %w", err)
	}
	return &storePlace{store: s, name: "memory"}, nil
}

func (cmd *runCmd) redisStore(scheme string, logger *slog.Logger) (*storePlace, error) {
	redis.SetLogger(redisLog{logger})
	client, err := redisClient(cmd.Store)
	if err != nil {
		return nil, fmt.Errorf("--store: %w", err)
	}
	s := redisstore.New(client, redisstore.WithPrefix(cmd.Prefix), redisstore.WithLogger(logger))
	if err := s.Validate(); err != nil {
		return nil, errors.Join(fmt.Errorf("--store: %w", err), client.Close())
	}
	return &storePlace{store: s, name: scheme, shared: true, closer: client.Close}, nil
}

// redisClient is one for a single server, for Sentinel if the URL names a
// master (?master_name=), or for a cluster if it names more servers (?addr=).
func redisClient(text string) (redis.UniversalClient, error) {
	u, err := url.Parse(text)
	if err != nil {
		var parse *url.Error
		if errors.As(err, &parse) { // whose text holds the whole URL
			err = parse.Err
		}
		return nil, fmt.Errorf("the URL can't be read: %s; write @, :, / and %% in a password as %%40, %%3A, %%2F and %%25", withoutQuotes(err))
	}
	switch query := u.Query(); {
	case query.Has("master_name"):
		opts, err := redis.ParseFailoverURL(text)
		if err != nil {
			return nil, withoutURL(err, u)
		}
		return redis.NewFailoverClient(opts), nil
	case query.Has("addr"):
		opts, err := redis.ParseClusterURL(text)
		if err != nil {
			return nil, withoutURL(err, u)
		}
		return redis.NewClusterClient(opts), nil
	}
	opts, err := redis.ParseURL(text)
	if err != nil {
		return nil, withoutURL(err, u)
	}
	return redis.NewClient(opts), nil
}

// withoutQuotes takes out of an error what it quotes.
func withoutQuotes(err error) string {
	text, _, _ := strings.Cut(err.Error(), `"`)
	return strings.TrimSpace(text)
}

// withoutURL takes the password out of an error.
func withoutURL(err error, u *url.URL) error {
	text := err.Error()
	if password, ok := u.User.Password(); ok && password != "" {
		text = strings.ReplaceAll(text, password, "<secret>")
	}
	return errors.New(text)
}

// redisLog puts what go-redis says into the log. The store tells of outages
// itself, once, so this is for those who look closely.
type redisLog struct{ logger *slog.Logger }

// Printf is called by go-redis.
func (l redisLog) Printf(ctx context.Context, format string, args ...any) {
	l.logger.LogAttrs(ctx, slog.LevelDebug, "redis client", slog.String("said", fmt.Sprintf(format, args...)))
}
