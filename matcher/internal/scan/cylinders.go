package scan

import (
	"math/bits"

	"github.com/tamga-id/tamga/matcher/internal/mcc"
)

// Words is the number of 64-bit words in which the cells of a cylinder that lie
// in its disc find room: 6 sections of 52 cells in 5 words.
const Words = 5

// The build fails when cylinders outgrow the words, or [squeeze] the sections.
var (
	_ [Words*64 - mcc.Sections*mcc.DiscCells]struct{}
	_ = [1]struct{}{}[mcc.Sections-Words-1]
)

// Group is the number of cylinders that lie side by side in a packed
// reference, word by word, so that one register holds the same word of all.
const Group = 8

// groupWords is the size of a group: the words of eight cylinders, then their levels.
const groupWords = Group * (Words + 1)

// Cylinders of a probe are packed one after the other, each with its level.
const probeWords = Words + 1

// level is how many bits two cylinders may differ in, for each they have set,
// before they speak against each other, in sixteenths.
const level = 9

// never is the level of a place in a group where there is no cylinder.
const never = -1 << 20

// Local compares two fingers by their cylinders alone: for each of the probe
// the best of the reference, margin = 9/16 (ones + ones') - differing bits, and
// of these the sum of those above 0. It is a cheap relative of the local
// similarity sort of R. Cappelli, M. Ferrara, D. Maltoni (IEEE TPAMI 32(12),
// 2010) that needs neither roots nor quotients. Validity masks play no part:
// bits of invalid cells are 0.
//
// Probe is from [PackProbe]; reference, of n cylinders, from [PackReference].
func (s *Set) Local(probe, reference []uint64, n int) int {
	if len(probe) == 0 || n == 0 {
		return 0
	}
	if len(probe)%probeWords != 0 || n < 0 {
		panic("scan: cylinders are not packed")
	}
	_ = reference[(n+Group-1)/Group*groupWords-1]
	return s.local(&probe[0], len(probe)/probeWords, &reference[0], n)
}

// PackProbe appends the cylinders to dst in the form of a probe.
func PackProbe(dst []uint64, cylinders []mcc.Cylinder) []uint64 {
	for i := range cylinders {
		w := squeeze(&cylinders[i])
		dst = append(dst, w[:]...)
		dst = append(dst, uint64(levelOf(&cylinders[i])))
	}
	return dst
}

// PackReference returns the cylinders in the form of a reference.
func PackReference(cylinders []mcc.Cylinder) []uint64 {
	out := make([]uint64, (len(cylinders)+Group-1)/Group*groupWords)
	for i := range len(out) / groupWords * Group {
		at := out[i/Group*groupWords+i%Group:]
		if i >= len(cylinders) {
			none := int64(never)
			at[Words*Group] = uint64(none)
			continue
		}
		for k, w := range squeeze(&cylinders[i]) {
			at[k*Group] = w
		}
		at[Words*Group] = uint64(levelOf(&cylinders[i]))
	}
	return out
}

func levelOf(c *mcc.Cylinder) int64 { return (int64(c.Ones)*level + 8) / 16 }

// squeeze drops the cells outside the disc. Where a bit ends up does not matter
// as long as it does so in all cylinders.
func squeeze(c *mcc.Cylinder) (out [Words]uint64) {
	const spare = 64 - mcc.DiscCells // room that each of the first words leaves
	for k := range Words {
		out[k] = extract(c.Bits[k], mcc.Disc())
	}
	last := extract(c.Bits[Words], mcc.Disc())
	for k := range Words {
		out[k] |= last >> (k * spare) << mcc.DiscCells
	}
	return out
}

// extract gathers the bits of v that are set in mask in the lowest places.
func extract(v, mask uint64) (out uint64) {
	for place := 0; mask != 0; mask &= mask - 1 {
		out |= v >> bits.TrailingZeros64(mask) & 1 << place
		place++
	}
	return out
}
