package redisstore

import (
	"sync/atomic"
	"time"
)

// every says yes once in d, to one of its concurrent callers.
func every(last *atomic.Int64, d time.Duration) bool {
	now, before := time.Now().UnixNano(), last.Load()
	// A clock that was set back must not silence us for long.
	if before != 0 && now >= before && now-before < int64(d) {
		return false
	}
	return last.CompareAndSwap(before, now)
}
