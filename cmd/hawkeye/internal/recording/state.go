package recording

import (
	"fmt"
	"time"

	"github.com/go-batteries/hawkeye/internal/bucket"
	"github.com/go-batteries/hawkeye/internal/simulate"
	"github.com/go-batteries/hawkeye/store"
	"github.com/go-batteries/hawkeye/store/memstore"
)

// State is the samples of a state file.
type State struct {
	Start, End time.Time
	Tick       time.Duration

	names map[uint64]string
	ticks []stateTick
}

type stateTick struct {
	n       int64
	buckets []stateBucket
}

type stateBucket struct {
	writer store.ID
	bucket *bucket.Bucket
}

// ReadState reads the samples of a state file.
func ReadState(path string) (*State, error) {
	r, err := memstore.ReadRecorded(path)
	if err != nil {
		return nil, err
	}
	s := &State{Tick: r.Tick, names: r.Names}
	for _, t := range r.Ticks {
		tick := stateTick{n: t.Tick}
		for _, b := range t.Buckets {
			decoded := &bucket.Bucket{}
			if err := bucket.Decode(b.Data, decoded); err != nil {
				return nil, fmt.Errorf("read %s: tick %d: %w", path, t.Tick, err)
			}
			tick.buckets = append(tick.buckets, stateBucket{b.Writer, decoded})
		}
		s.ticks = append(s.ticks, tick)
	}
	if len(s.ticks) == 0 {
		return nil, fmt.Errorf("read %s: %w", path, ErrEmpty)
	}
	s.Start = time.Unix(0, s.ticks[0].n*int64(s.Tick)).UTC()
	s.End = time.Unix(0, (s.ticks[len(s.ticks)-1].n+1)*int64(s.Tick)).UTC()
	return s, nil
}

// Ticks returns how many ticks there are.
func (s *State) Ticks() int { return len(s.ticks) }

// Play hands the ticks to a simulation of the same tick width, up to until,
// and calls each after every one. Ticks that the file lacks are unknown.
func (s *State) Play(sim *simulate.Simulation, until time.Time, each func()) {
	for id, text := range s.names {
		sim.Learn(id, text)
	}
	next := 0
	for n, end := sim.Tick(); !end.After(until); n, end = sim.Tick() {
		for next < len(s.ticks) && s.ticks[next].n < n {
			next++
		}
		if next < len(s.ticks) && s.ticks[next].n == n {
			for _, b := range s.ticks[next].buckets {
				sim.Take(b.writer, b.bucket)
			}
		}
		sim.Step()
		if each != nil {
			each()
		}
	}
}
