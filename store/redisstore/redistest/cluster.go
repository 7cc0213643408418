//go:build unix

package redistest

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
)

const slotCount = 16384

// Cluster is three masters and a replica of each.
type Cluster struct {
	Masters  []*Server
	Replicas []*Server // the i-th is of the i-th master
	t        testing.TB
}

// StartCluster runs a Cluster until the test ends. A master that is gone is
// replaced after nodeTimeout and one to two seconds.
func StartCluster(t testing.TB, c Config, nodeTimeout time.Duration) *Cluster {
	t.Helper()
	c.Args = append([]string{
		"--cluster-enabled", "yes", "--cluster-config-file", "nodes.conf",
		"--cluster-node-timeout", strconv.FormatInt(nodeTimeout.Milliseconds(), 10),
	}, c.Args...)
	cluster := &Cluster{t: t}
	for range 3 {
		cluster.Masters = append(cluster.Masters, Start(t, c))
		cluster.Replicas = append(cluster.Replicas, Start(t, c))
	}
	cluster.form()
	return cluster
}

// Nodes are all servers.
func (c *Cluster) Nodes() []*Server { return append(c.Masters[:3:3], c.Replicas...) }

// Addrs are the addresses of all servers.
func (c *Cluster) Addrs() []string {
	var all []string
	for _, s := range c.Nodes() {
		all = append(all, s.Addr())
	}
	return all
}

// Options are go-redis options for the Cluster that give up soon.
func (c *Cluster) Options() *redis.ClusterOptions {
	o := c.Masters[0].Options()
	return &redis.ClusterOptions{
		Addrs:         c.Addrs(),
		DialTimeout:   o.DialTimeout,
		ReadTimeout:   o.ReadTimeout,
		WriteTimeout:  o.WriteTimeout,
		DialerRetries: o.DialerRetries,
	}
}

// Client returns a client that is closed with the test.
func (c *Cluster) Client() *redis.ClusterClient {
	client := redis.NewClusterClient(c.Options())
	c.t.Cleanup(func() { client.Close() })
	return client
}

// MasterOf returns the server that is the master for key now.
func (c *Cluster) MasterOf(key string) *Server {
	c.t.Helper()
	master, err := c.Client().MasterForKey(context.Background(), key)
	if err != nil {
		c.t.Fatalf("find master of %q: %v", key, err)
	}
	for _, s := range c.Nodes() {
		if s.Addr() == master.Options().Addr {
			return s
		}
	}
	c.t.Fatalf("master of %q is %s, which is none of ours", key, master.Options().Addr)
	return nil
}

func (c *Cluster) form() {
	c.t.Helper()
	ctx := context.Background()
	first := c.Masters[0].Client()
	for _, s := range c.Nodes()[1:] {
		if err := first.ClusterMeet(ctx, "127.0.0.1", strconv.Itoa(s.port)).Err(); err != nil {
			c.t.Fatalf("cluster meet: %v", err)
		}
	}
	for i, s := range c.Masters {
		from, to := slotCount*i/3, slotCount*(i+1)/3-1
		if err := s.Client().ClusterAddSlotsRange(ctx, from, to).Err(); err != nil {
			c.t.Fatalf("cluster addslots: %v", err)
		}
	}
	for i, s := range c.Replicas {
		master := c.Masters[i].Client().Do(ctx, "cluster", "myid").Val()
		client := s.Client()
		eventually(c.t, "cluster replicate", func() error {
			return client.Do(ctx, "cluster", "replicate", master).Err()
		})
	}
	for _, s := range c.Nodes() {
		client := s.Client()
		eventually(c.t, "form cluster", func() error { return formed(ctx, client) })
	}
}

// formed checks that a node knows all the others and that its data is there.
func formed(ctx context.Context, client *redis.Client) error {
	info, err := client.ClusterInfo(ctx).Result()
	if err != nil {
		return err
	}
	if !strings.Contains(info, "cluster_state:ok") || !strings.Contains(info, "cluster_known_nodes:6") {
		return errors.New(info)
	}
	nodes, err := client.ClusterNodes(ctx).Result()
	if err != nil {
		return err
	}
	if n := strings.Count(nodes, "slave"); n != 3 {
		return fmt.Errorf("%d replicas are known", n)
	}
	return inStep(client)
}
