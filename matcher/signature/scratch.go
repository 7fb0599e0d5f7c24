package signature

import "sync"

// scratch is the working memory of one comparison. It holds traces of both
// sides, so it is wiped before it goes back to the pool.
type scratch struct {
	a, b []int32
	cost []uint16  // of one probe row against the reference rows in its band
	rest [][]int32 // for each reference signature, lower bounds by probe row
}

var scratches = sync.Pool{New: func() any { return new(scratch) }}

func newScratch() *scratch { return scratches.Get().(*scratch) }

func (s *scratch) release() {
	clear(s.a)
	clear(s.b)
	clear(s.cost)
	for _, r := range s.rest {
		clear(r)
	}
	scratches.Put(s)
}

// rows returns two rows of a dynamic programme, with any contents.
func (s *scratch) rows(n int) (before, now []int32) {
	if len(s.a) < n {
		s.a, s.b = make([]int32, n), make([]int32, n)
	}
	return s.a[:n], s.b[:n]
}

// bounds returns room for a bound for each of n probe rows of k references.
func (s *scratch) bounds(k, n int) [][]int32 {
	for len(s.rest) < k {
		s.rest = append(s.rest, nil)
	}
	for i := range k {
		if cap(s.rest[i]) < n {
			s.rest[i] = make([]int32, n)
		}
		s.rest[i] = s.rest[i][:n]
	}
	return s.rest[:k]
}
