package main

// path is a way of the data through hawkeye, with a bar.
type path struct {
	title string
	bench string // the benchmark's name without "Benchmark"
	unit  unit
	bars  []bar
	note  string
	// beside are those that are measured for orientation, and are no peers:
	// they do less.
	beside []string
}

// unit is how a path's figure follows from the benchmark's.
type unit struct {
	name string  // as shown
	of   string  // the benchmark's unit
	over float64 // if not 0 the figure is this divided by the benchmark's: a rate
	less string  // if set, this one's figure is subtracted: an overhead
	per  float64 // else the benchmark's is divided by this; 0 means 1
}

var (
	nanoseconds = unit{name: "ns", of: "ns/op"}
	overhead    = unit{name: "ns added", of: "ns/op", less: "none"}
	micro       = unit{name: "µs", of: "ns/op", per: 1e3}
	milli       = unit{name: "ms", of: "ns/op", per: 1e6}
	perSecond   = unit{name: "million/s", of: "ns/op", over: 1e3}
)

// bar is what hawkeye is measured against.
type bar struct {
	cpu     int
	sub     string
	limit   float64
	atLeast bool
	of      *unit // if not the path's
}

var (
	serverMicros = unit{name: "µs of the server", of: "server-µs/op"}
	objects      = unit{name: "objects", of: "objects/series"}
)

// suite is a package of benchmarks with the paths that it measures.
type suite struct {
	dir   string
	cpu   string
	flags []string // further ones
	paths []path
}

var paths = []suite{
	{dir: "record", cpu: "1,4", paths: []path{
		{title: "Counter by handle", bench: "CounterHandle", unit: nanoseconds, bars: []bar{{cpu: 1, limit: 9}, {cpu: 4, limit: 2.5}},
			beside: []string{"xsync.Counter", "atomic.Int64"},
			note:   "xsync.Counter and atomic.Int64 are cells alone, without a name, tags or anybody who reads them."},
		{title: "Counter by name and 3 tags", bench: "CounterName", unit: nanoseconds, bars: []bar{{cpu: 1, limit: 40}, {cpu: 4, limit: 15}},
			beside: []string{"VictoriaMetrics_prepared"},
			note:   "100 series in turn. VictoriaMetrics takes name and tags as one text, which is joined from them; VictoriaMetrics_prepared is given texts that were joined beforehand."},
		{title: "Histogram observe", bench: "HistogramObserve", unit: nanoseconds, bars: []bar{{cpu: 1, limit: 16}, {cpu: 4, limit: 6}},
			note: "client_golang has its 11 default buckets, client_golang_native buckets of 2.2 %. The sketches are guarded by a mutex."},
	}},
	{dir: "wire", cpu: "1,4", paths: []path{
		{title: "Line parse and series lookup", bench: "Line", unit: nanoseconds, bars: []bar{{cpu: 1, limit: 50}}, note: "The peer only parses."},
		{title: "Stream ingest, 1 client", bench: "Stream", unit: perSecond,
			bars: []bar{{cpu: 4, sub: "lines=64", limit: 12, atLeast: true}, {cpu: 4, sub: "lines=1024", limit: 12, atLeast: true}},
			note: "Lines of 60 bytes, 100 series in turn, over a real unix socket, 64 or 1,024 a write; the writer runs on the same machine. The peer only parses."},
		{title: "JSON-RPC, pipelined", bench: "Calls", unit: perSecond,
			bars: []bar{{cpu: 4, sub: "clients=1", limit: 1, atLeast: true}, {cpu: 4, sub: "clients=8", limit: 2, atLeast: true}},
			note: "net_rpc is the standard library's server around the same parser and registry."},
	}},
	{dir: "web", cpu: "1,4", paths: []path{
		{title: "net/http middleware", bench: "NetHTTP", unit: overhead, bars: []bar{{cpu: 1, limit: 100}}},
		{title: "gin middleware", bench: "Gin", unit: overhead, bars: []bar{{cpu: 1, limit: 110}}},
	}},
	{dir: "engine", cpu: "4", paths: []path{
		{title: "Flush of 100,000 series", bench: "Flush", unit: milli, bars: []bar{{cpu: 4, sub: "busy=0", limit: 1}, {cpu: 4, sub: "busy=1000", limit: 1}, {cpu: 4, sub: "busy=100000", limit: 1}},
			note: "busy is how many of the series were counted since the last flush."},
		{title: "Memory of a counter series (4 stripes)", bench: "Memory", unit: unit{name: "bytes", of: "B/series"}, bars: []bar{{cpu: 4, limit: 200}, {cpu: 4, limit: 2.01, of: &objects}},
			note: "2 objects a series, and 0.006 for what a registry has once."},
	}},
	{dir: "engine", cpu: "4", flags: []string{"-test.benchtime=20x"}, paths: []path{
		{title: "Evaluate 10,000 monitors", bench: "Evaluate", unit: milli, bars: []bar{{cpu: 4, sub: "busy=1", limit: 0.3}, {cpu: 4, sub: "busy=100", limit: 0.3}, {cpu: 4, sub: "busy=10000", limit: 0.3}},
			note: "One tick of 200 ms; busy is how many of the 10,000 metrics were counted in it. Prometheus evaluates all rules each time."},
		{title: "Evaluate one monitor by 1,000 values of a tag", bench: "EvaluateGroups", unit: milli},
		{title: "Evaluate 100 SLOs of 30 d", bench: "EvaluateSLO", unit: milli},
	}},
	{dir: "rules", cpu: "4", flags: []string{"-test.benchtime=3x"}},
}

