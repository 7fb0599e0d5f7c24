package scan

import (
	"slices"
	"sync"
)

// best is chosen at the first search: the fastest set that gives the same results as pure Go here and now. What the
// processor says it can do is not taken on trust, nor what the assembly was tried on when it was written.
var best = sync.OnceValue(func() *Set { return choose(Sets()) })

// Best returns the fastest set that this processor can run and that agrees with the one in pure Go.
func Best() *Set { return best() }

func choose(sets []*Set) *Set {
	for _, s := range sets {
		if s.agrees() {
			return s
		}
	}
	return &generic
}

// noise fills b from a linear congruential generator (D. Knuth's MMIX constants), the same every time.
func noise(seed uint64, b []byte) {
	for i := range b {
		seed = seed*6364136223846793005 + 1442695040888963407
		b[i] = byte(seed >> 56)
	}
}

// agrees tries every loop of s on some data, extremes among them, against pure Go.
func (s *Set) agrees() bool {
	return s == &generic || s.agreesOnDots() && s.agreesOnIrises() && s.agreesOnCylinders()
}

func (s *Set) agreesOnDots() bool {
	const rows, stride = 8, 3 * Lanes
	stored := make([]byte, rows*stride)
	noise(1, stored[stride:]) // the first row is -128 throughout
	var q [Queries]Vector
	for k := range q {
		raw := make([]byte, stride)
		noise(uint64(k+2), raw)
		q[k] = Vector{Narrow: make([]int8, stride), Wide: make([]int16, stride)}
		for i, x := range raw {
			v := max(-127, int8(x))
			if k == 0 {
				v = 127
			}
			q[k].Narrow[i], q[k].Wide[i] = v, int16(v)
			q[k].Bias += 128 * int32(v)
		}
	}
	var got, want [Queries * rows]int32
	s.DotsBatch(got[:], stored, rows, &q)
	generic.DotsBatch(want[:], stored, rows, &q)
	var one [rows]int32
	for k := range q {
		s.Dots(one[:], stored, &q[k])
		if !slices.Equal(one[:], want[k*rows:][:rows]) {
			return false
		}
	}
	norms := slices.Repeat([]float32{1}, 2*len(want))
	twice := slices.Concat(want[:], want[:])
	limit := float32(slices.Max(want[1:]))
	return got == want && s.Above(twice, norms, 0, limit) == generic.Above(twice, norms, 0, limit)
}

func (s *Set) agreesOnIrises() bool {
	const n = 3
	var rows [n * IrisRow]byte
	noise(7, rows[:2*IrisRow]) // the last row is empty
	var code, mask [CodeBytes]byte
	noise(8, code[:])
	noise(9, mask[:])
	var p Probe
	p.Set(code[:], mask[:])
	var got, want [n]uint16
	s.Iris(got[:], rows[:], &p)
	generic.Iris(want[:], rows[:], &p)
	var gotAll, wantAll [n]Rotations
	s.IrisMasked(gotAll[:], rows[:], &p)
	generic.IrisMasked(wantAll[:], rows[:], &p)
	for i := range gotAll {
		if !slices.Equal(gotAll[i].Differing[:Turns], wantAll[i].Differing[:Turns]) ||
			!slices.Equal(gotAll[i].Usable[:Turns], wantAll[i].Usable[:Turns]) {
			return false
		}
	}
	return got == want
}

func (s *Set) agreesOnCylinders() bool {
	const probes, references = 3, 2*Group - 3
	raw := make([]byte, 8*(probes*probeWords+2*groupWords))
	noise(10, raw)
	words := make([]uint64, len(raw)/8)
	for i := range words {
		for k := range 8 {
			words[i] |= uint64(raw[8*i+k]) << (8 * k)
		}
	}
	probe, reference := words[:probes*probeWords], words[probes*probeWords:]
	for i := range probes { // what is no bit is a small number
		probe[i*probeWords+Words] %= 400
	}
	for i := range 2 * Group {
		at := &reference[i/Group*groupWords+Words*Group+i%Group]
		if *at %= 400; i >= references {
			*at = uint64(1<<64 - 1<<20) // the place of none
		}
	}
	return s.local(&probe[0], probes, &reference[0], references) == local(&probe[0], probes, &reference[0], references)
}
