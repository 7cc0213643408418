package wire

import (
	"fmt"
	"io"
	"log/slog"
	"net"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/statsd_exporter/pkg/event"
	parser "github.com/prometheus/statsd_exporter/pkg/line"
	"github.com/prometheus/statsd_exporter/pkg/listener"

	"github.com/go-batteries/hawkeye/internal/series"
	"github.com/go-batteries/hawkeye/internal/statsd"
)

// BenchmarkLine reads a line and counts it in the series it names. The peer
// reads it only, and its values are added up.
func BenchmarkLine(b *testing.B) {
	b.Run("hawkeye", func(b *testing.B) {
		reg := series.New(series.Limits{})
		a := statsd.Applier{Registry: reg}
		text := []byte(line)
		b.ReportAllocs()
		for b.Loop() {
			if err := a.Apply(text); err != nil {
				b.Fatal(err)
			}
		}
		delivered(b, sum(reg), float64(b.N))
	})
	b.Run("statsd_exporter_parser", func(b *testing.B) {
		p, got := newExporter(), 0.0
		b.ReportAllocs()
		for b.Loop() {
			for _, e := range p.LineToEvents(line, p.errors, p.samples, p.tagErrors, p.tags, p.logger) {
				got += e.Value()
			}
		}
		delivered(b, got, float64(b.N))
	})
}

// BenchmarkStream is one client of a stream socket that writes 64 or 1,024
// lines at a time, 100 series in turn. ns/op is for a line.
func BenchmarkStream(b *testing.B) {
	for _, n := range []int{64, 1024} {
		text := []byte(manyLines(n))
		b.Run(fmt.Sprintf("hawkeye/lines=%d", n), func(b *testing.B) {
			reg, path, stop := serve(b)
			c := dial(b, "unix", path)
			sent := stream(b, c, text, n)
			io.Copy(io.Discard, c) // until the server has read it all
			b.StopTimer()
			stop()
			delivered(b, sum(reg), float64(sent))
		})
		b.Run(fmt.Sprintf("statsd_exporter_tcp/lines=%d", n), func(b *testing.B) { // it has no unix stream socket
			p, got := newExporter(), 0.0
			tcp, err := net.ListenTCP("tcp", &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1)})
			if err != nil {
				b.Fatal(err)
			}
			defer tcp.Close()
			c := dial(b, "tcp", tcp.Addr().String())
			server, err := tcp.AcceptTCP()
			if err != nil {
				b.Fatal(err)
			}
			l := p.listener(&got)
			done := make(chan struct{})
			go func() {
				l.HandleConn(server)
				close(done)
			}()
			sent := stream(b, c, text, n)
			<-done
			b.StopTimer()
			delivered(b, got, float64(sent))
		})
	}
}

// stream writes at least b.N lines and closes the sending half.
func stream(b *testing.B, c net.Conn, text []byte, lines int) (sent int) {
	b.Helper()
	b.ReportAllocs()
	b.ResetTimer()
	for ; sent < b.N; sent += lines {
		if _, err := c.Write(text); err != nil {
			b.Fatal(err)
		}
	}
	if err := c.(interface{ CloseWrite() error }).CloseWrite(); err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { c.Close() })
	return sent
}

func manyLines(n int) string {
	var text strings.Builder
	for i := range n {
		fmt.Fprintf(&text, "http.requests:1|c|#method:GET,route:/api/orders/%d,status:2xx\n", i%100)
	}
	return text.String()
}

// exporter is what statsd_exporter's parser and listener want to be given.
type exporter struct {
	*parser.Parser
	errors                   prometheus.CounterVec
	samples, tagErrors, tags prometheus.Counter
	logger                   *slog.Logger
}

func newExporter() *exporter {
	count := func(name string) prometheus.Counter {
		return prometheus.NewCounter(prometheus.CounterOpts{Name: name})
	}
	p := parser.NewParser()
	p.EnableDogstatsdParsing()
	return &exporter{
		Parser:  p,
		errors:  *prometheus.NewCounterVec(prometheus.CounterOpts{Name: "errors"}, []string{"reason"}),
		samples: count("samples"), tagErrors: count("tag_errors"), tags: count("tags"),
		logger: slog.New(slog.DiscardHandler),
	}
}

func (p *exporter) listener(sum *float64) *listener.StatsDTCPListener {
	count := func() prometheus.Counter { return prometheus.NewCounter(prometheus.CounterOpts{Name: "x"}) }
	return &listener.StatsDTCPListener{
		EventHandler: adder{sum}, Logger: p.logger, LineParser: p.Parser, LinesReceived: count(), EventsFlushed: count(),
		SampleErrors: p.errors, SamplesReceived: p.samples, TagErrors: p.tagErrors, TagsReceived: p.tags,
		TCPConnections: count(), TCPErrors: count(), TCPLineTooLong: count(),
	}
}

// adder sums events.
type adder struct{ sum *float64 }

func (a adder) Queue(events event.Events) {
	for _, e := range events {
		*a.sum += e.Value()
	}
}
