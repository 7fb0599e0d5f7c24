package search

import (
	"context"
	"fmt"
	"math"

	"github.com/tamga-id/tamga/matcher/internal/scan"
	"github.com/tamga-id/tamga/matcher/iris"
)

// Irises is an index of iris codes. It is safe for concurrent use. Make it with
// [NewIrises]; the zero value panics.
//
// The score of a candidate is [IrisScore] at the best of 17 rotations, 8 steps of
// the angle either way, of the iris as a whole. It is not that of iris.Compare,
// which lets sectors turn by themselves, and needs a calibration of its own; an
// officer's candidates are few enough to be compared once more with that. Codes
// without masked bits are compared about twice as fast as others.
type Irises struct {
	engine[irisQueries, irisMemory]
	table   *irisTable
	compare stage[irisQueries, irisMemory] // bound once, so that a search allocates nothing
}

type irisQueries struct {
	n      int
	probes []scan.Probe
}

// irisMemory is what the loops count in a block.
type irisMemory struct {
	least  []uint16
	counts []scan.Rotations
}

func (m *irisMemory) wipe() {
	clear(m.least)
	clear(m.counts)
}

// NewIrises makes an empty index.
func NewIrises(c Config) (*Irises, error) {
	x := &Irises{table: newIrisTable()}
	x.compare, x.wipe = x.compareIrises, (*irisMemory).wipe
	return x, x.init(c, scan.IrisRow)
}

// Add enters a reference of a subject, which may have several. The sample is
// copied. The error is [ErrUnusable] when it has fewer than iris.MinBits usable
// bits, [ErrClosed], or [ErrMemory].
func (x *Irises) Add(id ID, s *iris.Sample) error {
	if !searchable(s) {
		return fmt.Errorf("adding iris: %w", ErrUnusable)
	}
	return x.add(id, 1, func(g *segment, row int) {
		b := x.bytes(g, row)
		copy(b[:scan.CodeBytes], s.Code[:])
		copy(b[scan.CodeBytes:], s.Mask[:])
		if !scan.FullMask(s.Mask[:]) {
			g.masked++
		}
	})
}

func searchable(s *iris.Sample) bool { return s != nil && scan.Ones(s.Mask[:]) >= iris.MinBits }

// Remove overwrites all references of a subject and returns how many there were.
func (x *Irises) Remove(id ID) int {
	return x.remove(id, func(g *segment, row int) {
		b := x.bytes(g, row)
		if !scan.FullMask(b[scan.CodeBytes:]) {
			g.masked--
		}
		clear(b)
	})
}

// Search looks for an iris among all references. Errors and results are those
// of [Faces.Search].
func (x *Irises) Search(ctx context.Context, s *iris.Sample, o Options, into *Result) error {
	into.Wipe()
	if !searchable(s) {
		return fmt.Errorf("searching: %w", ErrUnusable)
	}
	r, err := x.begin(1, o)
	if err != nil {
		return err
	}
	defer x.end(r)
	q := &r.queries
	if q.n = 1; len(q.probes) < q.n {
		q.probes = make([]scan.Probe, q.n)
	}
	defer clear(q.probes)
	q.probes[0].Set(s.Code[:], s.Mask[:])
	r.over(ctx)
	r.do(x.compare)
	return r.gatherOne(into)
}

func (x *Irises) compareIrises(q *irisQueries, w *irisMemory, lists []best, g *segment, _, from, to int) {
	rows := g.rows[from*x.stride : to*x.stride]
	n := to - from
	for i := range q.n {
		if q.probes[i].Full && g.masked == 0 {
			if w.least == nil {
				w.least = make([]uint16, x.block)
			}
			scan.Best().Iris(w.least[:n], rows, &q.probes[i])
			x.table.pickFull(&lists[i], w.least[:n], g.norms[from:to], g.ids[from:to])
			continue
		}
		if w.counts == nil {
			w.counts = make([]scan.Rotations, x.block)
		}
		scan.Best().IrisMasked(w.counts[:n], rows, &q.probes[i])
		x.table.pickMasked(&lists[i], w.counts[:n], g.norms[from:to], g.ids[from:to])
	}
}

// IrisScore is the score of two iris codes at one rotation, by the bits usable
// in both and those of them that differ: 1 less the Hamming distance as J. Daugman
// normalises it for the number of bits compared (IEEE Trans. SMC-B 37(5), 2007),
// HD' = 0.5-(0.5-HD)*sqrt(usable/911), so that a distance over few bits says
// less. It is 0.5 where as many bits differ as agree, at most 1.25, and minus
// infinity under iris.MinBits.
func IrisScore(differing, usable int) float64 {
	if usable < iris.MinBits || usable > scan.CodeBits || differing < 0 || differing > usable {
		return math.Inf(-1)
	}
	most, each := irisTerms(usable)
	return most - float64(float64(differing)*each)
}

// irisTerms are the score without differing bits and what each of them takes
// away. The conversions keep products from being fused into sums, which would
// round differently on some processors.
func irisTerms(usable int) (most, each float64) {
	n := float64(usable)
	return 0.5 + float64(0.5*math.Sqrt(n/typicalBits)), 1 / math.Sqrt(typicalBits*n)
}

// typicalBits is what two irises with usual eyelids leave (Daugman 2007, section V).
const typicalBits = 911

// irisTable holds the two terms of IrisScore by the number of usable bits.
type irisTable struct{ most, each [scan.CodeBits + 1]float64 }

func newIrisTable() *irisTable {
	t := new(irisTable)
	for n := range t.most {
		t.most[n] = math.Inf(-1)
		if n >= iris.MinBits {
			t.most[n], t.each[n] = irisTerms(n)
		}
	}
	return t
}

func (t *irisTable) score(differing, usable int) float64 {
	return t.most[usable] - float64(float64(differing)*t.each[usable])
}

// pickFull offers the rows near enough to enter the list.
func (t *irisTable) pickFull(list *best, least []uint16, norms []float32, ids []ID) {
	within := t.within(list.floor())
	for i, d := range least {
		if int(d) > within || norms[i] != norms[i] {
			continue
		}
		if list.offer(ids[i], t.score(int(d), scan.CodeBits)) {
			within = t.within(list.floor())
		}
	}
}

// within is the largest distance over all bits that scores at least floor, or -1.
func (t *irisTable) within(floor float64) int {
	lo, hi := -1, scan.CodeBits
	for lo < hi {
		mid := (lo + hi + 1) / 2
		if t.score(mid, scan.CodeBits) >= floor {
			lo = mid
		} else {
			hi = mid - 1
		}
	}
	return lo
}

// pickMasked offers the rows whose best rotation may enter the list.
func (t *irisTable) pickMasked(list *best, counts []scan.Rotations, norms []float32, ids []ID) {
	floor := list.floor()
	for i := range counts {
		if norms[i] != norms[i] {
			continue
		}
		c := &counts[i]
		top := math.Inf(-1)
		for turn := range scan.Turns {
			top = max(top, t.score(int(c.Differing[turn]), int(c.Usable[turn])))
		}
		// Minus infinity is "could not tell" of one pair, and no score.
		if top >= floor && !math.IsInf(top, -1) && list.offer(ids[i], top) {
			floor = list.floor()
		}
	}
}