var redisPaths = []suite{
	{dir: "redis", cpu: "4", flags: []string{"-test.bench=Flush.*/(hawkeye.*|ping)$", "-test.benchtime=5000x"}, paths: []path{
		{title: "Flush of 1,000 series", bench: "Flush", unit: micro, beside: []string{"ping", "hawkeye_default"},
			bars: []bar{{cpu: 4, sub: "busy=200", limit: 100}, {cpu: 4, sub: "busy=1000", limit: 100}, {cpu: 4, sub: "busy=200", limit: 20, of: &serverMicros}, {cpu: 4, sub: "busy=1000", limit: 20, of: &serverMicros}},
			note: "busy is how many series were counted; the layout before writes as many events. ping is a PING alone: of a server that sleeps in between it costs that much to be woken. hawkeye_default has a client without ContextTimeoutEnabled."},
		{title: "Flush of 1,000 series, 64 replicas at once", bench: "FlushBusy", unit: micro, beside: []string{"ping"},
			bars: []bar{{cpu: 4, sub: "busy=200", limit: 20, of: &serverMicros}, {cpu: 4, sub: "busy=1000", limit: 20, of: &serverMicros}},
			note: "The server doesn't sleep: what a flush costs a fleet's."},
	}},
	{dir: "redis", cpu: "4", flags: []string{"-test.bench=Flush/before", "-test.benchtime=100x"}}, // in the tables above
	{dir: "redis", cpu: "4", flags: []string{"-test.bench=Evaluate", "-test.benchtime=20x"}, paths: []path{
		{title: "Evaluation round of a fleet", bench: "Evaluate", unit: milli, bars: []bar{{cpu: 4, sub: "replicas=100/window=1m0s/monitors=1000", limit: 5}},
			note: "Each replica has 1,000 series, all counted in each tick. The layout before reads 10,000 events of one metric."},
	}},
}

var fleetPaths = []suite{
	{dir: "redis", cpu: "4", flags: []string{"-test.bench=Fleet", "-test.benchtime=1x"}, paths: []path{
		{title: "Simulated replicas × 1,000 series, for ten seconds", bench: "Fleet", unit: unit{name: "commands/s", of: "commands/s"}},
	}},
}
