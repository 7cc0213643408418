package memstore_test

import (
	"testing"

	"github.com/go-batteries/hawkeye/store"
	"github.com/go-batteries/hawkeye/store/memstore"
	"github.com/go-batteries/hawkeye/store/storetest"
)

func TestContract(t *testing.T) {
	t.Parallel()
	storetest.Run(t, func(t testing.TB) storetest.Fixture {
		s, err := memstore.New()
		if err != nil {
			t.Fatal(err)
		}
		return storetest.Fixture{Stores: []store.Store{s}}
	})
}
