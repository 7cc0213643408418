package statsd

import (
	"errors"
	"math"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

func TestParseAccepts(t *testing.T) {
	t.Parallel()
	values := func(vs ...float64) (out []Value) {
		for _, v := range vs {
			out = append(out, Value{V: v})
		}
		return out
	}
	tests := []struct {
		line string
		want Sample
	}{
		{"daemon:666|g|#", Sample{Name: []byte("daemon"), Type: Gauge, Values: values(666), Rate: 1, Tags: []byte{}}},
		{"x:1|g|m:test", Sample{Name: []byte("x"), Type: Gauge, Values: values(1), Rate: 1}},
		{"ünïcode.名前:1|c", Sample{Name: []byte("ünïcode.名前"), Type: Counter, Values: values(1), Rate: 1}},
		{"x:1:2.5:3|h", Sample{Name: []byte("x"), Type: Histogram, Values: values(1, 2.5, 3), Rate: 1}},
		{"x:21::22:|d", Sample{Name: []byte("x"), Type: Distribution, Values: values(21, 22), Rate: 1}},
		{"page:320|ms|@0.5|#k:v,k2", Sample{Name: []byte("page"), Type: Timing, Values: values(320), Rate: 0.5, Tags: []byte("k:v,k2")}},
		{"x:1|c|#a:b|@0.1", Sample{Name: []byte("x"), Type: Counter, Values: values(1), Rate: 0.1, Tags: []byte("a:b")}},
		{"x:1|c|T1656581400|c:in-1|e:it-false,cn-x|card:low", Sample{Name: []byte("x"), Type: Counter, Values: values(1), Rate: 1, Timestamp: 1656581400}},
		{"x:1|c||#a", Sample{Name: []byte("x"), Type: Counter, Values: values(1), Rate: 1, Tags: []byte("a")}},
		{"x:1|c|#a|#b", Sample{Name: []byte("x"), Type: Counter, Values: values(1), Rate: 1, Tags: []byte("b")}},
		{"g:-10|g", Sample{Name: []byte("g"), Type: Gauge, Values: []Value{{-10, true}}, Rate: 1}},
		{"g:+1.5e3|g", Sample{Name: []byte("g"), Type: Gauge, Values: []Value{{1500, true}}, Rate: 1}},
		{"users:ann:lee|s", Sample{Name: []byte("users"), Type: Set, Member: []byte("ann:lee"), Rate: 1}},
		{"users:17|s", Sample{Name: []byte("users"), Type: Set, Member: []byte("17"), Rate: 1}},
		{"x:9007199254740993|c", Sample{Name: []byte("x"), Type: Counter, Values: values(9007199254740992), Rate: 1}},
		{"x:.5|g", Sample{Name: []byte("x"), Type: Gauge, Values: values(0.5), Rate: 1}},
		{"_ecounter:1|c", Sample{Name: []byte("_ecounter"), Type: Counter, Values: values(1), Rate: 1}},
	}
	for _, tt := range tests {
		var got Sample
		if err := Parse([]byte(tt.line), &got); err != nil {
			t.Errorf("Parse(%q) = %v, want no error", tt.line, err)
			continue
		}
		if diff := cmp.Diff(tt.want, got, cmpopts.EquateEmpty()); diff != "" {
			t.Errorf("Parse(%q) (-want +got):\n%s", tt.line, diff)
		}
	}
}

func TestParseRejects(t *testing.T) {
	t.Parallel()
	tests := []struct {
		line string
		want Reason
	}{
		{"", NoValue},
		{"daemon", NoValue},
		{"daemon:666", NoType},
		{"daemon:666|", NoType},
		{"daemon:666||#a", NoType},
		{"daemon:|g", NoValue},
		{"daemon:::|g", NoValue},
		{"users:|s", NoValue},
		{":666|g", NoName},
		{"abc666|g", NoValue},
		{"a|b:1|c", NoValue},
		{"x:abc|g", BadValue},
		{"x:1:abc|g", BadValue},
		{"x:0x10|g", BadValue},
		{"x:1_000|g", BadValue},
		{"x:1e|g", BadValue},
		{"x:--1|g", BadValue},
		{"x: 1|g", BadValue},
		{"x:1.2.3|g", BadValue},
		{"x:.|g", BadValue},
		{"x:1\x00|g", BadValue},
		{"x:NaN|g", NotFinite},
		{"x:-inf|c", NotFinite},
		{"x:Infinity|h", NotFinite},
		{"x:1e400|c", NotFinite},
		{"x:1e300|c|@1e-300", NotFinite},
		{"x:1|h|@1e-300", NotFinite},
		{"x:1|unknown", BadType},
		{"x:1|C", BadType},
		{"x:1|c |#a", BadType},
		{"x:1|g|@abc", BadRate},
		{"x:1|g|@", BadRate},
		{"x:1|c|@0", BadRate},
		{"x:1|c|@-0.5", BadRate},
		{"x:1|c|@1.01", BadRate},
		{"x:1|c|@NaN", BadRate},
		{"x:1|c|Tabc", BadTimestamp},
		{"x:1|c|T0", BadTimestamp},
		{"x:1|c|T-5", BadTimestamp},
		{"x:1|c|T99999999999999999999", BadTimestamp},
		{"_e{5,4}:title|text", Event},
		{"_sc|redis|0", ServiceCheck},
	}
	for _, tt := range tests {
		var s Sample
		err := Parse([]byte(tt.line), &s)
		if !errors.Is(err, tt.want) {
			t.Errorf("Parse(%q) = %v, want %v", tt.line, err, tt.want)
		}
	}
}

func TestEveryReasonHasTexts(t *testing.T) {
	t.Parallel()
	keys := map[string]bool{}
	for r := range Reason(NumReasons) {
		if r.Error() == "" || r.Key() == "" || keys[r.Key()] {
			t.Errorf("Reason %d: Error() = %q, Key() = %q, want texts of its own", r, r.Error(), r.Key())
		}
		keys[r.Key()] = true
	}
}

func TestParseAllocatesNothing(t *testing.T) {
	var s Sample
	for _, line := range []string{
		"http.requests:1|c|#method:GET,route:/x",
		"http.requests:1:2:3.25|h|@0.25|#method:GET",
		"x:-1.5e-3|g|T1656581400|c:abc",
		"x:abc|g", "x:1|unknown", ":1|c",
	} {
		b := []byte(line)
		if got := testing.AllocsPerRun(100, func() { _ = Parse(b, &s) }); got != 0 {
			t.Errorf("Parse(%q) allocates %v times, want 0", line, got)
		}
	}
}

func FuzzParse(f *testing.F) {
	for _, seed := range []string{
		"a:1|c", "a:1:2|c|@0.5|#k:v", "a:-1.5e3|g", "a:1_0|g", "a:0x1p4|g", "a:x|s|@0.1", "a:1|ms|T1|T2",
		"_e{1,1}:a|b", "_sc|a|0", "a:1|c|@1e-300", "a:1e308:1e308|c|@0.1", "a:1234567890123456|c",
		"a:0.0000000000000001|g", "a:00000000000000000001|g", "a:Inf|g", "a:1|c|#|#x", "a:::|c", "a:1.|g|@.5",
	} {
		f.Add(seed)
	}
	var s Sample
	f.Fuzz(func(t *testing.T, line string) {
		want, wantReason := reference(line)
		reason := parse([]byte(line), &s)
		if reason != wantReason {
			t.Fatalf("Parse(%q) = %v, want %v", line, reason, wantReason)
		}
		if reason != ok {
			return
		}
		sameFloat := cmp.Comparer(func(a, b float64) bool { return math.Float64bits(a) == math.Float64bits(b) })
		if diff := cmp.Diff(want, s, sameFloat, cmpopts.EquateEmpty()); diff != "" {
			t.Fatalf("Parse(%q) (-want +got):\n%s", line, diff)
		}
	})
}

func BenchmarkParse(b *testing.B) {
	for name, line := range map[string]string{
		"plain":  "http.requests:1|c",
		"tags":   "http.requests:1|c|#method:GET,route:/x",
		"sample": "http.request.duration:0.0125|h|@0.5|#method:GET,route:/x,status:2xx",
	} {
		b.Run(name, func(b *testing.B) {
			text := []byte(line)
			var s Sample
			b.ReportAllocs()
			for b.Loop() {
				if parse(text, &s) != ok {
					b.Fatal("not parsed")
				}
			}
		})
	}
}
