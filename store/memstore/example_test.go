package memstore_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"

	"github.com/go-batteries/hawkeye/store"
	"github.com/go-batteries/hawkeye/store/memstore"
)

func ExampleNew() {
	s, err := memstore.New()
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Printf("%+v\n", s.Traits())
	// Output: {Tick:200ms Retention:5m0s Shared:false Durable:false Name:memory}
}

// A state file carries samples and ledger over a restart.
func ExampleWithStateFile() {
	dir, err := os.MkdirTemp("", "hawkeye")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer os.RemoveAll(dir)
	ctx, path := context.Background(), filepath.Join(dir, "hawkeye.state")

	before, err := memstore.New(memstore.WithStateFile(path))
	if err != nil {
		fmt.Println(err)
		return
	}
	epoch := store.NewID()
	_ = before.Restore(ctx, store.Offer{Open: epoch})
	_, _ = before.Commit(ctx, store.Commit{ID: store.NewID(), Epoch: epoch, Put: []store.Entry{{Key: "sent/1"}}})
	_ = before.Sync(ctx)

	after, err := memstore.New(memstore.WithStateFile(path))
	if err != nil {
		fmt.Println(err)
		return
	}
	changes, err := after.Changes(ctx, store.Cursor{})
	fmt.Println(changes.Cursor.Epoch == epoch, changes.Records[0].Key, err)
	// Output: true sent/1 <nil>
}

func ExampleStore_Sync() {
	s, err := memstore.New()
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(s.Sync(context.Background()), "without a state file there is nothing to write")
	// Output: <nil> without a state file there is nothing to write
}
