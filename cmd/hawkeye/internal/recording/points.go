package recording

import "slices"

// point is one sample. It holds no pointers, because there may be millions.
type point struct {
	at     int64 // Unix nanoseconds
	value  float64
	source int32 // index into Recording.sources
	count  int32
}

const chunk = 1 << 16

// points are samples in the order of their times. They lie in chunks, so that
// growing moves none.
type points struct {
	chunks  [][]point
	n       int
	shuffle bool // they were not added in order
}

func (p *points) add(x point) {
	if p.n%chunk == 0 {
		p.chunks = append(p.chunks, make([]point, 0, chunk))
	}
	if p.n > 0 && x.at < p.get(p.n-1).at {
		p.shuffle = true
	}
	last := &p.chunks[len(p.chunks)-1]
	*last = append(*last, x)
	p.n++
}

func (p *points) get(i int) *point { return &p.chunks[i/chunk][i%chunk] }

// sort puts them in order; those of the same time stay in theirs.
func (p *points) sort() {
	if !p.shuffle {
		return
	}
	all := slices.Concat(p.chunks...)
	slices.SortStableFunc(all, func(a, b point) int {
		switch {
		case a.at < b.at:
			return -1
		case a.at > b.at:
			return 1
		}
		return 0
	})
	p.chunks, p.shuffle = slices.Collect(slices.Chunk(all, chunk)), false
}

// from returns the first that is not before a time.
func (p *points) from(at int64) int {
	lo, hi := 0, p.n
	for lo < hi {
		if mid := (lo + hi) / 2; p.get(mid).at < at {
			lo = mid + 1
		} else {
			hi = mid
		}
	}
	return lo
}
