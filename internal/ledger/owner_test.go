package ledger

import (
	"errors"
	"testing"
	"time"

	"github.com/go-batteries/hawkeye/store"
)

func TestOwner(t *testing.T) {
	t.Parallel()
	const now = 1_000_000
	shared := store.Traits{Shared: true, Tick: time.Second}
	for _, c := range []struct {
		name    string
		owner   Owner
		head    Head
		want    *Refusal // nil if it is ours to work with
		orphans bool     // it may be ours one day
	}{
		{"ours", Owner{Service: "shop", Traits: shared}, Head{Service: "shop", Width: time.Second, Tick: now}, nil, false},
		{"of a version that doesn't say", Owner{Service: "shop", Traits: shared}, Head{Tick: now}, nil, false},
		{"another service's", Owner{Service: "shop", Traits: shared}, Head{Service: "blog", Width: time.Second, Tick: now}, &Refusal{Kind: OtherService}, true},
		{"another service's, for who only counts", Owner{Service: "shop", Records: true, Traits: shared}, Head{Service: "blog", Width: time.Second, Tick: now}, nil, false},
		{"of other ticks", Owner{Service: "shop", Traits: shared}, Head{Service: "shop", Width: time.Minute, Tick: now}, &Refusal{Kind: TickDiffers}, false},
		{"of other ticks, for who only counts", Owner{Service: "shop", Records: true, Traits: shared}, Head{Width: time.Minute, Tick: now}, &Refusal{Kind: TickDiffers}, false},
		{"a day ahead", Owner{Service: "shop", Traits: shared}, Head{Service: "shop", Width: time.Second, Tick: now + 24*3600}, nil, false},
		{"more than a day ahead", Owner{Service: "shop", Traits: shared}, Head{Service: "shop", Width: time.Second, Tick: now + 24*3600 + 1}, &Refusal{Kind: ClockBehind}, false},
		{"of this process's own file", Owner{Service: "shop", Traits: store.Traits{Tick: time.Second}}, Head{Service: "blog", Width: time.Minute, Tick: 10}, nil, false},
	} {
		c.owner.NowTick = func() int64 { return now }
		err := c.owner.Check(&c.head)
		var got *Refusal
		if errors.As(err, &got); (got == nil) != (c.want == nil) || got != nil && got.Kind != c.want.Kind {
			t.Errorf("a ledger %s: %v, want %+v", c.name, err, c.want)
		}
		if Orphanable(err) != c.orphans {
			t.Errorf("a ledger %s may be ours one day: %v, want %v", c.name, Orphanable(err), c.orphans)
		}
		if err == nil && c.head.Width != time.Second {
			t.Errorf("a ledger %s is gone on from with ticks of %v, want those of the store", c.name, c.head.Width)
		}
	}
}

// A tick of another width is the newest of ours that had ended when it had.
func TestOwnerRescales(t *testing.T) {
	t.Parallel()
	o := Owner{Traits: store.Traits{Tick: time.Second}, NowTick: func() int64 { return 0 }}
	head := Head{Width: time.Minute, Tick: 10, Born: 1}
	if err := o.Check(&head); err != nil || head.Tick != 11*60-1 || head.Born != 2*60-1 {
		t.Errorf("Check() = %v, and the head is %+v; want tick 659, born 119", err, head)
	}
}
