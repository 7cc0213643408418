package series

import (
	"testing"

	"github.com/go-batteries/hawkeye/internal/bucket"
)

func TestCollectReturnsDeltas(t *testing.T) {
	t.Parallel()
	r := New(Limits{})
	r.Counter("a", Tag{"x", "1"}, Tag{"y", "2"}).Inc()
	r.CounterBytes([]byte("a"), []byte("y:2,x:1")).Inc()
	var b bucket.Bucket
	r.Collect(&b, false)
	if len(b.Counters) != 1 || b.Counters[0].Delta != 2*bucket.Unit {
		t.Errorf("Collect = %v, want one delta of 2", b.Counters)
	}
}
