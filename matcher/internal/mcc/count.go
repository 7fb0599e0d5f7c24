package mcc

import "math/bits"

// Counts says what two cylinders have in common, on the cells valid in both:
// the bits set in both of them (lowest ten bits), in the first (next ten) and
// in the second (ten above); the bit above all says that enough cells are
// shared for the two to be compared.
type Counts uint32

const (
	countBits = 10
	countMask = 1<<countBits - 1
	enough    = 1 << (3 * countBits)
)

// Enough reports whether the two share [MinShared] cells.
func (c Counts) Enough() bool { return c&enough != 0 }

// Both is the number of bits set in both, First in the first, Second in the
// second.
func (c Counts) Both() int   { return int(c & countMask) }
func (c Counts) First() int  { return int(c >> countBits & countMask) }
func (c Counts) Second() int { return int(c >> (2 * countBits) & countMask) }

// Similarity is what [Similarity] returns for the two.
func (c Counts) Similarity() float32 {
	if !c.Enough() {
		return 0
	}
	return FromCounts(c.First(), c.Second(), c.Both())
}

// Below reports whether the similarity is certainly less than 1-distance
// without the cost of a division; close to it, it may say no.
func (c Counts) Below(distance float32) bool {
	first, second := c.First(), c.Second()
	return !c.Enough() || roots[first+second-2*c.Both()] > distance*(roots[first]+roots[second])
}

// planes are the six sections of a cylinder added up cell by cell, as binary
// digits: with them three counts say what six would. A cell has at most six
// bits, so three digits hold the sum.
type planes [3]uint64

func newPlanes(b *[Sections]uint64) planes {
	// Two full adders, then a third for their sums and carries.
	s1, c1 := b[0]^b[1]^b[2], b[0]&b[1]|b[2]&(b[0]^b[1])
	s2, c2 := b[3]^b[4]^b[5], b[3]&b[4]|b[5]&(b[3]^b[4])
	carry := s1 & s2
	return planes{s1 ^ s2, c1 ^ c2 ^ carry, c1&c2 | carry&(c1^c2)}
}

// countGeneric is Count in portable Go.
func countGeneric(a *Cylinder, p *planes, bs []Cylinder, out []Counts) {
	for j := range bs {
		b := &bs[j]
		first := bits.OnesCount64(p[0]&b.Valid) + 2*bits.OnesCount64(p[1]&b.Valid) + 4*bits.OnesCount64(p[2]&b.Valid)
		second, both := 0, 0
		for k := range Sections {
			y := b.Bits[k]
			both += bits.OnesCount64(a.Bits[k] & y)
			second += bits.OnesCount64(y & a.Valid)
		}
		c := Counts(both | first<<countBits | second<<(2*countBits))
		if bits.OnesCount64(a.Valid&b.Valid) >= MinShared {
			c |= enough
		}
		out[j] = c
	}
}

// Count compares a with each of bs and fills as many of out, which must not be
// shorter.
func Count(a *Cylinder, bs []Cylinder, out []Counts) {
	out = out[:len(bs)]
	if len(bs) == 0 {
		return
	}
	p := newPlanes(&a.Bits)
	if usePopcnt {
		countPopcnt(a, &p, &bs[0], len(bs), &out[0], a.Valid == disc)
		return
	}
	countGeneric(a, &p, bs, out)
}
