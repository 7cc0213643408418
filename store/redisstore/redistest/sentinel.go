//go:build unix

package redistest

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
)

// Sentinel is a master with two replicas, watched by three Sentinels.
type Sentinel struct {
	Master    *Server // at the start
	Replicas  []*Server
	Sentinels []*Server
	t         testing.TB
}

const sentinelMaster = "hawkeye"

// StartSentinel runs the set-up until the test ends. A master that is gone is
// replaced after downAfter and about a second.
func StartSentinel(t testing.TB, c Config, downAfter time.Duration) *Sentinel {
	t.Helper()
	s := &Sentinel{t: t, Master: Start(t, c)}
	replica := c
	replica.Args = append([]string{"--replicaof", "127.0.0.1 " + strconv.Itoa(s.Master.port)}, c.Args...)
	for range 2 {
		s.Replicas = append(s.Replicas, Start(t, replica))
	}
	for _, r := range s.Replicas {
		client := r.Client()
		eventually(t, "follow master", func() error { return inStep(client) })
	}
	for range 3 {
		s.Sentinels = append(s.Sentinels, s.watch(c, downAfter))
	}
	for _, w := range s.Sentinels {
		client := w.Client()
		eventually(t, "form sentinels", func() error { return watching(client) })
	}
	return s
}

func (s *Sentinel) watch(c Config, downAfter time.Duration) *Server {
	s.t.Helper()
	return start(s.t, Config{Binary: c.Binary}, func(port int, dir string) []string {
		path := filepath.Join(dir, fmt.Sprintf("sentinel-%d.conf", port))
		text := fmt.Sprintf("port %d\nbind 127.0.0.1\ndir %s\n", port, dir) +
			fmt.Sprintf("sentinel monitor %s 127.0.0.1 %d 2\n", sentinelMaster, s.Master.port) +
			fmt.Sprintf("sentinel down-after-milliseconds %s %d\n", sentinelMaster, downAfter.Milliseconds()) +
			fmt.Sprintf("sentinel failover-timeout %s 10000\n", sentinelMaster)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			s.t.Fatalf("write sentinel.conf: %v", err)
		}
		return []string{path, "--sentinel"}
	})
}

// inStep checks that a replica, if it is one, has its master's data.
func inStep(client *redis.Client) error {
	info, err := client.Info(context.Background(), "replication").Result()
	if err == nil && strings.Contains(info, "master_link_status:down") {
		return errors.New("replica is not in step")
	}
	return err
}

// watching checks that a Sentinel knows the other two and both replicas.
func watching(client *redis.Client) error {
	state, err := client.Do(context.Background(), "sentinel", "master", sentinelMaster).Result()
	if err != nil {
		return err
	}
	text := fmt.Sprint(state)
	for _, want := range []string{"num-slaves:2", "num-other-sentinels:2"} {
		if !strings.Contains(text, want) && !strings.Contains(text, strings.Replace(want, ":", " ", 1)) {
			return errors.New("want " + want + ", have " + text)
		}
	}
	return nil
}

// Options are go-redis options for the set-up that give up soon.
func (s *Sentinel) Options() *redis.FailoverOptions {
	o := s.Master.Options()
	f := &redis.FailoverOptions{
		MasterName:    sentinelMaster,
		DialTimeout:   o.DialTimeout,
		ReadTimeout:   o.ReadTimeout,
		WriteTimeout:  o.WriteTimeout,
		DialerRetries: o.DialerRetries,
	}
	for _, w := range s.Sentinels {
		f.SentinelAddrs = append(f.SentinelAddrs, w.Addr())
	}
	return f
}

// Client returns a client that follows the master, closed with the test.
func (s *Sentinel) Client() *redis.Client {
	c := redis.NewFailoverClient(s.Options())
	s.t.Cleanup(func() { c.Close() })
	return c
}
