package memstore

import (
	"testing"

	"github.com/go-batteries/hawkeye/store"
)

func TestCommitIsRead(t *testing.T) {
	t.Parallel()
	s, err := New()
	if err != nil {
		t.Fatal(err)
	}
	ctx := t.Context()
	epoch := store.NewID()
	if err := s.Restore(ctx, store.Offer{Open: epoch}); err != nil {
		t.Fatal(err)
	}
	at, err := s.Commit(ctx, store.Commit{ID: store.NewID(), Epoch: epoch, Put: []store.Entry{{Key: "k", Value: []byte("v")}}})
	if err != nil {
		t.Fatal(err)
	}
	got, err := s.Changes(ctx, store.Cursor{Epoch: epoch})
	if err != nil || got.Cursor != at || got.Reset || len(got.Records) != 1 {
		t.Errorf("Changes() = %+v, %v, want one record at %v", got, err, at)
	}
}
