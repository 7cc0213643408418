package hawkeye_test

import (
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/go-batteries/hawkeye"
)

// Something is decided in each tick, for minutes: what is old is deleted from
// the ledger nevertheless, in every copy.
func TestOldIsDeletedHoweverMuchHappens(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := newFleet(t)
		const groups, perAlert = 4, 100
		replicas := f.startN(2, `version: 2
receivers:
  ops: {email: {to: [ops@example.com]}}
monitors:
  - {name: noisy, metric: noisy, type: counter, window: 1s, by: [user], notify: [ops], triggers: [{threshold: 1, for: 1h}]}
`)
		most := 0
		for i := range 420 {
			// Each group is in breach every fourth tick, another one in each.
			replicas[i%2].Count("noisy", 1, hawkeye.T("user", fmt.Sprint("user-", i%groups)))
			after(tick)
			if i > 300 {
				for _, r := range replicas {
					most = max(most, len(r.History("")))
				}
			}
		}
		// In the minute between two sweeps each group comes and goes 15 times.
		if least, limit := groups*perAlert, groups*(perAlert+3*15); most < least || most > limit {
			t.Errorf("the history has up to %d entries, want between %d, which is what is kept, and %d, with what came since", most, least, limit)
		}
		after(time.Minute)
	})
}
