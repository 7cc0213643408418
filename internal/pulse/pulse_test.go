package pulse

import (
	"context"
	"testing"
	"testing/synctest"
	"time"
)

func TestWatch(t *testing.T) {
	t.Parallel()
	const step = time.Second
	for _, c := range []struct {
		name string
		do   func(p *Pulse, look func())
		want time.Duration
	}{
		{"it rests", func(_ *Pulse, look func()) { look(); look(); look() }, 0},
		{"it works and stands", func(p *Pulse, look func()) { p.Work(); look(); look(); look() }, 2 * step},
		{"it works and gives signs", func(p *Pulse, look func()) {
			p.Work()
			look()
			p.Work()
			look()
			p.Beat()
			look()
		}, 0},
		{"it stands, and goes on", func(p *Pulse, look func()) {
			p.Work()
			look()
			look()
			p.Work()
			look()
			look()
		}, step},
		{"it stood, and rests", func(p *Pulse, look func()) {
			p.Work()
			look()
			look()
			p.Rest()
			look()
			look()
		}, 0},
		{"a beat makes nothing work", func(p *Pulse, look func()) {
			p.Beat()
			look()
			look()
			p.Beat()
			look()
			look()
		}, 0},
		{"it rests twice", func(p *Pulse, look func()) { p.Work(); p.Rest(); p.Rest(); look(); look() }, 0},
		{"it rests in the middle", func(p *Pulse, look func()) { p.Work(); p.Pause(func() { look(); look(); look() }) }, 0},
		{"and works again", func(p *Pulse, look func()) { p.Work(); p.Pause(func() {}); look(); look() }, step},
		{"it rests while it rests", func(p *Pulse, look func()) { p.Pause(func() {}); look(); look() }, 0},
		{"all was paused", func(p *Pulse, look func()) { p.Work(); look(); time.Sleep(time.Hour); look() }, 2 * step},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				var p Pulse
				var w Watch
				var got time.Duration
				c.do(&p, func() { got = w.Look(&p, step); time.Sleep(step) })
				if got != c.want {
					t.Errorf("it stood for %v, want %v", got, c.want)
				}
			})
		})
	}
}

func TestOf(t *testing.T) {
	t.Parallel()
	none := Of(context.Background())
	none.Work()
	none.Beat()
	none.Rest()
	none.Pause(func() {})
	if none != nil || none.Working() {
		t.Error("a context without a pulse has one")
	}
	p := new(Pulse)
	if got := Of(With(context.Background(), p)); got != p {
		t.Errorf("Of() = %p, want %p", got, p)
	}
}

func BenchmarkWork(b *testing.B) {
	p := new(Pulse)
	for b.Loop() {
		p.Work()
		p.Rest()
	}
}
