package interop

import (
	"errors"
	"fmt"
	"net"
	"net/rpc"
	"net/rpc/jsonrpc"
	"testing"

	"github.com/DataDog/datadog-go/v5/statsd"
)

// goClients are what this binary can be in its second process. Each records
// through the socket at path.
var goClients = map[string]func(path string) error{
	"rpc":          rpcIncrements,
	"rpc-gauges":   rpcGauges,
	"datadog":      func(addr string) error { return datadog(addr) },
	"datadog-each": func(addr string) error { return datadog(addr, statsd.WithoutClientSideAggregation()) },
}

func TestNetRPC(t *testing.T) {
	t.Parallel()
	s := startServer(t)
	s.runGo("rpc", s.stream)
	s.want("rpc.increments", increments)
}

// TestNetRPCOrder pipelines gauge sets on one connection: the last one wins.
func TestNetRPCOrder(t *testing.T) {
	t.Parallel()
	s := startServer(t)
	s.runGo("rpc-gauges", s.stream)
	s.want("rpc.gauge", gauges-1)
}

// TestDatadog uses the addresses of datadog-go's own documentation. By default
// it sums before it sends; -each sends every increment.
func TestDatadog(t *testing.T) {
	t.Parallel()
	for _, role := range []string{"datadog", "datadog-each"} {
		t.Run(role, func(t *testing.T) {
			t.Parallel()
			for _, scheme := range []string{"unixstream://", "unix://", "unixgram://"} {
				t.Run(scheme[:len(scheme)-3], func(t *testing.T) {
					t.Parallel()
					s := startServer(t)
					path := s.datagram
					if scheme == "unixstream://" {
						path = s.stream
					}
					s.runGo(role, scheme+path)
					s.want("datadog.increments", increments)
				})
			}
		})
	}
}

// text is what Metric.Handle takes.
type text struct{ Text string }

const gauges = 20_000

// rpcIncrements makes its calls from many goroutines over one connection.
func rpcIncrements(path string) error {
	c, err := jsonrpc.Dial("unix", path)
	if err != nil {
		return err
	}
	defer c.Close()
	const callers = 50
	failed := make(chan error, callers)
	for range callers {
		go func() {
			var errs error
			for range increments / callers {
				var zero int
				errs = errors.Join(errs, c.Call("Metric.Handle", text{"rpc.increments:1|c|#from:go"}, &zero))
			}
			failed <- errs
		}()
	}
	for range callers {
		err = errors.Join(err, <-failed)
	}
	return err
}

func rpcGauges(path string) error {
	conn, err := net.Dial("unix", path)
	if err != nil {
		return err
	}
	c := jsonrpc.NewClient(conn)
	defer c.Close()
	calls := make(chan *rpc.Call, gauges)
	for i := range gauges {
		c.Go("Metric.Handle", text{fmt.Sprintf("rpc.gauge:%d|g", i)}, new(int), calls)
	}
	for range gauges {
		err = errors.Join(err, (<-calls).Error)
	}
	return err
}

func datadog(addr string, opts ...statsd.Option) error {
	// Its default of 100 ms is too little for a machine that is busy with tests.
	c, err := statsd.New(addr, append(opts, statsd.WithWriteTimeout(limit))...)
	if err != nil {
		return err
	}
	for range increments {
		err = errors.Join(err, c.Incr("datadog.increments", []string{"from:go"}, 1))
	}
	err = errors.Join(err, c.Close())
	if t := c.GetTelemetry(); t.TotalPayloadsDropped > 0 || t.TotalDroppedOnReceive > 0 {
		err = errors.Join(err, fmt.Errorf("datadog-go dropped something by itself: %+v", t))
	}
	return err
}
