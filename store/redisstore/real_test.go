//go:build unix

package redisstore_test

import (
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/go-batteries/hawkeye/store/redisstore/redistest"
	"github.com/go-batteries/hawkeye/store/storetest"
)

func single(s *redistest.Server) backend {
	return backend{dial: func(d dialer) redis.UniversalClient {
		o := s.Options()
		o.Dialer, o.MaxRetries = d, 1
		return redis.NewClient(o)
	}}
}

func TestContractOnRedis(t *testing.T) {
	t.Parallel()
	storetest.Run(t, single(redistest.Start(t, redistest.Config{})).factory)
}

func TestContractOnValkey(t *testing.T) {
	t.Parallel()
	storetest.Run(t, single(redistest.Start(t, redistest.Config{Binary: "valkey-server"})).factory)
}

func TestContractOnCluster(t *testing.T) {
	t.Parallel()
	cluster := redistest.StartCluster(t, redistest.Config{}, 3*time.Second)
	storetest.Run(t, backend{dial: func(d dialer) redis.UniversalClient {
		o := cluster.Options()
		o.Dialer = d
		return redis.NewClusterClient(o)
	}}.factory)
}

func TestContractOnSentinel(t *testing.T) {
	t.Parallel()
	sentinel := redistest.StartSentinel(t, redistest.Config{}, 3*time.Second)
	storetest.Run(t, backend{dial: func(d dialer) redis.UniversalClient {
		o := sentinel.Options()
		o.Dialer = d
		return redis.NewFailoverClient(o)
	}}.factory)
}
