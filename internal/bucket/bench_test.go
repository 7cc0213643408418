package bucket

import (
	"math/rand/v2"
	"testing"
)

// typical has n counters that grew by a few, as in a tick of a busy service.
func typical(n int) (b Bucket) {
	rng := rand.New(rand.NewPCG(1, 2))
	for range n {
		b.Counters = append(b.Counters, Counter{ID: rng.Uint64(), Delta: int64(1+rng.ExpFloat64()*20) * Unit})
	}
	return b
}

func typicalGauges(n int) (b Bucket) {
	rng := rand.New(rand.NewPCG(1, 2))
	for i := range n {
		b.Gauges = append(b.Gauges, Gauge{ID: rng.Uint64(), Value: float64(i%3) * rng.Float64()})
	}
	return b
}

func typicalHistograms(n int) (b Bucket) {
	rng := rand.New(rand.NewPCG(1, 2))
	for range n / 10 {
		h := Histogram{ID: rng.Uint64(), Sum: rng.Float64()}
		for i := range int32(10) {
			h.Buckets = append(h.Buckets, HistBucket{Index: 1500 + 3*i, Count: 1 + rng.Uint64N(20)})
		}
		b.Histograms = append(b.Histograms, h)
	}
	return b
}

const benchSamples = 1000

var benchBuckets = []struct {
	name string
	b    Bucket
}{
	{"counters", typical(benchSamples)},
	{"gauges", typicalGauges(benchSamples)},
	{"histogram-buckets", typicalHistograms(benchSamples)},
}

func BenchmarkAppend(b *testing.B) {
	for _, bb := range benchBuckets {
		b.Run(bb.name, func(b *testing.B) {
			var data []byte
			for b.Loop() {
				data = Append(data[:0], &bb.b)
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/benchSamples, "ns/sample")
			b.ReportMetric(float64(len(data)), "bytes")
		})
	}
}

func BenchmarkDecode(b *testing.B) {
	for _, bb := range benchBuckets {
		b.Run(bb.name, func(b *testing.B) {
			data := Append(nil, &bb.b)
			var out Bucket
			for b.Loop() {
				if err := Decode(data, &out); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/benchSamples, "ns/sample")
		})
	}
}
