package redisstore

import (
	"context"

	"github.com/redis/go-redis/v9"

	"github.com/go-batteries/hawkeye/store"
)

// refused returns the indexes of the buckets in whose place other data is
// stored. It costs a round trip only if some were there before, as after a
// lost reply.
func (s *Store) refused(ctx context.Context, op string, buckets []store.Bucket, puts []*redis.BoolCmd) ([]int, error) {
	pipe := s.client.Pipeline()
	var there []int
	var stored []*redis.StringCmd
	for i, put := range puts {
		if put.Err() == nil && !put.Val() {
			b := &buckets[i]
			there = append(there, i)
			stored = append(stored, pipe.HGet(ctx, s.keys.bucket(b.Tier, b.Tick), string(b.Writer[:])))
		}
	}
	if len(there) == 0 {
		return nil, nil
	}
	if err := s.exec(ctx, op, pipe); err != nil {
		return nil, err
	}
	var refused []int
	for n, i := range there {
		if stored[n].Err() == nil && stored[n].Val() != string(buckets[i].Data) {
			refused = append(refused, i)
		}
	}
	return refused, nil
}
