package publish

import (
	"context"
	"log/slog"

	"github.com/go-batteries/hawkeye/store"
)

// A snapshot of a virtual machine that is resumed twice is one process that
// goes on as two, under one id. The bucket that comes second finds other data
// in its place, which is never so in a process that is alone: it writes a tick
// once, and the same data at each attempt. So whoever is second takes a new id
// and publishes under that. Copies that count exactly the same in a tick can't
// be told apart there.

// refused gives the buckets that were refused, of the last *fresh of a
// publication, to a writer that is ours alone. *fresh becomes the number of
// those before the first of them: what comes after that is published once more.
// It says whether a new id was drawn. It wants mu held.
func (p *Publisher) refused(pub *store.Publication, fresh *int, refused []int) (drawn bool) {
	again := len(pub.Buckets) - *fresh
	for _, i := range refused {
		if i < again {
			continue // was ours once, and the Store has lost it; what is there now counts
		}
		e := &p.ring.backlog[i-again]
		if e.writer == p.stats.Writer && !drawn {
			p.draw()
			p.copied, drawn = true, true
		}
		e.writer = p.stats.Writer
		*fresh = min(*fresh, i-again)
	}
	pub.Buckets = pub.Buckets[:again+*fresh]
	return drawn
}

// draw draws a new id. It wants mu held.
func (p *Publisher) draw() {
	p.stats.Writer = store.NewID()
	p.cfg.Identity.set(p.stats.Writer)
	p.stats.Redrawn++
}

// tellWriter tells why there is a new id.
func (p *Publisher) tellWriter(why string, attrs ...slog.Attr) {
	id := p.Writer()
	p.log.LogAttrs(context.Background(), slog.LevelWarn, why, append(attrs, slog.String("writer", id.String()))...)
	if p.cfg.OnWriter != nil {
		p.cfg.OnWriter(id)
	}
}
