package mcc

import "golang.org/x/sys/cpu"

// usePopcnt: compiled for the least amd64, math/bits asks at every count
// whether the processor can; the assembly asks once.
var usePopcnt = cpu.X86.HasPOPCNT

// useAVX2: eight similarities at once, by the square roots and divisions of
// IEEE 754, so that every bit is as in portable Go.
var useAVX2 = cpu.X86.HasAVX2

// countPopcnt is countGeneric; full says that all cells of a are valid.
//
//go:noescape
func countPopcnt(a *Cylinder, p *planes, bs *Cylinder, n int, out *Counts, full bool)

//go:noescape
func bestAVX2(counts *Counts, angles *uint8, n int, from uint32, keys *Key, out *Best)
