package search

import (
	"context"
	"fmt"
	"math"
	"unsafe"

	"github.com/tamga-id/tamga/matcher/finger"
	"github.com/tamga-id/tamga/matcher/internal/mcc"
	"github.com/tamga-id/tamga/matcher/internal/scan"
)

// Shares of the gallery that reach the second and the third stage, and the
// numbers that do whatever the size of the gallery.
const (
	relaxedShare, relaxedLeast = 0.40, 100
	fullShare, fullLeast       = 0.05, 40

	fingerBlock = 64
)

// Fingers is an index of fingerprints. It is safe for concurrent use. Make it
// with [NewFingers]; the zero value panics.
//
// A search goes in three stages, as R. Cappelli, M. Ferrara and D. Maltoni,
// "Fingerprint Indexing Based on Minutia Cylinder-Code", IEEE TPAMI 33(5), 2011,
// and the cascades of other matchers do: every reference is compared by its
// cylinders alone; the best 40 % of them (at least 100) by finger.Relaxed; the
// best 5 % (at least 40) by finger.Compare, which alone makes scores. So all
// references are looked at, but a mate that the first stages rank too low is
// missed; what that costs on real data, the tests measure.
type Fingers struct {
	engine[fingerQuery, fingerMemory]
	relaxed, full                             share
	compareLocal, compareRelaxed, compareFull stage[fingerQuery, fingerMemory]
}

// share says how many of n go on.
type share struct {
	part  float64
	least int
}

func (s share) of(n int) int { return max(s.least, int(math.Ceil(s.part*float64(n)))) }

// fingerRow is one reference. All is guarded by the segment's lock.
type fingerRow struct {
	template *finger.Template
	packed   []uint64 // its cylinders, as scan.PackReference has them
	n        int      // how many
	position uint8
}

func (f *fingerRow) wipe() {
	f.template.Wipe()
	clear(f.packed)
	*f = fingerRow{}
}

// bytes that a row occupies beside the segment; the template holds its
// minutiae and a copy of the cylinders.
func (f *fingerRow) bytes() int {
	const point = 24
	return int(unsafe.Sizeof(*f)) + 8*len(f.packed) + f.n*(int(unsafe.Sizeof(mcc.Cylinder{}))+point)
}

type fingerQuery struct {
	template *finger.Template
	position uint8
	probe    []uint64
	ranks    []uint16 // by row: rank value of the stage before, 0 where it is not to go on
	cut      uint16   // rank value from which rows go on
	count    [1 << 16]uint32
}

// fingerMemory is empty: package finger keeps its own.
type fingerMemory struct{}

// NewFingers makes an empty index. Config.Allocate is not used: rows differ in size.
func NewFingers(c Config) (*Fingers, error) {
	f := &Fingers{relaxed: share{relaxedShare, relaxedLeast}, full: share{fullShare, fullLeast}}
	f.compareLocal, f.compareRelaxed, f.compareFull = f.localStage, f.relaxedStage, f.fullStage
	return f, f.init(c, 0)
}

// Add enters a reference of a subject, which may have several. Position is that
// of ISO/IEC 19794-2, 0 when unknown. The index takes the template over: unless
// there is an error, the caller must neither use it nor wipe it afterwards. The
// error is [ErrUnusable] when the template holds nothing, or too few minutiae
// with surroundings that it could be found by, or [ErrClosed].
func (f *Fingers) Add(id ID, position uint8, t *finger.Template) error {
	cylinders := t.Cylinders()
	if len(cylinders) < leastCylinders {
		return fmt.Errorf("adding finger: %w", ErrUnusable)
	}
	row := fingerRow{template: t, packed: scan.PackReference(cylinders), n: len(cylinders), position: position}
	// Longer templates find more by chance: the local score is divided by the root of their length.
	return f.add(id, float32(1/math.Sqrt(float64(row.n+1))), func(g *segment, at int) {
		g.fingers[at] = row
		f.apart.Add(int64(row.bytes()))
	})
}

// leastCylinders is what a finger needs to be searched with or for.
const leastCylinders = finger.MinMinutiae

// Remove overwrites all references of a subject and returns how many there were.
func (f *Fingers) Remove(id ID) int {
	return f.remove(id, func(g *segment, row int) {
		f.apart.Add(int64(-g.fingers[row].bytes()))
		g.fingers[row].wipe()
	})
}

