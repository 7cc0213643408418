package publish

// Held is a closed tick of this process.
type Held struct {
	// Seq counts closed ticks, from 1.
	Seq  int64
	Tick int64
	// Data is the encoded bucket. It must not be changed.
	Data []byte
}

// Held returns the closed ticks after seq that are still in memory, published
// or not, oldest first: what this process can say of the fleet by itself.
func (p *Publisher) Held(seq int64) []Held {
	p.mu.Lock()
	defer p.mu.Unlock()
	var held []Held
	for _, entries := range [][]entry{p.ring.kept, p.ring.backlog} {
		for i := range entries {
			if e := &entries[i]; e.seq > seq && e.data != nil {
				held = append(held, Held{Seq: e.seq, Tick: e.tick, Data: e.data})
			}
		}
	}
	return held
}
