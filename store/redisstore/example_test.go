package redisstore_test

import (
	"context"
	"fmt"
	"time"

	"github.com/alicebob/miniredis/v2"
	"github.com/redis/go-redis/v9"

	"github.com/go-batteries/hawkeye/store"
	"github.com/go-batteries/hawkeye/store/redisstore"
)

func ExampleNew() {
	server, err := miniredis.Run() // your Redis
	if err != nil {
		panic(err)
	}
	defer server.Close()
	client := redis.NewClient(&redis.Options{Addr: server.Addr()})
	defer client.Close()

	s := redisstore.New(client, redisstore.WithPrefix("checkout"), redisstore.WithRetention(10*time.Minute))
	ctx, tick := context.Background(), int64(1_753_900_000)
	for _, replica := range []string{"3 orders", "5 orders"} {
		w := store.NewID()
		_, err := s.Publish(ctx, store.Publication{
			Writer:  w,
			Buckets: []store.Bucket{{Tick: tick, Writer: w, Data: []byte(replica)}},
		})
		if err != nil {
			panic(err)
		}
	}
	answers, err := s.Read(ctx, []store.TickQuery{{Tick: tick}})
	if err != nil {
		panic(err)
	}
	fmt.Println(answers[0].Count, "buckets under", server.Keys())
	// Output: 2 buckets under [checkout:b:1000ms:1753900000]
}

func ExampleStore_Validate() {
	s := redisstore.New(nil, redisstore.WithTick(-time.Second), redisstore.WithRetention(time.Hour))
	fmt.Println(s.Validate())
	// Output:
	// redisstore: invalid option: New: client is nil
	// redisstore: invalid option: WithTick(-1s): want whole milliseconds from 10ms to 1m
}
