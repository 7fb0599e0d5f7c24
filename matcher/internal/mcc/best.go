package mcc

import "math"

// Row is how many cylinders [Best] can look at: the most minutiae of a
// template, and one that the assembly may overrun.
const Row = 256

// Chance is the similarity up to which two cylinders have nothing in common.
const Chance = 0.3

// Key is a similarity with the number of the cylinder in its lowest eight
// bits, in the place of the least of the mantissa: keys order as similarities
// do, and no two are equal. 0 is none.
type Key uint32

// Index is the number of the cylinder, Similarity its similarity.
func (k Key) Index() int          { return int(k & 0xff) }
func (k Key) Similarity() float32 { return math.Float32frombits(uint32(k &^ 0xff)) }

// newKey is the key of cylinder j, 0 for a similarity not above [Chance].
func newKey(v float32, j int) Key {
	if v <= Chance {
		return 0
	}
	return Key(math.Float32bits(v)&^0xff | uint32(j))
}

// Kept is how many of the most similar are found for a cylinder.
const Kept = 4

// Best holds the keys of the most similar of a row, in order: the first
// [Kept] among those turned little enough, and in the last place the best of
// the others.
type Best [Kept + 1]Key

// Finder finds the most similar cylinders of a template for each of another's:
// [Finder.Count] once, then [Finder.Find] as often as needed. Its memory holds
// traces of both: wipe it with [Finder.Wipe].
type Finder struct {
	counts []Counts // of all pairs, a row for each cylinder of the first template
	used   int      // how many were written since the last wipe
	keys   [Row]Key
}

// overrun is how many counts behind the last assembly may look at.
const overrun = 8

// Count compares each of as with each of bs, at most [Row]-1 both.
func (f *Finder) Count(as, bs []Cylinder) {
	n := len(bs)
	need := len(as)*n + overrun
	if cap(f.counts) < need {
		clear(f.counts)
		f.counts = make([]Counts, need+need/2)
	}
	f.counts = f.counts[:cap(f.counts)]
	f.used = max(f.used, need)
	for i := range as {
		Count(&as[i], bs, f.counts[i*n:])
	}
}

// Wipe overwrites everything but keeps the memory.
func (f *Finder) Wipe() {
	clear(f.counts[:f.used])
	clear(f.keys[:])
	f.used = 0
}

// Angles returns the directions of the cylinders as [Finder.Find] wants them.
func Angles(cs []Cylinder) []uint8 {
	angles := make([]uint8, len(cs), len(cs)+8)
	for i := range cs {
		angles[i] = cs[i].Angle
	}
	return angles
}

// Find finds the most similar to the i-th cylinder of those just counted, whose
// direction is angle. Turned little enough are those whose direction differs
// from that less centre by no more than [MaxTurn]. The angles are those of all
// the others; with a capacity of eight more, assembly may be used.
func (f *Finder) Find(i int, angle uint8, angles []uint8, centre uint8) (best Best) {
	n := len(angles)
	if n == 0 {
		return best
	}
	counts := f.counts[i*n : i*n+n+overrun]
	from := angle - centre + MaxTurn
	if useAVX2 && cap(angles) >= n+8 {
		bestAVX2(&counts[0], &angles[0], n, uint32(from), &f.keys[0], &best)
		return best
	}
	bestGeneric(counts[:n], angles, from, &best)
	return best
}

// MaxTurn is how far directions may be turned to be turned little enough, in
// 256ths of a turn: delta_theta of the paper.
const MaxTurn = 64

// slack is more than the rounding of a similarity, so that a short cut never
// loses one that is as good as the last kept.
const slack = 1e-5

func bestGeneric(counts []Counts, angles []uint8, from uint8, best *Best) {
	for j, c := range counts {
		last := Kept
		if from-angles[j] <= 2*MaxTurn {
			last = Kept - 1
		}
		if c.Below(1 + slack - max(Chance, best[last].Similarity())) {
			continue
		}
		k := newKey(c.Similarity(), j)
		if k <= best[last] {
			continue
		}
		if last < Kept {
			for ; last > 0 && best[last-1] < k; last-- {
				best[last] = best[last-1]
			}
		}
		best[last] = k
	}
}
