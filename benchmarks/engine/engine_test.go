// Package engine measures what happens between the recording and the mail:
// collecting what many series gained, stepping many monitors over a tick, and
// the memory of a series. Package rules has the same monitors as Prometheus
// evaluates them.
package engine

import (
	"runtime"

	"github.com/go-batteries/hawkeye/internal/bucket"
	"github.com/go-batteries/hawkeye/internal/series"
)

// heap is what is live.
func heap() (m runtime.MemStats) {
	runtime.GC()
	runtime.GC()
	runtime.ReadMemStats(&m)
	return m
}

// sum is everything that was counted in data.
func sum(data *bucket.Bucket) (sum float64) {
	for _, c := range data.Counters {
		sum += float64(c.Delta) / bucket.Unit
	}
	return sum
}

func tags(route string) []series.Tag {
	return []series.Tag{{Key: "method", Value: "GET"}, {Key: "route", Value: route}, {Key: "status", Value: "2xx"}}
}
