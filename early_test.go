package hawkeye_test

import (
	"testing"
	"testing/synctest"
	"time"
)

// A job that lives for a moment is watched like any other.
func TestShutdownRightAfterTheStart(t *testing.T) {
	t.Parallel()
	for _, life := range []time.Duration{0, time.Millisecond, 150 * time.Millisecond, 250 * time.Millisecond} {
		t.Run(life.String(), func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				box := &mailbox{}
				h := start(t, twoSLAs, box)
				count(h, "http.response.400", 3)
				time.Sleep(life)
				stop(t, h)
				want(t, "of a job that ended after "+life.String(), box.lines(), firstDegree)
			})
		})
	}
}
