package redisstore_test

import (
	"testing"

	"github.com/alicebob/miniredis/v2"
	"github.com/redis/go-redis/v9"

	"github.com/go-batteries/hawkeye/store/storetest"
)

func TestContractOnMiniredis(t *testing.T) {
	t.Parallel()
	m := miniredis.RunT(t)
	storetest.Run(t, backend{
		dial: func(d dialer) redis.UniversalClient {
			return redis.NewClient(&redis.Options{Addr: m.Addr(), Dialer: d, MaxRetries: 1, DialerRetries: 1})
		},
		noDump: true,
	}.factory)
}
