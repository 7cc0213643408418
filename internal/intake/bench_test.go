package intake

import (
	"bytes"
	"fmt"
	"io"
	"net"
	"strings"
	"sync"
	"testing"
)

// BenchmarkLines streams statsd lines, 64 a write, and asserts that all were
// counted.
func BenchmarkLines(b *testing.B) {
	const lines = 64
	text := []byte(strings.Repeat("http.requests:1|c|#method:GET,route:/x\n", lines))
	f := newFixture(b, nil)
	f.run(b)
	c := f.dial(b).(*net.UnixConn)
	n := 0
	for b.Loop() {
		if _, err := c.Write(text); err != nil {
			b.Fatal(err)
		}
		n += lines
	}
	f.hangUp(b, c)
	b.ReportMetric(float64(n)/b.Elapsed().Seconds()/1e6, "Mlines/s")
	if got := f.total(); got != float64(n) {
		b.Errorf("total = %v, want %d", got, n)
	}
}

// BenchmarkCalls pipelines JSON-RPC calls, and asserts that all were answered
// and counted.
func BenchmarkCalls(b *testing.B) {
	const calls = 512
	text := []byte(strings.Repeat(`{"method":"Metric.Handle","params":[{"Text":"http.requests:1|c|#method:GET"}],"id":7}`+"\n", calls))
	for _, clients := range []int{1, 8} {
		b.Run(fmt.Sprintf("clients=%d", clients), func(b *testing.B) {
			f := newFixture(b, nil)
			f.run(b)
			var all sync.WaitGroup
			each := max(b.N/clients/calls, 1)
			b.ResetTimer()
			for range clients {
				c := f.dial(b).(*net.UnixConn)
				all.Go(func() {
					for range each {
						if _, err := c.Write(text); err != nil {
							b.Error(err)
							return
						}
					}
					c.CloseWrite()
				})
				all.Go(func() {
					replies, buf := 0, make([]byte, 64<<10)
					for {
						n, err := c.Read(buf)
						replies += bytes.Count(buf[:n], []byte{'\n'})
						if err == io.EOF {
							break
						} else if err != nil {
							b.Error(err)
							break
						}
					}
					if replies != each*calls {
						b.Errorf("%d replies, want %d", replies, each*calls)
					}
				})
			}
			all.Wait()
			b.ReportMetric(float64(clients*each*calls)/b.Elapsed().Seconds()/1e6, "Mcalls/s")
			if got := f.total(); got != float64(clients*each*calls) {
				b.Errorf("total = %v, want %d", got, clients*each*calls)
			}
		})
	}
}
