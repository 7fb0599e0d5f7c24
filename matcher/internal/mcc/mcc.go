// Package mcc holds minutia cylinder-codes packed into bits, after
// R. Cappelli, M. Ferrara, D. Maltoni, "Minutia Cylinder-Code: A New
// Representation and Matching Technique for Fingerprint Recognition", IEEE
// TPAMI 32(12), 2010.
//
// matcher/finger builds them with [Build] and compares two fingers with them;
// matcher/search scans many. Both agree on one layout, [Cylinder], and on one
// local similarity, [Similarity], which is all that this package is for. It
// pairs nothing and decides nothing.
//
// Invariants: a bit is set only where the cell is valid; similarities are
// symmetric bit for bit, finite, and from 0 to 1. The layout is one of memory
// only: it may change with any version and is never written anywhere.
package mcc

import (
	"fmt"
	"io"
	"log/slog"
	"math"
	"math/bits"
)

// Shape of the cylinders: six sections of 8x8 cells fill six 64-bit words, one
// word for each section, so that one further word says for all of them which
// cells are valid.
const (
	Sections  = 6  // N_D: cells along the turn of direction
	Side      = 8  // N_S: cells across
	DiscCells = 52 // cells of a section whose centre is inside the circle
)

// MinShared is the least number of cells valid in both of two cylinders at
// which they are compared at all: min_ME of the paper.
const MinShared = 32

// Cylinder describes the surroundings of one minutia in 64 bytes: bit
// 8*row+column of word k says that neighbours lie about that cell turned by
// about section k. It is biometric data, and prints as "cylinder(redacted)".
type Cylinder struct {
	Bits  [Sections]uint64
	Valid uint64 // cells inside the circle and near the hull; bits elsewhere are 0
	Ones  uint16 // bits set in all sections
	Angle uint8  // direction of the minutia, in 256ths of a turn
	Index uint8  // of the minutia among those of its template
	_     [4]byte
}

// LogValue keeps the contents out of logs.
func (Cylinder) LogValue() slog.Value { return slog.StringValue("cylinder(redacted)") }

// Format keeps the contents out of anything printed, whatever the verb.
func (Cylinder) Format(s fmt.State, _ rune) { _, _ = io.WriteString(s, "cylinder(redacted)") }

// roots holds the square roots of all possible bit counts.
var roots = func() (table [Sections*Side*Side + 1]float32) {
	for i := range table {
		table[i] = float32(math.Sqrt(float64(i)))
	}
	return table
}()

// Similarity is the local similarity of two cylinders, 0 to 1: one less the
// distance of the bit vectors over the sum of their lengths, on the cells
// valid in both; 0 when these are fewer than [MinShared]. Directions play no
// part in it.
func Similarity(a, b *Cylinder) float32 {
	if bits.OnesCount64(a.Valid&b.Valid) < MinShared {
		return 0
	}
	onesA, onesB, both := 0, 0, 0
	for k := range Sections {
		x, y := a.Bits[k], b.Bits[k]
		onesA += bits.OnesCount64(x & b.Valid)
		onesB += bits.OnesCount64(y & a.Valid)
		both += bits.OnesCount64(x & y)
	}
	return FromCounts(onesA, onesB, both)
}

// FromCounts is the similarity by the bits set, among the cells valid in both,
// in the one cylinder, in the other, and in both of them: what a scan counts
// with its own instructions.
func FromCounts(onesA, onesB, both int) float32 {
	length := roots[onesA] + roots[onesB]
	if length == 0 {
		return 0
	}
	return 1 - roots[onesA+onesB-2*both]/length
}