// Search looks for a finger among all references at its position, and at
// unknown ones; among all when position is 0. The score of a candidate is that
// of finger.Compare. Errors and results are those of [Faces.Search].
func (f *Fingers) Search(ctx context.Context, position uint8, t *finger.Template, o Options, into *Result) error {
	into.Wipe()
	if len(t.Cylinders()) < leastCylinders {
		return fmt.Errorf("searching: %w", ErrUnusable)
	}
	r, err := f.begin(1, o)
	if err != nil {
		return err
	}
	defer f.end(r)
	q := &r.queries
	defer q.wipe()
	q.set(r.rows(ctx), position, t)
	r.do(f.compareLocal)
	eligible := q.rank(f.relaxed, 0)
	r.do(f.compareRelaxed)
	q.rank(f.full, eligible)
	r.do(f.compareFull)
	err = r.gatherOne(into)
	into.Compared = eligible
	return err
}

// Screen runs the first stage alone and returns how many references it looked
// at: for measuring how fast that is.
func (f *Fingers) Screen(ctx context.Context, t *finger.Template) (int, error) {
	r, err := f.begin(1, Options{Most: 1})
	if err != nil {
		return 0, err
	}
	defer f.end(r)
	q := &r.queries
	defer q.wipe()
	q.set(r.rows(ctx), 0, t)
	r.do(f.compareLocal)
	var out Result
	err = r.gatherOne(&out)
	return out.Compared, err
}

// set prepares q for a search over that many rows.
func (q *fingerQuery) set(rows int, position uint8, t *finger.Template) {
	q.template, q.position, q.probe = t, position, scan.PackProbe(q.probe[:0], t.Cylinders())
	if cap(q.ranks) < rows {
		q.ranks = make([]uint16, rows+rows/4)
	}
	q.ranks = q.ranks[:rows]
}

func (q *fingerQuery) wipe() {
	clear(q.probe)
	clear(q.ranks)
	clear(q.count[:])
	q.template = nil
}

// rank sets the cut so that the share of all goes on, with all that are level
// with the last of them, and returns how many there are in all: of, or when
// that is 0 those that have a rank.
func (q *fingerQuery) rank(s share, of int) int {
	clear(q.count[:])
	for _, v := range q.ranks {
		q.count[v]++
	}
	if of == 0 {
		of = len(q.ranks) - int(q.count[0])
	}
	left := s.of(of)
	q.cut = 1
	for v := len(q.count) - 1; v > 1; v-- {
		if left -= int(q.count[v]); left <= 0 {
			q.cut = uint16(v)
			break
		}
	}
	return of
}

// Scores of the first two stages are ranked in 16 bits, from 1 on.
const (
	localScale   = 16
	relaxedScale = 1<<16 - 2
)

func rankOf(v float64) uint16 { return 1 + uint16(min(1<<16-2, max(0, v))) }

func (f *Fingers) localStage(q *fingerQuery, _ *fingerMemory, _ []best, g *segment, base, from, to int) {
	loops := scan.Best()
	for i := from; i < to; i++ {
		row := &g.fingers[i]
		if row.n == 0 || q.position != 0 && row.position != 0 && q.position != row.position {
			continue // its rank is 0
		}
		q.ranks[base+i] = rankOf(localScale * float64(float32(loops.Local(q.probe, row.packed, row.n))*g.norms[i]))
	}
}

// relaxedStage and fullStage look a row up again: if it was removed meanwhile
// there is nobody, and if it was taken anew its new owner is compared.

func (f *Fingers) relaxedStage(q *fingerQuery, _ *fingerMemory, _ []best, g *segment, base, from, to int) {
	for i := from; i < to; i++ {
		rank := &q.ranks[base+i]
		if *rank < q.cut || g.fingers[i].n == 0 {
			*rank = 0
			continue
		}
		*rank = rankOf(relaxedScale * finger.Relaxed(q.template, g.fingers[i].template))
	}
}

func (f *Fingers) fullStage(q *fingerQuery, _ *fingerMemory, lists []best, g *segment, base, from, to int) {
	for i := from; i < to; i++ {
		if q.ranks[base+i] < q.cut || g.fingers[i].n == 0 {
			continue
		}
		lists[0].offer(g.ids[i], finger.Compare(q.template, g.fingers[i].template))
	}
}
