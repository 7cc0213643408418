// Package storetest is the contract of [store.Store] as code.
//
// A Store's own test calls [Run] with a [Factory]:
//
//	func TestStore(t *testing.T) {
//		storetest.Run(t, func(t testing.TB) storetest.Fixture {
//			return storetest.Fixture{Stores: []store.Store{newStore(t)}}
//		})
//	}
//
// The suite knows nothing of ticks' width, of the Store's clock, or of what
// else a shared server holds. It waits for the store's time to pass a few
// milliseconds and never sleeps longer.
package storetest

import (
	"context"
	"testing"

	"github.com/go-batteries/hawkeye/store"
)

// Factory returns a fresh, empty Store, and puts its removal into t.Cleanup.
// It is called once for each check, and from several goroutines, since the
// checks run in parallel.
//
// t is the [testing.T] of a check. It is a [testing.TB] here so that the suite
// itself can be tested.
type Factory func(t testing.TB) Fixture

// Fixture is what a check works on.
type Fixture struct {
	// Stores are handles on the same data, at least one. With several of
	// them the checks use them as the processes of a fleet would. Their
	// [store.Traits].Retention is a minute or longer.
	Stores []store.Store

	// Lose, if not nil, makes the data as if it never had been, as a
	// FLUSHALL or an empty restart does. It must not touch the data of other
	// Fixtures. Checks that need it are skipped without it.
	Lose func()

	// Save, if not nil, remembers the data as they are; rollBack brings them
	// back, as a failover to a replica that lags does. Checks that need it
	// are skipped without it.
	Save func() (rollBack func())

	// Cut, if not nil, makes the data unreachable for all of Stores until
	// mend is called. Checks that need it are skipped without it.
	Cut func() (mend func())
}

// Run checks that the Stores that f makes honour the contract, each sentence
// of it in a subtest of its own.
func Run(t *testing.T, f Factory) {
	t.Helper()
	for _, c := range checks() {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			c.on(t, f)
		})
	}
}

// check is one test of the suite.
type check struct {
	name string
	run  func(*env)
	// needs says what a Fixture must have for it; nil: nothing.
	needs func(*Fixture) (ok bool, what string)
}

func checks() []check {
	var all []check
	for _, list := range [][]check{
		sampleChecks, nameChecks, openingChecks, commitChecks, changeChecks,
		bulkChecks, raceChecks, aliasChecks, faultChecks, usageChecks,
	} {
		all = append(all, list...)
	}
	return all
}

func (c *check) on(t testing.TB, f Factory) {
	fixture := f(t)
	if len(fixture.Stores) == 0 {
		t.Fatal("the factory returned no Store")
	}
	if c.needs != nil {
		if ok, what := c.needs(&fixture); !ok {
			t.Skipf("the factory's Fixture has no %s", what)
		}
	}
	c.run(newEnv(t, fixture))
}

func needsLose(f *Fixture) (bool, string) { return f.Lose != nil, "Lose" }
func needsSave(f *Fixture) (bool, string) { return f.Save != nil, "Save" }
func needsCut(f *Fixture) (bool, string)  { return f.Cut != nil, "Cut" }

// env is what a check sees: its test, a context with a deadline, and the
// Stores with the calls that must succeed.
type env struct {
	testing.TB
	Fixture
	ctx   context.Context
	here  store.Store // one process's handle
	there store.Store // another one's, or the same
}
