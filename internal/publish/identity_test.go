package publish

import (
	"testing"

	"github.com/go-batteries/hawkeye/internal/series"
	"github.com/go-batteries/hawkeye/store"
	"github.com/go-batteries/hawkeye/store/memstore"
)

// Whoever goes by an identity goes by the one that the publisher has drawn anew.
func TestIdentityIsDrawnAnew(t *testing.T) {
	t.Parallel()
	s, err := memstore.New()
	if err != nil {
		t.Fatal(err)
	}
	identity := NewIdentity()
	before := identity.Writer()
	p := New(Config{Store: s, Registry: series.New(series.Limits{}), Identity: identity})
	if before.IsZero() || p.Writer() != before {
		t.Fatalf("the publisher begins as %v, want %v", p.Writer(), before)
	}
	p.mu.Lock()
	p.draw()
	p.mu.Unlock()
	if now := identity.Writer(); now == before || now != p.Writer() {
		t.Errorf("the identity is %v after a new one was drawn, and the publisher %v; want another one than %v", now, p.Writer(), before)
	}
	if q := New(Config{Store: s, Registry: series.New(series.Limits{}), Writer: store.ID{1}}); q.Writer() != (store.ID{1}) {
		t.Errorf("a publisher that is given an id begins as %v", q.Writer())
	}
}
