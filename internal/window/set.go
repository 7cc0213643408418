package window

// set is a group's sets: hashes of values.
type set struct {
	span   span[map[uint64]struct{}]
	values map[uint64]int32 // of the window; in how many cells each is
}

func (s *set) take(g *grid, at, now int64, hashes []uint64) {
	v, in := s.span.at(g, at, now)
	if *v == nil {
		*v = make(map[uint64]struct{}, len(hashes))
	}
	for _, h := range hashes {
		if _, known := (*v)[h]; known {
			continue
		}
		(*v)[h] = struct{}{}
		if in {
			s.values[h]++
		}
	}
}

func (s *set) slide(g *grid, now int64) {
	s.span.slide(g, now,
		func(v *map[uint64]struct{}) {
			for h := range *v {
				s.values[h]++
			}
		},
		func(v *map[uint64]struct{}) {
			for h := range *v {
				if s.values[h]--; s.values[h] == 0 {
					delete(s.values, h)
				}
			}
		})
}

func distinct(cells []cell[map[uint64]struct{}]) int {
	all := make(map[uint64]struct{})
	for i := range cells {
		for h := range cells[i].v {
			all[h] = struct{}{}
		}
	}
	return len(all)
}

func (t *track) distinct(o op, n int) Value {
	v := Value{V: float64(n), Status: OK, Count: float64(n), Sum: float64(n), Monotone: true}
	switch o {
	case opRate:
		v.V /= t.seconds
	case opQuantile, opUnder, opNone:
		v.miss()
	}
	return v
}
