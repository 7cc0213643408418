package main

import (
	"bufio"
	"fmt"
	"math"
	"math/rand/v2"
	"strconv"
	"time"
)

// generateCmd makes up a day of an HTTP service: requests and failures by
// route, with outages.
type generateCmd struct {
	Series   int           `default:"100" help:"How many series."`
	Duration time.Duration `default:"24h" help:"How long."`
	Start    time.Time     `default:"2026-01-05T00:00:00Z" help:"The time of the first sample."`
	Seed     uint64        `default:"1" help:"Another seed makes other samples."`
}

// Run writes the samples.
func (cmd *generateCmd) Run(c *console) error {
	seconds := int(cmd.Duration / time.Second)
	if cmd.Series < 2 || cmd.Series > 10_000 || seconds < 1 || seconds > 31*86_400 {
		return fmt.Errorf("--series goes from 2 to 10000, --duration from 1s to 744h")
	}
	out := bufio.NewWriterSize(c.out, 1<<20)
	rng := rand.New(rand.NewPCG(cmd.Seed, 4))
	for route := range (cmd.Series + 1) / 2 {
		requests, failures := cmd.route(rng, route, seconds)
		name := "/api/" + strconv.Itoa(route)
		cmd.write(out, "http.requests", name, requests)
		if 2*route+1 < cmd.Series {
			cmd.write(out, "http.response.5xx", name, failures)
		}
	}
	return out.Flush()
}

// route makes up the traffic of a route: more by day than by night, a few
// failures always, and now and then an outage of some minutes.
func (cmd *generateCmd) route(rng *rand.Rand, route, seconds int) (requests, failures []int) {
	base := 5 + 40/float64(route+1)
	requests, failures = make([]int, seconds), make([]int, seconds)
	for i := range seconds {
		day := math.Sin(2 * math.Pi * (float64(i)/86_400 - 0.25))
		requests[i] = int(base * (1 + 0.6*day) * (0.7 + 0.6*rng.Float64()))
		if rng.IntN(200) == 0 && requests[i] > 0 {
			failures[i] = 1
		}
	}
	if route%7 != 0 {
		return requests, failures
	}
	for range 1 + rng.IntN(3) {
		from, length := rng.IntN(seconds), 60+rng.IntN(1500)
		share := []float64{0.03, 0.08, 0.3, 0.9}[rng.IntN(4)]
		for i := from; i < min(from+length, seconds); i++ {
			failures[i] = int(math.Round(share * float64(requests[i]) * (0.8 + 0.4*rng.Float64())))
			failures[i] = min(failures[i], requests[i])
		}
	}
	return requests, failures
}

func (cmd *generateCmd) write(out *bufio.Writer, metric, route string, values []int) {
	fmt.Fprintf(out, `{"time": %d, "step": 1, "metric": %q, "type": "counter", "tags": {"method": "POST", "route": %q}, "values": [`,
		cmd.Start.Unix(), metric, route)
	var buf []byte
	for i, v := range values {
		buf = buf[:0]
		if i > 0 {
			buf = append(buf, ',')
		}
		out.Write(strconv.AppendInt(buf, int64(v), 10))
	}
	out.WriteString("]}\n")
}
